"""A call: its declaration, the call under way, its answer, and the services it works with.

A call that reads is parsed, planned, read and rendered. A call that writes is parsed, and does the
rest in one transaction: nobody else writes between its reads and its writes. Only ``calls/run.py``
calls the steps. Parse, plan and render are pure: values in, values out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar
from uuid import uuid4

from oppserver.calls.shared.decode import Body, Message
from oppserver.calls.shared.repeats import AnswerCache, Repeatable
from oppserver.contract.formats import Format
from oppserver.contract.model import Catalogue, Principal
from oppserver.rate_limit.window import KeyedRateLimiter, RateWindow
from oppserver.store.port import Store, Transaction
from oppserver.store.row_cache import RowCache

Asked = TypeVar("Asked")
Planned = TypeVar("Planned")
Found = TypeVar("Found")
OpenedStream = TypeVar("OpenedStream")


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
    """The services of calls. ``rate_limiter`` None: no limit. Caches that are None: none.

    ``body_bytes_max`` bounds the body of a call. ``made_by`` names the versions of the libraries
    that make the bytes of answers.
    """

    store: Store
    rate_limiter: KeyedRateLimiter | None
    row_cache: RowCache | None = None
    answer_cache: AnswerCache | None = None
    body_bytes_max: int
    made_by: str = ""
    sources: Sources = THE_WORLD


# --- declarations -------------------------------------------------------------------------------


class NoBody(Body[None]):
    """The body of calls that take none. Any body is ignored."""

    def __init__(self) -> None:
        super().__init__(type(None), is_optional=True)

    def decode(self, body: bytes | None, *, content_type: str, body_bytes_max: int) -> None:
        """Return nothing."""


NO_BODY: Final = NoBody()


def parse_nothing(_: Call, __: None) -> None:
    """Parse a call whose path says everything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Read(Generic[Message, Asked, Planned, Found]):
    """A call that reads.

    ``body``: the message that the body holds. ``formats``: the formats that ``Accept`` chooses
    from; empty, the call answers JSON whatever ``Accept`` says. ``parse`` gives what was asked,
    ``plan`` what will be done: with stored columns and checked sizes, from the catalogue. ``read``
    takes it from the store, ``render`` makes the answer. A call without ``plan`` reads what was
    asked. ``repeats`` describes what was found, where the same call may get the same answer out of
    the ``AnswerCache``.
    """

    body: Body[Message]
    formats: Sequence[Format] = ()
    parse: Callable[[Call, Message], Asked]
    plan: Callable[[Asked, Catalogue], Planned] | None = None
    read: Callable[[Planned, Services], Found]
    render: Callable[[Planned, Found], Answer | bytes]
    repeats: Callable[[Found], Repeatable | None] | None = None


class WriteContext(NamedTuple):
    """The time, the caller and the source of new ids of a write.

    ``now`` is in the stored form, ``user_id`` is the caller's.
    """

    now: str
    user_id: str
    request_id: str
    new_id: Callable[[], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Write(Generic[Message, Asked]):
    """A call that writes.

    ``write`` reads, plans, writes and renders in one transaction; it returns the answer's body.
    """

    body: Body[Message]
    parse: Callable[[Call, Message], Asked]
    write: Callable[[Transaction, Asked, WriteContext], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream(Generic[OpenedStream]):
    """A call whose answer is a stream, and maybe its body.

    ``formats`` gives the formats that ``Accept`` chooses from. ``open`` parses and plans; what it
    returns reads and renders batch by batch.
    """

    formats: Sequence[Format]
    open: Callable[[Call, Services], OpenedStream]


Operation = Read[Any, Any, Any, Any] | Write[Any, Any]
