"""What lists and searches of opportunities ask: parsed, but nothing of it looked up yet."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.lists.wire import (
    ByLeadFieldWire,
    LeadFieldWire,
    RecentlyModifiedParameterWire,
    RecentlyModifiedWire,
)
from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import mandatory_guid
from oppserver.calls.shared.names import number_of
from oppserver.calls.shared.paging import (
    AskedList,
    ListWire,
    Page,
    asked_list,
    is_descending,
    page_of,
    sort_name_of,
)
from oppserver.contract.dates import Span, span_of
from oppserver.contract.errors import InvalidValue, MissingAttribute
from oppserver.contract.identifiers import guid_at
from oppserver.contract.leads import UNIQUE_COLUMNS, unique_column_named
from oppserver.contract.limits import PAGE_ROWS_MAX, RECENTLY_MODIFIED_ROWS_DEFAULT
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, Number, plain_text
from oppserver.store.queries import Comparison


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


_EQUALS: Final = frozenset({"=", "eq", "=="})


def parse_lead_list(call: Call, message: ListWire) -> AskedLeadList:
    """Parse a ``GetOpportunitiesOfLead``. Without paging it asks for all that a page can hold.

    Raises an ApiError with status 400 that names the place.
    """
    lead_id = mandatory_guid(call.query, "leadId")
    return AskedLeadList(
        lead_id=lead_id,
        event_code=call.query.get("opportunitytype", "").strip() or None,
        rows=asked_list(message, rows_default=PAGE_ROWS_MAX),
    )


def parse_lead_field_list(_: Call, message: ByLeadFieldWire) -> AskedLeadFieldList:
    """What a ``GetOpportunitiesByUniqueLeadField`` asks; its page as that of ``parse_lead_list``.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    parameter = message.Parameter
    if not isinstance(parameter, LeadFieldWire):
        raise MissingAttribute("'Parameter' is mandatory: an object of LookupName and LookupValue")
    stored = _stored_name(parameter)
    _check_operator(parameter)
    return AskedLeadFieldList(
        stored=stored,
        value=_value(parameter, stored),
        rows=asked_list(message, rows_default=PAGE_ROWS_MAX),
    )


def _stored_name(parameter: LeadFieldWire) -> str:
    name = parameter.LookupName
    if not isinstance(name, str) or not name.strip():
        raise MissingAttribute("'LookupName' is mandatory in $.Parameter")
    stored = unique_column_named(name)
    if stored is None:
        raise InvalidValue(
            f"$.Parameter.LookupName: {quoted(name)} is not unique to a lead. Send one of"
            f" {', '.join(UNIQUE_COLUMNS)}."
        )
    return stored


def _check_operator(parameter: LeadFieldWire) -> None:
    operator = parameter.SqlOperator
    if isinstance(operator, str) and operator.strip() and operator.strip() not in _EQUALS:
        raise InvalidValue(
            f"$.Parameter.SqlOperator: {quoted(operator)} finds no one lead. Send '='."
        )


def _value(parameter: LeadFieldWire, stored: str) -> str:
    given = None if parameter.LookupValue is UNSET else parameter.LookupValue
    value = plain_text(given, place="$.Parameter.LookupValue")
    if value is None or not value.strip():
        raise MissingAttribute("'LookupValue' is mandatory in $.Parameter")
    place = "$.Parameter.LookupValue"
    return guid_at(value, place=place) if stored == "id" else value.strip()


_SORTED_BY: Final = {"createdon": True, "modifiedon": False}
"""What is sorted by, and whether it is CreatedOn."""

_FLAGS: Final = {"1": True, "true": True, "0": False, "false": False, "": False}


def parse_recently_modified(_: Call, message: RecentlyModifiedWire) -> AskedRecentlyModified:
    """What is asked. An end of the span that is not named is open.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    named = message.Parameter
    parameter = named if isinstance(named, RecentlyModifiedParameterWire) else _NOTHING
    first = _span(parameter.FromDate, "FromDate")
    last = _span(parameter.ToDate, "ToDate")
    if first and last and first.first > last.last:
        raise InvalidValue(
            "$.Parameter.FromDate is after $.Parameter.ToDate, so nothing is between them."
            " Exchange them."
        )
    return AskedRecentlyModified(
        from_date=first.first if first else None,
        to_date=last.last if last else None,
        event_code=_event_code(parameter.ActivityEvent),
        with_custom_fields=_flag(parameter.IncludeCustomFields),
        page=page_of(message.Paging, rows_default=RECENTLY_MODIFIED_ROWS_DEFAULT),
        by_created_on=_by_created_on(sort_name_of(message.Sorting)),
        is_descending=is_descending(message.Sorting),
    )


_NOTHING: Final = RecentlyModifiedParameterWire()


def _span(value: str | UnsetType | None, name: str) -> Span | None:
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        return span_of(value)
    except ValueError:
        raise InvalidValue(
            f"$.Parameter.{name}: {quoted(value)} is no date. Send one like 2024-02-29 13:05:09"
            " or 2024-02-29 (UTC)."
        ) from None


def _event_code(value: Number | UnsetType | None) -> int | None:
    text = "" if value is None or isinstance(value, UnsetType) else str(value).strip()
    code = number_of(text)
    if text and code is None:
        raise InvalidValue(
            f"$.Parameter.ActivityEvent: {quoted(text)} is no event code. Send a number like 12000."
        )
    return code


def _flag(value: FieldValue | UnsetType) -> bool:
    text = "" if value is None or value is UNSET else str(value).strip().lower()
    found = _FLAGS.get(text)
    if found is None:
        raise InvalidValue(
            f"$.Parameter.IncludeCustomFields: {quoted(text)} is neither yes nor no. Send 1 or 0."
        )
    return found


def _by_created_on(sort_name: str | None) -> bool:
    if sort_name is None:
        return False
    by_created_on = _SORTED_BY.get(sort_name.casefold())
    if by_created_on is None:
        raise InvalidValue(
            f"$.Sorting.ColumnName: {quoted(sort_name)} cannot be sorted by here. Send CreatedOn or"
            " ModifiedOn."
        )
    return by_created_on
