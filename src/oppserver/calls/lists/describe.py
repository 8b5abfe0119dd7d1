"""The calls of lists and searches of opportunities, described."""

from collections.abc import Mapping
from typing import Final

from oppserver.calls.shared.activity_rows import TimelineRowWire
from oppserver.calls.shared.conditions import OPERATORS
from oppserver.calls.shared.describe import (
    COUNT,
    EVENT_CODE_MEMBER,
    EVERY_BODY,
    GUID,
    PAGING,
    ROWS,
    SORTING,
    TEXT,
    Description,
    Members,
    Parameter,
    Schema,
    mandatory,
    member,
    object_of,
    optional,
    schema_of,
    search_example,
)
from oppserver.calls.shared.messages import KeyValueWire
from oppserver.contract import errors, example, limits
from oppserver.contract.leads import UNIQUE_COLUMNS
from oppserver.store.queries import Comparison

_EVENT_CODE: Final = example.TYPE.event_code

_OWNER_ID: Final = "d5d08e32-5ca9-11ea-8dd7-029e1407a868"

_DATE: Final = "2023-04-06 15:23:34"

_LIST: Final[Members] = {
    "Columns.Include_CSV": member(
        "The columns to answer, comma separated: those of the opportunity by schema or display"
        " name, those of its lead with `P_` before their name."
    ),
    **PAGING,
    **SORTING,
}

_LIST_EXAMPLE: Final = {
    "Columns": {"Include_CSV": "Status,mx_Custom_1"},
    "Paging": {"PageIndex": 1, "PageSize": 25},
    "Sorting": {"ColumnName": "ModifiedOn", "Direction": 1},
}

_ANSWER: Final[Schema] = object_of(
    RecordCount={**COUNT, "description": "Of all matches, not of this page."}, List=ROWS
)

_ROW_EXAMPLE: Final = {
    "OpportunityId": example.OPPORTUNITY_ID,
    "RelatedProspectId": example.LEAD_ID,
    "Status": "Open",
    "mx_Custom_1": example.OPPORTUNITY_NAME,
}

_ERRORS: Final = (*EVERY_BODY, errors.UnknownEventCode, errors.UnknownColumn, errors.LimitExceeded)

# --- the search --------------------------------------------------------------------------------

_SEARCH_EXAMPLE: Final = search_example(
    "Activity", {"LSO": "Status", "Operator": "eq", "RSO": "Open"}, event_code=_EVENT_CODE
)

_SEARCH: Final[Members] = {
    "OpportunityEventCode": EVENT_CODE_MEMBER,
    "AdvancedSearch": mandatory(
        "JSON: `GrpConOp`, and `Conditions` of `Type` (Activity), `ConOp` and `RowCondition`, at"
        f" most {limits.SEARCH_CONDITIONS_MAX} rows of `SubConOp`, `LSO` (a column), `Operator` and"
        " `RSO` (a value). One row is the type: `ActivityEvent`, `PAEvent`, `eq`, and the code."
        f" Operators: {', '.join(comparison.value for comparison in Comparison)}; also"
        f" {', '.join(sorted(OPERATORS.keys() - set(Comparison)))}."
    ),
    **_LIST,
}

# --- what was modified -------------------------------------------------------------------------

_MODIFIED: Final[Members] = {
    "Parameter.FromDate": member("UTC; belongs to the span. Absent: open."),
    "Parameter.ToDate": member("As FromDate. A day alone is the whole day."),
    "Parameter.ActivityEvent": member(
        "The code of an opportunity type, or of activities. Absent: all."
    ),
    "Parameter.IncludeCustomFields": member("1: all custom fields."),
    **PAGING,
    **SORTING,
    "Sorting": member("By CreatedOn or ModifiedOn."),
}

_MODIFIED_ROW: Final = object_of(
    Id=TEXT,
    RelatedProspectId=TEXT,
    CreatedOn=TEXT,
    ModifiedOn=TEXT,
    Fields=schema_of(list[KeyValueWire]),
    optional=schema_of(TimelineRowWire)["properties"],
)

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
            optional(
                "opportunityType",
                "The event code of a type. Absent: all types.",
                TEXT,
                str(_EVENT_CODE),
            ),
        ),
        members=_LIST,
        request_example=_LIST_EXAMPLE,
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
        members={
            "Parameter": mandatory(),
            "Parameter.LookupName": mandatory(f"One of {', '.join(UNIQUE_COLUMNS)}."),
            "Parameter.LookupValue": mandatory(),
            "Parameter.SqlOperator": member("`=`."),
            **_LIST,
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
        members=_SEARCH,
        request_example={
            "OpportunityEventCode": _EVENT_CODE,
            "AdvancedSearch": _SEARCH_EXAMPLE,
            **_LIST_EXAMPLE,
        },
        response=_ANSWER,
        response_example={"RecordCount": 1, "List": [_ROW_EXAMPLE]},
        errors=(*_ERRORS, errors.InvalidFieldValue),
    ),
    "RetrieveRecentlyModified": Description(
        summary="Get what was modified in a span, page by page",
        text=(
            "With the code of an opportunity type its opportunities, else activities, whose rows"
            " have all that a row of a lead's timeline has."
            f" {limits.RECENTLY_MODIFIED_ROWS_DEFAULT} rows a page unless it is said otherwise, at"
            f" most {limits.PAGE_ROWS_MAX:,}; newest change first."
        ),
        members=_MODIFIED,
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
        response=object_of(
            RecordCount=COUNT, ProspectActivities={"type": "array", "items": _MODIFIED_ROW}
        ),
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
