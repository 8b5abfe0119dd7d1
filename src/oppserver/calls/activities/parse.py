"""Parsing of the calls that post activities."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.leads.parse import LeadDetails
from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import Ignored, mandatory_guid
from oppserver.calls.shared.messages import (
    FieldValueWire,
    SentField,
    check_entries,
    date_at,
    field_at,
    given,
    members_sent,
    text_of,
)
from oppserver.contract.columns import SYSTEM_COLUMNS, column_named, slot_of
from oppserver.contract.errors import (
    InvalidFieldValue,
    InvalidValue,
    MissingAttribute,
    UnknownColumn,
)
from oppserver.contract.field_sets import set_text
from oppserver.contract.identifiers import guid_at
from oppserver.contract.limits import CUSTOM_SLOTS
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import FieldValue, Number, plain_text


class ActivityWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``ProspectActivity.svc/Create``."""

    RelatedProspectId: str | UnsetType | None = UNSET
    RelatedOpportunityId: str | UnsetType | None = UNSET
    EmailAddress: FieldValue | UnsetType = UNSET
    FirstName: FieldValue | UnsetType = UNSET
    LastName: FieldValue | UnsetType = UNSET
    Phone: FieldValue | UnsetType = UNSET
    ActivityEvent: Number | UnsetType | None = UNSET
    ActivityNote: FieldValue | UnsetType = UNSET
    ActivityDateTime: str | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET
    ProcessFilesAsync: Ignored = UNSET
    IncludeLeadScore: Ignored = UNSET
    ValidateDropDownOptions: Ignored = UNSET


