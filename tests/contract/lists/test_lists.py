"""``GetOpportunitiesOfLead`` and ``GetOpportunitiesByUniqueLeadField`` over a socket."""

from typing import Any

import pytest

from oppserver.contract.limits import LIST_COLUMNS_MAX
from tests.support import listed
from tests.support.listed import (
    ANN,
    BY_LEAD_FIELD,
    CAR,
    EMPTY,
    JANE,
    JANE_EMAIL,
    JOE,
    LOAN,
    NOBODY,
    OF_LEAD,
    UNKNOWN_ID,
    numbers_of,
    refused,
    rows_of,
)
from tests.support.running import Answer, Server
from tests.support.stores import guid

ENGINES = ["sqlite", "postgres"]

folder, server = listed.folder, listed.server

UNKNOWN = "MXUnknownAttributeException"
INVALID = "MXInvalidInputException"
MISSING = "MXMandatoryAttributeMissingException"
TOO_MUCH = "MXLimitExceededException"

OF_JANE = f"?leadId={JANE}"


def of_lead(
    server: Server, lead_id: str = JANE, code: int | str | None = None, **body: Any
) -> Answer:
    """The opportunities of a lead, of one type or all."""
    kind = "" if code is None else f"&opportunityType={code}"
    return server.post(body, path=f"{OF_LEAD}?leadId={lead_id}{kind}")


def by_field(
    server: Server, name: str = "EmailAddress", value: Any = JANE_EMAIL, **body: Any
) -> Answer:
    """The opportunities of the lead that has a value."""
    parameter = {"LookupName": name, "LookupValue": value, "SqlOperator": "="}
    return server.post({"Parameter": parameter, **body}, path=BY_LEAD_FIELD)


def csv(names: str) -> dict[str, str]:
    return {"Include_CSV": names}


# --- of a lead ---------------------------------------------------------------------------------


def test_a_lead_s_opportunities_of_one_type(server: Server) -> None:
    """Without columns a row has ids, the lead, the system columns and all fields of the type."""
    answer = of_lead(server, code=LOAN)
    assert answer.json["RecordCount"] == 3
    assert numbers_of(answer) == [5, 2, 1]
    assert list(rows_of(answer)[2].items()) == [
        ("OpportunityId", guid(1)),
        ("RelatedProspectId", JANE),
        ("ProspectId", JANE),
        ("FirstName", "Jane"),
        ("LastName", "Hewitt"),
        ("EmailAddress", JANE_EMAIL),
        ("Phone", "+1-555-1"),
        ("OpportunityEvent", "12000"),
        ("OpportunityEventType", "2"),
        ("Status", "Open"),
        ("Owner", ANN),
        ("OwnerName", "Ann Lee"),
        ("OpportunityNote", "First note"),
        ("CreatedOn", "2023-12-30 10:00:00"),
        ("ModifiedOn", "2024-01-01 12:00:00"),
        ("mx_Custom_1", "Home loan"),
        ("mx_Custom_2", "Prospecting"),
        ("mx_Custom_3", "9"),
        ("mx_Custom_4", "2024-03-01 00:00:00"),
        ("mx_Custom_5", "1"),
        ("mx_Custom_6", None),
        ("mx_Custom_7", None),
        ("mx_Custom_8", None),
    ]


def test_a_lead_s_opportunities_of_all_types(server: Server) -> None:
    """Without a type all are answered, newest change first, with the fields of all types."""
    for answer in (of_lead(server), of_lead(server, code="")):
        assert numbers_of(answer) == [6, 5, 2, 1]
        row = rows_of(answer)[0]
        assert [name for name in row if name.startswith("mx_")] == [
            *(f"mx_Custom_{slot}" for slot in range(1, 10))
        ]
        assert (row["OpportunityEvent"], row["mx_Custom_3"], row["mx_Custom_2"]) == (
            "12001",
            "red",
            None,
        )


@pytest.mark.parametrize(("lead_id", "code"), [(UNKNOWN_ID, None), (NOBODY, None), (JANE, EMPTY)])
def test_what_is_not_there_is_an_empty_list(lead_id: str, code: int | None, server: Server) -> None:
    """An unknown lead, a lead without opportunities, a type without: 200 with 0 and none."""
    answer = of_lead(server, lead_id, code)
    assert (answer.status, answer.json) == (200, {"RecordCount": 0, "List": []})


