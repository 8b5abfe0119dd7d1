"""The declaration of a call: the steps that its subject adds to the corridor.

A call that reads is parsed, planned, read and rendered. A call that writes is parsed, and does the
rest in one transaction: nobody else writes between its reads and its writes. Only ``calls/run.py``
calls the steps. Parse, plan and render are pure: values in, values out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from oppserver.calls.shared.call import Answer, Call, Services
from oppserver.calls.shared.decode import Body, Message
from oppserver.contract.formats import Format
from oppserver.contract.model import Catalogue
from oppserver.store.port import Transaction

Asked = TypeVar("Asked")
Planned = TypeVar("Planned")
Found = TypeVar("Found")
OpenedStream = TypeVar("OpenedStream")


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
    asked.
    """

    body: Body[Message]
    formats: Sequence[Format] = ()
    parse: Callable[[Call, Message], Asked]
    plan: Callable[[Asked, Catalogue], Planned] | None = None
    read: Callable[[Planned, Services], Found]
    render: Callable[[Planned, Found], Answer | bytes]


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
