"""The calls that write opportunities, described."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from oppserver.calls.shared.describe import (
    EVENT_CODE_MEMBER,
    EVENT_CODE_TEXT,
    EVERY_VALUE,
    FIELD_SET,
    GUID,
    GUID_MEMBER,
    Description,
    Member,
    Parameter,
    mandatory,
    member,
    schema_of,
)
from oppserver.calls.shared.messages import BulkSuccessWire, SuccessWire, success
from oppserver.calls.writes.render import (
    AddedWire,
    CaptureAnswerWire,
    DeletedWire,
    UpdatedRowWire,
    UpdatedWire,
    render_bulk_add,
    render_bulk_update,
    render_capture,
)
from oppserver.calls.writes.wire import CaptureAction, CaptureFlags, CaptureResult
from oppserver.contract import errors, example, limits
from oppserver.contract.leads import UNIQUE_COLUMNS

_VALUE_TEXT: Final = "Checked by the field's definition. Empty and null clear the field."

_ENTRIES: Final = member(minItems=1, maxItems=limits.BULK_WRITE_ROWS_MAX)


def _fields(path: str) -> dict[str, Member]:
    return {
        f"{path}Fields[].SchemaName": mandatory(
            "`Status`, `Owner`, `OpportunityNote`, an `mx_Custom_N` that the type has, or a field's"
            " display name. Any case."
        ),
        f"{path}Fields[].Value": mandatory(_VALUE_TEXT, or_null=True),
        f"{path}Fields[].Fields": FIELD_SET,
    }


def _new_opportunity(path: str) -> dict[str, Member]:
    return {
        f"{path}OpportunityEventCode": EVENT_CODE_MEMBER,
        f"{path}OpportunityDateTime": member("`CreatedOn` of a new one, UTC. Without it: now."),
        f"{path}OverwriteFields": member(default=False),
        f"{path}UpdateEmptyFields": member(default=False),
        f"{path}DoNotPostDuplicateActivity": member(default=False),
        f"{path}DoNotChangeOwner": member(default=False),
        **_fields(path),
    }


_DONE: Final = "1 created, 2 the stored one took values, 3 nothing."

_CAPTURED: Final = CaptureResult(
    action=CaptureAction.CREATED,
    lead_id=example.LEAD_ID,
    opportunity_id=example.OPPORTUNITY_ID,
    activity_id="2232837f-0f5e-4607-8e50-2728d90b9b5c",
)

_FIELDS_EXAMPLE: Final[list[dict[str, Any]]] = [
    {"SchemaName": "Status", "Value": "Open"},
    {"SchemaName": "mx_Custom_1", "Value": "Solar roof"},
]

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "Capture": Description(
        summary="Capture an opportunity",
        text=(
            "Creates an opportunity, and its lead where nobody is found by its unique fields. When"
            " a duplicate rule of the type finds one like it, nothing is created: `IsUnique` is"
            " false and `ConflictedOpportunityId` names it. The flags say what it takes."
        ),
        members={
            "LeadDetails": mandatory(
                "The lead: at least one of EmailAddress, Phone, Mobile and ProspectID. `SearchBy`"
                " says which one it is found by.",
                minItems=1,
                maxItems=limits.LEAD_ATTRIBUTES_MAX,
            ),
            "LeadDetails[].Attribute": mandatory(),
            "LeadDetails[].Value": mandatory(_VALUE_TEXT, or_null=True),
            "LeadDetails[].Fields": FIELD_SET,
            "Opportunity": mandatory(),
            **_new_opportunity("Opportunity."),
        },
        request_example={
            "LeadDetails": [
                {"Attribute": "SearchBy", "Value": "EmailAddress"},
                {"Attribute": "EmailAddress", "Value": "jane@example.com"},
                {"Attribute": "FirstName", "Value": "Jane"},
            ],
            "Opportunity": {
                "OpportunityEventCode": example.TYPE.event_code,
                "Fields": _FIELDS_EXAMPLE,
            },
        },
        response=schema_of(
            CaptureAnswerWire, {"AdditionalDetails[].PostDeDupActionPerformed": member(_DONE)}
        ),
        response_example=msgspec.json.decode(
            render_capture(
                _CAPTURED,
                is_lead_new=True,
                flags=CaptureFlags(),
                request_id="5f0c9c1cfb2c4b0f9d3f8e3f5a1f7a90",
            )
        ),
        errors=(*EVERY_VALUE, errors.LimitExceeded),
    ),
    "Update": Description(
        summary="Update an opportunity",
        text="Changes the fields that are passed, and no others.",
        members={
            "ProspectOpportunityId": GUID_MEMBER,
            "OpportunityEventCode": member(EVENT_CODE_TEXT),
            "Fields": mandatory(),
            **_fields(""),
        },
        request_example={
            "ProspectOpportunityId": example.OPPORTUNITY_ID,
            "Fields": _FIELDS_EXAMPLE,
        },
        response=schema_of(SuccessWire[UpdatedWire]),
        response_example=msgspec.json.decode(success(UpdatedWire(example.OPPORTUNITY_ID))),
        errors=(*EVERY_VALUE, errors.OpportunityNotFound),
    ),
    "BulkUpdateByOpportunityId": Description(
        summary="Update opportunities in bulk",
        text=(
            f"Up to {limits.BULK_WRITE_ROWS_MAX} opportunities, each once. If one entry is bad,"
            " nothing is changed."
        ),
        members={
            "": _ENTRIES,
            "[].ProspectOpportunityId": GUID_MEMBER,
            "[].OpportunityEventCode": EVENT_CODE_MEMBER,
            "[].Fields": mandatory(),
            **_fields("[]."),
        },
        request_example=[
            {
                "ProspectOpportunityId": example.OPPORTUNITY_ID,
                "OpportunityEventCode": example.TYPE.event_code,
                "Fields": _FIELDS_EXAMPLE,
            }
        ],
        response=schema_of(BulkSuccessWire[UpdatedRowWire]),
        response_example=msgspec.json.decode(render_bulk_update([example.OPPORTUNITY_ID])),
        errors=(*EVERY_VALUE, errors.LimitExceeded),
    ),
    "BulkAddByLeadField": Description(
        summary="Add opportunities in bulk",
        text=(
            f"Up to {limits.BULK_WRITE_ROWS_MAX} opportunities of leads that are here, one after"
            " the other, each as `Capture` would. If one entry is bad, nothing is created."
        ),
        query=(
            Parameter(
                name="SearchBy",
                text="The field by which the leads are found.",
                schema={"type": "string", "enum": list(UNIQUE_COLUMNS)},
                example="EmailAddress",
            ),
        ),
        members={
            "": _ENTRIES,
            "[].SearchByValue": mandatory(minLength=1),
            **_new_opportunity("[]."),
        },
        request_example=[
            {
                "SearchByValue": example.LEAD_EMAIL,
                "OpportunityEventCode": example.TYPE.event_code,
                "Fields": _FIELDS_EXAMPLE,
            }
        ],
        response=schema_of(
            BulkSuccessWire[AddedWire],
            {"Response[].AdditionalDetails[].PostDeDupActionPerformed": member(_DONE)},
        ),
        response_example=msgspec.json.decode(render_bulk_add([_CAPTURED])),
        errors=(*EVERY_VALUE, errors.LimitExceeded),
    ),
    "Delete": Description(
        summary="Delete an opportunity",
        text="A tombstone stays: later calls with the id are told when it went, and by whom.",
        query=(
            Parameter(
                name="Id",
                text="The id of the opportunity.",
                schema=GUID,
                example=example.DELETED_OPPORTUNITY_ID,
            ),
        ),
        response=schema_of(SuccessWire[DeletedWire]),
        response_example=msgspec.json.decode(success(DeletedWire())),
        errors=(errors.MissingAttribute, errors.InvalidValue, errors.OpportunityNotFound),
    ),
}