def test_a_list_needs_no_body(server: Server) -> None:
    """No body, ``{}``, and members that are null are one; names in the query are in any case."""
    whole = of_lead(server).json
    path = f"{OF_LEAD}?LEADID={{{JANE.upper()}}}&{server.keys.query}"
    assert server.call("POST", path).json == whole
    assert of_lead(server, Columns=None, Paging=None, Sorting=None).json == whole
    assert of_lead(server, Columns=csv(" , "), Paging={}, Sorting={}).json == whole


def test_columns_come_in_the_order_asked_for(server: Server) -> None:
    """Behind the two ids: the opportunity's own by schema or display name, and its lead's."""
    names = (
        " owner,MX_custom_3, deal SIZE ,FirstName,P_FirstName,P_mx_City,mx_City,Source,P_Source,"
        "OwnerEmailAddress,ActivityEvent_Note,ProspectActivityId,Phone Number,OpportunityId"
    )
    row = rows_of(of_lead(server, code=LOAN, Columns=csv(names)))[2]
    assert list(row.items()) == [
        ("OpportunityId", guid(1)),
        ("RelatedProspectId", JANE),
        ("Owner", ANN),
        ("mx_Custom_3", "9"),
        ("FirstName", "Jane"),
        ("P_FirstName", "Jane"),
        ("P_mx_City", "Oslo"),
        ("mx_City", "Oslo"),
        ("Source", "Lead source"),
        ("P_Source", "Lead source"),
        ("OwnerEmailAddress", "ann@example.com"),
        ("ActivityEvent_Note", "First note"),
        ("ProspectActivityId", guid(1)),
        ("Phone", "+1-555-1"),
    ]


def test_a_name_of_both_is_the_opportunity_s(server: Server) -> None:
    """CreatedOn and EmailAddress are the opportunity's; the lead's have ``P_`` before them."""
    columns = csv("CreatedOn,P_CreatedOn,Owner,P_OwnerId,EmailAddress")
    row = rows_of(of_lead(server, code=CAR, Columns=columns))[0]
    assert (row["CreatedOn"], row["P_CreatedOn"]) == ("2024-01-06 00:00:00", "2020-01-01 00:00:00")
    assert (row["Owner"], row["P_OwnerId"], row["EmailAddress"]) == (None, None, JANE_EMAIL)


@pytest.mark.parametrize(
    ("sorting", "numbers"),
    [
        ({"Direction": "0"}, [1, 2, 5]),
        ({"Direction": 1}, [5, 2, 1]),
        ({"ColumnName": "CreatedOn"}, [1, 2, 5]),
        ({"ColumnName": " createdon ", "Direction": 0}, [5, 2, 1]),
        ({"ColumnName": "mx_Custom_3", "Direction": 0}, [1, 2, 5]),
        ({"ColumnName": "Deal size", "Direction": 1}, [5, 2, 1]),
        ({"ColumnName": "OwnerName", "Direction": 0}, [2, 1, 5]),
        ({"ColumnName": "Status", "Direction": "1"}, [5, 2, 1]),
        ({"ColumnName": "P_FirstName", "Direction": "0"}, [1, 2, 5]),
    ],
)
def test_sorting(sorting: dict[str, Any], numbers: list[int], server: Server) -> None:
    """By any column, numbers as numbers; what is not set first; ties by id."""
    assert numbers_of(of_lead(server, code=LOAN, Sorting=sorting)) == numbers


def test_pages(server: Server) -> None:
    """Pages put together are the whole, each says how many there are in all; numbers or text."""
    for size in (1, "2", 3, 4):
        found: list[int] = []
        for index in range(1, 6):
            answer = of_lead(server, Paging={"PageIndex": str(index), "PageSize": size})
            assert answer.json["RecordCount"] == 4
            found += numbers_of(answer)
        assert found == [6, 5, 2, 1]
    assert numbers_of(of_lead(server, Paging={"PageIndex": 2**31 - 1, "PageSize": 5_000})) == []
    assert numbers_of(of_lead(server, Paging={"PageIndex": 2})) == []


