"""Leads by change, address, number and words, over a socket."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from oppserver.contract.model import ActivityType
from tests.support import writing
from tests.support.activity_calls import CALL, POST
from tests.support.lead_calls import SERVICE, change, known, refused, saved
from tests.support.running import Answer, Server
from tests.support.writing import UNKNOWN_ID, fresh, store_of, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

RECENT = f"{SERVICE}/Leads.RecentlyModified"


def got(server: Server, call: str, name: str, value: str) -> Answer:
    """The answer of a GET with one parameter."""
    path = f"{SERVICE}/{call}?{name}={quote(value)}"
    return server.call("GET", path, headers=server.keys.headers)


def ids(answer: Answer) -> list[str]:
    """The ids of an array of flat leads."""
    assert answer.status == 200, answer.body
    return [row["ProspectID"] for row in answer.json]


# --- Leads.RecentlyModified --------------------------------------------------------------------


def rows_of(answer: Any) -> list[dict[str, Any]]:
    return [
        {one["Attribute"]: one["Value"] for one in found["LeadPropertyList"]}
        for found in answer.get("Leads", [])
    ]


@pytest.mark.parametrize("columns", ["ProspectID,FirstName", None, " mx_Nothing, ProspectID"])
def test_leads_that_were_modified_in_a_span(columns: str | None, server: Server) -> None:
    """Both ends belong to it; RecordCount is of all; rows are lists of attribute and value."""
    one = saved(server, Phone=fresh(), FirstName="Jane")
    on = known(server, one)["ModifiedOn"].removesuffix(".000")
    asked: dict[str, Any] = {"Parameter": {"FromDate": on, "ToDate": on}}
    if columns:
        asked["Columns"] = {"Include_CSV": columns}
    answer = well(server.post(asked | {"Paging": {"PageSize": 5000}}, path=RECENT))
    rows = rows_of(answer)
    assert answer["RecordCount"] == len(rows)
    [row] = [row for row in rows if row["ProspectID"] == one]
    if columns:
        assert list(row) == [name.strip() for name in columns.split(",")]
    else:
        assert (row["FirstName"], row["LastName"]) == ("Jane", None)
    first = well(server.post(asked | {"Paging": {"PageIndex": 1, "PageSize": 1}}, path=RECENT))
    assert (first["RecordCount"], len(first["Leads"])) == (answer["RecordCount"], 1)


def test_the_newest_change_comes_first_and_a_change_moves_a_lead(server: Server) -> None:
    """By ModifiedOn, descending; by any attribute on request."""
    one = saved(server, Phone=fresh())
    well(change(server, one, FirstName="Jane"))
    for sorting in (None, {"ColumnName": "ModifiedOn"}):
        answer = well(server.post({"Sorting": sorting, "Paging": {"PageSize": 50}}, path=RECENT))
        dates = [row["ModifiedOn"] for row in rows_of(answer)]
        assert dates == sorted(dates, reverse=True)
    by_id = {"ColumnName": "ProspectID", "Direction": "0"}
    found = rows_of(well(server.post({"Sorting": by_id}, path=RECENT)))
    assert [row["ProspectID"] for row in found] == sorted(row["ProspectID"] for row in found)


def test_a_span_without_leads_has_no_member_leads(server: Server) -> None:
    """The member is absent; a page behind the last one has none either."""
    empty = {"Parameter": {"FromDate": "1999-01-01", "ToDate": "1999-12-31"}}
    assert server.post(empty, path=RECENT).json == {"RecordCount": 0}
    saved(server, Phone=fresh())
    behind = server.post({"Paging": {"PageIndex": 900_000}}, path=RECENT).json
    assert list(behind) == ["RecordCount"]
    assert behind["RecordCount"] > 0


def test_a_modified_lead_s_unknown_columns_are_named(server: Server) -> None:
    """The header lists them, and the rows have the others."""
    answer = server.post({"Columns": {"Include_CSV": "Status,Phone,Stage"}}, path=RECENT)
    assert answer.headers["x-ignored-columns"] == "Status, Stage"


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        (
            {"Paging": {"PageSize": 5001}},
            "InvalidInput",
            "Invalid Input! Parameter Name: PageSize can not be more than 5000.",
        ),
        (
            {"Parameter": {"FromDate": "2024-02-02", "ToDate": "2024-02-01"}},
            "InvalidInput",
            "$.Parameter.FromDate is after $.Parameter.ToDate",
        ),
        ({"Parameter": {"ToDate": "soon"}}, "InvalidInput", "$.Parameter.ToDate: 'soon' is no"),
        ({"Sorting": {"ColumnName": "Fone"}}, "UnknownAttribute", "$.Sorting.ColumnName: 'Fone'"),
    ],
)
def test_a_bad_span_of_leads_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake."""
    refused(server.post(message, path=RECENT), exception_type, expected)


