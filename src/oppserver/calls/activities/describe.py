"""The calls of activities, described."""

from collections.abc import Mapping
from typing import Final

from oppserver.calls.activities.timelines import COLUMNS
from oppserver.calls.shared.describe import (
    EVERY_BODY,
    GUID,
    NUMBER,
    NUMBER_OR_NULL,
    PAGING,
    ROWS,
    SORTING,
    TEXT,
    TEXT_OR_NULL,
    VALUE,
    Description,
    Parameter,
    Schema,
)
from oppserver.contract import errors, example, limits

_ACTIVITY_ID: Final = "2232837f-0f5e-4607-8e50-2728d90b9b5c"

_DATE: Final = "2024-02-29 13:05:09"

_ACTIVITY_EVENT: Final[Schema] = {**NUMBER, "description": "The code of an activity type."}

_ACTIVITY_DATE: Final[Schema] = {
    "type": ["string", "null"],
    "description": "`CreatedOn`, UTC. Without it: now.",
}

_FIELDS: Final[Schema] = {
    "type": ["array", "null"],
    "items": {
        "type": "object",
        "required": ["SchemaName", "Value"],
        "properties": {
            "SchemaName": {
                "type": "string",
                "description": "`mx_Custom_1` to"
                f" `mx_Custom_{limits.CUSTOM_SLOTS}`, `Status`, `Owner`.",
            },
            "Value": VALUE,
        },
    },
}

_FIELDS_EXAMPLE: Final = [{"SchemaName": "mx_Custom_1", "Value": "Called back"}]

_PAGING: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {
        **PAGING["properties"],
        "Offset": {**NUMBER_OR_NULL, "description": "Number of the page, from 0."},
        "RowCount": {**NUMBER_OR_NULL, "description": "Rows of a page, with `Offset`."},
    },
}

_POST_ERRORS: Final = (
    *EVERY_BODY,
    errors.UnknownEventCode,
    errors.UnknownColumn,
    errors.InvalidFieldValue,
    errors.InvalidReference,
)

_ROW: Final[Schema] = {
    "type": "object",
    "required": ["Id", "EventCode", "EventName", "CreatedOn", "ModifiedOn", "Data"],
    "properties": {
        "Id": TEXT,
        "EventCode": {"type": "integer"},
        "EventName": TEXT,
        "ActivityScore": {"const": 0},
        "CreatedOn": TEXT,
        "ActivityType": {"const": 2},
        "IsEmailType": {"const": False},
        "Type": {"const": "Custom"},
        "SessionId": TEXT,
        "TrackLocation": {"const": 0},
        "Latitude": {"type": "null"},
        "Longitude": {"type": "null"},
        "ModifiedOn": TEXT,
        "RelatedProspectId": TEXT,
        "Data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["Key", "Value"],
                "properties": {"Key": TEXT, "Value": TEXT_OR_NULL},
            },
        },
        "ActivityFields": {
            "type": "object",
            "additionalProperties": TEXT_OR_NULL,
            "description": "Dates are `M/d/yyyy h:mm:ss AM/PM`. Absent on what the server posts.",
        },
    },
}