@pytest.mark.parametrize(
    ("query", "body", "exception_type", "words"),
    [
        ("", {}, MISSING, ["'leadId' is mandatory"]),
        ("?leadId=", {}, MISSING, ["'leadId'"]),
        ("?leadId=x", {}, INVALID, ["query parameter 'leadId'", "'x'", "GUID"]),
        (
            f"{OF_JANE}&opportunityType=5",
            {},
            "MXInvalidEntityReferenceException",
            ["query parameter 'opportunityType'", "'5'", "12000, 12001"],
        ),
        (OF_JANE, {"Paging": {"PageIndex": 0}}, INVALID, ["$.Paging.PageIndex", "'0'"]),
        (OF_JANE, {"Paging": {"PageSize": 0}}, INVALID, ["$.Paging.PageSize"]),
        (OF_JANE, {"Paging": {"PageSize": "5001"}}, TOO_MUCH, ["$.Paging.PageSize", "5,000"]),
        (OF_JANE, {"Paging": {"PageIndex": "one"}}, INVALID, ["$.Paging.PageIndex", "'one'"]),
        (OF_JANE, {"Paging": 5}, "MXInvalidDataTypeException", ["$.Paging"]),
        (OF_JANE, {"Sorting": {"Direction": 2}}, INVALID, ["$.Sorting.Direction", "'2'"]),
        (
            OF_JANE,
            {"Sorting": {"ColumnName": "Statsu"}},
            UNKNOWN,
            ["$.Sorting.ColumnName", "'Statsu'", "Did you mean Status"],
        ),
        (
            OF_JANE,
            {"Columns": {"Include_CSV": "Status,Staeg"}},
            UNKNOWN,
            ["$.Columns.Include_CSV", "'Staeg'", "of any type", "Stage"],
        ),
        (
            f"{OF_JANE}&opportunityType=12001",
            {"Columns": {"Include_CSV": "mx_Custom_2"}},
            UNKNOWN,
            ["'mx_Custom_2' is no column of type 12001", "oppserver field add 12001"],
        ),
        (
            OF_JANE,
            {"Columns": {"Include_CSV": "Reference"}},
            UNKNOWN,
            ["mx_Custom_7 and mx_Custom_8"],
        ),
        (OF_JANE, {"Columns": {"Include_CSV": "P_Nothing"}}, UNKNOWN, ["'P_Nothing'"]),
        (
            OF_JANE,
            {"Columns": {"Include_CSV": "mx_Custom_3~mx_CustomObject_1"}},
            UNKNOWN,
            ["is no column of", "Custom_3~mx_CustomObject_1"],
        ),
        (
            OF_JANE,
            {"Columns": {"Include_CSV": "Status," * (LIST_COLUMNS_MAX + 1)}},
            TOO_MUCH,
            [str(LIST_COLUMNS_MAX + 1), str(LIST_COLUMNS_MAX)],
        ),
    ],
)  # fmt: skip
def test_bad_input_of_a_list_is_a_400_that_names_the_place(
    query: str, body: Any, exception_type: str, words: list[str], server: Server
) -> None:
    """The error says what is wrong, where it is and what to send instead."""
    refused(server.post(body, path=OF_LEAD + query), exception_type, *words)


def test_as_many_columns_as_a_row_can_have(server: Server) -> None:
    """All of them at once, the lead's too."""
    names = [f"P_mx_{number}" for number in range(LIST_COLUMNS_MAX)]
    rows = rows_of(of_lead(server, code=LOAN, Columns=csv(",".join(names))))
    assert list(rows[0]) == ["OpportunityId", "RelatedProspectId", *names]
    assert {row[name] for row in rows for name in names} == {None}


def test_another_method_is_405(server: Server) -> None:
    """GET is refused with the method that the call takes."""
    answer = server.call("GET", OF_LEAD + OF_JANE, headers=server.keys.headers)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


# --- by a lead's field -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EmailAddress", "JANE@EXAMPLE.COM"),
        (" emailaddress", f" {JANE_EMAIL} "),
        ("Phone", "+1-555-1"),
        ("Phone Number", "+1-555-1"),
        ("Mobile", "5552"),
        ("Mobile", 5552),
        ("ProspectId", JANE),
        ("ProspectID", "{" + JANE.upper() + "}"),
    ],
)
def test_a_lead_is_found_by_what_is_unique_to_it(name: str, value: Any, server: Server) -> None:
    """By address (in any case), phone, mobile number or id: its opportunities of all types."""
    answer = by_field(server, name, value)
    assert answer.json["RecordCount"] == 4
    assert numbers_of(answer) == [6, 5, 2, 1]


