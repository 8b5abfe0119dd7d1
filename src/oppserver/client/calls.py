"""One call as data: what is sent, and how its answer is read. Nothing here does I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

import msgspec

from oppserver.client.errors import UnexpectedAnswer

T = TypeVar("T")

OPPORTUNITIES: Final = "/v2/OpportunityManagement.svc/"

ACTIVITIES: Final = "/v2/ProspectActivity.svc/"


@dataclass(frozen=True, kw_only=True, slots=True)
class HostCall(Generic[T]):
    """A call without keys. ``read`` makes the result of a good answer's body.

    ``may_be_empty``: an empty body is an answer that ``read`` understands; else it is a fault of
    the host that passes. ``idempotency_key`` is sent with a write, the same in every try.
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    read: Callable[[bytes], T]
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    writes: bool = False
    may_be_empty: bool = False
    idempotency_key: str | None = None


def post(
    name: str,
    message: Any,
    read: Callable[[bytes], T],
    *,
    query: tuple[tuple[str, str], ...] = (),
    base: str = OPPORTUNITIES,
) -> HostCall[T]:
    """A reading POST of a message; ``name`` is also the end of its path."""
    return HostCall(
        name=name,
        method="POST",
        path=base + name,
        query=query,
        body=msgspec.json.encode(message),
        read=read,
    )


def get(
    name: str,
    read: Callable[[bytes], T],
    *,
    query: tuple[tuple[str, str], ...] = (),
    may_be_empty: bool = False,
) -> HostCall[T]:
    """A reading GET."""
    return HostCall(
        name=name,
        method="GET",
        path=OPPORTUNITIES + name,
        query=query,
        read=read,
        may_be_empty=may_be_empty,
    )


def write(
    name: str,
    message: Any,
    read: Callable[[bytes], T],
    *,
    query: tuple[tuple[str, str], ...] = (),
    base: str = OPPORTUNITIES,
) -> HostCall[T]:
    """A write: a POST of a message, or a GET where there is none. Its answer may be empty."""
    return HostCall(
        name=name,
        method="GET" if message is None else "POST",
        path=base + name,
        query=query,
        body=None if message is None else msgspec.json.encode(message),
        read=read,
        writes=True,
        may_be_empty=True,
    )


def decoded(decoder: "msgspec.json.Decoder[T]", body: bytes, *, name: str) -> T:
    """What a body holds. Raises UnexpectedAnswer when it is not of the call's form."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_understood(name, str(error)) from None


def not_understood(name: str, why: str) -> UnexpectedAnswer:
    """An answer that is not one of this API."""
    return UnexpectedAnswer(
        f"The answer to {name} cannot be understood: {why}. Check that the host speaks this API,"
        " and that no proxy answers for it."
    )
