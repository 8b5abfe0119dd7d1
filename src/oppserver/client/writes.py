"""Writes: from arguments to calls, and from an answer to its result."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, Required, TypedDict
from uuid import UUID

import msgspec

from oppserver.client.calls import ACTIVITIES, HostCall, decoded, not_understood, writing_call
from oppserver.client.conditions import FieldValue, Value, as_event_code, guid_of, pairs, text_value
from oppserver.client.errors import ClientError, InvalidCall, WritesStopped
from oppserver.contract.limits import BULK_WRITE_ROWS_MAX

_CAPTURE: Final = "Capture"

_BULK_ADD: Final = "Bulk/Add/ByLeadField"

_ADD_ACTIVITIES: Final = "Bulk/CustomActivity/Add/ByOpportunityId"


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a capture.

    ``is_new`` False: a rule for duplicates found an existing opportunity, ``opportunity_id`` is its
    id. The ids are None if the host does not answer them.
    """

    opportunity_id: str | None
    lead_id: str | None
    is_new: bool


class Update(msgspec.Struct, frozen=True):
    """New values of an opportunity, by schema name; None clears a field."""

    id: str | UUID
    fields: Mapping[str, FieldValue] = {}
    note: str | None = None


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """A new opportunity of an existing lead: ``lead`` is the value that finds the lead."""

    lead: Value
    fields: Mapping[str, FieldValue]
    note: str | None = None
    owner_email: str | None = None


class NewActivity(msgspec.Struct, frozen=True, kw_only=True):
    """An activity to post on an opportunity."""

    event_code: int
    owner_email: str
    note: str | None = None
    fields: Mapping[str, FieldValue] = {}


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """The effect of a capture on an opportunity that it would duplicate (the API's flags)."""

    overwrite_fields: bool = False
    update_empty_fields: bool = False
    do_not_post_duplicate_activity: bool = False
    do_not_change_owner: bool = False


NO_OVERLAP: Final = Overlap()


class CaptureOptions(TypedDict, total=False):
    """The options of a capture.

    - ``lead``: the lead's id, or attributes by name with a unique one among them. An unknown lead
      is created.
    - ``search_by``: the name of the unique attribute that finds the lead.
    - ``note``, ``created_on``: of the opportunity.
    - ``overlap``: what is done to an existing opportunity that it would duplicate.
    """

    lead: Required[Mapping[str, FieldValue] | str | UUID]
    search_by: str | None
    note: str | None
    created_on: datetime | str | None
    overlap: Overlap


class _CaptureAnswer(msgspec.Struct):
    RelatedProspectId: str | None = None
    IsUnique: bool | None = None
    CreatedOpportunityId: str | None = None
    ConflictedOpportunityId: str | None = None


class _BulkAnswer(msgspec.Struct):
    Response: list[_CaptureAnswer] | None = None


class _ActivityAnswer(msgspec.Struct):
    ProspectActivityId: str | None = None


class _ActivitiesAnswer(msgspec.Struct):
    Response: list[_ActivityAnswer] | None = None


_CAPTURED: Final = msgspec.json.Decoder(_CaptureAnswer)

_ADDED: Final = msgspec.json.Decoder(_BulkAnswer)

_POSTED: Final = msgspec.json.Decoder(_ActivitiesAnswer)


def capture_call(
    event_code: int | str,
    fields: Mapping[str, FieldValue],
    *,
    lead: Mapping[str, FieldValue] | str | UUID,
    search_by: str | None = None,
    note: str | None = None,
    created_on: datetime | str | None = None,
    overlap: Overlap = NO_OVERLAP,
) -> HostCall[Captured]:
    """The call for a new opportunity. ``lead``: its id, or the values that find or create one."""
    opportunity: dict[str, Any] = {
        "OpportunityEventCode": int(as_event_code(event_code)),
        "Fields": pairs(fields, name="SchemaName"),
        "OverwriteFields": overlap.overwrite_fields,
        "UpdateEmptyFields": overlap.update_empty_fields,
        "DoNotPostDuplicateActivity": overlap.do_not_post_duplicate_activity,
        "DoNotChangeOwner": overlap.do_not_change_owner,
    }
    if note is not None:
        opportunity["OpportunityNote"] = note
    if created_on is not None:
        opportunity["OpportunityDateTime"] = text_value(created_on)
    message = {"LeadDetails": _lead_details(lead, search_by), "Opportunity": opportunity}
    return writing_call(_CAPTURE, message, _read_captured)


def update_call(update: Update) -> HostCall[None]:
    """The call for new values of one opportunity."""
    return writing_call("Update", _update_message(update), _read_nothing)


def delete_call(opportunity_id: str | UUID) -> HostCall[None]:
    """The call that deletes one opportunity."""
    query = (("Id", guid_of(opportunity_id, what="opportunity_id")),)
    return writing_call("Delete", None, _read_nothing, query=query)


