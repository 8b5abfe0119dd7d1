"""``ProspectActivity.svc/RetrieveRecentlyModified`` over a socket: of a type, and of activities."""

from typing import Any

import pytest

from tests.support import listed
from tests.support.listed import ANN, CALL, CAR, EMPTY, JANE, LOAN, MODIFIED, refused
from tests.support.running import Answer, Server
from tests.support.stores import guid

ENGINES = ["sqlite", "postgres"]

folder, server = listed.folder, listed.server

INVALID = "MXInvalidInputException"


def modified(server: Server, code: Any = LOAN, *, body: Any = None, **parameter: Any) -> Answer:
    """The answer about what was modified, of an event code."""
    named = parameter if code is None else {"ActivityEvent": code, **parameter}
    return server.post({"Parameter": named, **(body or {})}, path=MODIFIED)


def rows_of(answer: Answer) -> list[dict[str, Any]]:
    """The rows that were answered."""
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["RecordCount", "ProspectActivities"]
    rows = answer.json["ProspectActivities"]
    assert isinstance(rows, list)
    return rows


def numbers_of(answer: Answer) -> list[int]:
    """The numbers of the rows, in order; those of activities are below 0."""
    ids = {guid(number): number for number in range(1, 10)}
    ids |= {guid(number, kind=4): -number for number in range(1, 10)}
    return [ids[row["Id"]] for row in rows_of(answer)]


def fields_of(row: dict[str, Any]) -> dict[str, str | None]:
    """The fields of a row."""
    assert all(list(field) == ["Key", "Value"] for field in row["Fields"])
    return {field["Key"]: field["Value"] for field in row["Fields"]}


# --- opportunities -----------------------------------------------------------------------------


def test_the_opportunities_of_a_type(server: Server) -> None:
    """Newest change first; the system fields and the first two custom fields."""
    answer = modified(server)
    assert answer.json["RecordCount"] == 5
    assert numbers_of(answer) == [5, 4, 3, 2, 1]
    row = rows_of(answer)[4]
    assert list(row) == ["Id", "RelatedProspectId", "CreatedOn", "ModifiedOn", "Fields"]
    assert row["RelatedProspectId"] == JANE
    assert (row["CreatedOn"], row["ModifiedOn"]) == ("2023-12-30 10:00:00", "2024-01-01 12:00:00")
    assert list(fields_of(row).items()) == [
        ("Status", "Open"),
        ("Owner", ANN),
        ("OwnerEmailAddress", "ann@example.com"),
        ("ActivityEvent_Note", "First note"),
        ("CreatedBy", ANN),
        ("ModifiedBy", listed.BEN),
        ("mx_Custom_1", "Home loan"),
        ("mx_Custom_2", "Prospecting"),
    ]


@pytest.mark.parametrize("flag", [1, "1", True, "true", " TRUE "])
def test_all_custom_fields(flag: Any, server: Server) -> None:
    """Every field of the type, set or not, when they are asked for."""
    for row in rows_of(modified(server, IncludeCustomFields=flag)):
        names = [name for name in fields_of(row) if name.startswith("mx_")]
        assert names == [f"mx_Custom_{slot}" for slot in range(1, 9)]


@pytest.mark.parametrize("flag", [0, "0", False, "false", None, ""])
def test_custom_fields_that_are_not_asked_for(flag: Any, server: Server) -> None:
    """The first two, where the type has them."""
    [row] = rows_of(modified(server, CAR, IncludeCustomFields=flag))
    assert [name for name in fields_of(row) if name.startswith("mx_")] == ["mx_Custom_1"]


