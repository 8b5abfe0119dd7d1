"""Leads that are searched: by a change in a span of time, an address, a number, or some words."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.leads.reads import (
    EVERY_COLUMN,
    AskedLeads,
    compared_as,
    lead_column_at,
    lead_columns,
    lead_ordering,
)
from oppserver.calls.shared.advanced_search import (
    AskedComparison,
    AskedConditions,
    Searched,
    parse_conditions,
)
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.conditions import searched_condition_of
from oppserver.calls.shared.decode import Ignored, mandatory
from oppserver.calls.shared.messages import span_between, text_of
from oppserver.calls.shared.paging import ColumnsWire, PagingWire, SortingWire, page_of
from oppserver.contract.errors import (
    InvalidReference,
    InvalidValue,
    LimitExceeded,
    MissingAttribute,
)
from oppserver.contract.limits import (
    LEADS_OF_NUMBER_MAX,
    LEADS_PAGE_ROWS_DEFAULT,
    PAGE_ROWS_MAX,
    QUICK_SEARCH_ROWS_MAX,
    QUICK_SEARCH_WORDS_MAX,
    SEARCH_PAGE_ROWS_DEFAULT,
)
from oppserver.contract.model import Field
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, plain_text
from oppserver.store.queries import (
    ColumnCondition,
    Comparison,
    ConditionGroup,
    LeadNumbers,
    LeadSearch,
    Ordering,
)
from oppserver.store.schema import NUMBER_ENDING_CHARACTERS, NUMBER_SEPARATORS

# --- what was modified -------------------------------------------------------------------------


class LeadSpanWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``Leads.RecentlyModified``."""

    FromDate: str | UnsetType | None = UNSET
    ToDate: str | UnsetType | None = UNSET


class RecentLeadsWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Leads.RecentlyModified``. There is only one type of leads."""

    Parameter: LeadSpanWire | UnsetType | None = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Attribute: Ignored = UNSET
    Value: Ignored = UNSET


def parse_recent_leads(_: Call, message: RecentLeadsWire) -> AskedLeads:
    """Parse a ``Leads.RecentlyModified``. An end of the span that is not named is open.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    span = message.Parameter if isinstance(message.Parameter, LeadSpanWire) else LeadSpanWire()
    from_date, to_date = span_between(span.FromDate, span.ToDate)
    try:
        page = page_of(message.Paging, rows_default=LEADS_PAGE_ROWS_DEFAULT)
    except LimitExceeded as error:  # this call is known to refuse a page with another type
        raise InvalidValue(
            f"Invalid Input! Parameter Name: PageSize can not be more than {PAGE_ROWS_MAX}. {error}"
        ) from None
    columns, ignored = lead_columns(message.Columns)
    bounds = ((Comparison.GREATER_OR_EQUAL, from_date), (Comparison.LESS_OR_EQUAL, to_date))
    conditions = [
        ColumnCondition(stored="modified_on", comparison=comparison, values=(date,))
        for comparison, date in bounds
        if date is not None
    ]
    search = LeadSearch(
        where=ConditionGroup(members=tuple(conditions) or (_HAS_DATE,)),
        ordering=lead_ordering(message.Sorting, default="modified_on"),
        offset=page.offset,
        limit=page.limit,
        columns=columns or EVERY_COLUMN,
    )
    return AskedLeads(search, ignored)


_HAS_DATE: Final = ColumnCondition(stored="modified_on", comparison=Comparison.IS_NOT_NULL)

_FLAT_ROWS: Final = msgspec.json.Decoder(list[dict[str, str | None]])


def render_lead_properties(rows: bytes, *, total: int) -> bytes:
    """The body of searches that answer leads as lists of properties.

    ``rows`` are flat objects. Without a row, ``Leads`` is absent (source: observed).
    """
    leads = [
        {"LeadPropertyList": [{"Attribute": name, "Value": value} for name, value in row.items()]}
        for row in _FLAT_ROWS.decode(rows)
    ]
    answer = {"RecordCount": total} | ({"Leads": leads} if leads else {})
    return msgspec.json.encode(answer)


