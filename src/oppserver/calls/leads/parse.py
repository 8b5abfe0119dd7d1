"""Parsing of a lead's attributes: its new values, and the values to find it by."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import check_is_not_named, mandatory_guid
from oppserver.calls.shared.messages import (
    check_entries,
    check_is_empty,
    given,
    is_true,
    members_sent,
    text_of,
)
from oppserver.contract.errors import (
    ApiError,
    InvalidValue,
    LimitExceeded,
    MissingAttribute,
    UnknownColumn,
)
from oppserver.contract.identifiers import guid_at
from oppserver.contract.leads import (
    ATTRIBUTE,
    READ_ONLY,
    UNIQUE_COLUMNS,
    lead_column_named,
    lead_names,
    unique_column_named,
)
from oppserver.contract.limits import LEAD_ATTRIBUTES_MAX
from oppserver.contract.model import Lead
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import FieldValue, plain_text


class LeadDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A lead as a caller describes it.

    ``values`` are its new values by stored name (``contract/leads.py``); None clears. ``sets`` are
    new members of custom field sets, by stored name and own name; other members stay. ``searches``
    has the values to find it by, of ``id``, ``email``, ``phone`` and ``mobile``; the first that
    finds a lead counts. ``unshared`` are the stored names of values that no other lead may have.
    ``id`` is the id that was sent; a new lead gets it if ``may_take_id``. ``owner`` is an id or an
    address as sent. ``place`` is the lead's place in the body.
    """

    values: Mapping[str, str | None]
    sets: Mapping[str, Mapping[str, str | None]] = {}
    searches: Mapping[str, str]
    unshared: tuple[str, ...] = ("email",)
    id: str | None
    may_take_id: bool
    owner: str | None
    place: str


class FoundLead(msgspec.Struct, frozen=True, kw_only=True):
    """The stored leads that one ``LeadDetails`` is about.

    ``lead`` is the lead that the searches find, ``of_id`` the lead of the id that was sent.
    ``taken`` has, by stored name, the other leads that already have a new value of this one.
    """

    lead: Lead | None
    of_id: Lead | None
    taken: Mapping[str, Lead]


class MemberAttributeWire(msgspec.Struct, forbid_unknown_fields=True):
    """One member of a custom field set of a lead: its own name and its value."""

    Attribute: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET


class AttributeWire(msgspec.Struct, forbid_unknown_fields=True):
    """One attribute of a lead, and its value. ``Fields`` are the members of a custom field set."""

    Attribute: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    Fields: list[MemberAttributeWire] | UnsetType | None = UNSET


_SEARCH_BY: Final = "searchby"

_USE_GIVEN_ID: Final = "__useuserdefinedguid__"
"""Entries of the list that are not attributes, in lower case."""

_NOT_IN_QUERY: Final = {
    "SearchBy": 'say it in the list of attributes: {"Attribute": "SearchBy", "Value": "Phone"}',
    "LeadUpdateBehavior": "all attributes that are sent are written here. Leave it out, and those"
    " that are not to change.",
}
"""Parameters that other calls of leads take: the lead to write, and the attributes to write."""

_UNIQUE: Final = frozenset(UNIQUE_COLUMNS.values())

_UNSHARED: Final = ("email", "phone")

_SEARCHED: Final = ("email", "phone", "mobile")
"""The values that a lead is looked for by without ``SearchBy``, in this order."""


def parse_lead(call: Call, attributes: list[AttributeWire]) -> LeadDetails:
    """Parse a body that is a bare array of attributes of one lead; as ``parse_lead_details``.

    An address or a number that is another lead's is refused: leads are found by both.
    """
    check_says_no_lead(call.query)
    return parse_lead_details(attributes, place="$", unshared=_UNSHARED)


def parse_lead_update(call: Call, attributes: list[AttributeWire]) -> LeadDetails:
    """Parse new attributes of the lead that the query names; as ``parse_lead``."""
    lead_id = mandatory_guid(call.query, "leadId")
    check_says_no_lead(call.query)
    return parse_lead_details(attributes, place="$", lead_id=lead_id, unshared=_UNSHARED)


class UpdateBehavior(StrEnum):
    """The attributes of a lead that is found which a ``Lead.Capture`` does not change."""

    DO_NOT_UPDATE = "DoNotUpdate"
    ONLY_EMPTY = "UpdateOnlyEmptyFields"
    NOT_UNIQUE = "DoNotUpdateUniqueFields"


class CapturedLead(NamedTuple):
    """A lead of a ``Lead.Capture``; without a behavior it takes all attributes."""

    details: LeadDetails
    behavior: UpdateBehavior | None


