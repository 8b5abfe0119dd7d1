"""The calls of activities, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.activities.render import (
    PostedActivitiesWire,
    PostedWire,
    TimelineAnswerWire,
    render_activities_posted,
)
from oppserver.calls.activities.search import (
    ActivityDetailsWire,
    ActivityFound,
    render_activity,
)
from oppserver.calls.activities.timelines import COLUMNS
from oppserver.calls.shared.describe import (
    COUNT,
    EVERY_BODY,
    EVERY_VALUE,
    FIELD_SET,
    GET_FILE_URL,
    GUID,
    GUID_TEXT,
    PAGING,
    ROWS,
    SORTING,
    Description,
    Member,
    Parameter,
    mandatory,
    member,
    object_of,
    optional,
    schema_of,
    search_example,
)
from oppserver.calls.shared.messages import SuccessWire, success
from oppserver.calls.shared.paging import IGNORED_COLUMNS
from oppserver.contract import errors, example, limits
from oppserver.contract.model import Activity, Catalogue

_ACTIVITY_ID: Final = "2232837f-0f5e-4607-8e50-2728d90b9b5c"

_DATE: Final = "2024-02-29 13:05:09"


def _activity(path: str) -> dict[str, Member]:
    return {
        f"{path}ActivityEvent": mandatory("The code of an activity type."),
        f"{path}ActivityDateTime": member("`CreatedOn`, UTC. Without it: now."),
        f"{path}Fields[].SchemaName": mandatory(
            f"`mx_Custom_1` to `mx_Custom_{limits.CUSTOM_SLOTS}`, `Status`, `Owner`."
        ),
        f"{path}Fields[].Value": mandatory(or_null=True),
        f"{path}Fields[].Fields": FIELD_SET,
    }


_FIELDS_EXAMPLE: Final = [{"SchemaName": "mx_Custom_1", "Value": "Called back"}]

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
    "RelatedOpportunityId": None,
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

_CONDITIONS_EXAMPLE: Final = search_example(
    "Activity",
    {"LSO": "mx_Custom_1", "Operator": "isnotnull"},
    event_code=example.ACTIVITY_TYPE.event_code,
)

_ACTIVITY: Final = Activity(
    id=example.ACTIVITY_ID,
    event_code=example.ACTIVITY_TYPE.event_code,
    lead_id=example.LEAD_ID,
    created_on=_DATE,
    modified_on=_DATE,
    fields={"mx_Custom_1": "Called back"},
)

_CATALOGUE: Final = Catalogue(
    version=1,
    types={},
    fields={},
    activity_types={example.ACTIVITY_TYPE.event_code: example.ACTIVITY_TYPE},
)

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "ProspectActivityCreate": Description(
        summary="Post an activity on a lead",
        text=(
            "The lead is that of `RelatedProspectId`, or of `leadId` in the query, or of"
            " `EmailAddress`: a lead of a new address is created with the names and the phone"
            " number. With `RelatedOpportunityId` it is on that opportunity of the lead, too."
        ),
        members={
            "RelatedProspectId": member(GUID_TEXT, format="uuid"),
            "RelatedOpportunityId": member(
                "The opportunity of the lead that the activity is on, too.", format="uuid"
            ),
            **_activity(""),
        },
        request_example={
            "RelatedProspectId": example.LEAD_ID,
            "ActivityEvent": example.ACTIVITY_TYPE.event_code,
            "ActivityNote": "Asked for a quote",
            "ActivityDateTime": _DATE,
            "Fields": _FIELDS_EXAMPLE,
        },
        response=schema_of(
            SuccessWire[PostedWire],
            {
                "Message.Id": member(GUID_TEXT, format="uuid"),
                "Message.RelatedId": member("The lead.", format="uuid"),
            },
        ),
        response_example=msgspec.json.decode(success(PostedWire(_ACTIVITY_ID, example.LEAD_ID))),
        errors=EVERY_VALUE,
        query=(optional("leadId", "The lead, if the body names none.", GUID, example.LEAD_ID),),
    ),
    "CustomActivityAddByOpportunityId": Description(
        summary="Post activities on an opportunity",
        text=f"1 to {limits.BULK_WRITE_ROWS_MAX} activities: all are posted, or none.",
        members={
            "": member(minItems=1, maxItems=limits.BULK_WRITE_ROWS_MAX),
            "[].ActivityOwnerEmail": mandatory(minLength=1),
            **_activity("[]."),
        },
        request_example=[
            {
                "ActivityEvent": example.ACTIVITY_TYPE.event_code,
                "ActivityNote": "Asked for a quote",
                "ActivityOwnerEmail": example.USER_EMAIL,
                "Fields": _FIELDS_EXAMPLE,
            }
        ],
        response=schema_of(
            PostedActivitiesWire,
            {"Response[].ProspectActivityId": member(GUID_TEXT, format="uuid")},
        ),
        response_example=msgspec.json.decode(render_activities_posted([_ACTIVITY_ID])),
        errors=(*EVERY_VALUE, errors.LimitExceeded, errors.OpportunityNotFound),
        query=(Parameter("opportunityId", "The opportunity.", GUID, example.OPPORTUNITY_ID),),
    ),
    "ProspectActivityRetrieve": Description(
        summary="Get the activities of a lead",
        text=(
            "A lead's timeline, newest first: activities and opportunities. Of an opportunity there"
            " are Status, Owner, `mx_Custom_1` and `mx_Custom_2`."
        ),
        members={
            "Parameter.ActivityEvent": member(
                "The code of an activity type or an opportunity type."
            ),
            **PAGING,
        },
        request_example={
            "Parameter": {"ActivityEvent": example.ACTIVITY_TYPE.event_code},
            "Paging": {"Offset": "0", "RowCount": "10"},
        },
        response=schema_of(
            TimelineAnswerWire,
            {
                "RecordCount": member(minimum=0),
                "ProspectActivities[].ActivityFields": member(
                    "Dates are `M/d/yyyy h:mm:ss AM/PM`. Absent on what the server posts."
                ),
            },
        ),
        response_example={"RecordCount": 1, "ProspectActivities": [_ROW_EXAMPLE]},
        errors=(*EVERY_BODY, errors.LimitExceeded),
        query=(Parameter("leadId", "The lead.", GUID, example.LEAD_ID), GET_FILE_URL),
    ),
    "ActivityRetrieveBySearchParameter": Description(
        summary="Search activities of a type by conditions",
        text=(
            "Conditions are those of the search of opportunities, on columns of the activity and"
            " (with `P_`) of its lead; `LSO_Type` Number or DateTime says how a field is compared."
            f" {limits.SEARCH_PAGE_ROWS_DEFAULT:,} rows a page unless it is said otherwise, newest"
            " change first."
        ),
        members={
            "ActivityEvent": mandatory("The code of an activity type."),
            "ActivityEventCode": member("Another name of ActivityEvent."),
            "AdvancedSearch": mandatory(
                "JSON: `GrpConOp`, and `Conditions` of `Type` (Activity), `ConOp` and"
                " `RowCondition`. One row is the type: `ActivityEvent`, `PAEvent`, `eq`, the code."
            ),
            "Columns.Include_CSV": member(
                f"Of {', '.join(COLUMNS)}, `mx_Custom_N`, and columns of the lead with `P_`."
                f" Unknown ones are left out and named in `{IGNORED_COLUMNS}`."
            ),
            **PAGING,
            **SORTING,
        },
        request_example={
            "ActivityEvent": example.ACTIVITY_TYPE.event_code,
            "AdvancedSearch": _CONDITIONS_EXAMPLE,
            "Columns": {"Include_CSV": "mx_Custom_1,P_EmailAddress"},
            "Paging": {"PageIndex": 1, "PageSize": limits.SEARCH_PAGE_ROWS_DEFAULT},
        },
        response=object_of(RecordCount=COUNT, List=ROWS),
        response_example={
            "RecordCount": 1,
            "List": [
                {
                    "ProspectActivityId": _ACTIVITY_ID,
                    "RelatedProspectId": example.LEAD_ID,
                    "mx_Custom_1": "Called back",
                    "P_EmailAddress": example.LEAD_EMAIL,
                }
            ],
        },
        errors=(
            *EVERY_BODY,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.InvalidFieldValue,
            errors.LimitExceeded,
        ),
        headers=(IGNORED_COLUMNS,),
    ),
    "GetActivityDetails": Description(
        summary="Get an activity by id",
        text="Each of its fields with its value; `CreatedOnString` is UTC.",
        response=schema_of(ActivityDetailsWire),
        response_example=msgspec.json.decode(render_activity(ActivityFound(_ACTIVITY, _CATALOGUE))),
        errors=(errors.MissingAttribute, errors.InvalidValue, errors.InvalidReference),
        query=(
            Parameter("activityId", "The activity.", GUID, example.ACTIVITY_ID),
            GET_FILE_URL,
        ),
    ),
    "GetActivitiesOfOpportunity": Description(
        summary="Get the activities of an opportunity",
        text="Newest first. Without columns, a row has all that the rows of the page have.",
        members={
            "Columns.Include_CSV": member(f"Of {', '.join(COLUMNS)}, and `mx_Custom_N`."),
            **PAGING,
            **SORTING,
        },
        request_example={
            "Columns": {"Include_CSV": "ActivityEvent,mx_Custom_1"},
            "Paging": {"PageIndex": 1, "PageSize": limits.ACTIVITY_PAGE_ROWS_DEFAULT},
            "Sorting": {"ColumnName": "CreatedOn", "Direction": "1"},
        },
        response=object_of(RecordCount=COUNT, List=ROWS),
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
        query=(
            Parameter("opportunityId", "The opportunity.", GUID, example.OPPORTUNITY_ID),
            optional(
                "activityEventCode",
                "Activities of this type alone.",
                {"type": "string"},
                str(example.ACTIVITY_TYPE.event_code),
            ),
        ),
    ),
}
