"""The calls of activities over a socket: two that post, and the timelines."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.contract.model import ActivityType, DataType, Opportunity
from tests import writing
from tests.running import Answer, Server, create_key
from tests.writing import (
    DEAL,
    OWNER_EMAIL,
    UNKNOWN_ID,
    capture,
    delete,
    field,
    fields,
    fresh,
    lead,
    store_of,
    value,
    well,
)

server = writing.server

SERVICE = "/v2/ProspectActivity.svc"
POST = f"{SERVICE}/Create"
RETRIEVE = f"{SERVICE}/Retrieve"
POST_ON = f"{SERVICE}/Bulk/CustomActivity/Add/ByOpportunityId"
LIST = "/v2/OpportunityManagement.svc/GetActivitiesOfOpportunity"
LEAD_SERVICE = "/v2/LeadManagement.svc"

CALL = 200
MEETING = 201


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the world's database, and two types of activities in it."""
    folder = tmp_path_factory.mktemp("activities")
    store = store_of(folder)
    writing.define(store)
    store.put_activity_types(
        [
            ActivityType(event_code=CALL, name="Call"),
            ActivityType(event_code=MEETING, name="Meeting"),
        ]
    )
    store.close()
    yield folder


def new_lead(server: Server) -> str:
    """The id of a lead that has nothing on its timeline."""
    path = f"{LEAD_SERVICE}/Lead.CreateOrUpdate"
    return str(well(server.post(lead(Phone=fresh()), path=path))["Message"]["Id"])


def posted(server: Server, lead_id: str, code: Any = CALL, **message: Any) -> str:
    """The id of an activity that was posted on a lead."""
    body = {"RelatedProspectId": lead_id, "ActivityEvent": code, **message}
    return str(well(server.post(body, path=POST))["Message"]["Id"])


def post_on(server: Server, opportunity_id: str, *items: dict[str, Any]) -> Answer:
    return server.post(list(items), path=f"{POST_ON}?opportunityId={opportunity_id}")


def item(code: Any = CALL, **message: Any) -> dict[str, Any]:
    """An activity on an opportunity."""
    return {"ActivityEvent": code, "ActivityOwnerEmail": OWNER_EMAIL, **message}


def timeline(server: Server, lead_id: str, **message: Any) -> list[dict[str, Any]]:
    """A lead's timeline, all of it unless a page is asked for."""
    answer = well(server.post(message, path=f"{RETRIEVE}?leadId={lead_id}"))
    assert list(answer) == ["RecordCount", "ProspectActivities"]
    rows: list[dict[str, Any]] = answer["ProspectActivities"]
    assert "Paging" in message or answer["RecordCount"] == len(rows)
    return rows


def ids(rows: Sequence[dict[str, Any]], name: str = "Id") -> list[str]:
    return [row[name] for row in rows]


def listed(server: Server, opportunity_id: str, query: str = "", **message: Any) -> Any:
    """The activities of an opportunity."""
    return well(server.post(message, path=f"{LIST}?opportunityId={opportunity_id}{query}"))


def refused(answer: Answer, exception_type: str, message: str, *, status: int = 400) -> None:
    """The answer is a refusal of this type, and what it says holds the message."""
    assert answer.status == status, answer.body
    assert answer.exception_type == f"MX{exception_type}Exception"
    assert message in answer.message, answer.message


# --- posted on a lead --------------------------------------------------------------------------


