"""The calls that write opportunities, described."""

from collections.abc import Mapping
from typing import Any, Final

from oppserver.calls.shared.describe import (
    EVENT_CODE,
    EVERY_BODY,
    GUID,
    TEXT,
    TEXT_OR_NULL,
    Description,
    Parameter,
    Schema,
)
from oppserver.contract import errors, example, limits
from oppserver.contract.leads import UNIQUE_COLUMNS

_ACTIVITY_ID: Final = "2232837f-0f5e-4607-8e50-2728d90b9b5c"

_VALUE: Final[Schema] = {
    "type": ["string", "number", "boolean", "null"],
    "description": "Checked by the field's definition. Empty and null clear the field.",
}

_BOOLEAN: Final[Schema] = {"type": "boolean"}

_FLAG: Final[Schema] = {"type": "boolean", "default": False}

_FIELDS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["SchemaName", "Value"],
        "properties": {
            "SchemaName": {
                "type": "string",
                "description": "`Status`, `Owner`, `OpportunityNote`, an `mx_Custom_N` that the"
                " type has, or a field's display name. Any case.",
            },
            "Value": _VALUE,
        },
    },
}

_FIELDS_EXAMPLE: Final[list[dict[str, Any]]] = [
    {"SchemaName": "Status", "Value": "Open"},
    {"SchemaName": "mx_Custom_1", "Value": "Solar roof"},
]

_ATTRIBUTES: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "maxItems": limits.LEAD_ATTRIBUTES_MAX,
    "items": {
        "type": "object",
        "required": ["Attribute", "Value"],
        "properties": {"Attribute": TEXT, "Value": _VALUE},
    },
    "description": "The lead: at least one of EmailAddress, Phone, Mobile and ProspectID."
    " `SearchBy` says which one it is found by.",
}

_DETAILS: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["PostDeDupActionPerformed", "ActivityId"],
        "properties": {
            "PostDeDupActionPerformed": {
                "enum": [1, 2, 3],
                "description": "1 created, 2 the stored one took values, 3 nothing.",
            },
            "ActivityId": TEXT_OR_NULL,
        },
    },
}

_CAPTURED: Final[Mapping[str, Schema]] = {
    "RelatedProspectId": TEXT,
    "IsUnique": {"type": "boolean"},
    "CreatedOpportunityId": TEXT_OR_NULL,
    "ConflictedOpportunityId": TEXT_OR_NULL,
    "AdditionalDetails": _DETAILS,
}

_CAPTURED_EXAMPLE: Final = {
    "RelatedProspectId": example.LEAD_ID,
    "IsUnique": True,
    "CreatedOpportunityId": example.OPPORTUNITY_ID,
    "ConflictedOpportunityId": None,
    "AdditionalDetails": [{"PostDeDupActionPerformed": 1, "ActivityId": _ACTIVITY_ID}],
}

_FLAG_NAMES: Final = (
    "OverwriteFields",
    "UpdateEmptyFields",
    "DoNotPostDuplicateActivity",
    "DoNotChangeOwner",
)

_OPPORTUNITY_DATE: Final[Schema] = {
    "type": ["string", "null"],
    "description": "`CreatedOn` of a new one, UTC. Without it: now.",
}

_CAPTURE_REQUEST: Final[Schema] = {
    "type": "object",
    "required": ["LeadDetails", "Opportunity"],
    "properties": {
        "LeadDetails": _ATTRIBUTES,
        "Opportunity": {
            "type": "object",
            "required": ["OpportunityEventCode"],
            "properties": {
                "OpportunityEventCode": EVENT_CODE,
                "OpportunityNote": TEXT_OR_NULL,
                "OpportunityDateTime": _OPPORTUNITY_DATE,
                "Fields": _FIELDS,
                **dict.fromkeys(_FLAG_NAMES, _FLAG),
            },
        },
    },
}

_CAPTURE_RESPONSE: Final[Schema] = {
    "type": "object",
    "properties": {
        "Status": {"const": 0},
        "PrimaryAction": {"enum": [1, 2, 3]},
        "SecondaryAction": {"enum": [1, 2]},
        "ExceptionType": {"type": "null"},
        "ExceptionMessage": {"type": "null"},
        "RequestId": TEXT,
        **_CAPTURED,
        **dict.fromkeys(_FLAG_NAMES, _BOOLEAN),
    },
}

_UPDATE_PROPERTIES: Final[Mapping[str, Schema]] = {
    "ProspectOpportunityId": GUID,
    "OpportunityEventCode": EVENT_CODE,
    "OpportunityNote": TEXT_OR_NULL,
    "Fields": _FIELDS,
}

_ADD_PROPERTIES: Final[Mapping[str, Schema]] = {
    "SearchByValue": {**TEXT, "minLength": 1},
    "OpportunityEventCode": EVENT_CODE,
    "OpportunityNote": TEXT_OR_NULL,
    "OpportunityDateTime": _OPPORTUNITY_DATE,
    "OpportunityOwnerEmail": TEXT_OR_NULL,
    **dict.fromkeys(_FLAG_NAMES, _FLAG),
    "Fields": _FIELDS,
}