_CAPTURE_SEARCHES: Final = ("id", "email", "phone")
"""The values that a captured lead is looked for by, in this order. Source: documented."""

_IDENTIFYING: Final = ("first_name", "last_name", "email", "phone")
"""The attributes of which a new lead has at least one. Source: documented."""


def parse_captured_lead(call: Call, attributes: list[AttributeWire]) -> CapturedLead:
    """Parse a ``Lead.Capture``. ``SearchBy`` may be in the query too (source: observed).

    Raises an ApiError with status 400 that names the place.
    """
    details, search_by = _lead_details(attributes, place="$")
    details = msgspec.structs.replace(details, unshared=_UNSHARED, may_take_id=True)
    in_query = call.query.get("searchby", "").strip() or None
    if search_by and in_query and search_by.strip().lower() != in_query.lower():
        raise InvalidValue(
            f"query parameter 'SearchBy': {quoted(in_query)}, but $ has SearchBy"
            f" {quoted(search_by)}. Send one of them."
        )
    if details.id is None and all(value is None for value in details.values.values()):
        raise MissingAttribute("$ has no attribute with a value. Send at least one.")
    if search_by or in_query:
        searches = _searches(details, search_by or in_query)
    else:
        sent = {"id": details.id, **details.values}
        searches = {
            stored: value for stored in _CAPTURE_SEARCHES if (value := sent.get(stored)) is not None
        }
    details = msgspec.structs.replace(details, searches=searches)
    return CapturedLead(details, _behavior(call.query))


def _behavior(query: Mapping[str, str]) -> UpdateBehavior | None:
    name = query.get("leadupdatebehavior", "").strip()
    for behavior in UpdateBehavior:
        if behavior.lower() == name.lower():
            return behavior
    if name:
        raise InvalidValue(
            f"query parameter 'LeadUpdateBehavior': {quoted(name)} is unknown. Expected"
            f" {', '.join(UpdateBehavior)}. Leave it out to write all attributes."
        )
    return None


def parse_new_lead(call: Call, attributes: list[AttributeWire]) -> LeadDetails:
    """Parse a ``Lead.Create``. Raises an ApiError with status 400 that names the place."""
    check_says_no_lead(call.query)
    details, search_by = _lead_details(attributes, place="$")
    if search_by is not None:
        raise InvalidValue(
            "$: Lead.Create looks for no lead, so it takes no SearchBy. Leave it out, or send the"
            " lead to Lead.CreateOrUpdate."
        )
    if not any(details.values.get(stored) for stored in _IDENTIFYING):
        raise MissingAttribute(
            "$ has none of FirstName, LastName, EmailAddress, Phone with a value. Send at least"
            " one."
        )
    return msgspec.structs.replace(details, unshared=_UNSHARED)


AskedRow = LeadDetails | ApiError
"""A lead of a bulk write, or the reason why it is refused."""


def parse_bulk_leads(call: Call, leads: list[list[AttributeWire]]) -> list[AskedRow]:
    """Parse a ``Lead/Bulk/CreateOrUpdate``: 1 to 25 leads, each for itself.

    Raises MissingAttribute or LimitExceeded for the number of leads.
    """
    check_says_no_lead(call.query)
    check_entries(leads)
    return [_row(attributes, place=f"$[{index}]") for index, attributes in enumerate(leads)]


def _row(attributes: list[AttributeWire], *, place: str) -> AskedRow:
    try:
        return parse_lead_details(attributes, place=place, unshared=_UNSHARED)
    except ApiError as error:  # the answer has it in the place of the lead (source: observed)
        return error


def check_says_no_lead(query: Mapping[str, str]) -> None:
    """Check that the query names no lead. Raises InvalidValue: only the list of attributes can."""
    check_is_not_named(query, _NOT_IN_QUERY)


def parse_lead_details(
    attributes: Sequence[AttributeWire],
    *,
    place: str,
    lead_id: str | None = None,
    unshared: tuple[str, ...] = ("email",),
) -> LeadDetails:
    """Parse a list of ``{Attribute, Value}`` of one lead.

    ``lead_id`` is the lead that the call names elsewhere; then nothing else is searched by.
    ``unshared`` as in ``LeadDetails``.

    Raises an ApiError with status 400 that names the place: an attribute that no lead has, one that
    is named twice, no unique field, or a ``SearchBy`` without its value.
    """
    details, search_by = _lead_details(attributes, place=place)
    if lead_id is not None:
        searches: Mapping[str, str] = {"id": lead_id}
    else:
        searches = _searches(details, search_by)
    return msgspec.structs.replace(details, searches=searches, unshared=unshared)


