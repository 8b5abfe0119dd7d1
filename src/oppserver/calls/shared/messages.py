"""Messages and members that several subjects share: fields, flags, dates, pages, columns, order.

Members are spelled as the API spells them. All of a request are optional, so that parsing can name
a missing one the way the API does. Numbers come as number or as text.
"""

from collections.abc import Sequence
from typing import Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.names import number_of
from oppserver.contract.dates import Span, datetime_to_stored, span_of
from oppserver.contract.errors import (
    ApiError,
    InvalidFieldValue,
    InvalidValue,
    LimitExceeded,
    MissingAttribute,
)
from oppserver.contract.limits import BULK_WRITE_ROWS_MAX, PAGE_INDEX_MAX, PAGE_ROWS_MAX
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, Number

Flag: TypeAlias = bool | str | int
"""A flag as callers send it; ``flag_at`` reads it."""

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


def text_of(value: FieldValue | UnsetType) -> str:
    """The text of a member, without blanks around it; empty when it is null or not there."""
    return "" if value is None or isinstance(value, UnsetType) else str(value).strip()


def given(value: FieldValue | UnsetType) -> FieldValue:
    """The value of a member; None when it is not there."""
    return None if isinstance(value, UnsetType) else value


def flag_at(value: FieldValue | UnsetType, *, place: str) -> bool:
    """The value of a flag; False when it is not there. Raises InvalidValue."""
    found = _FLAGS.get(text_of(value).lower())
    if found is None:
        raise InvalidValue(f"{place}: {quoted(value)} is neither true nor false")
    return found


def date_at(text: str | UnsetType | None, *, place: str) -> str | None:
    """The stored form of a date; None when it is not there. Raises InvalidValue."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return datetime_to_stored(text.strip())
    except ValueError as error:
        raise InvalidValue(f"{place}: {quoted(text)} is {error}") from None


def span_at(text: str, *, place: str, error: type[ApiError]) -> Span:
    """The span that a date means in a comparison. Raises an error of the kind."""
    try:
        return span_of(text)
    except ValueError:
        raise error(
            f"{place}: {quoted(text)} is no date. Send one like 2024-02-29 13:05:09 or 2024-02-29"
            " (UTC)."
        ) from None


def event_code_at(value: Number | UnsetType | None, *, place: str) -> int | None:
    """The event code of a filter; None when it is not there. It may be of no type here.

    Raises InvalidValue.
    """
    text = text_of(value)
    code = number_of(text)
    if text and code is None:
        raise InvalidValue(
            f"{place}: {quoted(text)} is no event code. Expected a number like 12000."
        )
    return code


def check_entries(messages: Sequence[object]) -> None:
    """Check the number of entries of a bulk write. Raises MissingAttribute or LimitExceeded."""
    if not messages:
        raise MissingAttribute(
            f"The body is an empty array. Send 1 to {BULK_WRITE_ROWS_MAX} entries."
        )
    if len(messages) > BULK_WRITE_ROWS_MAX:
        raise LimitExceeded(
            f"The body has {len(messages)} entries; one call takes {BULK_WRITE_ROWS_MAX}."
            " Split them over several calls."
        )


# --- fields --------------------------------------------------------------------------------------


class FieldValueWire(msgspec.Struct, forbid_unknown_fields=True):
    """One of ``Fields``: a schema name and its value. ``Fields`` are the members of a field set."""

    SchemaName: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    Fields: list[msgspec.Raw] | UnsetType | None = UNSET


class SentField(NamedTuple):
    """A field by the name that the caller gives it, its value, and their places in the body."""

    name: str
    value: FieldValue
    name_place: str
    value_place: str


def field_at(field: FieldValueWire, *, place: str, null_means: str) -> SentField:
    """One of ``Fields``. ``place`` is in the body: ``Opportunity.Fields[0]``, ``[0].Fields[0]``.

    ``null_means`` is what an error says of a value of null. Raises MissingAttribute, or
    InvalidFieldValue when the field has members of a custom field set.
    """
    name = text_of(field.SchemaName)
    if not name:
        raise MissingAttribute(f"'SchemaName' is mandatory in {place}")
    if field.Fields:
        inside = place if place.startswith("[") else f".{place}"
        raise InvalidFieldValue(
            f"${inside}.Fields: members of custom field sets are not kept here. Leave Fields out,"
            " and send each value as a field of its own (mx_Custom_N)."
        )
    if isinstance(field.Value, UnsetType):
        raise MissingAttribute(f"'Value' is mandatory in {place}; {null_means}")
    return SentField(name, field.Value, f"{place}.SchemaName", f"{place}.Value")


# --- answers of writes ---------------------------------------------------------------------------

_Message = TypeVar("_Message")
_Row = TypeVar("_Row")


class AffectedWire(msgspec.Struct, frozen=True):
    """``Message`` of bulk writes: the number of rows that changed."""

    AffectedRows: int


class SuccessWire(msgspec.Struct, Generic[_Message], frozen=True, kw_only=True):
    """The answer of a write."""

    Status: Literal["Success"] = "Success"
    Message: _Message


class BulkSuccessWire(msgspec.Struct, Generic[_Row], frozen=True, kw_only=True):
    """The answer of a bulk write: a row for each entry, in the order of the entries."""

    Status: Literal["Success"] = "Success"
    Message: AffectedWire
    Response: list[_Row]


class KeyValueWire(msgspec.Struct, frozen=True):
    """One of the fields of a row."""

    Key: str
    Value: str | None


# --- pages and order -----------------------------------------------------------------------------

_DIRECTIONS: Final = {"0": False, "1": True}


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
    """The rows of ``Paging``, in either of its forms; the first page where it says nothing.

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
    """What ``Direction`` says, or ``default`` where it says nothing. Raises InvalidValue."""
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
    text = str(value).strip()
    digits = text.lstrip("0") or "0"
    is_number = text.isascii() and text.isdecimal() and len(digits) <= len(str(PAGE_INDEX_MAX))
    if not is_number or not at_least <= int(digits) <= PAGE_INDEX_MAX:
        raise InvalidValue(
            f"$.Paging.{name}: {quoted(value)} is not a whole number from {at_least} to"
            f" {PAGE_INDEX_MAX}"
        )
    return int(digits)


def _is_set(value: Number | UnsetType | None) -> bool:
    return value is not None and not isinstance(value, UnsetType)


class AskedList(msgspec.Struct, frozen=True, kw_only=True):
    """The rows, columns and order of a list. ``None``: nothing is said, so the default holds."""

    page: Page
    include_csv: str | None
    sort_name: str | None
    is_descending: bool


class ColumnsWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class ListWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a list whose subject is in the query."""

    Columns: ColumnsWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET


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
