"""What lists and searches of opportunities ask: parsed, but nothing of it looked up yet."""

import msgspec
from msgspec import UnsetType

from oppserver.contract.paging import Page, is_descending, page_of
from oppserver.contract.searches import Comparison
from oppserver.contract.wire import ColumnsWire, ListWire, SortingWire


class AskedList(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, columns and order of a list. ``None``: nothing is said, so the default holds."""

    page: Page
    include_csv: str | None
    sort_name: str | None
    is_descending: bool


class AskedLeadList(msgspec.Struct, frozen=True, kw_only=True):
    """The opportunities of a lead, of one type or all."""

    lead_id: str
    event_code: str | None
    rows: AskedList


class AskedLeadFieldList(msgspec.Struct, frozen=True, kw_only=True):
    """The opportunities of the leads that have a value in a stored column."""

    stored: str
    value: str
    rows: AskedList


class AskedComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison: a column's name, how, and with what; ``place`` is where it stands."""

    place: str
    name: str
    comparison: Comparison
    operand: str | None


class AskedComparisons(msgspec.Struct, frozen=True, kw_only=True):
    """Comparisons of which all hold, or any."""

    comparisons: tuple[AskedComparison, ...]
    is_any: bool


class AskedSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A search of one type: groups of which all hold, or any."""

    event_code: str
    groups: tuple[AskedComparisons, ...]
    is_any: bool
    rows: AskedList


class AskedRecentlyModified(msgspec.Struct, frozen=True, kw_only=True):
    """What was modified in a span (stored form, both ends in it), of one event code or all."""

    from_date: str | None
    to_date: str | None
    event_code: int | None
    with_custom_fields: bool
    page: Page
    by_created_on: bool
    is_descending: bool


def asked_list(message: ListWire, *, rows_default: int) -> AskedList:
    """What a message says of rows, columns and order. Raises InvalidValue or LimitExceeded."""
    return AskedList(
        page=page_of(message.Paging, rows_default=rows_default),
        include_csv=_include_csv(message.Columns),
        sort_name=sort_name_of(message.Sorting),
        is_descending=is_descending(message.Sorting),
    )


def sort_name_of(sorting: SortingWire | UnsetType | None) -> str | None:
    """The name of the column of an order; None when none is named."""
    name = sorting.ColumnName if isinstance(sorting, SortingWire) else None
    return name.strip() or None if isinstance(name, str) else None


def _include_csv(columns: ColumnsWire | UnsetType | None) -> str | None:
    names = columns.Include_CSV if isinstance(columns, ColumnsWire) else None
    has_names = isinstance(names, str) and names.replace(",", " ").strip()
    return names if isinstance(names, str) and has_names else None
