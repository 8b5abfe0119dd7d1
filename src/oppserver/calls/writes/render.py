"""The answers of the calls that write opportunities: their messages, and how they are made."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Literal

import msgspec

from oppserver.calls.shared.messages import AffectedWire, BulkSuccessWire
from oppserver.calls.writes.wire import CaptureAction, CaptureFlags, CaptureResult


class LeadAction(IntEnum):
    """``SecondaryAction`` of a capture. Ours: no meaning of it is known."""

    CREATED = 1
    FOUND = 2


class CaptureDetailWire(msgspec.Struct, frozen=True):
    """``AdditionalDetails`` of a capture: what was done, and the activity that was posted."""

    PostDeDupActionPerformed: CaptureAction
    ActivityId: str | None


class CaptureAnswerWire(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``Capture``. ``Status`` 0 is success here."""

    Status: Literal[0] = 0
    PrimaryAction: CaptureAction
    SecondaryAction: LeadAction
    ExceptionType: None = None
    ExceptionMessage: None = None
    RequestId: str
    RelatedProspectId: str
    IsUnique: bool
    CreatedOpportunityId: str | None
    ConflictedOpportunityId: str | None
    AdditionalDetails: list[CaptureDetailWire]
    OverwriteFields: bool
    UpdateEmptyFields: bool
    DoNotPostDuplicateActivity: bool
    DoNotChangeOwner: bool


class AddedWire(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one entry of ``Bulk/Add/ByLeadField``."""

    Status: Literal["Success"] = "Success"
    RelatedProspectId: str
    IsUnique: bool
    CreatedOpportunityId: str | None
    ConflictedOpportunityId: str | None
    AdditionalDetails: list[CaptureDetailWire]


class UpdatedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``Update``."""

    Id: str
    AffectedRows: int = 1


class UpdatedRowWire(msgspec.Struct, frozen=True):
    """The result of one entry of ``Bulk/Update/ByOpportunityId``."""

    ProspectOpportunityId: str
    Status: Literal["Success"] = "Success"


class DeletedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``Delete``."""

    IsSuccessful: Literal[True] = True


def render_capture(
    captured: CaptureResult, *, is_lead_new: bool, flags: CaptureFlags, request_id: str
) -> bytes:
    """The body of ``Capture``, in the order of the members that is known of the hosted API."""
    return msgspec.json.encode(
        CaptureAnswerWire(
            PrimaryAction=captured.action,
            SecondaryAction=LeadAction.CREATED if is_lead_new else LeadAction.FOUND,
            RequestId=request_id,
            **_outcome(captured),
            OverwriteFields=flags.overwrite_fields,
            UpdateEmptyFields=flags.update_empty_fields,
            DoNotPostDuplicateActivity=flags.do_not_post_duplicate_activity,
            DoNotChangeOwner=flags.do_not_change_owner,
        )
    )


def render_bulk_add(captured: Sequence[CaptureResult]) -> bytes:
    """The body of ``Bulk/Add/ByLeadField``: a row for each entry, in their order."""
    rows = [AddedWire(**_outcome(one)) for one in captured]
    affected = sum(one.action is not CaptureAction.NOTHING for one in captured)
    return _bulk(affected, rows)


def render_bulk_update(opportunity_ids: Sequence[str]) -> bytes:
    """The body of ``Bulk/Update/ByOpportunityId``: an entry for each update, in their order."""
    return _bulk(len(opportunity_ids), [UpdatedRowWire(one) for one in opportunity_ids])


def _bulk(affected: int, rows: Sequence[msgspec.Struct]) -> bytes:
    answer = BulkSuccessWire(Message=AffectedWire(AffectedRows=affected), Response=list(rows))
    return msgspec.json.encode(answer)


def _outcome(one: CaptureResult) -> dict[str, Any]:
    """The members that report what a capture did."""
    is_unique = one.action is CaptureAction.CREATED
    return {
        "RelatedProspectId": one.lead_id,
        "IsUnique": is_unique,
        "CreatedOpportunityId": one.opportunity_id if is_unique else None,
        "ConflictedOpportunityId": None if is_unique else one.opportunity_id,
        "AdditionalDetails": [CaptureDetailWire(one.action, one.activity_id)],
    }
