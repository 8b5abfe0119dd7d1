"""From what a write has done to the body of its answer."""

from collections.abc import Sequence

import msgspec

from oppserver.calls.writes.asked import CaptureAction, CaptureFlags, CaptureResult
from oppserver.calls.writes.wire import AddedWire, CaptureAnswerWire, CaptureDetailWire, UpdatedWire

_LEAD_CREATED = 1

_LEAD_FOUND = 2
"""``SecondaryAction`` of a capture. Ours: no meaning of it is known."""


def render_capture(
    captured: CaptureResult, *, is_lead_new: bool, flags: CaptureFlags, request_id: str
) -> bytes:
    """The body of ``Capture``, in the order of the members that is known of the hosted API."""
    return msgspec.json.encode(
        CaptureAnswerWire(
            Status=0,
            PrimaryAction=captured.action,
            SecondaryAction=_LEAD_CREATED if is_lead_new else _LEAD_FOUND,
            ExceptionType=None,
            ExceptionMessage=None,
            RequestId=request_id,
            RelatedProspectId=captured.lead_id,
            IsUnique=_is_unique(captured),
            CreatedOpportunityId=_created_id(captured),
            ConflictedOpportunityId=_conflicted_id(captured),
            AdditionalDetails=_details(captured),
            OverwriteFields=flags.overwrite_fields,
            UpdateEmptyFields=flags.update_empty_fields,
            DoNotPostDuplicateActivity=flags.do_not_post_duplicate_activity,
            DoNotChangeOwner=flags.do_not_change_owner,
        )
    )


def render_bulk_add(captured: Sequence[CaptureResult]) -> bytes:
    """The body of ``Bulk/Add/ByLeadField``: what became of each entry, in their order."""
    rows = [
        AddedWire(
            Status="Success",
            RelatedProspectId=one.lead_id,
            IsUnique=_is_unique(one),
            CreatedOpportunityId=_created_id(one),
            ConflictedOpportunityId=_conflicted_id(one),
            AdditionalDetails=_details(one),
        )
        for one in captured
    ]
    affected = sum(one.action is not CaptureAction.NOTHING for one in captured)
    return _success(affected, rows)


def render_update(opportunity_id: str) -> bytes:
    """The body of ``Update``."""
    message = {"Id": opportunity_id, "AffectedRows": 1}
    return msgspec.json.encode({"Status": "Success", "Message": message})


def render_bulk_update(opportunity_ids: Sequence[str]) -> bytes:
    """The body of ``Bulk/Update/ByOpportunityId``: an entry for each update, in their order."""
    rows = [UpdatedWire(ProspectOpportunityId=one, Status="Success") for one in opportunity_ids]
    return _success(len(rows), rows)


def render_delete() -> bytes:
    """The body of ``Delete``."""
    return b'{"Status":"Success","Message":{"IsSuccessful":true}}'


def _success(affected: int, rows: Sequence[msgspec.Struct]) -> bytes:
    message = {"AffectedRows": affected}
    return msgspec.json.encode({"Status": "Success", "Message": message, "Response": rows})


def _is_unique(one: CaptureResult) -> bool:
    return one.action is CaptureAction.CREATED


def _created_id(one: CaptureResult) -> str | None:
    return one.opportunity_id if _is_unique(one) else None


def _conflicted_id(one: CaptureResult) -> str | None:
    return None if _is_unique(one) else one.opportunity_id


def _details(one: CaptureResult) -> list[CaptureDetailWire]:
    return [CaptureDetailWire(PostDeDupActionPerformed=one.action, ActivityId=one.activity_id)]
