"""A call under way, its answer, and the services that calls work with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4

from oppserver.contract.formats import Format
from oppserver.contract.model import Principal
from oppserver.rate_limit.window import KeyedRateLimiter, RateWindow
from oppserver.store.port import Store
from oppserver.store.row_cache import RowCache


@dataclass(kw_only=True, slots=True)
class Call:
    """One call as it came in. The body is bytes; nothing is decoded yet.

    ``name`` is the route's. ``body`` None: it was longer than the limit and was not read to its
    end. ``host`` is where the caller sent it, empty when the caller did not say. ``coding`` is the
    content coding that the caller likes best of ours; a short answer is sent without. ``query``
    holds the query's names in lower case, without the keys. The runner writes the last four, each
    once: headers and log describe them, also when the call fails afterwards.
    """

    name: str
    access_key: str
    secret_key: str
    content_type: str
    body: bytes | None
    now: datetime
    host: str = ""
    accept: str = ""
    coding: str = "identity"
    content_encoding: str = ""
    if_none_match: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    idempotency_key: str | None = None
    format: Format = Format.JSON
    principal: Principal | None = None
    rate_window: RateWindow | None = None
    is_replayed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer of a call that is more than a JSON body with status 200.

    ``is_packed``: a content coding would make the body no smaller.
    """

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_packed: bool = False


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid4())


def _new_request_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The sources of time and of ids; tests have their own (decision 0029).

    ``now`` is an aware moment. ``new_id`` is a GUID in the stored form that nothing has yet,
    ``new_request_id`` is the name of a request that came without one. All are safe from several
    threads.
    """

    now: Callable[[], datetime] = _now
    new_id: Callable[[], str] = _new_id
    new_request_id: Callable[[], str] = _new_request_id


THE_WORLD: Final = Sources()
"""The sources of every server in production."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """The services of calls. ``rate_limiter`` None: no limit; ``row_cache`` None: no row cache.

    ``body_bytes_max`` bounds the body of a call. ``made_by`` names the versions of the libraries
    that make the bytes of answers.
    """

    store: Store
    rate_limiter: KeyedRateLimiter | None
    row_cache: RowCache | None = None
    body_bytes_max: int
    made_by: str = ""
    sources: Sources = THE_WORLD
