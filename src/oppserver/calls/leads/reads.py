"""Parsing of the calls that read leads: by many ids, and by one attribute."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.conditions import condition_of
from oppserver.calls.shared.decode import Ignored
from oppserver.calls.shared.messages import LookupWire, given
from oppserver.calls.shared.paging import (
    ColumnsWire,
    Page,
    PagingWire,
    SortingWire,
    columns_named,
    is_descending,
    page_of,
    sort_name_of,
)
from oppserver.contract.columns import Column
from oppserver.contract.errors import InvalidValue, LimitExceeded, MissingAttribute, UnknownColumn
from oppserver.contract.identifiers import distinct_guids
from oppserver.contract.leads import (
    ATTRIBUTE,
    EVERY_ATTRIBUTE,
    READABLE_COLUMNS,
    lead_data_type,
    readable_lead_column_named,
)
from oppserver.contract.limits import LEAD_ATTRIBUTES_MAX, LEADS_BY_IDS_MAX, LEADS_PAGE_ROWS_DEFAULT
from oppserver.contract.model import DataType, Field
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import plain_number, plain_text
from oppserver.store.queries import (
    ColumnCondition,
    Comparison,
    ConditionGroup,
    LeadSearch,
    Ordering,
)


class LeadsGetWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Leads.Get``. Some callers put ``Query`` around ``Parameter``: it is refused.

    ``Attribute`` and ``Value`` name the type of leads. There is only one type.
    """

    Parameter: LookupWire | UnsetType | None = UNSET
    Query: object = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Attribute: Ignored = UNSET
    Value: Ignored = UNSET


class LeadIdsWire(msgspec.Struct, forbid_unknown_fields=True):
    """``SearchParameters`` of ``Leads/Retrieve/ByIds``."""

    LeadIds: list[str] | UnsetType | None = UNSET


class LeadsByIdsWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Leads/Retrieve/ByIds``."""

    SearchParameters: LeadIdsWire | UnsetType | None = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET


EVERY_COLUMN: Final = (*READABLE_COLUMNS, EVERY_ATTRIBUTE)

ID_COLUMN: Final = READABLE_COLUMNS[0]

_VALUE_PLACE: Final = "$.Parameter.LookupValue"

_LIKE: Final = "LIKE"

OPERATORS: Final = {
    "=": Comparison.EQUAL,
    "<>": Comparison.NOT_EQUAL,
    "<": Comparison.LESS,
    "<=": Comparison.LESS_OR_EQUAL,
    ">": Comparison.GREATER,
    ">=": Comparison.GREATER_OR_EQUAL,
}

# --- by ids ------------------------------------------------------------------------------------


class LeadsByIds(NamedTuple):
    """Leads to read: canonical ids, each once, in order. ``page`` is of the leads that are here.

    ``ignored`` are the names of columns that no lead has.
    """

    ids: list[str]
    columns: tuple[Column, ...]
    ignored: Sequence[str]
    page: Page


def parse_leads_by_ids(_: Call, message: LeadsByIdsWire) -> LeadsByIds:
    """Parse a ``Leads/Retrieve/ByIds``.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    ids = message.SearchParameters.LeadIds if message.SearchParameters else None
    if not ids:
        raise MissingAttribute("'LeadIds' is mandatory in SearchParameters: an array of lead ids")
    columns, ignored = lead_columns(message.Columns)
    if not columns:
        raise MissingAttribute("'Include_CSV' is mandatory in Columns")
    distinct = distinct_guids(ids, place="SearchParameters.LeadIds")
    if len(distinct) > LEADS_BY_IDS_MAX:
        raise LimitExceeded(
            f"The call asks for {len(distinct)} leads; one call takes {LEADS_BY_IDS_MAX}."
            " Split the ids over several calls."
        )
    page = page_of(message.Paging, rows_default=LEADS_BY_IDS_MAX, rows_max=LEADS_BY_IDS_MAX)
    return LeadsByIds(ids=distinct, columns=columns, ignored=ignored, page=page)


# --- by one attribute --------------------------------------------------------------------------


class AskedLeads(NamedTuple):
    """A page of leads, and the names of columns that no lead has."""

    search: LeadSearch
    ignored: Sequence[str] = ()