def test_an_activity_is_posted_and_read_at_once(server: Server) -> None:
    """Every member of it, with the caller as the one who made it."""
    one = new_lead(server)
    answer = server.post(
        {
            "RelatedProspectId": one.upper(),
            "ActivityEvent": str(CALL),
            "ActivityNote": "Asked for a quote",
            "ActivityDateTime": "2024-02-29 13:05:09",
            "ProcessFilesAsync": True,
            "Fields": fields(c1="Called back", c250=12.50, Status="Done", Owner=OWNER_EMAIL),
        },
        path=POST,
    )
    activity = well(answer)["Message"]["Id"]
    assert answer.json == {"Status": "Success", "Message": {"Id": activity}}
    [row] = timeline(server, one)
    modified_on, made = row.pop("ModifiedOn"), row["ActivityFields"]
    assert modified_on > row["CreatedOn"]
    assert made.pop("ModifiedOn") != made["CreatedOn"]
    assert made.pop("CreatedBy") not in (None, made["Owner"])
    owner = made["Owner"]
    assert row == {
        "Id": activity,
        "EventCode": CALL,
        "EventName": "Call",
        "ActivityScore": 0,
        "CreatedOn": "2024-02-29 13:05:09",
        "ActivityType": 2,
        "IsEmailType": False,
        "Type": "Custom",
        "SessionId": "00000000-0000-0000-0000-000000000000",
        "TrackLocation": 0,
        "Latitude": None,
        "Longitude": None,
        "RelatedProspectId": one,
        "Data": [
            {"Key": "ActivityEvent_Note", "Value": "Asked for a quote"},
            {"Key": "Owner", "Value": owner},
            {"Key": "mx_Custom_1", "Value": "Called back"},
            {"Key": "mx_Custom_250", "Value": "12.5"},
            {"Key": "Status", "Value": "Done"},
        ],
        "ActivityFields": {
            "ActivityEvent_Note": "Asked for a quote",
            "CreatedOn": "2/29/2024 1:05:09 PM",
            "Owner": owner,
            "mx_Custom_1": "Called back",
            "mx_Custom_250": "12.5",
            "Status": "Done",
        },
    }


def test_an_activity_of_now_has_one_date(server: Server) -> None:
    """Without ActivityDateTime it was made when it was posted."""
    one = new_lead(server)
    posted(server, one)
    [row] = timeline(server, one)
    assert row["CreatedOn"] == row["ModifiedOn"]


def test_the_lead_may_stand_in_the_query(server: Server) -> None:
    """As ``leadId``, in any case; with the body's it has to be the same."""
    one = new_lead(server)
    path = f"{POST}?LeadID={one}"
    well(server.post({"ActivityEvent": CALL}, path=path))
    well(server.post({"ActivityEvent": CALL, "RelatedProspectId": one}, path=path))
    assert len(timeline(server, one)) == 2
    other = server.post({"ActivityEvent": CALL, "RelatedProspectId": UNKNOWN_ID}, path=path)
    refused(other, "InvalidInput", "name two leads")


def test_the_lead_may_be_found_by_its_address(server: Server) -> None:
    """An unknown one creates the lead, with names and number; a known lead stays as it is."""
    email = f"{fresh()}@example.com"
    message = {"EmailAddress": email, "FirstName": "Jane", "ActivityEvent": CALL, "Phone": 555}
    for name in ("Jane", "Other"):
        well(server.post(message | {"FirstName": name}, path=POST))
    lookup = {"Parameter": {"LookupName": "EmailAddress", "LookupValue": email}}
    [row] = server.post(lookup, path=f"{LEAD_SERVICE}/Leads.Get").json
    assert (row["FirstName"], row["Phone"]) == ("Jane", "555")
    assert len(timeline(server, row["ProspectID"])) == 2