def _lead_details(
    attributes: Sequence[AttributeWire], *, place: str
) -> tuple[LeadDetails, str | None]:
    """The details without ``searches``, and the value of ``SearchBy``."""
    if len(attributes) > LEAD_ATTRIBUTES_MAX:
        raise LimitExceeded(
            f"{place} has {len(attributes)} attributes; a lead takes {LEAD_ATTRIBUTES_MAX}."
        )
    values: dict[str, str | None] = {}
    directives: dict[str, str | None] = {}
    sets: dict[str, Mapping[str, str | None]] = {}
    for index, entry in enumerate(attributes):
        name, value = _name_and_value(entry, place=f"{place}[{index}]")
        folded = name.casefold()
        is_directive = folded in (_SEARCH_BY, _USE_GIVEN_ID)
        stored = folded if is_directive else _stored_name(name, f"{place}[{index}].Attribute")
        if stored in values or stored in directives or stored in sets:
            raise InvalidValue(f"{place}[{index}].Attribute: {quoted(name)} is named twice")
        if is_directive:
            directives[stored] = value
        elif entry.Fields:
            sets[stored] = _members(entry, stored, place=f"{place}[{index}]")
        else:
            values[stored] = _stripped(value) if stored in _UNIQUE else value
    details = _details(values, place=place, may_take_id=is_true(directives.get(_USE_GIVEN_ID)))
    details = msgspec.structs.replace(details, sets=sets)
    return details, directives.get(_SEARCH_BY)


def _members(entry: AttributeWire, stored: str, *, place: str) -> dict[str, str | None]:
    """The members of a custom field set; any custom attribute can be one."""
    if not stored.startswith(f"{ATTRIBUTE}mx_"):
        raise InvalidValue(
            f"{place}.Fields: {quoted(text_of(entry.Attribute))} is no custom attribute (mx_…), so"
            " it has no members. Leave Fields out."
        )
    check_is_empty(entry.Value, place=place)
    return members_sent(
        [
            (text_of(one.Attribute), given(one.Value), f"{place}.Fields[{index}]")
            for index, one in enumerate(entry.Fields or ())
        ]
    )


def _stripped(value: str | None) -> str | None:
    return None if value is None else value.strip() or None


def _name_and_value(entry: AttributeWire, *, place: str) -> tuple[str, str | None]:
    name = text_of(entry.Attribute)
    if not name:
        raise MissingAttribute(f"'Attribute' is mandatory in {place}")
    if entry.Value is UNSET and not entry.Fields:
        raise MissingAttribute(f"'Value' is mandatory in {place}; null clears the attribute")
    return name, plain_text(given(entry.Value), place=f"{place}.Value")


def _stored_name(name: str, place: str) -> str:
    column = lead_column_named(name)
    if column is None:
        raise UnknownColumn(
            f"Attribute(s) does not exist - {quoted(name)[1:-1]} ({place})."
            f"{did_you_mean(name, lead_names())} Names of custom attributes begin with mx_."
        )
    if column.stored in READ_ONLY and column.stored != "id":
        raise InvalidValue(f"{place}: {column.name} is set by the server. Leave it out.")
    return column.stored


def _details(values: dict[str, str | None], *, place: str, may_take_id: bool) -> LeadDetails:
    """The details without ``searches``."""
    given_id = values.pop("id", None)
    return LeadDetails(
        values=values,
        searches={},
        id=None if given_id is None else guid_at(given_id, place=f"{place}: ProspectID"),
        may_take_id=may_take_id,
        owner=values.get("owner_id"),
        place=place,
    )


def _searches(details: LeadDetails, search_by: str | None) -> Mapping[str, str]:
    """The values to search by: the one of SearchBy; else the id; else all unique values."""
    place, names = details.place, ", ".join(UNIQUE_COLUMNS)
    given = {"id": details.id, **details.values}
    unique = {
        stored: value for stored in ("id", *_SEARCHED) if (value := given.get(stored)) is not None
    }
    if not unique:
        raise MissingAttribute(
            f"{place} has no unique field with a value. Send at least one of {names}."
        )
    if search_by is None:
        return {"id": unique["id"]} if "id" in unique else unique
    stored = unique_column_named(search_by)
    if stored is None:
        raise InvalidValue(
            f"{place}: Invalid SearchBy value provided: {quoted(search_by)}. It takes {names}."
        )
    if stored not in unique:
        raise MissingAttribute(
            f"{place}: SearchBy is {quoted(search_by)}, but that attribute has no value here"
        )
    return {stored: unique[stored]}
