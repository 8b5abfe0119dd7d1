"""``Activity/Retrieve/BySearchParameter`` and ``GetActivityDetails`` over a socket."""

import json
from typing import Any

import pytest

from tests.support import activity_calls, writing
from tests.support.activity_calls import CALL, MEETING, SERVICE, new_lead, posted
from tests.support.lead_calls import refused, saved
from tests.support.running import Server
from tests.support.writing import DEAL, OWNER_EMAIL, UNKNOWN_ID, captured, fields, fresh, well

ENGINES = ["sqlite", "postgres"]

folder, server = activity_calls.folder, writing.server

SEARCH = f"{SERVICE}/Activity/Retrieve/BySearchParameter"
DETAILS = f"{SERVICE}/GetActivityDetails"
BASE = {"LSO": "ActivityEvent", "LSO_Type": "PAEvent", "Operator": "eq", "RSO": str(CALL)}


def condition(name: str, operator: str, value: Any = None, kind: str = "") -> dict[str, Any]:
    row = {"SubConOp": "And", "LSO": name, "LSO_Type": kind, "Operator": operator}
    return row if value is None else row | {"RSO": value}


def searching(*rows: dict[str, Any], code: Any = CALL, **more: Any) -> dict[str, Any]:
    """The body of a search."""
    conditions = [{"Type": "Activity", "ConOp": "and", "RowCondition": [BASE, *rows]}]
    text = json.dumps({"GrpConOp": "And", "Conditions": conditions})
    return {"ActivityEvent": code, "AdvancedSearch": text, **more}


def found(server: Server, *rows: dict[str, Any], **more: Any) -> list[str]:
    """The ids of the activities that a search finds."""
    answer = well(server.post(searching(*rows, **more), path=SEARCH))
    assert answer["RecordCount"] == len(answer["List"])
    return [row["ProspectActivityId"] for row in answer["List"]]


@pytest.mark.parametrize("name", ["ActivityEvent", "ActivityEventCode"])
@pytest.mark.parametrize("code", [CALL, str(CALL)])
def test_the_activities_of_a_type_are_found(name: str, code: Any, server: Server) -> None:
    """Rows have the system columns and all fields; the code as number or text, by two names."""
    lead_id = new_lead(server)
    mark = fresh()
    values = fields(c1=mark, c2="x", Status="Done")
    one = posted(server, lead_id, ActivityNote="note", Fields=values)
    posted(server, lead_id, MEETING, Fields=values)
    body = searching(condition("mx_Custom_1", "eq", mark))
    del body["ActivityEvent"]
    answer = well(server.post(body | {name: code}, path=SEARCH))
    [row] = answer["List"]
    assert answer["RecordCount"] == 1
    assert list(row)[:2] == ["ProspectActivityId", "RelatedProspectId"]
    assert (row["ProspectActivityId"], row["RelatedProspectId"]) == (one, lead_id)
    assert (row["ActivityEvent"], row["ActivityType"]) == (str(CALL), "2")
    assert (row["ActivityEvent_Note"], row["Status"]) == ("note", "Done")
    assert (row["mx_Custom_1"], row["mx_Custom_2"]) == (mark, "x")


def test_activities_are_found_by_columns_of_their_lead(server: Server) -> None:
    """P_ before the name; rows have such columns too, and those with the bare name."""
    email = f"{fresh().replace(' ', '')}@example.com"
    lead_id = saved(server, EmailAddress=email, FirstName="Jane", mx_City="Pune")
    one = posted(server, lead_id, Fields=fields(c1="x"))
    body = searching(
        condition("P_EmailAddress", "eq", email.upper()),
        condition("P_mx_City", "begins", "pu"),
        Columns={"Include_CSV": "P_EmailAddress, FirstName,mx_Custom_1,Stage,P_Nothing"},
    )
    answer = server.post(body, path=SEARCH)
    assert answer.json == {
        "RecordCount": 1,
        "List": [
            {
                "ProspectActivityId": one,
                "RelatedProspectId": lead_id,
                "P_EmailAddress": email,
                "FirstName": "Jane",
                "mx_Custom_1": "x",
            }
        ],
    }
    assert answer.headers["x-ignored-columns"] == "Stage, P_Nothing"


def test_fields_are_compared_as_the_condition_says(server: Server) -> None:
    """Numbers as numbers, dates with the options of the hosted pages, several values."""
    lead_id, mark = new_lead(server), fresh()
    ids = {
        number: posted(server, lead_id, Fields=fields(c1=mark, c3=number, c4=date))
        for number, date in (
            ("9", "2024-02-01 10:00:00"),
            ("10", "2024-02-02 00:00:00"),
            ("100", "2025-01-01 00:00:00"),
        )
    }
    marked = condition("mx_Custom_1", "eq", mark)

    def numbers(*rows: dict[str, Any]) -> set[str]:
        here = found(server, marked, *rows)
        return {number for number, one in ids.items() if one in here}

    assert numbers(condition("mx_Custom_3", "gt", "9.5", "Number")) == {"10", "100"}
    assert numbers(condition("mx_Custom_3", "lte", 10)) == {"9", "10"}
    assert numbers(condition("mx_Custom_3", "eq", "9MXDATASEPERATOR100")) == {"9", "100"}
    span = "2024-02-01 TO 2024-02-02"
    assert numbers(condition("mx_Custom_4", "between", span, "DateTime")) == {"9", "10"}
    assert numbers(condition("CreatedOn", "eq", "opt-today", "DateTime")) == set(ids)
    assert numbers(condition("CreatedOn", "eq", "opt-yesterday", "DateTime")) == set()
    assert numbers(condition("RelatedProspectId", "eq", lead_id.upper())) == set(ids)
    assert numbers(condition("RelatedOpportunityId", "isnotnull")) == set()