# --- by conditions -----------------------------------------------------------------------------


class LeadSearchParametersWire(msgspec.Struct, forbid_unknown_fields=True):
    """``SearchParameters``: conditions as JSON in a text, or a list of leads, which is refused."""

    AdvancedSearchTextNew: str | UnsetType | None = UNSET
    DefinitionType: Ignored = UNSET
    SearchText: FieldValue | UnsetType = UNSET
    ListId: FieldValue | UnsetType = UNSET
    RetrieveBehaviour: Ignored = UNSET


class LeadSearchWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Leads/Retrieve/BySearchParameter``."""

    SearchParameters: LeadSearchParametersWire | UnsetType | None = UNSET
    Columns: ColumnsWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET


_PARAMETERS: Final = "$.SearchParameters"

_LEADS: Final = Searched("Lead", "the lead", None, f"{_PARAMETERS}.AdvancedSearchTextNew")


def parse_lead_search(call: Call, message: LeadSearchWire) -> AskedLeads:
    """Parse a search by conditions. Raises an ApiError with status 400 that names the place."""
    parameters = message.SearchParameters
    if not isinstance(parameters, LeadSearchParametersWire):
        raise MissingAttribute("'SearchParameters' is mandatory: with AdvancedSearchTextNew")
    if text_of(parameters.ListId):
        raise InvalidReference(
            f"{_PARAMETERS}.ListId: there is no list {quoted(text_of(parameters.ListId))}: this"
            " server has no lists of leads. Send the conditions in AdvancedSearchTextNew."
        )
    if text_of(parameters.SearchText):
        raise InvalidValue(
            f"{_PARAMETERS}.SearchText: a text is searched by Leads.GetByQuickSearch. Leave it out."
        )
    asked = parse_conditions(call, parameters.AdvancedSearchTextNew, _LEADS)
    groups = tuple(
        ConditionGroup(
            members=tuple(_compared(one, asked) for one in group.comparisons),
            is_any=group.is_any,
        )
        for group in asked.groups
    )
    page = page_of(message.Paging, rows_default=SEARCH_PAGE_ROWS_DEFAULT)
    columns, ignored = lead_columns(message.Columns)
    search = LeadSearch(
        where=ConditionGroup(members=groups, is_any=asked.is_any),
        ordering=lead_ordering(message.Sorting),
        offset=page.offset,
        limit=page.limit,
        columns=EVERY_COLUMN if "*" in ignored else columns or EVERY_COLUMN,
    )
    return AskedLeads(search, [name for name in ignored if name != "*"])


def _compared(
    asked: AskedComparison, conditions: AskedConditions
) -> ColumnCondition | ConditionGroup:
    column = lead_column_at(asked.name, place=f"{asked.place}.LSO")
    data_type = compared_as(column, asked.comparison, asked.operand or "")
    field = Field(
        event_code=0, schema_name=column.name, display_name=column.name, data_type=data_type
    )
    return searched_condition_of(
        column,
        field,
        asked.comparison,
        asked.operand,
        place=f"{asked.place}.RSO",
        today=conditions.today,
    )


# --- one lead ----------------------------------------------------------------------------------


def parse_lead_email(call: Call, _: None) -> AskedLeads:
    """Parse a ``Leads.GetByEmailaddress``: of several leads the lowest id's is found."""
    email = _text(call, "emailaddress")
    condition = ColumnCondition(stored="email", comparison=Comparison.EQUAL, values=(email,))
    return AskedLeads(_first_of(ConditionGroup(members=(condition,)), limit=1))


def _first_of(where: ConditionGroup, *, limit: int) -> LeadSearch:
    return LeadSearch(
        where=where,
        ordering=Ordering(stored="id", is_descending=False),
        offset=0,
        limit=limit,
        columns=EVERY_COLUMN,
    )


_WITHOUT_SEPARATORS: Final = str.maketrans("", "", NUMBER_SEPARATORS)

_COUNTRY_CODE_DIGITS_MAX: Final = 3
"""Source: ITU-T E.164, country codes have one to three digits."""