def bulk_update_calls(
    updates: Iterable[Update], event_code: int | str
) -> Iterator[tuple[int, HostCall[None]]]:
    """The calls for any number of updates, 25 in each; yields the number and the call."""
    code = int(as_event_code(event_code))
    for batch in _batches(updates):
        message = [{**_update_message(one), "OpportunityEventCode": code} for one in batch]
        yield len(batch), writing_call("Bulk/Update/ByOpportunityId", message, _read_nothing)


def bulk_add_calls(
    additions: Iterable[Addition], event_code: int | str, *, search_by: str
) -> Iterator[tuple[int, HostCall[list[Captured]]]]:
    """The calls for any number of new opportunities; as ``bulk_update_calls``."""
    code = int(as_event_code(event_code))
    for batch in _batches(additions):
        message = [_addition_message(one, code) for one in batch]
        read = partial(_read_added, len(batch))
        yield len(batch), writing_call(_BULK_ADD, message, read, query=(("SearchBy", search_by),))


def activity_calls(
    opportunity_id: str | UUID, activities: Iterable[NewActivity]
) -> Iterator[tuple[int, HostCall[list[str]]]]:
    """The calls that post any number of activities; as ``bulk_update_calls``."""
    query = (("opportunityId", guid_of(opportunity_id, what="opportunity_id")),)
    for batch in _batches(activities):
        message = [_activity_message(activity) for activity in batch]
        call = writing_call(_ADD_ACTIVITIES, message, _read_posted, query=query, base=ACTIVITIES)
        yield len(batch), call


def stopped(error: ClientError, *, done: int) -> ClientError:
    """The error for many writes: ``done`` are written, then one call failed."""
    if not done:
        return error
    return WritesStopped(f"{error} The {done:,} before that are written, none after.", done=done)


# --- messages ----------------------------------------------------------------------------------


def _lead_details(
    lead: Mapping[str, FieldValue] | str | UUID, search_by: str | None
) -> list[dict[str, Any]]:
    if isinstance(lead, (str, UUID)):
        lead = {"ProspectID": guid_of(lead, what="lead")}
        search_by = search_by or "ProspectId"
    details = pairs(lead, name="Attribute")
    if not details:
        raise InvalidCall("lead is empty: pass its id, or at least one unique field.")
    if search_by is not None:
        details.append({"Attribute": "SearchBy", "Value": search_by})
    return details


def _update_message(update: Update) -> dict[str, Any]:
    if not update.fields and update.note is None:
        raise InvalidCall("There is nothing to change: pass fields, or a note.")
    message: dict[str, Any] = {
        "ProspectOpportunityId": guid_of(update.id, what="id"),
        "Fields": pairs(update.fields, name="SchemaName"),
    }
    return message if update.note is None else {**message, "OpportunityNote": update.note}


def _addition_message(one: Addition, code: int) -> dict[str, Any]:
    message: dict[str, Any] = {
        "SearchByValue": text_value(one.lead),
        "OpportunityEventCode": code,
        "Fields": pairs(one.fields, name="SchemaName"),
    }
    if one.note is not None:
        message["OpportunityNote"] = one.note
    if one.owner_email is not None:
        message["OpportunityOwnerEmail"] = one.owner_email
    return message


def _activity_message(one: NewActivity) -> dict[str, Any]:
    return {
        "ActivityEvent": one.event_code,
        "ActivityNote": one.note or "",
        "ActivityOwnerEmail": one.owner_email,
        "Fields": pairs(one.fields, name="SchemaName"),
    }


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == BULK_WRITE_ROWS_MAX:
            yield batch
            batch = []
    if batch:
        yield batch


# --- answers -----------------------------------------------------------------------------------


def _read_nothing(_: bytes) -> None:
    """The answer has no result: a good one means that the write was done."""


def _read_captured(body: bytes) -> Captured:
    return _captured(decoded(_CAPTURED, body or b"{}", name=_CAPTURE))


def _read_added(number: int, body: bytes) -> list[Captured]:
    answers = decoded(_ADDED, body or b"{}", name=_BULK_ADD).Response
    if answers is None:
        return [Captured(opportunity_id=None, lead_id=None, is_new=True)] * number
    if len(answers) != number:
        raise not_understood(_BULK_ADD, f"{number} were sent, it has {len(answers)}")
    return [_captured(one) for one in answers]


def _read_posted(body: bytes) -> list[str]:
    answers = decoded(_POSTED, body or b"{}", name=_ADD_ACTIVITIES).Response or []
    return [one.ProspectActivityId for one in answers if one.ProspectActivityId]


def _captured(one: _CaptureAnswer) -> Captured:
    # on the hosted service, IsUnique is true even if nothing was created (source: observed)
    return Captured(
        opportunity_id=one.CreatedOpportunityId or one.ConflictedOpportunityId,
        lead_id=one.RelatedProspectId,
        is_new=one.ConflictedOpportunityId is None,
    )