def test_pages_and_orders_of_found_activities(server: Server) -> None:
    """RecordCount is of all; every order is by a column, then by id."""
    lead_id, mark = new_lead(server), fresh()
    ids = [posted(server, lead_id, Fields=fields(c1=mark, c3=str(n % 2))) for n in range(5)]
    pages: list[str] = []
    for index in (1, 2, 3, 4):
        body = searching(
            condition("mx_Custom_1", "eq", mark),
            Sorting={"ColumnName": "mx_Custom_3", "Direction": 0},
            Paging={"PageIndex": index, "PageSize": 2},
            Columns={"Include_CSV": "mx_Custom_3"},
        )
        answer = well(server.post(body, path=SEARCH))
        assert answer["RecordCount"] == 5
        pages += [row["ProspectActivityId"] for row in answer["List"]]
    number = {one: n % 2 for n, one in enumerate(ids)}
    assert pages == sorted(ids, key=lambda one: (number[one], one))


@pytest.mark.parametrize(
    ("body", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "'ActivityEvent' is mandatory"),
        ({"ActivityEvent": CALL}, "MandatoryAttributeMissing", "'AdvancedSearch' is mandatory"),
        (searching(code=MEETING), "InvalidInput", "criteria does not match ActivityEvent passed"),
        (
            searching(code=DEAL) | {"AdvancedSearch": searching()["AdvancedSearch"]},
            "InvalidInput",
            "with the code of ActivityEvent",
        ),
        (
            searching(condition("Stage", "eq", "x")),
            "UnknownAttribute",
            "$.AdvancedSearch.Conditions[0].RowCondition[1].LSO: 'Stage' is no column",
        ),
        (
            searching(condition("CreatedOn", "gt", "soon", "DateTime")),
            "InvalidActivityFields",
            "'soon' is no date",
        ),
        (searching(Paging={"PageSize": 5001}), "LimitExceeded", "a page has at most 5,000 rows"),
        (searching(Sorting={"ColumnName": "Stage"}), "UnknownAttribute", "$.Sorting.ColumnName"),
    ],
)
def test_a_bad_search_of_activities_is_named(
    body: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake, with its place."""
    refused(server.post(body, path=SEARCH), exception_type, expected)


def test_an_opportunity_type_has_a_search_of_its_own(server: Server) -> None:
    """The error names the call."""
    base = BASE | {"RSO": str(DEAL)}
    text = json.dumps({"Conditions": [{"RowCondition": [base]}]})
    answer = server.post({"ActivityEvent": DEAL, "AdvancedSearch": text}, path=SEARCH)
    refused(answer, "InvalidEntityReference", "OpportunityManagement.svc/Retrieve/BySearchParam")


# --- one activity ------------------------------------------------------------------------------


def details(server: Server, query: str) -> Any:
    return server.call("GET", f"{DETAILS}?{query}", headers=server.keys.headers)


def test_an_activity_is_read_whole(server: Server) -> None:
    """Its type's name, and each field with its value."""
    lead_id = new_lead(server)
    one = posted(
        server, lead_id, ActivityNote="note", Fields=fields(c2="x", Owner=OWNER_EMAIL, Status="S")
    )
    answer = well(details(server, f"ACTIVITYID={one.upper()}&getFileURL=true"))
    assert (answer["ID"], answer["Name"], answer["DisplayName"]) == (one, "Call", "Call")
    assert answer["RelatedProspectId"] == lead_id
    values = {field["SchemaName"]: field["Value"] for field in answer["Fields"]}
    assert values["ActivityEvent_Note"] == "note"
    assert (values["mx_Custom_2"], values["Status"]) == ("x", "S")
    assert values["Owner"]
    assert values["CreatedOn"] == answer["CreatedOnString"]


def test_an_activity_that_is_not_here_is_named(server: Server) -> None:
    """An opportunity's id names the call for opportunities."""
    refused(details(server, f"activityId={UNKNOWN_ID}"), "InvalidEntity", "there is no activity")
    refused(details(server, "activityId=7"), "InvalidInput", "'7' is not a GUID")
    refused(details(server, ""), "MandatoryAttributeMissing", "'activityId' is mandatory")
    answer = details(server, f"activityId={captured(server)}")
    refused(answer, "InvalidEntity", "call OpportunityManagement.svc/GetOpportunityDetails")