def digits_of(number: str) -> str:
    """The digits of a phone number: without blanks, hyphens, points, brackets and plus signs."""
    return number.translate(_WITHOUT_SEPARATORS)


def is_same_number(one: str, other: str) -> bool:
    """Return true for the digits of one number, with or without country code or leading zeros."""
    if one == other:
        return True
    shorter, longer = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return (
        longer.isdecimal()
        and len(shorter) >= NUMBER_ENDING_CHARACTERS
        and longer.endswith(shorter)
        and len(longer) - len(shorter) <= _COUNTRY_CODE_DIGITS_MAX
    )


def parse_phone(call: Call, _: None) -> str:
    """Parse a ``RetrieveLeadByPhoneNumber``. Raises MissingAttribute or InvalidValue."""
    digits = digits_of(_text(call, "phone"))
    if not digits:
        raise InvalidValue("query parameter 'phone' has no digits. Send '+91-9876543210'.")
    return digits


def _text(call: Call, name: str) -> str:
    return plain_text(mandatory(call.query, name), place=f"query parameter '{name}'") or ""


def leads_of_number(digits: str, services: Services) -> list[LeadNumbers]:
    """The leads that have a number as phone or mobile number, the latest activity first."""
    ending = digits[-NUMBER_ENDING_CHARACTERS:]
    near = services.store.lead_numbers(ending, limit=LEADS_OF_NUMBER_MAX)
    found = [
        one
        for one in near
        if any(
            text is not None and is_same_number(digits_of(text), digits)
            for text in (one.phone, one.mobile)
        )
    ]
    return sorted(found, key=lambda one: one.last_activity_on or "", reverse=True)


def read_lead_of_number(digits: str, services: Services) -> bytes:
    """The lead of a number; of several the one with the latest activity (source: documented)."""
    found = leads_of_number(digits, services)
    return services.store.leads([one.id for one in found[:1]], EVERY_COLUMN).json


# --- quick search ------------------------------------------------------------------------------

_QUICK_COLUMNS: Final = ("first_name", "last_name", "email", "phone", "mobile")


class QuickSearch(NamedTuple):
    """Words of which each has to be in one of some columns, and the digits that they may be."""

    words: Sequence[str]
    digits: str | None


def parse_quick_search(call: Call, _: None) -> QuickSearch:
    """Parse a ``Leads.GetByQuickSearch``. Raises MissingAttribute or LimitExceeded."""
    key = _text(call, "key")
    words = list(dict.fromkeys(key.split()))
    if len(words) > QUICK_SEARCH_WORDS_MAX:
        raise LimitExceeded(
            f"query parameter 'key' has {len(words)} words; a quick search takes"
            f" {QUICK_SEARCH_WORDS_MAX}."
        )
    digits = digits_of(key)
    is_number = digits.isdecimal() and len(digits) >= NUMBER_ENDING_CHARACTERS
    return QuickSearch(words, digits if is_number else None)


def read_quick_search(asked: QuickSearch, services: Services) -> bytes:
    """The leads that have every word, and those of the number, as a JSON array, by id."""
    each = tuple(_anywhere(word) for word in asked.words)
    where = ConditionGroup(members=each)
    if asked.digits is not None:
        ids = (one.id for one in leads_of_number(asked.digits, services)[:QUICK_SEARCH_ROWS_MAX])
        where = ConditionGroup(members=(where, *_with_ids(ids)), is_any=True)
    return services.store.search_leads(_first_of(where, limit=QUICK_SEARCH_ROWS_MAX)).json


def _anywhere(word: str) -> ConditionGroup:
    members = tuple(
        ColumnCondition(stored=stored, comparison=Comparison.CONTAINS, values=(word,))
        for stored in _QUICK_COLUMNS
    )
    return ConditionGroup(members=members, is_any=True)


def _with_ids(ids: Iterable[str]) -> Iterable[ColumnCondition]:
    return (ColumnCondition(stored="id", comparison=Comparison.EQUAL, values=(one,)) for one in ids)