def parse_leads_get(_: Call, message: LeadsGetWire) -> AskedLeads:
    """Parse a ``Leads.Get``.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    if not isinstance(message.Query, msgspec.UnsetType):
        raise InvalidValue(
            "$.Query: a filter in it would find every lead. Put Parameter into the body itself."
        )
    page = page_of(message.Paging, rows_default=LEADS_PAGE_ROWS_DEFAULT)
    lookup = message.Parameter
    columns, ignored = lead_columns(message.Columns)
    search = LeadSearch(
        where=_where(lookup) if isinstance(lookup, LookupWire) else ConditionGroup(),
        ordering=lead_ordering(message.Sorting),
        offset=page.offset,
        limit=page.limit,
        columns=columns or EVERY_COLUMN,
    )
    return AskedLeads(search, ignored)


def _where(lookup: LookupWire) -> ConditionGroup:
    name = lookup.LookupName.strip() if isinstance(lookup.LookupName, str) else ""
    text = plain_text(given(lookup.LookupValue), place=_VALUE_PLACE)
    if not name:
        if text is not None:
            raise MissingAttribute("'LookupName' is mandatory in Parameter with a LookupValue")
        return ConditionGroup()
    column = lead_column_at(name, place="$.Parameter.LookupName")
    if text is None:
        raise MissingAttribute("'LookupValue' is mandatory in Parameter with a LookupName")
    return ConditionGroup(members=(_condition(column, _operator(lookup), text),))


def _operator(lookup: LookupWire) -> str:
    operator = lookup.SqlOperator.strip() if isinstance(lookup.SqlOperator, str) else ""
    if operator.upper() != _LIKE and operator not in ("", *OPERATORS):
        raise InvalidValue(
            f"$.Parameter.SqlOperator: {quoted(operator)} is no operator. Expected one of"
            f" {', '.join(OPERATORS)}, LIKE"
        )
    return operator.upper() or "="


def _condition(column: Column, operator: str, text: str) -> ColumnCondition | ConditionGroup:
    if operator == _LIKE:
        return _like(column.stored, text)
    comparison = OPERATORS[operator]
    data_type = compared_as(column, comparison, text)
    field = Field(
        event_code=0, schema_name=column.name, display_name=column.name, data_type=data_type
    )
    return condition_of(column, field, comparison, text, place=_VALUE_PLACE)


def compared_as(column: Column, comparison: Comparison, text: str) -> DataType:
    """The data type to compare a value as. Attributes have no definition that names one.

    There a number is greater or less than numbers, and equal to the same text.
    """
    if lead_data_type(column) == "Date":
        return DataType.DATE_TIME
    is_order = comparison not in (Comparison.EQUAL, Comparison.NOT_EQUAL)
    if is_order and column.stored.startswith(ATTRIBUTE) and plain_number(text) is not None:
        return DataType.NUMBER
    return DataType.STRING


def _like(stored: str, pattern: str) -> ColumnCondition:
    """The condition of LIKE: ``%`` at the end, or at both ends. ``_`` is an ordinary character."""
    begins = not pattern.startswith("%")
    text = pattern.removesuffix("%").removeprefix("%")
    if not pattern.endswith("%") or not text or "%" in text:
        raise InvalidValue(
            f"{_VALUE_PLACE}: {quoted(pattern)} is no pattern that LIKE takes here. Send 'text%'"
            " for what begins with a text, '%text%' for what contains it."
        )
    comparison = Comparison.BEGINS if begins else Comparison.CONTAINS
    return ColumnCondition(stored=stored, comparison=comparison, values=(text,))


# --- columns and order -------------------------------------------------------------------------


class LeadColumns(NamedTuple):
    """Columns of leads, each once, in order, and the names that are no columns of leads."""

    columns: tuple[Column, ...]
    ignored: Sequence[str]


def lead_columns(asked: ColumnsWire | msgspec.UnsetType | None) -> LeadColumns:
    """The columns of ``Include_CSV``; none where it names none. Raises LimitExceeded.

    Other names are left out (source: observed). Where no name is a column's, rows have their id.
    """
    names = dict.fromkeys(name.strip() for name in columns_named(asked))
    columns = {name: readable_lead_column_named(name) for name in names}
    found = dict.fromkeys(column for column in columns.values() if column is not None)
    ignored = [name for name, column in columns.items() if column is None]
    if len(found) + len(ignored) > LEAD_ATTRIBUTES_MAX:
        raise LimitExceeded(
            f"$.Columns.Include_CSV has {len(found) + len(ignored)} names; a row has at most"
            f" {LEAD_ATTRIBUTES_MAX} of them. Split them over several calls."
        )
    return LeadColumns(tuple(found) or (ID_COLUMN,) if names else (), ignored)


def lead_column_at(name: str, *, place: str) -> Column:
    """The column of a name. Raises UnknownColumn with the place and the nearest names."""
    column = readable_lead_column_named(name)
    if column is None:
        known = (one.name for one in READABLE_COLUMNS)
        raise UnknownColumn(
            f"{place}: {quoted(name.strip())} is no attribute of a lead."
            f"{did_you_mean(name.strip(), known)} Names of custom attributes begin with mx_."
        )
    return column


def lead_ordering(
    sorting: SortingWire | msgspec.UnsetType | None, *, default: str | None = None
) -> Ordering:
    """The order of ``Sorting``. Without one, newest first by the stored column ``default``.

    Without a default it is by id: it needs no sorting and does not change. Raises UnknownColumn.
    """
    name = sort_name_of(sorting)
    if name is None:
        is_down = is_descending(sorting, default=default is not None)
        return Ordering(stored=default or ID_COLUMN.stored, is_descending=is_down)
    column = lead_column_at(name, place="$.Sorting.ColumnName")
    return Ordering(
        stored=column.stored,
        is_descending=is_descending(sorting),
        is_number=lead_data_type(column) == "Number",
    )