class OpportunityActivityWire(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of ``Bulk/CustomActivity/Add/ByOpportunityId``."""

    ActivityEvent: Number | UnsetType | None = UNSET
    ActivityNote: FieldValue | UnsetType = UNSET
    ActivityOwnerEmail: str | UnsetType | None = UNSET
    ActivityDateTime: str | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET
    ProcessFilesAsync: Ignored = UNSET
    IncludeLeadScore: Ignored = UNSET
    ValidateDropDownOptions: Ignored = UNSET


class AskedActivity(msgspec.Struct, frozen=True, kw_only=True):
    """One activity to be posted. ``created_on`` (stored form) None: now.

    ``fields`` are by schema name, without unset ones. ``owner`` is the id or address as sent, at
    ``owner_place`` in the body; ``place`` is the place of the activity.
    """

    event_code: str
    note: str | None
    owner: str | None
    owner_place: str
    created_on: str | None
    fields: Mapping[str, str]
    place: str


class AskedLeadActivity(msgspec.Struct, frozen=True, kw_only=True):
    """An activity to be posted on the lead of an id, or on one that is found or created.

    ``opportunity_id``: on that opportunity of the lead, too.
    """

    lead_id: str | None
    lead: LeadDetails | None
    opportunity_id: str | None
    activity: AskedActivity


class AskedOpportunityActivities(msgspec.Struct, frozen=True, kw_only=True):
    """Activities to be posted on the opportunity of an id."""

    opportunity_id: str
    activities: Sequence[AskedActivity]


_OWN_FIELDS: Final = ("Status", "Owner", "ActivityEvent_Note")
"""The names that ``Fields`` takes beside the custom ones."""


def parse_lead_activity(call: Call, message: ActivityWire) -> AskedLeadActivity:
    """Parse a ``ProspectActivity.svc/Create``; body or query may name lead and opportunity.

    Raises an ApiError with status 400 that names the place.
    """
    lead_id = _id_of(
        {
            "RelatedProspectId": message.RelatedProspectId,
            "query parameter 'leadId'": call.query.get("leadid"),
        },
        what="leads",
    )
    lead = _lead(message) if lead_id is None else None
    opportunity_id = _id_of(
        {
            "RelatedOpportunityId": message.RelatedOpportunityId,
            **{f"query parameter '{name}'": call.query.get(name.lower()) for name in _IN_QUERY},
        },
        what="opportunities",
    )
    activity = _activity(message, _fields(message.Fields, place=""), place="")
    return AskedLeadActivity(
        lead_id=lead_id, lead=lead, opportunity_id=opportunity_id, activity=activity
    )


def parse_opportunity_activities(
    call: Call, messages: list[OpportunityActivityWire]
) -> AskedOpportunityActivities:
    """Parse a ``Bulk/CustomActivity/Add/ByOpportunityId``: 1 to 25 activities.

    Raises an ApiError with status 400 that names the place.
    """
    opportunity_id = mandatory_guid(call.query, "opportunityId")
    check_entries(messages)
    return AskedOpportunityActivities(
        opportunity_id=opportunity_id,
        activities=[
            _of_opportunity(one, place=f"[{index}].") for index, one in enumerate(messages)
        ],
    )


def _of_opportunity(message: OpportunityActivityWire, *, place: str) -> AskedActivity:
    owner = message.ActivityOwnerEmail
    if not isinstance(owner, str) or not owner.strip():
        raise MissingAttribute(f"'ActivityOwnerEmail' is mandatory in {place.rstrip('.')}")
    fields = _fields(message.Fields, place=place)
    if fields.owner is not None:
        raise InvalidValue(f"{fields.owner_place}: the owner is the one of ActivityOwnerEmail")
    named = fields._replace(owner=owner.strip(), owner_place=f"{place}ActivityOwnerEmail")
    return _activity(message, named, place=place)


def _activity(
    message: ActivityWire | OpportunityActivityWire, fields: "_Fields", *, place: str
) -> AskedActivity:
    return AskedActivity(
        event_code=_event_code(message.ActivityEvent, place=place),
        note=_note(message.ActivityNote, fields, place=place),
        owner=fields.owner,
        owner_place=fields.owner_place,
        created_on=date_at(message.ActivityDateTime, place=f"{place}ActivityDateTime"),
        fields=fields.values,
        place=place,
    )


# --- the opportunity and the lead -----------------------------------------------------------------


_IN_QUERY: Final = ("opportunityId", "relatedOpportunityId")


def _id_of(places: Mapping[str, str | UnsetType | None], *, what: str) -> str | None:
    """The id that body or query name; None when neither does. Raises InvalidValue."""
    said = {
        place: guid_at(text, place=place)
        for place, text in places.items()
        if isinstance(text, str) and text.strip()
    }
    ids = set(said.values())
    if len(ids) > 1:
        raise InvalidValue(f"{' and '.join(said)} name two {what}. Send one of them.")
    return ids.pop() if ids else None


def _lead(message: ActivityWire) -> LeadDetails:
    """The lead of an address, with the values that a new one gets."""
    said = {
        "email": ("EmailAddress", message.EmailAddress),
        "first_name": ("FirstName", message.FirstName),
        "last_name": ("LastName", message.LastName),
        "phone": ("Phone", message.Phone),
    }
    values = {
        stored: text.strip()
        for stored, (name, value) in said.items()
        if (text := plain_text(given(value), place=name)) is not None and text.strip()
    }
    if "email" not in values:
        raise MissingAttribute(
            "'RelatedProspectId' is mandatory; or 'EmailAddress', by which the lead is found or"
            " created"
        )
    return LeadDetails(
        values=values,
        searches={"email": values["email"]},
        id=None,
        may_take_id=False,
        owner=None,
        place="$",
    )


# --- members -----------------------------------------------------------------------------------


class _Fields(NamedTuple):
    """``Fields`` by kind, and the place of the owner."""

    values: Mapping[str, str]
    owner: str | None
    owner_place: str
    note: str | None


def _fields(fields: list[FieldValueWire] | UnsetType | None, *, place: str) -> _Fields:
    values: dict[str, str | None] = {}
    owner_place = ""
    for index, field in enumerate(fields or ()):
        sent = field_at(field, place=f"{place}Fields[{index}]", null_means="null is no value")
        name = _field_name(sent)
        if name in values:
            raise InvalidValue(f"{sent.name_place}: {name} is named twice")
        values[name] = (
            _set(sent) if sent.members else plain_text(sent.value, place=sent.value_place)
        )
        if name == "Owner":
            owner_place = sent.value_place
    owner, note = values.pop("Owner", None), values.pop("ActivityEvent_Note", None)
    others = {name: value for name, value in values.items() if value is not None}
    return _Fields(others, (owner or "").strip() or None, owner_place, note)


def _set(sent: SentField) -> str | None:
    """The text of a custom field set; any custom field can be one."""
    if slot_of(sent.name) is None:
        raise InvalidFieldValue(
            f"{sent.members_place}: {quoted(sent.name)} is no custom field (mx_Custom_N), so it has"
            " no members. Leave Fields out."
        )
    members = [(one.name, one.value, one.name_place.rpartition(".")[0]) for one in sent.members]
    return plain_text(set_text(members_sent(members)), place=sent.members_place)


def _field_name(sent: SentField) -> str:
    """The canonical schema name of a field."""
    column = column_named(sent.name)
    if column is not None and (slot_of(sent.name) is not None or column.name in _OWN_FIELDS):
        return column.name
    if column is not None and column in SYSTEM_COLUMNS:
        raise InvalidFieldValue(
            f"{sent.name_place}: {column.name} is not written through Fields. Leave it out."
        )
    raise UnknownColumn(
        f"{sent.name_place}: {quoted(sent.name)} is no field of an activity."
        f"{did_you_mean(sent.name, _OWN_FIELDS)} Its own fields are mx_Custom_1 to"
        f" mx_Custom_{CUSTOM_SLOTS}; send members of a custom field set in its Fields."
    )


def _event_code(value: Number | UnsetType | None, *, place: str) -> str:
    text = text_of(value)
    if not text:
        inside = f" in {place.rstrip('.')}" if place else ""
        raise MissingAttribute(f"'ActivityEvent' is mandatory{inside}")
    return text


def _note(note: FieldValue | UnsetType, fields: _Fields, *, place: str) -> str | None:
    text = plain_text(given(note), place=f"{place}ActivityNote")
    if text is not None and fields.note is not None:
        raise InvalidValue(f"{place}ActivityNote: the note is in Fields too. Send one of them.")
    return text if fields.note is None else fields.note