def _entries(properties: Mapping[str, Schema], *required: str) -> Schema:
    return {
        "type": "array",
        "minItems": 1,
        "maxItems": limits.BULK_WRITE_ROWS_MAX,
        "items": {"type": "object", "required": required, "properties": properties},
    }


def _success(message: Mapping[str, Schema], **more: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["Status", "Message", *more],
        "properties": {
            "Status": {"const": "Success"},
            "Message": {"type": "object", "properties": message},
            **more,
        },
    }


def _rows(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "array", "items": {"type": "object", "properties": properties}}


_AFFECTED: Final[Mapping[str, Schema]] = {"AffectedRows": {"type": "integer"}}

_SUCCESS: Final[Mapping[str, Schema]] = {"Status": {"const": "Success"}}

_EVERY_VALUE: Final = (
    *EVERY_BODY,
    errors.UnknownEventCode,
    errors.UnknownColumn,
    errors.InvalidFieldValue,
    errors.InvalidReference,
)

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "Capture": Description(
        summary="Capture an opportunity",
        text=(
            "Creates an opportunity, and its lead where nobody is found by its unique fields. When"
            " a duplicate rule of the type finds one like it, nothing is created: `IsUnique` is"
            " false and `ConflictedOpportunityId` names it. The flags say what it takes."
        ),
        request=_CAPTURE_REQUEST,
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
        response=_CAPTURE_RESPONSE,
        response_example={
            "Status": 0,
            "PrimaryAction": 1,
            "SecondaryAction": 1,
            "ExceptionType": None,
            "ExceptionMessage": None,
            "RequestId": "5f0c9c1cfb2c4b0f9d3f8e3f5a1f7a90",
            **_CAPTURED_EXAMPLE,
            **dict.fromkeys(_FLAG_NAMES, False),
        },
        errors=(*_EVERY_VALUE, errors.LimitExceeded),
    ),
    "Update": Description(
        summary="Update an opportunity",
        text="Changes the fields that are passed, and no others.",
        request={
            "type": "object",
            "required": ["ProspectOpportunityId", "Fields"],
            "properties": _UPDATE_PROPERTIES,
        },
        request_example={
            "ProspectOpportunityId": example.OPPORTUNITY_ID,
            "Fields": _FIELDS_EXAMPLE,
        },
        response=_success({"Id": TEXT, **_AFFECTED}),
        response_example={
            "Status": "Success",
            "Message": {"Id": example.OPPORTUNITY_ID, "AffectedRows": 1},
        },
        errors=(*_EVERY_VALUE, errors.OpportunityNotFound),
    ),
    "BulkUpdateByOpportunityId": Description(
        summary="Update opportunities in bulk",
        text=(
            f"Up to {limits.BULK_WRITE_ROWS_MAX} opportunities, each once. If one entry is bad,"
            " nothing is changed."
        ),
        request=_entries(
            _UPDATE_PROPERTIES, "ProspectOpportunityId", "OpportunityEventCode", "Fields"
        ),
        request_example=[
            {
                "ProspectOpportunityId": example.OPPORTUNITY_ID,
                "OpportunityEventCode": example.TYPE.event_code,
                "Fields": _FIELDS_EXAMPLE,
            }
        ],
        response=_success(_AFFECTED, Response=_rows({"ProspectOpportunityId": TEXT, **_SUCCESS})),
        response_example={
            "Status": "Success",
            "Message": {"AffectedRows": 1},
            "Response": [{"ProspectOpportunityId": example.OPPORTUNITY_ID, "Status": "Success"}],
        },
        errors=(*_EVERY_VALUE, errors.LimitExceeded),
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
                schema={"enum": list(UNIQUE_COLUMNS)},
                example="EmailAddress",
            ),
        ),
        request=_entries(_ADD_PROPERTIES, "SearchByValue", "OpportunityEventCode"),
        request_example=[
            {
                "SearchByValue": example.LEAD_EMAIL,
                "OpportunityEventCode": example.TYPE.event_code,
                "Fields": _FIELDS_EXAMPLE,
            }
        ],
        response=_success(_AFFECTED, Response=_rows({**_SUCCESS, **_CAPTURED})),
        response_example={
            "Status": "Success",
            "Message": {"AffectedRows": 1},
            "Response": [{"Status": "Success", **_CAPTURED_EXAMPLE}],
        },
        errors=(*_EVERY_VALUE, errors.LimitExceeded),
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
        response=_success({"IsSuccessful": {"const": True}}),
        response_example={"Status": "Success", "Message": {"IsSuccessful": True}},
        errors=(errors.MissingAttribute, errors.InvalidValue, errors.OpportunityNotFound),
    ),
}
