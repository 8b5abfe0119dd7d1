"""The calls of lists and searches of opportunities, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.shared.conditions import OPERATORS
from oppserver.calls.shared.describe import (
    EVENT_CODE,
    EVERY_BODY,
    GUID,
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
from oppserver.contract.leads import UNIQUE_COLUMNS
from oppserver.store.queries import Comparison

_EVENT_CODE: Final = example.TYPE.event_code

_OWNER_ID: Final = "d5d08e32-5ca9-11ea-8dd7-029e1407a868"

_DATE: Final = "2023-04-06 15:23:34"

_COLUMNS: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {
        "Include_CSV": {
            **TEXT_OR_NULL,
            "description": "The columns to answer, comma separated: those of the opportunity by"
            " schema or display name, those of its lead with `P_` before their name.",
        }
    },
}

_LIST: Final[Mapping[str, Schema]] = {"Columns": _COLUMNS, "Paging": PAGING, "Sorting": SORTING}

_LIST_EXAMPLE: Final = {
    "Columns": {"Include_CSV": "Status,mx_Custom_1"},
    "Paging": {"PageIndex": 1, "PageSize": 25},
    "Sorting": {"ColumnName": "ModifiedOn", "Direction": 1},
}

_ANSWER: Final[Schema] = {
    "type": "object",
    "required": ["RecordCount", "List"],
    "properties": {
        "RecordCount": {
            "type": "integer",
            "minimum": 0,
            "description": "Of all matches, not of this page.",
        },
        "List": ROWS,
    },
}

_ROW_EXAMPLE: Final = {
    "OpportunityId": example.OPPORTUNITY_ID,
    "RelatedProspectId": example.LEAD_ID,
    "Status": "Open",
    "mx_Custom_1": example.OPPORTUNITY_NAME,
}

_ERRORS: Final = (*EVERY_BODY, errors.UnknownEventCode, errors.UnknownColumn, errors.LimitExceeded)

# --- the search --------------------------------------------------------------------------------

_SEARCH_EXAMPLE: Final = {
    "GrpConOp": "And",
    "Conditions": [
        {
            "Type": "Activity",
            "ConOp": "and",
            "RowCondition": [
                {
                    "LSO": "ActivityEvent",
                    "LSO_Type": "PAEvent",
                    "Operator": "eq",
                    "RSO": f"{_EVENT_CODE}",
                },
                {"SubConOp": "And", "LSO": "Status", "Operator": "eq", "RSO": "Open"},
            ],
        }
    ],
}

_SEARCH: Final[Schema] = {
    "type": "object",
    "required": ["OpportunityEventCode", "AdvancedSearch"],
    "properties": {
        "OpportunityEventCode": EVENT_CODE,
        "AdvancedSearch": {
            "type": "string",
            "description": "JSON: `GrpConOp`, and `Conditions` of `Type` (Activity), `ConOp` and"
            f" `RowCondition`, at most {limits.SEARCH_CONDITIONS_MAX} rows of `SubConOp`, `LSO`"
            " (a column), `Operator` and `RSO` (a value). One row is the type:"
            " `ActivityEvent`, `PAEvent`, `eq`, and the code. Operators:"
            f" {', '.join(comparison.value for comparison in Comparison)};"
            f" also {', '.join(sorted(OPERATORS.keys() - set(Comparison)))}.",
        },
        **_LIST,
    },
}

# --- what was modified -------------------------------------------------------------------------

_PARAMETER: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {
        "FromDate": {**TEXT_OR_NULL, "description": "UTC; belongs to the span. Absent: open."},
        "ToDate": {**TEXT_OR_NULL, "description": "As FromDate. A day alone is the whole day."},
        "ActivityEvent": {
            **NUMBER_OR_NULL,
            "description": "The code of an opportunity type, or of activities. Absent: all.",
        },
        "IncludeCustomFields": {**VALUE, "description": "1: all custom fields."},
    },
}

_MODIFIED: Final[Schema] = {
    "type": "object",
    "properties": {
        "Parameter": _PARAMETER,
        "Paging": PAGING,
        "Sorting": {**SORTING, "description": "By CreatedOn or ModifiedOn."},
    },
}

_MODIFIED_ANSWER: Final[Schema] = {
    "type": "object",
    "required": ["RecordCount", "ProspectActivities"],
    "properties": {
        "RecordCount": {"type": "integer", "minimum": 0},
        "ProspectActivities": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["Id", "RelatedProspectId", "CreatedOn", "ModifiedOn", "Fields"],
                "properties": {
                    "Id": TEXT,
                    "EventCode": {"type": "integer", "description": "Of activities."},
                    "EventName": TEXT,
                    "RelatedProspectId": TEXT,
                    "CreatedOn": TEXT,
                    "ModifiedOn": TEXT,
                    "Fields": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["Key", "Value"],
                            "properties": {"Key": TEXT, "Value": TEXT_OR_NULL},
                        },
                    },
                },
            },
        },
    },
}

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "GetOpportunitiesOfLead": Description(
        summary="Get the opportunities of a lead",
        text=(
            "Newest change first. Without paging up to"
            f" {limits.PAGE_ROWS_MAX:,} rows; without columns, the lead's name and addresses, the"
            " system columns and all custom fields. An unknown lead has none."
        ),
        query=(
            Parameter("leadId", "The lead.", GUID, example.LEAD_ID),
            Parameter(
                "opportunityType",
                "The event code of a type. Absent: all types.",
                TEXT,
                str(_EVENT_CODE),
                is_required=False,
            ),
        ),
        request={"type": "object", "properties": _LIST},
        request_example=_LIST_EXAMPLE,
        is_body_optional=True,
        response=_ANSWER,
        response_example={"RecordCount": 1, "List": [_ROW_EXAMPLE]},
        errors=_ERRORS,
    ),
    "GetOpportunitiesByUniqueLeadField": Description(
        summary="Get the opportunities of a lead by an address or number",
        text=(
            "Of all types. A row has the columns asked for, which may be the lead's, and then the"
            " system columns; without columns all custom fields too."
        ),
        request={
            "type": "object",
            "required": ["Parameter"],
            "properties": {
                "Parameter": {
                    "type": "object",
                    "required": ["LookupName", "LookupValue"],
                    "properties": {
                        "LookupName": {
                            "type": "string",
                            "description": f"One of {', '.join(UNIQUE_COLUMNS)}.",
                        },
                        "LookupValue": {"type": ["string", "number", "boolean"]},
                        "SqlOperator": {**TEXT_OR_NULL, "description": "`=`."},
                    },
                },
                **_LIST,
            },
        },
        request_example={
            "Parameter": {
                "LookupName": "EmailAddress",
                "LookupValue": example.LEAD_EMAIL,
                "SqlOperator": "=",
            },
            "Columns": {"Include_CSV": "FirstName,EmailAddress"},
        },
        response=_ANSWER,
        response_example={
            "RecordCount": 1,
            "List": [
                {
                    "FirstName": "Jane",
                    "EmailAddress": example.LEAD_EMAIL,
                    "RelatedProspectId": example.LEAD_ID,
                    "OpportunityEvent": str(_EVENT_CODE),
                    "OpportunityEventType": "2",
                    "TrackingNormalized": None,
                    "OpportunityId": example.OPPORTUNITY_ID,
                    "Status": "Open",
                    "Owner": _OWNER_ID,
                    "OwnerName": "Sri Sudhan",
                    "OpportunityNote": None,
                    "CreatedOn": _DATE,
                    "ModifiedOn": _DATE,
                }
            ],
        },
        errors=_ERRORS,
    ),
    "RetrieveBySearchParameter": Description(
        summary="Search opportunities of a type by conditions",
        text=(
            "Values are compared by the data type of their field: numbers as numbers, dates as"
            " moments (a day alone is the whole day, UTC), options without regard to case, text"
            f" exactly. A page has {limits.SEARCH_PAGE_ROWS_DEFAULT:,} rows unless it is said"
            " otherwise; newest change first."
        ),
        request=_SEARCH,
        request_example={
            "OpportunityEventCode": _EVENT_CODE,
            "AdvancedSearch": msgspec.json.encode(_SEARCH_EXAMPLE).decode(),
            **_LIST_EXAMPLE,
        },
        response=_ANSWER,
        response_example={"RecordCount": 1, "List": [_ROW_EXAMPLE]},
        errors=(*_ERRORS, errors.InvalidFieldValue),
    ),
    "RetrieveRecentlyModified": Description(
        summary="Get what was modified in a span, page by page",
        text=(
            "With the code of an opportunity type its opportunities, else activities."
            f" {limits.RECENTLY_MODIFIED_ROWS_DEFAULT} rows a page unless it is said otherwise, at"
            f" most {limits.PAGE_ROWS_MAX:,}; newest change first."
        ),
        request=_MODIFIED,
        request_example={
            "Parameter": {
                "FromDate": "2023-04-01 00:00:00",
                "ToDate": "2023-04-30 23:59:59",
                "ActivityEvent": _EVENT_CODE,
                "IncludeCustomFields": 1,
            },
            "Paging": {"PageIndex": 1, "PageSize": limits.PAGE_ROWS_MAX},
            "Sorting": {"ColumnName": "CreatedOn", "Direction": 1},
        },
        is_body_optional=True,
        response=_MODIFIED_ANSWER,
        response_example={
            "RecordCount": 1,
            "ProspectActivities": [
                {
                    "Id": example.OPPORTUNITY_ID,
                    "RelatedProspectId": example.LEAD_ID,
                    "CreatedOn": _DATE,
                    "ModifiedOn": _DATE,
                    "Fields": [
                        {"Key": "Status", "Value": "Open"},
                        {"Key": "mx_Custom_1", "Value": example.OPPORTUNITY_NAME},
                    ],
                }
            ],
        },
        errors=(*EVERY_BODY, errors.LimitExceeded),
    ),
}
