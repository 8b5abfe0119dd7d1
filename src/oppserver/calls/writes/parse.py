"""Parsing of the calls that write opportunities. Nothing is looked up here."""

from collections.abc import Mapping

from msgspec import UnsetType

from oppserver.calls.leads.parse import check_says_no_lead, parse_lead_details
from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import mandatory
from oppserver.calls.shared.messages import (
    FieldValueWire,
    SentField,
    check_entries,
    date_at,
    field_at,
    flag_at,
    given,
    text_of,
)
from oppserver.calls.writes.wire import (
    AddWire,
    AskedAddition,
    AskedAdditions,
    AskedCapture,
    AskedOpportunity,
    AskedUpdate,
    CapturedOpportunityWire,
    CaptureFlags,
    CaptureWire,
    SearchBy,
    UpdateWire,
)
from oppserver.contract.errors import InvalidValue, MissingAttribute
from oppserver.contract.identifiers import guid_at
from oppserver.contract.leads import UNIQUE_COLUMNS, unique_column_named
from oppserver.contract.names import quoted
from oppserver.contract.values import Number, plain_text


def parse_capture(call: Call, message: CaptureWire) -> AskedCapture:
    """Parse a ``Capture``. Raises an ApiError with status 400 or 413 that names the place."""
    check_says_no_lead(call.query)
    if not message.LeadDetails:
        raise MissingAttribute(
            "'LeadDetails' is mandatory: an array of {Attribute, Value}, with a unique field"
        )
    opportunity = message.Opportunity
    if not opportunity:
        raise MissingAttribute("'Opportunity' is mandatory: an object with OpportunityEventCode")
    place = "Opportunity"
    return AskedCapture(
        lead=parse_lead_details(message.LeadDetails, place="LeadDetails"),
        opportunity=AskedOpportunity(
            event_code=_event_code(opportunity.OpportunityEventCode, place=place),
            fields=_fields(opportunity.Fields, opportunity.OpportunityNote, inside="Opportunity."),
            created_on=date_at(
                opportunity.OpportunityDateTime, place=f"{place}.OpportunityDateTime"
            ),
            flags=_flags(opportunity, place=place),
            place=place,
        ),
    )


def parse_update(_: Call, message: UpdateWire) -> AskedUpdate:
    """Parse an ``Update``. Raises an ApiError with status 400 or 413 that names the place."""
    code = message.OpportunityEventCode
    return AskedUpdate(
        id=_opportunity_id(message, inside=""),
        event_code=None if given(code) is None else text_of(code),
        fields=_changes(message, inside=""),
        place="OpportunityEventCode",
    )


def parse_bulk_update(_: Call, messages: list[UpdateWire]) -> list[AskedUpdate]:
    """Parse a ``Bulk/Update/ByOpportunityId``: 1 to 25 updates of as many opportunities.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    check_entries(messages)
    asked = [_bulk_update(message, place=f"[{index}]") for index, message in enumerate(messages)]
    first: dict[str, int] = {}
    for index, one in enumerate(asked):
        if first.setdefault(one.id, index) != index:
            raise InvalidValue(
                f"[{index}].ProspectOpportunityId: {one.id} is also in [{first[one.id]}]."
                " Send each opportunity once."
            )
    return asked


def parse_bulk_add(call: Call, messages: list[AddWire]) -> AskedAdditions:
    """Parse a ``Bulk/Add/ByLeadField``: 1 to 25 new opportunities.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    search_by = _search_by(call.query)
    check_entries(messages)
    return AskedAdditions(
        search_by=search_by,
        additions=[
            _addition(message, place=f"[{index}]") for index, message in enumerate(messages)
        ],
    )


def _search_by(query: Mapping[str, str]) -> SearchBy:
    """``SearchBy`` of the query. Raises MissingAttribute or InvalidValue."""
    name = mandatory(query, "SearchBy")
    stored = unique_column_named(name)
    if stored is None:
        raise InvalidValue(
            f"query parameter 'SearchBy': {quoted(name)} is no unique field of a lead. It takes"
            f" {', '.join(UNIQUE_COLUMNS)}."
        )
    return SearchBy(name, stored)