@pytest.mark.parametrize(
    ("span", "numbers"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"FromDate": "2024-01-02 12:00:00", "ToDate": "2024-01-04 12:00:00"}, [4, 3, 2]),
        ({"FromDate": "2024-01-02 12:00:01", "ToDate": "2024-01-04 11:59:59"}, [3]),
        ({"FromDate": "2024-01-04"}, [5, 4]),
        ({"ToDate": "2024-01-02"}, [2, 1]),
        ({"FromDate": "2024-01-03", "ToDate": "2024-01-03"}, [3]),
        ({"FromDate": "1/3/2024 12:00:00 PM", "ToDate": "2024-01-03T14:00:00+02:00"}, [3]),
        ({"FromDate": None, "ToDate": " "}, [5, 4, 3, 2, 1]),
        ({"FromDate": "2030-01-01", "ToDate": "2031-01-01"}, []),
    ],
)
def test_both_ends_of_the_span_belong_to_it(
    span: dict[str, Any], numbers: list[int], server: Server
) -> None:
    """By ModifiedOn; an end that is not named is open, a day alone is the whole day."""
    answer = modified(server, **span)
    assert numbers_of(answer) == numbers
    assert answer.json["RecordCount"] == len(numbers)


@pytest.mark.parametrize(
    ("sorting", "numbers"),
    [
        ({"ColumnName": "CreatedOn", "Direction": 1}, [1, 2, 3, 4, 5]),
        ({"ColumnName": "createdon", "Direction": "0"}, [5, 4, 3, 2, 1]),
        ({"ColumnName": "ModifiedOn", "Direction": 0}, [1, 2, 3, 4, 5]),
        ({"Direction": 0}, [1, 2, 3, 4, 5]),
        ({}, [5, 4, 3, 2, 1]),
    ],
)
def test_the_order(sorting: dict[str, Any], numbers: list[int], server: Server) -> None:
    """By ModifiedOn or CreatedOn, in either direction."""
    assert numbers_of(modified(server, body={"Sorting": sorting})) == numbers


def test_paging_over_the_whole_type(server: Server) -> None:
    """Pages put together are the whole; a page without a size has 20 rows."""
    found: list[int] = []
    for index in ("1", 2, 3, 4):
        answer = modified(server, body={"Paging": {"PageIndex": index, "PageSize": "2"}})
        assert answer.json["RecordCount"] == 5
        found += numbers_of(answer)
    assert found == [5, 4, 3, 2, 1]


def test_a_page_has_20_rows_unless_it_is_said(server: Server, folder: Any) -> None:
    """The documentation's example; up to 5,000 can be asked for."""
    store = listed.store_of(folder)
    batch = [
        listed.loan(
            n, event_code=EMPTY, modified_on="2024-01-01 00:00:00", created_on="2024-01-01 00:00:00"
        )
        for n in range(100, 125)
    ]
    store.write_opportunities(batch, now="2024-05-05 05:05:05")
    store.close()
    assert [len(rows_of(modified(server, EMPTY))), modified(server, EMPTY).json["RecordCount"]] == [
        20,
        25,
    ]
    large = modified(server, EMPTY, body={"Paging": {"PageSize": 5_000}})
    assert len(rows_of(large)) == 25


# --- activities --------------------------------------------------------------------------------


def test_the_activities_of_a_type(server: Server) -> None:
    """Their own fields, behind all that a row of a lead's timeline has."""
    [row] = rows_of(modified(server, str(CALL), IncludeCustomFields=1))
    assert row == {
        **on_timeline(server, JANE, guid(1, kind=4)),
        "Id": guid(1, kind=4),
        "EventCode": CALL,
        "EventName": "Call",
        "RelatedProspectId": JANE,
        "CreatedOn": "2024-01-03 00:00:00",
        "ModifiedOn": "2024-01-07 00:00:00",
        "Fields": [
            {"Key": "Owner", "Value": ANN},
            {"Key": "ActivityEvent_Note", "Value": "Called"},
            {"Key": "CreatedBy", "Value": None},
            {"Key": "mx_Custom_1", "Value": "Back"},
            {"Key": "mx_Custom_7", "Value": "7"},
        ],
    }
    [row] = rows_of(modified(server, CALL))
    assert list(fields_of(row)) == ["Owner", "ActivityEvent_Note", "CreatedBy", "mx_Custom_1"]
    assert rows_of(modified(server, 33)) == []