# --- by conditions -----------------------------------------------------------------------------

SEARCH = f"{SERVICE}/Leads/Retrieve/BySearchParameter"


def searching(*conditions: Any, **more: Any) -> dict[str, Any]:
    """The body of a search."""
    text = json.dumps({"GrpConOp": "And", "Conditions": list(conditions)})
    parameters = {"DefinitionType": "1", "AdvancedSearchTextNew": text, "SearchText": ""}
    return {"SearchParameters": parameters, **more}


def rows(*conditions: tuple[str, str, str], joiner: str = "And") -> dict[str, Any]:
    """A Condition of leads."""
    return {
        "Type": "Lead",
        "ConOp": "and",
        "RowCondition": [
            {"SubConOp": joiner, "LSO": name, "Operator": operator, "RSO": value}
            for name, operator, value in conditions
        ],
    }


def test_leads_are_found_by_conditions(server: Server) -> None:
    """The language of the search of opportunities, on columns of leads, without a base row."""
    mark = uuid4().hex
    ids = {
        number: saved(server, Phone=fresh(), FirstName=mark, mx_Size=number, mx_City=city)
        for number, city in ((9, "Pune"), (10, "Delhi"), (100, "Pune"))
    }
    marked = rows(("FirstName", "eq", mark))
    columns = {"Columns": {"Include_CSV": "ProspectID,Stage"}}

    def numbers(*conditions: Any) -> set[int]:
        answer = server.post(searching(marked, *conditions, **columns), path=SEARCH)
        assert answer.headers["x-ignored-columns"] == "Stage"
        found = [row["ProspectID"] for row in rows_of(well(answer))]
        assert well(answer)["RecordCount"] == len(found)
        return {number for number, one in ids.items() if one in found}

    assert numbers() == set(ids)
    assert numbers(rows(("mx_City", "eq", "Pune"), ("mx_Size", "gt", "10"))) == {100}
    some = (("mx_City", "eq", "Delhi"), ("mx_Size", "lt", "10"))
    assert numbers(rows(*some, joiner="Or")) == {9, 10}
    assert numbers(rows(("mx_City", "eq", "DelhiMXDATASEPERATORPune"))) == set(ids)
    assert numbers(rows(("CreatedOn", "eq", "opt-today"))) == set(ids)
    whole = searching(marked, Columns={"Include_CSV": "*"}, Paging={"PageSize": 1})
    answer = server.post(whole, path=SEARCH)
    assert "x-ignored-columns" not in answer.headers
    assert answer.json["RecordCount"] == 3
    [row] = rows_of(answer.json)
    assert {"ProspectID", "Score", "mx_City"} < set(row)


