"""Cursors: places in paged reads, as opaque text that callers keep."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Final, Protocol, TypeVar

import msgspec

from oppserver.contract.errors import CursorGone, Fault, InvalidValue
from oppserver.contract.limits import EVENT_CODE_MAX
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal

_T = TypeVar("_T")

_CHARACTERS_MAX: Final = 1_000
"""Characters of a cursor. Chosen: those that are given have fewer than 300."""

ChangeNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""The number of a change. Bounded by what every engine stores: a caller can forge a cursor."""

EventCode = Annotated[int, msgspec.Meta(ge=0, le=EVENT_CODE_MAX)]
"""The code of a type in a cursor."""


class Place(Protocol):
    """The members of every cursor: a database, and the last change number in it."""

    @property
    def database(self) -> str:
        """The database's identity."""
        ...

    @property
    def number(self) -> int:
        """The number of the last change."""
        ...


def cursor_text(place: msgspec.Struct) -> str:
    """A place as text: letters, digits, ``-`` and ``_``."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(text: str, kind: type[_T]) -> _T:
    """Read the place in a cursor. Raises InvalidValue when it is malformed or of another call."""
    if len(text) > _CHARACTERS_MAX:
        raise _refused(f"{quoted(text)} is longer than every cursor")
    try:
        json = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return msgspec.json.decode(json, type=kind)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise _refused(f"{quoted(text)} is no cursor of this call") from None


def check_same(name: str, was: object, now: object) -> None:
    """Check that a call has the same parameters as the call of its cursor. Raises InvalidValue."""
    if was != now:
        had = f"no {name}" if was is None else f"{name}={was}"
        raise _refused(f"it was given with {had}, and this call has {now or 'none'}")


def check_reached(place: Place, *, database: str, last: int) -> None:
    """Check that a cursor is of this database, and not past its last change. Raises CursorGone.

    ``last`` is the number of the last change.
    """
    if place.database != database:
        raise _gone("it was given by another database")
    if place.number > last:
        raise _gone("it is of a later state than this database has: it was restored")


def _gone(what: str) -> CursorGone:
    return refusal(
        CursorGone, [Fault(parameter="cursor", what=what, hint="Begin anew: leave the cursor out.")]
    )


def _refused(what: str) -> InvalidValue:
    hint = "Send it as it was answered, with the same query, or leave it out to begin anew."
    return refusal(InvalidValue, [Fault(parameter="cursor", what=what, hint=hint)])


class ChangesCursor(msgspec.Struct, frozen=True, array_like=True, tag="changes"):
    """A place in the changes of a database, of one type or of all."""

    database: str
    event_code: EventCode | None
    number: ChangeNumber
