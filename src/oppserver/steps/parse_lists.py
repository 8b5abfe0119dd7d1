"""From the query and body of the calls that list a lead's opportunities to what was asked."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import UNSET

from oppserver.contract.asked_lists import AskedLeadFieldList, AskedLeadList, asked_list
from oppserver.contract.bodies import decode_body, decode_optional_body
from oppserver.contract.errors import InvalidValue, MissingAttribute
from oppserver.contract.identifiers import guid_at
from oppserver.contract.leads import UNIQUE_COLUMNS, unique_column_named
from oppserver.contract.limits import PAGE_ROWS_MAX
from oppserver.contract.names import quoted
from oppserver.contract.query import mandatory_guid
from oppserver.contract.values import plain_text
from oppserver.contract.wire import ListWire
from oppserver.contract.wire_lists import ByLeadFieldWire, LeadFieldWire

_LIST: Final = msgspec.json.Decoder(ListWire)
_BY_LEAD_FIELD: Final = msgspec.json.Decoder(ByLeadFieldWire)

_EQUALS: Final = frozenset({"=", "eq", "=="})


def parse_lead_list(
    query: Mapping[str, str], body: bytes | None, *, content_type: str, body_bytes_max: int
) -> AskedLeadList:
    """What a ``GetOpportunitiesOfLead`` asks. Without paging it asks for all that a page can hold.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    lead_id = mandatory_guid(query, "leadId")
    message = decode_optional_body(
        _LIST, body, content_type=content_type, body_bytes_max=body_bytes_max
    )
    return AskedLeadList(
        lead_id=lead_id,
        event_code=query.get("opportunitytype", "").strip() or None,
        rows=asked_list(message, rows_default=PAGE_ROWS_MAX),
    )


def parse_lead_field_list(
    body: bytes | None, *, content_type: str, body_bytes_max: int
) -> AskedLeadFieldList:
    """What a ``GetOpportunitiesByUniqueLeadField`` asks; its page as that of ``parse_lead_list``.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    message = decode_body(
        _BY_LEAD_FIELD, body, content_type=content_type, body_bytes_max=body_bytes_max
    )
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