def test_a_posted_activity_is_safe_to_repeat(server: Server) -> None:
    """With a key it is posted once."""
    one, key = new_lead(server), str(uuid4())
    message = {"RelatedProspectId": one, "ActivityEvent": CALL}
    first = server.post(message, path=POST, Idempotency_Key=key)
    assert server.post(message, path=POST, Idempotency_Key=key).body == first.body
    assert ids(timeline(server, one)) == [first.json["Message"]["Id"]]


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "'RelatedProspectId' is mandatory"),
        (
            {"RelatedProspectId": UNKNOWN_ID},
            "MandatoryAttributeMissing",
            "'ActivityEvent' is mandatory",
        ),
        (
            {"RelatedProspectId": "7", "ActivityEvent": CALL},
            "InvalidInput",
            "RelatedProspectId: '7' is not a GUID",
        ),
        (
            {"RelatedProspectId": UNKNOWN_ID, "ActivityEvent": CALL},
            "InvalidEntity",
            "RelatedProspectId: Lead does not exist in the system",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": 7},
            "InvalidEntityReference",
            "'7' is the event code of no activity type here. Known: 200, 201. 'oppserver activity-",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": DEAL},
            "InvalidEntityReference",
            "ActivityEvent: 12000 is an opportunity type. OpportunityManagement.svc/Capture",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": "33"},
            "InvalidEntityReference",
            "ActivityEvent: 33 is posted by the server alone",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "ActivityDateTime": "soon"},
            "InvalidInput",
            "ActivityDateTime: 'soon' is not a date",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(Owner="no@x")},
            "InvalidEntity",
            "Fields[0].Value: 'no@x' is no user here",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(c1="a", c251="b")},
            "UnknownAttribute",
            "Fields[1].SchemaName: 'mx_Custom_251' is no field of an activity",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(Statos="a")},
            "UnknownAttribute",
            "Did you mean Status?",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(CreatedOn="a")},
            "InvalidActivityFields",
            "Fields[0].SchemaName: CreatedOn is not written through Fields",
        ),
        (
            {
                "EmailAddress": "new@x",
                "ActivityEvent": CALL,
                "Fields": fields(c1="a", MX_CUSTOM_1="b"),
            },
            "InvalidInput",
            "Fields[1].SchemaName: mx_Custom_1 is named twice",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": [{"SchemaName": "Status"}]},
            "MandatoryAttributeMissing",
            "'Value' is mandatory in Fields[0]",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": [{"Value": 1}]},
            "MandatoryAttributeMissing",
            "'SchemaName' is mandatory in Fields[0]",
        ),
        (
            {
                "EmailAddress": "new@x",
                "ActivityEvent": CALL,
                "ActivityNote": "a",
                "Fields": fields(ActivityEvent_Note="b"),
            },
            "InvalidInput",
            "ActivityNote: the note is in Fields too",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "ActivityNote": "x" * 32_001},
            "InvalidActivityFields",
            "ActivityNote has 32001 characters",
        ),
    ],
)
def test_a_bad_activity_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake; no lead is created by it."""
    refused(server.post(message, path=POST), exception_type, expected)
    lookup = {"Parameter": {"LookupName": "EmailAddress", "LookupValue": "new@x"}}
    assert server.post(lookup, path=f"{LEAD_SERVICE}/Leads.Get").json == []


# --- posted on an opportunity ------------------------------------------------------------------


def test_activities_are_posted_on_an_opportunity(server: Server) -> None:
    """Their ids in the order of the request; each is on the lead's timeline too."""
    done = capture(server)
    one, lead_id = done["CreatedOpportunityId"], done["RelatedProspectId"]
    answer = well(
        post_on(server, one.upper(), item(ActivityNote="a"), item(MEETING, Fields=fields(c1="b")))
    )
    new = ids(answer["Response"], "ProspectActivityId")
    assert answer == {"Response": [{"ProspectActivityId": activity} for activity in new]}
    rows = {row["Id"]: row for row in timeline(server, lead_id)}
    assert [rows[activity]["EventName"] for activity in new] == ["Call", "Meeting"]
    owners = {rows[activity]["ActivityFields"]["Owner"] for activity in new}
    assert len(owners) == 1
    assert None not in owners


def test_twenty_five_activities_at_once(server: Server) -> None:
    """One more is a 400 that names number and limit; so is none."""
    one = capture(server)["CreatedOpportunityId"]
    assert len(well(post_on(server, one, *[item()] * 25))["Response"]) == 25
    refused(post_on(server, one, *[item()] * 26), "LimitExceeded", "has 26 activities; one call")
    refused(post_on(server, one), "MandatoryAttributeMissing", "The body is an empty array")


@pytest.mark.parametrize(
    ("bad", "exception_type", "expected"),
    [
        (item(None), "MandatoryAttributeMissing", "'ActivityEvent' is mandatory in [1]"),
        (
            {"ActivityEvent": CALL},
            "MandatoryAttributeMissing",
            "'ActivityOwnerEmail' is mandatory in [1]",
        ),
        (item(7), "InvalidEntityReference", "[1].ActivityEvent: '7' is the event code of no"),
        (
            item(ActivityOwnerEmail="no@x"),
            "InvalidEntity",
            "[1].ActivityOwnerEmail: 'no@x' is no user here",
        ),
        (
            item(Fields=fields(Owner=OWNER_EMAIL)),
            "InvalidInput",
            "[1].Fields[0].Value: the owner is the one of ActivityOwnerEmail",
        ),
        (item(Fields=fields(Nothing="x")), "UnknownAttribute", "[1].Fields[0].SchemaName"),
        (item(Fields="x"), "InvalidDataType", "$[1].Fields: Expected `array"),
    ],
)
def test_all_activities_are_posted_or_none(
    bad: dict[str, Any], exception_type: str, expected: str, server: Server
) -> None:
    """One bad item: a 400 that names it, and nothing is written."""
    one = capture(server)["CreatedOpportunityId"]
    before = listed(server, one)["RecordCount"]
    refused(post_on(server, one, item(), bad), exception_type, expected.replace("`", ""))
    assert listed(server, one)["RecordCount"] == before