def test_without_columns_a_row_has_everything(server: Server) -> None:
    """The lead, the event, the system columns, and the fields of all types."""
    row = rows_of(by_field(server))[3]
    assert list(row) == [
        *("ProspectId", "FirstName", "LastName", "EmailAddress", "Phone", "RelatedProspectId"),
        *("OpportunityEvent", "OpportunityEventType", "TrackingNormalized", "OpportunityId"),
        *("Status", "Owner", "OwnerName", "OpportunityNote", "CreatedOn", "ModifiedOn"),
        *(f"mx_Custom_{slot}" for slot in range(1, 10)),
    ]
    assert (row["OpportunityEvent"], row["OpportunityEventType"]) == ("12000", "2")
    assert (row["TrackingNormalized"], row["OwnerName"]) == (None, "Ann Lee")


def test_the_lead_s_columns_come_first(server: Server) -> None:
    """The columns asked for, in their order, then the event and the system columns."""
    columns = csv("FirstName, mx_City,EmailAddress,Status,Car")
    row = rows_of(by_field(server, Columns=columns))[0]
    assert list(row.items()) == [
        ("FirstName", "Jane"),
        ("mx_City", "Oslo"),
        ("EmailAddress", JANE_EMAIL),
        ("Status", "Open"),
        ("mx_Custom_1", "Red car"),
        ("RelatedProspectId", JANE),
        ("OpportunityEvent", "12001"),
        ("OpportunityEventType", "2"),
        ("TrackingNormalized", None),
        ("OpportunityId", guid(6)),
        ("Owner", None),
        ("OwnerName", None),
        ("OpportunityNote", None),
        ("CreatedOn", "2024-01-06 00:00:00"),
        ("ModifiedOn", "2024-01-06 00:00:00"),
    ]


def test_pages_and_order_by_a_lead_s_field(server: Server) -> None:
    """Pages are those of a lead's list: the example of the documentation asks for 25 rows."""
    paging, sorting = (
        {"PageIndex": 1, "PageSize": 25},
        {"ColumnName": "CreatedOn", "Direction": "1"},
    )
    answer = by_field(server, Paging=paging, Sorting=sorting)
    assert numbers_of(answer) == [6, 1, 2, 5]
    answer = by_field(server, Paging={"PageIndex": 2, "PageSize": 3}, Sorting=sorting)
    assert (answer.json["RecordCount"], numbers_of(answer)) == (4, [5])


@pytest.mark.parametrize(
    ("name", "value"),
    [("EmailAddress", "x@example.com"), ("Phone", "0"), ("ProspectId", UNKNOWN_ID)],
)
def test_a_lead_that_is_not_there_has_no_opportunities(
    name: str, value: str, server: Server
) -> None:
    """200 with 0 and none, as for a lead that has none."""
    assert by_field(server, name, value).json == {"RecordCount": 0, "List": []}


@pytest.mark.parametrize(
    ("parameter", "exception_type", "words"),
    [
        (None, MISSING, ["'Parameter'", "LookupName"]),
        ({}, MISSING, ["'LookupName'", "$.Parameter"]),
        ({"LookupName": "FirstName", "LookupValue": "x"}, INVALID, ["'FirstName'", "EmailAddress"]),
        ({"LookupName": "Phone"}, MISSING, ["'LookupValue'"]),
        ({"LookupName": "Phone", "LookupValue": " "}, MISSING, ["'LookupValue'"]),
        ({"LookupName": "ProspectId", "LookupValue": "x"}, INVALID, ["$.Parameter.LookupValue"]),
        (
            {"LookupName": "Phone", "LookupValue": "1", "SqlOperator": ">"},
            INVALID,
            ["$.Parameter.SqlOperator", "'>'", "'='"],
        ),
        (
            {"LookupName": "Phone", "LookupValue": "\0"},
            "MXInvalidActivityFieldsException",
            ["$.Parameter.LookupValue", "U+0000"],
        ),
        ("x", "MXInvalidDataTypeException", ["$.Parameter"]),
    ],
)
def test_bad_input_of_a_lead_s_field_is_a_400_that_names_the_place(
    parameter: Any, exception_type: str, words: list[str], server: Server
) -> None:
    """The error says what is wrong, where it is and what to send instead."""
    refused(server.post({"Parameter": parameter}, path=BY_LEAD_FIELD), exception_type, *words)


def test_a_list_sees_what_was_just_written(server: Server, folder: Any) -> None:
    """An opportunity that another process has written is in the next answer."""
    store = listed.store_of(folder)
    store.write_opportunities([listed.loan(9, JOE)], now="2024-05-05 05:05:05")
    assert 9 in numbers_of(of_lead(server, JOE))
    store.delete_opportunities([guid(9)], now="2024-05-05 05:05:05", by=None)
    store.close()
    assert numbers_of(of_lead(server, JOE)) == [4, 3]
