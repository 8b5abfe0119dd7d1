"""From the bodies of the calls that write opportunities to what was asked."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET, UnsetType

from oppserver.calls.leads.parse import check_says_no_lead, parse_lead_details
from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import mandatory, mandatory_guid
from oppserver.calls.writes.asked import (
    AskedAddition,
    AskedAdditions,
    AskedCapture,
    AskedField,
    AskedOpportunity,
    AskedUpdate,
    CaptureFlags,
    SearchBy,
)
from oppserver.calls.writes.wire import (
    AddWire,
    CapturedOpportunityWire,
    CaptureWire,
    FieldValueWire,
    Flag,
    UpdateWire,
    check_has_no_members,
)
from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.errors import InvalidValue, LimitExceeded, MissingAttribute
from oppserver.contract.identifiers import guid_at
from oppserver.contract.leads import UNIQUE_COLUMNS, unique_column_named
from oppserver.contract.limits import BULK_WRITE_ROWS_MAX
from oppserver.contract.names import quoted
from oppserver.contract.values import Number, plain_text

_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False, "": False}


def parse_capture(call: Call, message: CaptureWire) -> AskedCapture:
    """What a ``Capture`` asks. Raises an ApiError with status 400 or 413 that names the place."""
    check_says_no_lead(call.query)
    if not message.LeadDetails:
        raise MissingAttribute(
            "'LeadDetails' is mandatory: an array of {Attribute, Value}, with a unique field"
        )
    given = message.Opportunity
    if not given:
        raise MissingAttribute("'Opportunity' is mandatory: an object with OpportunityEventCode")
    place = "Opportunity"
    return AskedCapture(
        lead=parse_lead_details(message.LeadDetails, place="LeadDetails"),
        opportunity=AskedOpportunity(
            event_code=_event_code(given.OpportunityEventCode, place=place),
            fields=_fields(given.Fields, given.OpportunityNote, inside="Opportunity."),
            created_on=_date(given.OpportunityDateTime, place=f"{place}.OpportunityDateTime"),
            flags=_flags(given, place=place),
            place=place,
        ),
    )


def parse_update(_: Call, message: UpdateWire) -> AskedUpdate:
    """What an ``Update`` asks. Raises an ApiError with status 400 or 413 that names the place."""
    return AskedUpdate(
        id=_opportunity_id(message, inside=""),
        event_code=_optional_number(message.OpportunityEventCode),
        fields=_changes(message, inside=""),
        place="OpportunityEventCode",
    )


def parse_bulk_update(_: Call, messages: list[UpdateWire]) -> list[AskedUpdate]:
    """What a ``Bulk/Update/ByOpportunityId`` asks: 1 to 25 updates of as many opportunities.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    _check_number(messages)
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
    """What a ``Bulk/Add/ByLeadField`` asks: 1 to 25 new opportunities.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    search_by = _search_by(call.query)
    _check_number(messages)
    return AskedAdditions(
        search_by=search_by,
        additions=[
            _addition(message, place=f"[{index}]") for index, message in enumerate(messages)
        ],
    )


def parse_delete(call: Call, _: None) -> str:
    """Parse a ``Delete``: the id of the opportunity. Raises MissingAttribute or InvalidValue."""
    return mandatory_guid(call.query, "Id")


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
    value = None if message.SearchByValue is UNSET else message.SearchByValue
    lead_value = plain_text(value, place=f"{place}.SearchByValue")
    if lead_value is None or not lead_value.strip():
        raise MissingAttribute(f"'SearchByValue' is mandatory in {place}")
    fields = _fields(message.Fields, message.OpportunityNote, inside=f"{place}.")
    if message.OpportunityOwnerEmail:
        owner_place = f"{place}.OpportunityOwnerEmail"
        fields.append(AskedField("Owner", message.OpportunityOwnerEmail, owner_place, owner_place))
    return AskedAddition(
        lead_value=lead_value.strip(),
        lead_place=f"{place}.SearchByValue",
        opportunity=AskedOpportunity(
            event_code=_event_code(message.OpportunityEventCode, place=place),
            fields=fields,
            created_on=_date(message.OpportunityDateTime, place=f"{place}.OpportunityDateTime"),
            flags=_flags(message, place=place),
            place=place,
        ),
    )


def _changes(message: UpdateWire, *, inside: str) -> list[AskedField]:
    """The fields of an update, at least one."""
    fields = _fields(message.Fields, message.OpportunityNote, inside=inside)
    if not fields:
        raise MissingAttribute(
            f"{inside}Fields has no entry, and there is no OpportunityNote: nothing to change"
        )
    return fields


def _fields(
    fields: list[FieldValueWire] | UnsetType | None, note: str | UnsetType | None, *, inside: str
) -> list[AskedField]:
    """``Fields`` and the note in one list. A note of null says nothing; an empty one clears it."""
    asked = [
        _field(field, place=f"{inside}Fields[{index}]") for index, field in enumerate(fields or ())
    ]
    if isinstance(note, str):
        place = f"{inside}OpportunityNote"
        asked.append(AskedField("OpportunityNote", note, place, place))
    return asked


def _field(field: FieldValueWire, *, place: str) -> AskedField:
    name = field.SchemaName.strip() if isinstance(field.SchemaName, str) else ""
    if not name:
        raise MissingAttribute(f"'SchemaName' is mandatory in {place}")
    check_has_no_members(field, place=place)
    if field.Value is UNSET:
        raise MissingAttribute(f"'Value' is mandatory in {place}; null clears the field")
    return AskedField(name, field.Value, f"{place}.SchemaName", f"{place}.Value")


# --- members -----------------------------------------------------------------------------------


def _check_number(messages: Sequence[object]) -> None:
    if not messages:
        raise MissingAttribute(
            f"The body is an empty array. Send 1 to {BULK_WRITE_ROWS_MAX} entries."
        )
    if len(messages) > BULK_WRITE_ROWS_MAX:
        raise LimitExceeded(
            f"The body has {len(messages)} entries; one call takes {BULK_WRITE_ROWS_MAX}."
            " Split them over several calls."
        )


def _event_code(value: Number | UnsetType | None, *, place: str) -> str:
    text = _optional_number(value)
    if not text:
        raise MissingAttribute(f"'OpportunityEventCode' is mandatory in {place}")
    return text


def _optional_number(value: Number | UnsetType | None) -> str | None:
    return str(value).strip() if isinstance(value, str | int) else None


def _opportunity_id(message: UpdateWire, *, inside: str) -> str:
    text = message.ProspectOpportunityId
    if not text:
        place = f" in {inside.rstrip('.')}" if inside else ""
        raise MissingAttribute(f"'ProspectOpportunityId' is mandatory{place}")
    return guid_at(text, place=f"{inside}ProspectOpportunityId")


def _date(text: str | UnsetType | None, *, place: str) -> str | None:
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return datetime_to_stored(text.strip())
    except ValueError as error:
        raise InvalidValue(f"{place}: {quoted(text)} is {error}") from None


def _flags(message: CapturedOpportunityWire | AddWire, *, place: str) -> CaptureFlags:
    return CaptureFlags(
        overwrite_fields=_flag(message.OverwriteFields, f"{place}.OverwriteFields"),
        update_empty_fields=_flag(message.UpdateEmptyFields, f"{place}.UpdateEmptyFields"),
        do_not_post_duplicate_activity=_flag(
            message.DoNotPostDuplicateActivity, f"{place}.DoNotPostDuplicateActivity"
        ),
        do_not_change_owner=_flag(message.DoNotChangeOwner, f"{place}.DoNotChangeOwner"),
    )


def _flag(value: Flag | UnsetType | None, place: str) -> bool:
    if value is None or isinstance(value, UnsetType):
        return False
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise InvalidValue(f"{place}: {quoted(value)} is neither true nor false")
    return flag