def test_an_opportunity_that_is_not_here_has_no_activities(server: Server) -> None:
    """404, for posting and for reading; of a deleted one it is said when."""
    gone = capture(server)["CreatedOpportunityId"]
    well(delete(server, gone))
    for one, why in ((UNKNOWN_ID, "There is no opportunity"), (gone, "was deleted on")):
        for answer in (
            post_on(server, one, item()),
            server.post({}, path=f"{LIST}?opportunityId={one}"),
        ):
            refused(answer, "OpportunityNotFound", why, status=404)
    answer = server.post([item()], path=POST_ON)
    refused(answer, "MandatoryAttributeMissing", "'opportunityId' is mandatory")


# --- a lead's timeline -------------------------------------------------------------------------


def test_opportunities_are_on_the_timeline(server: Server) -> None:
    """With the type's code and name, Status, Owner and the first two fields, and their twin."""
    values = {"c1": "Roof", "c2": "Closed", "c3": "Web", "Status": "Won", "Owner": OWNER_EMAIL}
    done = capture(server, values=values, OpportunityNote="a note")
    rows = {row["EventCode"]: row for row in timeline(server, done["RelatedProspectId"])}
    assert set(rows) == {33, DEAL}
    opportunity, twin = rows[DEAL], rows[33]
    assert (opportunity["Id"], opportunity["EventName"]) == (done["CreatedOpportunityId"], "Deal")
    given = opportunity["ActivityFields"]
    assert list(given) == [
        "ActivityEvent_Note",
        "CreatedBy",
        "CreatedOn",
        "ModifiedOn",
        "Owner",
        "Status",
        "mx_Custom_1",
        "mx_Custom_2",
    ]
    assert [given[name] for name in ("Status", "mx_Custom_1", "mx_Custom_2")] == [
        "Won",
        "Roof",
        "Closed",
    ]
    assert given["Owner"] == value(server, opportunity["Id"], "Owner")
    assert {"Key": "mx_Custom_1", "Value": "Roof"} in opportunity["Data"]
    assert twin["EventName"] == "Opportunity Captured"
    assert twin["CreatedOn"] == opportunity["CreatedOn"]
    assert "ActivityFields" not in twin


def test_dates_among_the_fields_have_the_form_of_answers(server: Server, folder: Path) -> None:
    """Also those of an opportunity's own fields, where they are dates."""
    code, lead_id = 12300, str(uuid4())
    store = store_of(folder)
    store.put_fields([field(n, "A date", code=code, data_type=DataType.DATE_TIME) for n in (1, 2)])
    slots = {"mx_custom_1": "2024-02-29 00:05:09", "mx_custom_2": "some day"}
    one = Opportunity(id=str(uuid4()), event_code=code, lead_id=lead_id, slots=slots)
    store.write_opportunities([one], now="2024-03-01 12:00:00")
    store.close()
    [row] = timeline(server, lead_id)
    given = row["ActivityFields"]
    assert given["mx_Custom_1"] == "2/29/2024 12:05:09 AM"
    assert given["mx_Custom_2"] == "some day"
    assert given["CreatedOn"] == "3/1/2024 12:00:00 PM"
    assert row["CreatedOn"] == "2024-03-01 12:00:00"


def test_one_type_of_a_timeline(server: Server) -> None:
    """An activity type or an opportunity type, as number or text; one that is not here has none."""
    done = capture(server)
    one = done["RelatedProspectId"]
    call, meeting = posted(server, one), posted(server, one, MEETING)

    def of(code: Any) -> list[str]:
        return ids(timeline(server, one, Parameter={"ActivityEvent": code}))

    assert of(CALL) == [call]
    assert of("201") == [meeting]
    assert of(DEAL) == [done["CreatedOpportunityId"]]
    assert of(3001) == []
    assert len(of(None)) == len(of("")) == 4