# --- entries -----------------------------------------------------------------------------------


def _bulk_update(message: UpdateWire, *, place: str) -> AskedUpdate:
    return AskedUpdate(
        id=_opportunity_id(message, inside=f"{place}."),
        event_code=_event_code(message.OpportunityEventCode, place=place),
        fields=_changes(message, inside=f"{place}."),
        place=f"{place}.OpportunityEventCode",
    )


def _addition(message: AddWire, *, place: str) -> AskedAddition:
    lead_value = plain_text(given(message.SearchByValue), place=f"{place}.SearchByValue")
    if lead_value is None or not lead_value.strip():
        raise MissingAttribute(f"'SearchByValue' is mandatory in {place}")
    fields = _fields(message.Fields, message.OpportunityNote, inside=f"{place}.")
    if message.OpportunityOwnerEmail:
        owner_place = f"{place}.OpportunityOwnerEmail"
        fields.append(SentField("Owner", message.OpportunityOwnerEmail, owner_place, owner_place))
    return AskedAddition(
        lead_value=lead_value.strip(),
        lead_place=f"{place}.SearchByValue",
        opportunity=AskedOpportunity(
            event_code=_event_code(message.OpportunityEventCode, place=place),
            fields=fields,
            created_on=date_at(message.OpportunityDateTime, place=f"{place}.OpportunityDateTime"),
            flags=_flags(message, place=place),
            place=place,
        ),
    )


def _changes(message: UpdateWire, *, inside: str) -> list[SentField]:
    """The fields of an update, at least one."""
    fields = _fields(message.Fields, message.OpportunityNote, inside=inside)
    if not fields:
        raise MissingAttribute(
            f"{inside}Fields has no entry, and there is no OpportunityNote: nothing to change"
        )
    return fields


def _fields(
    fields: list[FieldValueWire] | UnsetType | None, note: str | UnsetType | None, *, inside: str
) -> list[SentField]:
    """``Fields`` and the note in one list. A note of null says nothing; an empty one clears it."""
    asked = [
        field_at(field, place=f"{inside}Fields[{index}]", null_means="null clears the field")
        for index, field in enumerate(fields or ())
    ]
    if isinstance(note, str):
        place = f"{inside}OpportunityNote"
        asked.append(SentField("OpportunityNote", note, place, place))
    return asked


def _event_code(value: Number | UnsetType | None, *, place: str) -> str:
    text = text_of(value)
    if not text:
        raise MissingAttribute(f"'OpportunityEventCode' is mandatory in {place}")
    return text


def _opportunity_id(message: UpdateWire, *, inside: str) -> str:
    text = message.ProspectOpportunityId
    if not text:
        place = f" in {inside.rstrip('.')}" if inside else ""
        raise MissingAttribute(f"'ProspectOpportunityId' is mandatory{place}")
    return guid_at(text, place=f"{inside}ProspectOpportunityId")


def _flags(message: CapturedOpportunityWire | AddWire, *, place: str) -> CaptureFlags:
    flags = CaptureFlags(
        overwrite_fields=flag_at(message.OverwriteFields, place=f"{place}.OverwriteFields"),
        update_empty_fields=flag_at(message.UpdateEmptyFields, place=f"{place}.UpdateEmptyFields"),
        do_not_post_duplicate_activity=flag_at(
            message.DoNotPostDuplicateActivity, place=f"{place}.DoNotPostDuplicateActivity"
        ),
        do_not_change_owner=flag_at(message.DoNotChangeOwner, place=f"{place}.DoNotChangeOwner"),
    )
    if flags.overwrite_fields and flags.update_empty_fields:
        raise InvalidValue(
            f"{place}: OverwriteFields and UpdateEmptyFields are both true: the first writes all"
            " values, the second only missing ones. Send one of them."
        )
    return flags