def on_timeline(server: Server, lead_id: str, one: str) -> dict[str, Any]:
    """The row of an activity as ``Retrieve`` answers it."""
    path = f"/v2/ProspectActivity.svc/Retrieve?leadId={lead_id}"
    rows = server.post({"Paging": {"RowCount": 100}}, path=path).json["ProspectActivities"]
    [row] = [row for row in rows if row["Id"] == one]
    assert isinstance(row, dict)
    return row


@pytest.mark.parametrize("code", [None, CALL, 33])
def test_c8_rows_have_what_rows_of_a_timeline_have(code: int | None, server: Server) -> None:
    """Activities, opportunities, and what the server posts: each row as on its lead's timeline."""
    rows = rows_of(modified(server, code))
    assert rows or code == 33
    for row in rows:
        own = on_timeline(server, row["RelatedProspectId"], row["Id"])
        assert {"ActivityScore", "ActivityType", "Type", "SessionId", "Data"} <= own.keys()
        assert {name: value for name, value in row.items() if name != "Fields"} == own


def test_without_an_event_all_activities_are_answered(server: Server) -> None:
    """Opportunities are among them, each with its own type; ordered as the opportunities are."""
    span = {"FromDate": "2024-01-04", "ToDate": "2024-01-31"}
    answer = modified(server, None, **span)
    assert numbers_of(answer) == [-1, 6, 5, 4]
    assert [row["EventCode"] for row in rows_of(answer)] == [CALL, CAR, LOAN, LOAN]
    assert fields_of(rows_of(answer)[2]) == {
        "Status": "Won",
        "Owner": ANN,
        "ActivityEvent_Note": None,
        "CreatedBy": None,
        "mx_Custom_1": None,
        "mx_Custom_2": "Old stage",
    }
    sorting = {"Sorting": {"ColumnName": "CreatedOn", "Direction": 1}}
    assert numbers_of(modified(server, None, body=sorting, **span)) == [6, -1, 4, 5]
    paging = {"Paging": {"PageIndex": 2, "PageSize": 3}}
    answer = modified(server, None, body=paging, **span)
    assert (answer.json["RecordCount"], numbers_of(answer)) == (4, [4])


def test_nothing_has_to_be_said(server: Server) -> None:
    """A call without a body is answered: everything, in the first page."""
    answer = server.call("POST", MODIFIED, headers=server.keys.headers)
    assert answer.status == 200
    assert 1 <= len(rows_of(answer)) <= 20


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "exception_type", "words"),
    [
        (
            {"Parameter": {"FromDate": "yesterday"}},
            INVALID,
            ["$.Parameter.FromDate", "'yesterday'", "2024-02-29 13:05:09"],
        ),
        ({"Parameter": {"ToDate": "2024-13-01"}}, INVALID, ["$.Parameter.ToDate"]),
        (
            {"Parameter": {"FromDate": "2024-02-01", "ToDate": "2024-01-01"}},
            INVALID,
            ["$.Parameter.FromDate", "$.Parameter.ToDate"],
        ),
        ({"Parameter": {"ActivityEvent": "x"}}, INVALID, ["$.Parameter.ActivityEvent", "'x'"]),
        ({"Parameter": {"ActivityEvent": -1}}, INVALID, ["$.Parameter.ActivityEvent", "'-1'"]),
        (
            {"Parameter": {"IncludeCustomFields": "all"}},
            INVALID,
            ["$.Parameter.IncludeCustomFields", "'all'"],
        ),
        ({"Sorting": {"ColumnName": "Status"}}, INVALID, ["$.Sorting.ColumnName", "ModifiedOn"]),
        ({"Paging": {"PageSize": 5_001}}, "MXLimitExceededException", ["$.Paging.PageSize"]),
        ({"Paging": {"PageIndex": 0}}, INVALID, ["$.Paging.PageIndex"]),
        ({"Parameter": []}, "MXInvalidDataTypeException", ["$.Parameter"]),
    ],
)  # fmt: skip
def test_bad_input_is_named_with_its_place(
    message: Any, exception_type: str, words: list[str], server: Server
) -> None:
    """The error says what is wrong, where it is and what to send instead."""
    refused(server.post(message, path=MODIFIED), exception_type, *words)