@pytest.mark.parametrize(
    "pages",
    [
        [{"Offset": str(index), "RowCount": "2"} for index in range(3)],
        [{"Offset": index, "RowCount": 2} for index in range(3)],
        [{"PageIndex": index, "PageSize": "2"} for index in ("1", 2, 3)],
        [{"PageIndex": index, "PageSize": 2} for index in (0, 2, 3)],
    ],
)
def test_a_timeline_page_by_page(pages: list[dict[str, Any]], server: Server) -> None:
    """Newest first, in both forms of paging; RecordCount is of all pages."""
    one = new_lead(server)
    dates = [f"2024-02-0{day} 00:00:00" for day in (3, 1, 5, 2, 4)]
    made = {date: posted(server, one, ActivityDateTime=date) for date in dates}
    read: list[str] = []
    for paging in pages:
        answer = well(server.post({"Paging": paging}, path=f"{RETRIEVE}?leadId={one}"))
        assert answer["RecordCount"] == 5
        read += ids(answer["ProspectActivities"])
    assert read == [made[date] for date in sorted(dates, reverse=True)]


@pytest.mark.parametrize("body", [b"", b"{}", b'{"Paging": {}}'])
def test_25_rows_without_paging(body: bytes, server: Server) -> None:
    """The documented size, also for a body that is empty."""
    done = capture(server)
    well(post_on(server, done["CreatedOpportunityId"], *[item()] * 25))
    path = f"{RETRIEVE}?leadId={done['RelatedProspectId']}&getFileURL=true"
    answer = well(server.post(body, path=path))
    assert (answer["RecordCount"], len(answer["ProspectActivities"])) == (27, 25)


def test_a_lead_without_activities_has_an_empty_timeline(server: Server) -> None:
    """So has one that is not here."""
    for one in (new_lead(server), UNKNOWN_ID):
        answer = server.post({}, path=f"{RETRIEVE}?leadId={one}")
        assert answer.json == {"RecordCount": 0, "ProspectActivities": []}


