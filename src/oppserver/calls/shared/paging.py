"""The rows, columns and order of lists: pages, ``Include_CSV`` and ``Sorting``."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.decode import whole_number
from oppserver.contract.errors import InvalidValue, LimitExceeded
from oppserver.contract.limits import PAGE_INDEX_MAX, PAGE_ROWS_MAX
from oppserver.contract.names import quoted
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