@pytest.mark.parametrize(
    ("body", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "'SearchParameters' is mandatory"),
        (
            {"SearchParameters": {}},
            "MandatoryAttributeMissing",
            "'AdvancedSearchTextNew' is mandatory",
        ),
        (
            {"SearchParameters": {"ListId": UNKNOWN_ID, "RetrieveBehaviour": 0}},
            "InvalidEntity",
            f"$.SearchParameters.ListId: there is no list '{UNKNOWN_ID}'",
        ),
        (
            searching({"Type": "Activity", "RowCondition": []}),
            "InvalidInput",
            "AdvancedSearchTextNew.Conditions[0].Type: conditions of type 'Activity'",
        ),
        (
            searching(rows(("Fone", "eq", "1"))),
            "UnknownAttribute",
            "$.SearchParameters.AdvancedSearchTextNew.Conditions[0].RowCondition[0].LSO: 'Fone'",
        ),
        (searching(rows(("Phone", "near", "1"))), "InvalidInput", "'near' is no operator"),
        (searching(Paging={"PageSize": 5001}), "LimitExceeded", "a page has at most 5,000 rows"),
    ],
)
def test_a_bad_search_of_leads_is_named(
    body: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake, with its place."""
    refused(server.post(body, path=SEARCH), exception_type, expected)


# --- one lead ----------------------------------------------------------------------------------


def test_a_lead_by_its_address(server: Server) -> None:
    """In any case, whole; an unknown address gets an empty array."""
    email = f"{fresh().replace(' ', '')}@Example.com"
    one = saved(server, EmailAddress=email, mx_City="Pune")
    for sent in (email, email.upper(), f" {email.lower()} "):
        answer = got(server, "Leads.GetByEmailaddress", "EmailAddress", sent)
        assert ids(answer) == [one]
        assert {"ProspectAutoID", "Score", "mx_City"} < set(answer.json[0])
    assert got(server, "Leads.GetByEmailaddress", "emailaddress", "x@y.example").json == []
    answer = got(server, "Leads.GetByEmailaddress", "emailaddress", "")
    refused(answer, "MandatoryAttributeMissing", "'emailaddress' is mandatory in the query")


@pytest.mark.parametrize(
    ("stored", "sent", "is_found"),
    [
        pytest.param("+91-98765432{n}", "98765432{n}", True, id="C12-without-country-code"),
        pytest.param("98765432{n}", "+9198765432{n}", True, id="C12-with-country-code"),
        pytest.param("+91-98765432{n}", "91-98765432{n}", True, id="C12-hyphen"),
        pytest.param("+91 98765 432{n}", "+91(98765)432{n}", True, id="C12-brackets"),
        pytest.param("098765432{n}", "+91-98765432{n}", True, id="C12-leading-zero"),
        pytest.param("98765432{n}", "98765432{n}1", False, id="C12-longer"),
        pytest.param("18765432{n}", "98765432{n}", False, id="C12-another"),
        pytest.param("+91-98765432{n}", "5432{n}", False, id="C12-too-short"),
    ],
)
@pytest.mark.parametrize("name", ["Phone", "Mobile"])
def test_a_lead_by_its_number(
    name: str, stored: str, sent: str, *, is_found: bool, server: Server
) -> None:
    """With or without country code, and whatever is between the digits."""
    number = f"{uuid4().int % 10**6:06d}"
    one = saved(server, **{name: stored.format(n=number)})
    answer = got(server, "RetrieveLeadByPhoneNumber", "phone", sent.format(n=number))
    assert ids(answer) == ([one] if is_found else [])


def test_of_two_leads_with_a_number_the_one_with_the_latest_activity(
    server: Server, folder: Path
) -> None:
    """An unknown number gets an empty array, one without digits is refused."""
    digits = f"7{uuid4().int % 10**9:09d}"
    first, second = saved(server, Phone=digits), saved(server, Mobile=f"+91-{digits}")
    store = store_of(folder)
    store.put_activity_types([ActivityType(event_code=CALL, name="Call")])
    store.close()
    for lead_id, on in ((second, "2024-02-01 00:00:00"), (first, "2024-03-01 00:00:00")):
        activity = {"RelatedProspectId": lead_id, "ActivityEvent": CALL, "ActivityDateTime": on}
        well(server.post(activity, path=POST))
        assert ids(got(server, "RetrieveLeadByPhoneNumber", "phone", digits)) == [lead_id]
    assert got(server, "RetrieveLeadByPhoneNumber", "phone", "5550000000").json == []
    answer = got(server, "RetrieveLeadByPhoneNumber", "phone", "+-")
    refused(answer, "InvalidInput", "'phone' has no digits")


def test_a_quick_search_finds_words_in_any_order(server: Server) -> None:
    """Each word in a name, the address or a number, in any case; a phone number in any form."""
    mark = f"q{uuid4().int % 10**9}"
    digits = f"6{uuid4().int % 10**9:09d}"
    one = saved(server, FirstName="Jane", LastName=f"{mark}witt", EmailAddress=f"{mark}@x.example")
    two = saved(server, FirstName=mark.upper(), Phone=f"+91-{digits[:5]} {digits[5:]}")
    for key, expected in (
        (mark, {one, two}),
        (f"{mark}WITT jane", {one}),
        (f"{mark}@X.example", {one}),
        (digits, {two}),
        (f"0{digits}", {two}),
        (f"{mark} nobody", set()),
    ):
        found = ids(got(server, "Leads.GetByQuickSearch", "key", key))
        assert set(found) == expected, key
        assert found == sorted(found)
    answer = got(server, "Leads.GetByQuickSearch", "key", " ".join("abcdefghijk"))
    refused(answer, "LimitExceeded", "has 11 words; a quick search takes 10")
    answer = got(server, "Leads.GetByQuickSearch", "key", "a\0b")
    refused(answer, "InvalidActivityFields", "'key' has the character U+0000")
