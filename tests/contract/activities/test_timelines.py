"""Activities are read over a socket: timelines, lists, and what was modified."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.contract.model import ActivityType, DataType, StoredOpportunity
from tests.support import activity_calls, writing
from tests.support.activity_calls import (
    CALL,
    LIST,
    MEETING,
    RETRIEVE,
    SERVICE,
    ids,
    item,
    listed,
    new_lead,
    post_on,
    posted,
    timeline,
)
from tests.support.lead_calls import refused
from tests.support.running import Server
from tests.support.writing import (
    DEAL,
    OWNER_EMAIL,
    UNKNOWN_ID,
    capture,
    field,
    fields,
    store_of,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = activity_calls.folder, writing.server

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
    one = StoredOpportunity(id=str(uuid4()), event_code=code, lead_id=lead_id, slots=slots)
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
            "RelatedOpportunityId",
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


# --- what was modified -------------------------------------------------------------------------


def modified(server: Server, *, paging: Any = None, sorting: Any = None, **parameter: Any) -> Any:
    """The answer of ``RetrieveRecentlyModified``."""
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
