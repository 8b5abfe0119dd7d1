"""The rows, columns and order of lists: pages, ``Include_CSV`` and ``Sorting``; and cursors.

A cursor is a place in a paged read, as opaque text that callers keep.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from string import ascii_letters, digits, punctuation
from typing import Annotated, Final, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.decode import whole_number
from oppserver.contract.errors import CursorGone, Fault, InvalidValue, LimitExceeded
from oppserver.contract.limits import (
    EVENT_CODE_MAX,
    IGNORED_COLUMNS_CHARACTERS_MAX,
    IN_ERROR_VALUE_CHARACTERS_MAX,
    PAGE_INDEX_MAX,
    PAGE_ROWS_MAX,
)
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.contract.values import Number

_DIRECTIONS: Final = {"0": False, "1": True}

_DATES: Final = {"createdon": "created_on", "modifiedon": "modified_on"}


class Page(NamedTuple):
    """Pass over ``offset`` rows and read up to ``limit``."""

    offset: int
    limit: int


class PagingWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Paging``: ``PageIndex`` from 1, or, on calls of activities, ``Offset`` and ``RowCount``."""

    PageIndex: Number | UnsetType | None = UNSET
    PageSize: Number | UnsetType | None = UNSET
    Offset: Number | UnsetType | None = UNSET
    RowCount: Number | UnsetType | None = UNSET


def page_of(
    paging: PagingWire | UnsetType | None,
    *,
    rows_default: int,
    rows_max: int = PAGE_ROWS_MAX,
    index_may_be_0: bool = False,
) -> Page:
    """Return the rows of ``Paging``, in either of its forms; the first page by default.

    ``PageIndex`` counts pages from 1, ``Offset`` counts pages from 0 (source: the documentation of
    the activities of a lead). ``index_may_be_0``: a PageIndex of 0 is the first page too.

    Raises InvalidValue, or LimitExceeded when the page is too large.
    """
    if not isinstance(paging, PagingWire):
        return Page(offset=0, limit=rows_default)
    if _is_set(paging.Offset) or _is_set(paging.RowCount):
        rows = _rows(paging.RowCount, "RowCount", rows_default, rows_max)
        index = _number(paging.Offset, "Offset", at_least=0, default=0)
    else:
        rows = _rows(paging.PageSize, "PageSize", rows_default, rows_max)
        lowest = 0 if index_may_be_0 else 1
        index = max(_number(paging.PageIndex, "PageIndex", at_least=lowest, default=1) - 1, 0)
    return Page(offset=index * rows, limit=rows)


class SortingWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Sorting``: ``Direction`` 1 is descending, 0 ascending."""

    ColumnName: str | UnsetType | None = UNSET
    Direction: Number | UnsetType | None = UNSET


def is_descending(sorting: SortingWire | UnsetType | None, *, default: bool = True) -> bool:
    """Return whether ``Direction`` is descending; ``default`` without one. Raises InvalidValue."""
    direction = sorting.Direction if isinstance(sorting, SortingWire) else None
    if direction is None or isinstance(direction, UnsetType):
        return default
    found = _DIRECTIONS.get(str(direction).strip())
    if found is None:
        raise InvalidValue(
            f"$.Sorting.Direction: {quoted(direction)} is no direction. Send 1 for descending, or 0"
            " for ascending."
        )
    return found


def _rows(value: Number | UnsetType | None, name: str, rows_default: int, rows_max: int) -> int:
    rows = _number(value, name, at_least=1, default=rows_default)
    if rows > rows_max:
        raise LimitExceeded(
            f"$.Paging.{name} is {rows}; a page has at most {rows_max:,} rows. Ask for more pages."
        )
    return rows


def _number(value: Number | UnsetType | None, name: str, *, at_least: int, default: int) -> int:
    if value is None or isinstance(value, UnsetType):
        return default
    found = whole_number(str(value).strip(), at_least=at_least, at_most=PAGE_INDEX_MAX)
    if found is None:
        raise InvalidValue(
            f"$.Paging.{name}: {quoted(value)} is not a whole number from {at_least} to"
            f" {PAGE_INDEX_MAX}"
        )
    return found


def _is_set(value: Number | UnsetType | None) -> bool:
    return value is not None and not isinstance(value, UnsetType)


class ColumnsWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class ListWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a list whose subject is in the query."""

    Columns: ColumnsWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET


class AskedList(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, columns and order of a list.

    ``columns`` empty, ``sort_name`` None: the default of the call.
    """

    page: Page
    columns: Sequence[str]
    sort_name: str | None
    is_descending: bool


def asked_list(message: ListWire, *, rows_default: int) -> AskedList:
    """The rows, columns and order that a message asks for. Raises InvalidValue or LimitExceeded."""
    return AskedList(
        page=page_of(message.Paging, rows_default=rows_default),
        columns=columns_named(message.Columns),
        sort_name=sort_name_of(message.Sorting),
        is_descending=is_descending(message.Sorting),
    )


def columns_named(columns: ColumnsWire | UnsetType | None) -> list[str]:
    """The names in ``Include_CSV``, as they were sent and in their order."""
    include_csv = columns.Include_CSV if isinstance(columns, ColumnsWire) else None
    names = include_csv.split(",") if isinstance(include_csv, str) else []
    return [name for name in names if name.strip()]


IGNORED_COLUMNS: Final = "X-Ignored-Columns"

_IN_HEADER: Final = ascii_letters + digits + punctuation.replace("%", "") + " "


def ignored_columns(names: Sequence[str]) -> Mapping[str, str]:
    """The header that names the columns that rows do not have, in order; none without names.

    Characters other than visible ASCII are percent-encoded: a name must not end the header.
    """
    shown: list[str] = []
    characters = 0
    for name in dict.fromkeys(name.strip() for name in names):
        one = quote(name[:IN_ERROR_VALUE_CHARACTERS_MAX], safe=_IN_HEADER, errors="replace")
        characters += len(one) + 2
        if characters > IGNORED_COLUMNS_CHARACTERS_MAX:
            shown.append("...")
            break
        shown.append(one)
    return {IGNORED_COLUMNS: ", ".join(shown)} if shown else {}


def sort_name_of(sorting: SortingWire | UnsetType | None) -> str | None:
    """The name of the column of an order; None when none is named."""
    name = sorting.ColumnName if isinstance(sorting, SortingWire) else None
    return name.strip() or None if isinstance(name, str) else None


def date_sorted_by(sorting: SortingWire | UnsetType | None, *, what: str) -> str | None:
    """The stored name of the date of an order; None when none is named. Raises InvalidValue."""
    name = sort_name_of(sorting)
    if name is None:
        return None
    stored = _DATES.get(name.casefold())
    if stored is None:
        raise InvalidValue(
            f"$.Sorting.ColumnName: {what} are not sorted by {quoted(name)}. Send CreatedOn or"
            " ModifiedOn."
        )
    return stored


# --- cursors ------------------------------------------------------------------------------------

_T = TypeVar("_T")

_CURSOR_CHARACTERS_MAX: Final = 1_000
"""Characters of a cursor. Chosen: those that are given have fewer than 300."""

ChangeNumber = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""The number of a change. Bounded by what every engine stores: a caller can forge a cursor."""

EventCode = Annotated[int, msgspec.Meta(ge=0, le=EVENT_CODE_MAX)]
"""The code of a type in a cursor."""


def cursor_text(place: msgspec.Struct) -> str:
    """A place as text: letters, digits, ``-`` and ``_``."""
    return urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(text: str, kind: type[_T]) -> _T:
    """Read the place in a cursor. Raises InvalidValue when it is malformed or of another call."""
    if len(text) > _CURSOR_CHARACTERS_MAX:
        raise _refused_cursor(f"{quoted(text)} is longer than every cursor")
    try:
        json = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return msgspec.json.decode(json, type=kind)
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise _refused_cursor(f"{quoted(text)} is no cursor of this call") from None


def check_same(name: str, was: object, now: object) -> None:
    """Check that a call has the same parameters as the call of its cursor. Raises InvalidValue."""
    if was != now:
        had = f"no {name}" if was is None else f"{name}={was}"
        raise _refused_cursor(f"it was given with {had}, and this call has {now or 'none'}")


def check_reached(of_database: str, number: int, *, database: str, last: int) -> None:
    """Check that a cursor is of this database, and not past its last change. Raises CursorGone.

    ``of_database`` and ``number`` are the cursor's; ``last`` is the number of the last change.
    """
    if of_database != database:
        raise _gone_cursor("it was given by another database")
    if number > last:
        raise _gone_cursor("it is of a later state than this database has: it was restored")


def _gone_cursor(what: str) -> CursorGone:
    return refusal(
        CursorGone, [Fault(parameter="cursor", what=what, hint="Begin anew: leave the cursor out.")]
    )


def _refused_cursor(what: str) -> InvalidValue:
    hint = "Send it as it was answered, with the same query, or leave it out to begin anew."
    return refusal(InvalidValue, [Fault(parameter="cursor", what=what, hint=hint)])


class ChangesCursor(msgspec.Struct, frozen=True, array_like=True, tag="changes"):
    """A place in the changes of a database, of one type or of all."""

    database: str
    event_code: EventCode | None
    number: ChangeNumber