@pytest.mark.parametrize(
    ("query", "message", "exception_type", "expected"),
    [
        ("", {}, "MandatoryAttributeMissing", "'leadId' is mandatory in the query"),
        ("?leadId=7", {}, "InvalidInput", "query parameter 'leadId': '7' is not a GUID"),
        (
            f"?leadId={UNKNOWN_ID}",
            {"Parameter": {"ActivityEvent": "call"}},
            "InvalidInput",
            "$.Parameter.ActivityEvent: 'call' is no event code",
        ),
        (
            f"?leadId={UNKNOWN_ID}",
            {"Paging": {"RowCount": 5_001}},
            "LimitExceeded",
            "$.Paging.RowCount is 5001; a page has at most 5,000 rows",
        ),
        (
            f"?leadId={UNKNOWN_ID}",
            {"Paging": {"Offset": -1}},
            "InvalidInput",
            "$.Paging.Offset: '-1' is not a whole number from 0",
        ),
    ],
)
def test_a_bad_timeline_is_a_400_that_names_the_place(
    query: str, message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake."""
    refused(server.post(message, path=f"{RETRIEVE}{query}"), exception_type, expected)


# --- the activities of an opportunity ----------------------------------------------------------


def test_the_activities_of_an_opportunity(server: Server) -> None:
    """Its own alone, newest first; without columns a row has all that the page's rows have."""
    done = capture(server)
    one, lead_id = done["CreatedOpportunityId"], done["RelatedProspectId"]
    other = posted(server, lead_id)
    [added] = well(post_on(server, one, item(ActivityNote="a", Fields=fields(c12="x", c3="y"))))[
        "Response"
    ]
    answer = listed(server, one)
    rows = {row["ActivityEvent"]: row for row in answer["List"]}
    assert (answer["RecordCount"], set(rows)) == (2, {"200", "33"})
    assert other not in ids(answer["List"], "ProspectActivityId")
    row = rows["200"]
    assert (
        list(row)
        == list(rows["33"])
        == [
            "ProspectId",
            "ProspectActivityId",
            "RelatedProspectId",
            "OpportunityId",
            "ActivityEvent",
            "ActivityEventName",
            "ActivityEvent_Note",
            "Status",
            "Owner",
            "CreatedBy",
            "CreatedOn",
            "ModifiedOn",
            "mx_Custom_3",
            "mx_Custom_12",
        ]
    )
    assert row["ProspectActivityId"] == added["ProspectActivityId"]
    assert (row["ProspectId"], row["OpportunityId"]) == (lead_id, one)
    assert (row["ActivityEventName"], row["ActivityEvent_Note"]) == ("Call", "a")
    assert (row["mx_Custom_12"], rows["33"]["mx_Custom_12"]) == ("x", None)


def test_columns_and_type_of_an_opportunity_s_activities(server: Server) -> None:
    """Two identities, then the columns asked for, in any case; of one type where it is asked."""
    one = capture(server)["CreatedOpportunityId"]
    well(post_on(server, one, item(Fields=fields(c1="x")), item(MEETING)))
    columns = {"Include_CSV": "MX_Custom_1, activityevent ,mx_Custom_1"}
    [row] = listed(server, one, "&ActivityEventCode=200", Columns=columns)["List"]
    assert list(row) == ["ProspectId", "ProspectActivityId", "mx_Custom_1", "ActivityEvent"]
    assert (row["mx_Custom_1"], row["ActivityEvent"]) == ("x", "200")
    assert listed(server, one, "&activityEventCode=7") == {"RecordCount": 0, "List": []}


@pytest.mark.parametrize("paging", ["PageIndex", "Offset"])
@pytest.mark.parametrize("direction", ["1", 0])
@pytest.mark.parametrize("name", ["CreatedOn", "modifiedon"])
def test_an_opportunity_s_activities_page_by_page(
    name: str, direction: Any, paging: str, server: Server
) -> None:
    """Both forms of paging, both dates, both directions; 25 rows where nothing is said."""
    one = capture(server)["CreatedOpportunityId"]
    well(post_on(server, one, *[item()] * 25))
    sorting = {"ColumnName": name, "Direction": direction}
    assert len(listed(server, one)["List"]) == 25
    read: list[dict[str, Any]] = []
    for index in range(4):
        size, at = ("RowCount", index) if paging == "Offset" else ("PageSize", index + 1)
        answer = listed(server, one, Paging={paging: str(at), size: 8}, Sorting=sorting)
        assert answer["RecordCount"] == 26
        read += answer["List"]
    keys = [(row["CreatedOn"], row["ProspectActivityId"]) for row in read]
    assert len(set(keys)) == 26
    assert keys == sorted(keys, reverse=direction == "1")


@pytest.mark.parametrize(
    ("query", "message", "exception_type", "expected"),
    [
        ("?x=1", {}, "MandatoryAttributeMissing", "'opportunityId' is mandatory in the query"),
        ("?opportunityId=7", {}, "InvalidInput", "query parameter 'opportunityId': '7' is not"),
        (
            f"?opportunityId={UNKNOWN_ID}&activityEventCode=call",
            {},
            "InvalidInput",
            "query parameter 'activityEventCode': 'call' is no event code",
        ),
        (
            f"?opportunityId={UNKNOWN_ID}",
            {"Columns": {"Include_CSV": "CreatdOn"}},
            "UnknownAttribute",
            "'CreatdOn' is no column of an activity. Did you mean CreatedOn",
        ),
        (
            f"?opportunityId={UNKNOWN_ID}",
            {"Columns": {"Include_CSV": "mx_Custom_251"}},
            "UnknownAttribute",
            "'mx_Custom_251' is no column of an activity",
        ),
        (
            f"?opportunityId={UNKNOWN_ID}",
            {"Sorting": {"ColumnName": "Owner"}},
            "InvalidInput",
            "activities are not sorted by 'Owner'. Send CreatedOn or ModifiedOn",
        ),
        (
            f"?opportunityId={UNKNOWN_ID}",
            {"Paging": {"PageIndex": 0}},
            "InvalidInput",
            "$.Paging.PageIndex: '0' is not a whole number from 1",
        ),
    ],
)
def test_a_bad_list_of_activities_is_a_400_that_names_the_place(
    query: str, message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake."""
    refused(server.post(message, path=f"{LIST}{query}"), exception_type, expected)


# --- who may -----------------------------------------------------------------------------------


def test_a_reader_reads_activities_and_posts_none(server: Server, folder: Path) -> None:
    """403 for both calls that post; both reads are open."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    done = capture(server)
    one, lead_id = done["CreatedOpportunityId"], done["RelatedProspectId"]
    for path, message in (
        (POST, {"RelatedProspectId": lead_id, "ActivityEvent": CALL}),
        (f"{POST_ON}?opportunityId={one}", [item()]),
    ):
        answer = server.post(message, path=path, keys=keys)
        assert (answer.status, answer.exception_type) == (403, "MXAccessDeniedException")
    for path in (f"{RETRIEVE}?leadId={lead_id}", f"{LIST}?opportunityId={one}"):
        assert server.post({}, path=path, keys=keys).json["RecordCount"] > 0


# --- what was modified -------------------------------------------------------------------------


def modified(server: Server, *, paging: Any = None, sorting: Any = None, **parameter: Any) -> Any:
    """What ``RetrieveRecentlyModified`` answers."""
    message = {"Parameter": parameter, "Paging": paging, "Sorting": sorting}
    return well(server.post(message, path=f"{SERVICE}/RetrieveRecentlyModified"))


def test_the_activities_of_a_type_that_were_modified(server: Server, folder: Path) -> None:
    """One that is no opportunity's: from and to, both ends in it, with their own fields."""
    code = 202
    store = store_of(folder)
    store.put_activity_types([ActivityType(event_code=code, name="Visit")])
    store.close()
    lead_id = new_lead(server)
    first = posted(server, lead_id, code, Fields=fields(c1="a", c7="b"), ActivityNote="note")
    second = posted(server, lead_id, code, ActivityDateTime="2024-02-29 13:05:09")
    on = sorted(row["ModifiedOn"] for row in timeline(server, lead_id))
    answer = modified(server, ActivityEvent=str(code), FromDate=on[0], ToDate=on[-1])
    assert answer["RecordCount"] == 2
    rows = {row["Id"]: row for row in answer["ProspectActivities"]}
    assert set(rows) == {first, second}
    assert rows[first]["RelatedProspectId"] == lead_id
    assert rows[second]["CreatedOn"] == "2024-02-29 13:05:09"
    values = {field["Key"]: field["Value"] for field in rows[first]["Fields"]}
    assert (values["ActivityEvent_Note"], values["mx_Custom_1"]) == ("note", "a")
    assert "mx_Custom_7" not in values
    wide = modified(server, ActivityEvent=code, IncludeCustomFields=1)["ProspectActivities"]
    assert {"Key": "mx_Custom_7", "Value": "b"} in wide[ids(wide).index(first)]["Fields"]
    nothing = modified(server, ActivityEvent=code, ToDate="2024-02-29 13:05:09")
    assert nothing == {"RecordCount": 0, "ProspectActivities": []}
    assert modified(server, ActivityEvent=3001)["RecordCount"] == 0


@pytest.mark.parametrize("name", ["CreatedOn", "ModifiedOn"])
@pytest.mark.parametrize("direction", [1, "0"])
def test_everything_that_was_modified_page_by_page(
    name: str, direction: Any, server: Server
) -> None:
    """Without a type, opportunities are among the activities; each is on one page."""
    done = capture(server)
    posted(server, done["RelatedProspectId"], ActivityDateTime="2024-02-29 13:05:09")
    sorting = {"ColumnName": name, "Direction": direction}
    total = modified(server)["RecordCount"]
    read: list[dict[str, Any]] = []
    for index in range(1, total // 7 + 2):
        answer = modified(server, paging={"PageIndex": index, "PageSize": 7}, sorting=sorting)
        assert answer["RecordCount"] == total
        read += answer["ProspectActivities"]
    keys = [(row[name], row["Id"]) for row in read]
    assert len(set(ids(read))) == len(read) == total
    assert keys == sorted(keys, reverse=direction == 1)
    assert {33, CALL, DEAL} <= {row["EventCode"] for row in read}
