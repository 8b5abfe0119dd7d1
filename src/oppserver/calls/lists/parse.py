"""Parsing of lists of opportunities, and of what was modified. Nothing is looked up here."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import mandatory_guid
from oppserver.calls.shared.messages import (
    LookupWire,
    event_code_at,
    flag_at,
    given,
    span_between,
)
from oppserver.calls.shared.paging import (
    AskedList,
    ListWire,
    Page,
    PagingWire,
    SortingWire,
    asked_list,
    date_sorted_by,
    is_descending,
    page_of,
)
from oppserver.contract.errors import InvalidValue, MissingAttribute
from oppserver.contract.identifiers import guid_at
from oppserver.contract.leads import UNIQUE_COLUMNS, unique_column_named
from oppserver.contract.limits import PAGE_ROWS_MAX, RECENTLY_MODIFIED_ROWS_DEFAULT
from oppserver.contract.names import quoted
from oppserver.contract.values import FieldValue, Number, plain_text


class ByLeadFieldWire(ListWire):
    """The body of ``GetOpportunitiesByUniqueLeadField``."""

    Parameter: LookupWire | UnsetType | None = UNSET


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
    """Parse a ``GetOpportunitiesByUniqueLeadField``; its page is as in ``parse_lead_list``.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    parameter = message.Parameter
    if not isinstance(parameter, LookupWire):
        raise MissingAttribute("'Parameter' is mandatory: an object of LookupName and LookupValue")
    stored = _stored_name(parameter)
    _check_operator(parameter)
    return AskedLeadFieldList(
        stored=stored,
        value=_value(parameter, stored),
        rows=asked_list(message, rows_default=PAGE_ROWS_MAX),
    )


def _stored_name(parameter: LookupWire) -> str:
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


def _check_operator(parameter: LookupWire) -> None:
    operator = parameter.SqlOperator
    if isinstance(operator, str) and operator.strip() and operator.strip() not in _EQUALS:
        raise InvalidValue(
            f"$.Parameter.SqlOperator: {quoted(operator)} finds no one lead. Send '='."
        )


def _value(parameter: LookupWire, stored: str) -> str:
    place = "$.Parameter.LookupValue"
    value = plain_text(given(parameter.LookupValue), place=place)
    if value is None or not value.strip():
        raise MissingAttribute("'LookupValue' is mandatory in $.Parameter")
    return guid_at(value, place=place) if stored == "id" else value.strip()


# --- what was modified ---------------------------------------------------------------------------


class RecentlyModifiedParameterWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``RetrieveRecentlyModified``."""

    FromDate: str | UnsetType | None = UNSET
    ToDate: str | UnsetType | None = UNSET
    ActivityEvent: Number | UnsetType | None = UNSET
    IncludeCustomFields: FieldValue | UnsetType = UNSET


class RecentlyModifiedWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``RetrieveRecentlyModified``."""

    Parameter: RecentlyModifiedParameterWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET
    Sorting: SortingWire | UnsetType | None = UNSET


class AskedRecentlyModified(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that were modified in a span, of one event code or all.

    Both dates are in the stored form, and belong to the span.
    """

    from_date: str | None
    to_date: str | None
    event_code: int | None
    with_custom_fields: bool
    page: Page
    by_created_on: bool
    is_descending: bool


def parse_recently_modified(_: Call, message: RecentlyModifiedWire) -> AskedRecentlyModified:
    """Parse a ``RetrieveRecentlyModified``. An end of the span that is not named is open.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    named = message.Parameter
    parameter = named if isinstance(named, RecentlyModifiedParameterWire) else _NOTHING
    from_date, to_date = span_between(parameter.FromDate, parameter.ToDate)
    return AskedRecentlyModified(
        from_date=from_date,
        to_date=to_date,
        event_code=event_code_at(parameter.ActivityEvent, place="$.Parameter.ActivityEvent"),
        with_custom_fields=flag_at(
            parameter.IncludeCustomFields, place="$.Parameter.IncludeCustomFields"
        ),
        page=page_of(message.Paging, rows_default=RECENTLY_MODIFIED_ROWS_DEFAULT),
        by_created_on=date_sorted_by(message.Sorting, what="modified rows") == "created_on",
        is_descending=is_descending(message.Sorting),
    )


_NOTHING: Final = RecentlyModifiedParameterWire()