_ROW_EXAMPLE: Final = {
    "Id": _ACTIVITY_ID,
    "EventCode": example.ACTIVITY_TYPE.event_code,
    "EventName": example.ACTIVITY_TYPE.name,
    "ActivityScore": 0,
    "CreatedOn": _DATE,
    "ActivityType": 2,
    "IsEmailType": False,
    "Type": "Custom",
    "SessionId": "00000000-0000-0000-0000-000000000000",
    "TrackLocation": 0,
    "Latitude": None,
    "Longitude": None,
    "ModifiedOn": _DATE,
    "RelatedProspectId": example.LEAD_ID,
    "Data": [{"Key": "mx_Custom_1", "Value": "Called back"}],
    "ActivityFields": {
        "ActivityEvent_Note": None,
        "CreatedBy": None,
        "CreatedOn": "2/29/2024 1:05:09 PM",
        "ModifiedOn": "2/29/2024 1:05:09 PM",
        "Owner": None,
        "mx_Custom_1": "Called back",
    },
}

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "ProspectActivityCreate": Description(
        summary="Post an activity on a lead",
        text=(
            "The lead is that of `RelatedProspectId`, or of `leadId` in the query, or of"
            " `EmailAddress`: a lead of a new address is created with the names and the phone"
            " number."
        ),
        request={
            "type": "object",
            "required": ["ActivityEvent"],
            "properties": {
                "RelatedProspectId": {**GUID, "type": ["string", "null"]},
                "EmailAddress": VALUE,
                "FirstName": VALUE,
                "LastName": VALUE,
                "Phone": VALUE,
                "ActivityEvent": _ACTIVITY_EVENT,
                "ActivityNote": VALUE,
                "ActivityDateTime": _ACTIVITY_DATE,
                "Fields": _FIELDS,
            },
        },
        request_example={
            "RelatedProspectId": example.LEAD_ID,
            "ActivityEvent": example.ACTIVITY_TYPE.event_code,
            "ActivityNote": "Asked for a quote",
            "ActivityDateTime": _DATE,
            "Fields": _FIELDS_EXAMPLE,
        },
        response={
            "type": "object",
            "required": ["Status", "Message"],
            "properties": {
                "Status": {"const": "Success"},
                "Message": {"type": "object", "required": ["Id"], "properties": {"Id": GUID}},
            },
        },
        response_example={"Status": "Success", "Message": {"Id": _ACTIVITY_ID}},
        errors=_POST_ERRORS,
        query=(
            Parameter(
                "leadId",
                "The lead, if the body names none.",
                GUID,
                example.LEAD_ID,
                is_required=False,
            ),
        ),
    ),
    "CustomActivityAddByOpportunityId": Description(
        summary="Post activities on an opportunity",
        text=f"1 to {limits.BULK_WRITE_ROWS_MAX} activities: all are posted, or none.",
        request={
            "type": "array",
            "minItems": 1,
            "maxItems": limits.BULK_WRITE_ROWS_MAX,
            "items": {
                "type": "object",
                "required": ["ActivityEvent", "ActivityOwnerEmail"],
                "properties": {
                    "ActivityEvent": _ACTIVITY_EVENT,
                    "ActivityNote": VALUE,
                    "ActivityOwnerEmail": {**TEXT, "minLength": 1},
                    "ActivityDateTime": _ACTIVITY_DATE,
                    "Fields": _FIELDS,
                },
            },
        },
        request_example=[
            {
                "ActivityEvent": example.ACTIVITY_TYPE.event_code,
                "ActivityNote": "Asked for a quote",
                "ActivityOwnerEmail": example.USER_EMAIL,
                "Fields": _FIELDS_EXAMPLE,
            }
        ],
        response={
            "type": "object",
            "required": ["Response"],
            "properties": {
                "Response": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["ProspectActivityId"],
                        "properties": {"ProspectActivityId": GUID},
                    },
                }
            },
        },
        response_example={"Response": [{"ProspectActivityId": _ACTIVITY_ID}]},
        errors=(*_POST_ERRORS, errors.LimitExceeded, errors.OpportunityNotFound),
        query=(Parameter("opportunityId", "The opportunity.", GUID, example.OPPORTUNITY_ID),),
    ),
    "ProspectActivityRetrieve": Description(
        summary="Get the activities of a lead",
        text=(
            "A lead's timeline, newest first: activities and opportunities. Of an opportunity there"
            " are Status, Owner, `mx_Custom_1` and `mx_Custom_2`."
        ),
        request={
            "type": "object",
            "properties": {
                "Parameter": {
                    "type": ["object", "null"],
                    "properties": {
                        "ActivityEvent": {
                            **NUMBER_OR_NULL,
                            "description": "The code of an activity type or an opportunity type.",
                        }
                    },
                },
                "Paging": _PAGING,
            },
        },
        request_example={
            "Parameter": {"ActivityEvent": example.ACTIVITY_TYPE.event_code},
            "Paging": {"Offset": "0", "RowCount": "10"},
        },
        response={
            "type": "object",
            "required": ["RecordCount", "ProspectActivities"],
            "properties": {
                "RecordCount": {"type": "integer", "minimum": 0},
                "ProspectActivities": {"type": "array", "items": _ROW},
            },
        },
        response_example={"RecordCount": 1, "ProspectActivities": [_ROW_EXAMPLE]},
        errors=(*EVERY_BODY, errors.LimitExceeded),
        is_body_optional=True,
        query=(
            Parameter("leadId", "The lead.", GUID, example.LEAD_ID),
            Parameter(
                "getFileURL", "Accepted, without effect: no files.", TEXT, "true", is_required=False
            ),
        ),
    ),
    "GetActivitiesOfOpportunity": Description(
        summary="Get the activities of an opportunity",
        text="Newest first. Without columns, a row has all that the rows of the page have.",
        request={
            "type": "object",
            "properties": {
                "Columns": {
                    "type": ["object", "null"],
                    "properties": {
                        "Include_CSV": {
                            **TEXT_OR_NULL,
                            "description": f"Of {', '.join(COLUMNS)}, and `mx_Custom_N`.",
                        }
                    },
                },
                "Paging": _PAGING,
                "Sorting": SORTING,
            },
        },
        request_example={
            "Columns": {"Include_CSV": "ActivityEvent,mx_Custom_1"},
            "Paging": {"PageIndex": 1, "PageSize": limits.ACTIVITY_PAGE_ROWS_DEFAULT},
            "Sorting": {"ColumnName": "CreatedOn", "Direction": "1"},
        },
        response={
            "type": "object",
            "required": ["RecordCount", "List"],
            "properties": {"RecordCount": {"type": "integer", "minimum": 0}, "List": ROWS},
        },
        response_example={
            "RecordCount": 1,
            "List": [
                {
                    "ProspectId": example.LEAD_ID,
                    "ProspectActivityId": _ACTIVITY_ID,
                    "ActivityEvent": "200",
                    "mx_Custom_1": "Called back",
                }
            ],
        },
        errors=(
            *EVERY_BODY,
            errors.UnknownColumn,
            errors.LimitExceeded,
            errors.OpportunityNotFound,
        ),
        is_body_optional=True,
        query=(
            Parameter("opportunityId", "The opportunity.", GUID, example.OPPORTUNITY_ID),
            Parameter(
                "activityEventCode",
                "Activities of this type alone.",
                NUMBER,
                example.ACTIVITY_TYPE.event_code,
                is_required=False,
            ),
        ),
    ),
}
