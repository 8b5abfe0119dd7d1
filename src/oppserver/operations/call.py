"""A call under way, and what every operation needs to do its work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from oppserver.contract.errors import AccessDenied
from oppserver.contract.model import Principal, Role
from oppserver.operations.details_forms import DetailsForms
from oppserver.operations.hot_rows import HotRows
from oppserver.operations.rate_limit import RateLimiter, RateWindow
from oppserver.operations.sources import THE_WORLD, Sources
from oppserver.steps.authenticate import authenticate
from oppserver.store.port import Store


@dataclass(kw_only=True, slots=True)
class Call:
    """One call as the door took it in. The body is bytes; nothing is decoded yet.

    ``name`` is the route's. ``body`` None: it was longer than the limit and was not read to its
    end. ``host`` is where the caller sent it, empty when it did not say. ``coding`` is the content
    coding that the caller likes best of ours; a short answer is sent without. ``query`` holds the
    query's names in lower case, without the keys. ``principal`` and ``rate_window`` are written
    once, by ``admit``, and ``is_replayed`` by ``write``: the door tells of them in the log and in
    the headers, also when the call fails afterwards.
    """

    name: str
    writes: bool
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
    principal: Principal | None = None
    rate_window: RateWindow | None = None
    is_replayed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a call answers, where there is more to say than a JSON body with status 200.

    ``is_packed``: a content coding would make the body no smaller.
    """

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_packed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """What operations work with. ``rate_limiter`` None: no limit; ``hot_rows`` None: none kept.

    ``made_by``: the versions of what makes the bytes of answers.
    """

    store: Store
    rate_limiter: RateLimiter | None
    hot_rows: HotRows | None = None
    body_bytes_max: int
    made_by: str = ""
    sources: Sources = THE_WORLD
    details_forms: DetailsForms = field(default_factory=DetailsForms)


def identify(call: Call, services: Services) -> Principal:
    """Who is calling, as of now. Raises InvalidCredentials."""
    stored = services.store.key(call.access_key)
    return authenticate(stored, secret_key=call.secret_key)


def admit(call: Call, services: Services) -> Principal:
    """Who is calling, counted against their limit. Comes before anything of the body is decoded.

    Raises InvalidCredentials, RateLimited, or AccessDenied when a reader's key would write.
    """
    call.principal = identify(call, services)
    if services.rate_limiter is not None:
        call.rate_window = services.rate_limiter.count(call.principal.access_key)
        call.rate_window.raise_if_exceeded()
    if call.writes and call.principal.role is Role.READER:
        raise AccessDenied(
            f"{call.name} writes, and this key is a reader's."
            " 'oppserver key create --role user' makes one that may write."
        )
    return call.principal
