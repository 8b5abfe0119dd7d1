"""``Leads.GetById``, ``Leads.Get``, ``Leads/Retrieve/ByIds`` and ``LeadsMetaData.Get``."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.contract.leads import READABLE_COLUMNS
from oppserver.contract.model import StoredOpportunity
from tests.support import writing
from tests.support.lead_calls import (
    BY_IDS,
    GET,
    SAVE,
    SERVICE,
    asking,
    by_id,
    change,
    found,
    known,
    looking,
    refused,
    saved,
)
from tests.support.running import Server, create_key
from tests.support.writing import DEAL, OWNER_EMAIL, UNKNOWN_ID, fresh, lead, store_of, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

# --- by id -------------------------------------------------------------------------------------


def test_all_that_is_known_of_a_lead(server: Server) -> None:
    """One flat object in an array: every standard column, then the custom ones; dates with .000."""
    one = saved(server, Phone=fresh(), mx_City="Pune", mx_Area="West")
    [row] = by_id(server, one.upper())
    names = [column.name for column in READABLE_COLUMNS]
    assert list(row)[: len(names)] == names
    assert set(list(row)[len(names) :]) == {"mx_City", "mx_Area"}
    assert row["CreatedOn"].endswith(".000")
    assert row["Company"] is None


@pytest.mark.parametrize("lead_id", [UNKNOWN_ID, "7", "%20x"])
def test_what_is_no_lead_s_id_is_answered_with_nothing(lead_id: str, server: Server) -> None:
    """200 and an empty array, as it was observed."""
    assert by_id(server, lead_id) == []


def test_an_id_is_needed(server: Server) -> None:
    """A read without one is a mistake."""
    answer = server.call("GET", f"{SERVICE}/Leads.GetById", headers=server.keys.headers)
    refused(answer, "MandatoryAttributeMissing", "'id' is mandatory in the query")


# --- by ids ------------------------------------------------------------------------------------


def test_leads_by_ids_in_request_order(server: Server) -> None:
    """Repeated ids once, unknown ones left out; the columns asked for, in their order."""
    first, second = saved(server, Phone="p1" + fresh(), FirstName="A"), saved(server, Phone=fresh())
    message = asking(
        second, UNKNOWN_ID, first.upper(), second, columns="FirstName, ProspectId ,mx_Nothing"
    )
    assert server.post(message, path=BY_IDS).json == {
        "RecordCount": 2,
        "Leads": [
            {"FirstName": None, "ProspectID": second, "mx_Nothing": None},
            {"FirstName": "A", "ProspectID": first, "mx_Nothing": None},
        ],
    }
    nobody = server.post(asking(UNKNOWN_ID), path=BY_IDS)
    assert nobody.json == {"RecordCount": 0, "Leads": []}


def test_leads_by_ids_page_by_page(server: Server) -> None:
    """Pages count those that are here; RecordCount is all of them."""
    ids = [saved(server, Phone=fresh()) for _ in range(5)]
    asked = [UNKNOWN_ID, *ids[:2], str(uuid4()), *ids[2:]]
    pages = []
    for index in ("1", 2, 3, 4):
        paging = {"PageIndex": index, "PageSize": "2"}
        answer = well(server.post(asking(*asked, Paging=paging), path=BY_IDS))
        assert answer["RecordCount"] == 5
        pages.append([row["ProspectID"] for row in answer["Leads"]])
    assert pages == [ids[:2], ids[2:4], ids[4:], []]


def test_ten_thousand_leads_may_be_asked_for(server: Server) -> None:
    """Distinct ones; one more is a 400 that names number and limit."""
    one = saved(server, Phone=fresh())
    many = [str(uuid4()) for _ in range(9_999)]
    message = asking(*many, one, one, Paging={"PageSize": 10_000})
    assert server.post(message, path=BY_IDS).json["RecordCount"] == 1
    answer = server.post(asking(*many, one, UNKNOWN_ID), path=BY_IDS)
    refused(answer, "LimitExceeded", "asks for 10001 leads; one call takes 10000")


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "'LeadIds' is mandatory in SearchParameters"),
        (asking(), "MandatoryAttributeMissing", "'LeadIds' is mandatory in SearchParameters"),
        (
            {"SearchParameters": {"LeadIds": [UNKNOWN_ID]}},
            "MandatoryAttributeMissing",
            "'Include_CSV' is mandatory in Columns",
        ),
        (
            asking(UNKNOWN_ID, columns=" ,"),
            "MandatoryAttributeMissing",
            "'Include_CSV' is mandatory in Columns",
        ),
        (asking("7"), "InvalidInput", "SearchParameters.LeadIds[0]: '7' is not a GUID"),
        (
            asking(UNKNOWN_ID, columns=",".join(f"mx_{n}" for n in range(251))),
            "LimitExceeded",
            "has 251 names",
        ),
        (
            asking(UNKNOWN_ID, Paging={"PageSize": 10_001}),
            "LimitExceeded",
            "$.Paging.PageSize is 10001; a page has at most 10,000 rows",
        ),
        (asking(UNKNOWN_ID, Paging={"PageIndex": 0}), "InvalidInput", "$.Paging.PageIndex: '0'"),
    ],
)
def test_bad_input_by_ids_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake."""
    refused(server.post(message, path=BY_IDS), exception_type, expected)


# --- by one attribute --------------------------------------------------------------------------


def test_leads_by_each_operator(server: Server) -> None:
    """The seven of the documentation, on a custom attribute that holds numbers."""
    mark = fresh().replace(" ", "")
    name = f"mx_{mark}"
    ids = {number: saved(server, Phone=fresh(), **{name: number}) for number in (9, 10, 100)}

    def numbers(operator: str, value: Any) -> set[int]:
        some = found(server, name, operator, value, Columns={"Include_CSV": "ProspectID"})
        return {number for number, one in ids.items() if one in some}

    assert numbers("=", "10") == {10}
    assert numbers(" < ", 10) == {9}
    assert numbers("<=", "10") == {9, 10}
    assert numbers(">", "9.5") == {10, 100}
    assert numbers(">=", 100) == {100}
    assert numbers("like", "10%") == {10, 100}
    assert numbers("LIKE", "%0%") == {10, 100}
    others = found(server, name, "<>", "10", Paging={"PageSize": 5_000})
    assert {ids[9], ids[100]} < set(others)
    assert ids[10] not in others


def test_leads_by_address_in_any_case(server: Server) -> None:
    """An address finds a lead as it does when a lead is written."""
    email = f"{fresh()}@Example.com"
    one = saved(server, EmailAddress=email)
    assert found(server, "EmailAddress", "=", email.upper()) == [one]
    assert found(server, "email", None, email) == [one]
    assert found(server, "EmailAddress", "LIKE", f"{email[:10].upper()}%") == [one]


@pytest.mark.parametrize("name", ["ProspectID", "ProspectId", "prospectid"])
def test_a_lead_by_its_id_has_its_values(name: str, server: Server) -> None:
    """Under each spelling."""
    phone = fresh()
    one = saved(server, Phone=phone)
    answer = server.post(looking(name, "=", one.upper()), path=GET)
    assert [(row["ProspectID"], row["Phone"]) for row in answer.json] == [(one, phone)]


def test_leads_by_their_dates_and_owners(server: Server) -> None:
    """Dates in each form of requests, a day as the whole of it; owners by id, name and address."""
    one = saved(server, Phone=fresh(), OwnerId=OWNER_EMAIL)
    row = known(server, one)
    on, owner = row["CreatedOn"].removesuffix(".000"), row["OwnerId"]
    everybody = {"Paging": {"PageSize": 5_000}, "Columns": {"Include_CSV": "ProspectID"}}
    for name, operator, wanted in (
        ("CreatedOn", "=", on),
        ("ModifiedOn", ">=", on[:10]),
        ("CreatedOn", "<=", f"{on.replace(' ', 'T')}Z"),
        ("CreatedOn", "=", on[:10]),
        ("CreatedOn", "<=", on[:10]),
        ("LeadLastModifiedOn", "LIKE", f"{on[:7]}%"),
        ("OwnerId", "=", owner.upper()),
        ("OwnerIdEmailAddress", "=", OWNER_EMAIL.upper()),
        ("OwnerIdName", "LIKE", "owner@%"),
    ):
        assert one in found(server, name, operator, wanted, **everybody), name
    for operator in ("<", ">", "<>"):
        assert one not in found(server, "CreatedOn", operator, on[:10], **everybody)
    assert one not in found(server, "OwnerId", "<>", owner, **everybody)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"Parameter": {}}', b'{"Parameter": {"LookupName": ""}}']
)
def test_without_a_filter_all_leads(body: bytes, server: Server) -> None:
    """A hundred of them, by id, with all that is known of each."""
    if len(server.post({}, path=GET).json) < 100:
        for _ in range(101):
            saved(server, Phone=fresh())
    answer = server.post(body, path=GET)
    ids = [row["ProspectID"] for row in answer.json]
    assert len(ids) == 100
    assert ids == sorted(ids)
    assert {"OwnerIdName", "Score"} < set(answer.json[0])


def test_pages_of_leads_hold_each_once(server: Server) -> None:
    """In the order asked for, by a column and then by id; numbers as text too."""
    mark, name = fresh(), "mx_Page"
    ids = sorted(
        saved(server, Phone=fresh(), FirstName=str(number % 2), **{name: mark})
        for number in range(5)
    )
    by_name = {one: known(server, one)["FirstName"] for one in ids}
    for direction, is_descending in (("1", True), (0, False), (None, True)):
        pages: list[str] = []
        for index in ("1", "2", "3", "4"):
            pages += found(
                server,
                name,
                "=",
                mark,
                Sorting={"ColumnName": "First Name", "Direction": direction},
                Paging={"PageIndex": index, "PageSize": 2},
                Columns={"Include_CSV": " ProspectID"},
            )
        assert pages == sorted(ids, key=lambda one: (by_name[one], one), reverse=is_descending)


def test_numbers_are_sorted_as_numbers(server: Server) -> None:
    """A score of 9 is below one of 10."""
    mark = fresh()
    ids = [saved(server, Phone=fresh(), Score=score, mx_Sort=mark) for score in (10, 9, 100)]
    order = {"Sorting": {"ColumnName": "Score", "Direction": "0"}}
    assert found(server, "mx_Sort", "=", mark, **order) == [ids[1], ids[0], ids[2]]


def test_a_lead_type_is_accepted(server: Server) -> None:
    """Members that newer pages send beside the filter change nothing."""
    phone = fresh()
    one = saved(server, Phone=phone)
    assert found(server, "Phone", "=", phone, Attribute="LeadType", Value="OT_0") == [one]


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        ({"Query": {"Parameter": {}}}, "InvalidInput", "$.Query: a filter in it would find every"),
        (looking("Fone", "=", "1"), "UnknownAttribute", "$.Parameter.LookupName: 'Fone' is no"),
        (looking("Phone", "=", ""), "MandatoryAttributeMissing", "'LookupValue' is mandatory"),
        (looking("", "=", "1"), "MandatoryAttributeMissing", "'LookupName' is mandatory"),
        (
            looking("Phone", "==", "1"),
            "InvalidInput",
            "SqlOperator: '==' is no operator.",
        ),
        (looking("Phone", "LIKE", "1"), "InvalidInput", "is no pattern that LIKE takes here"),
        (looking("Phone", "LIKE", "%1"), "InvalidInput", "is no pattern that LIKE takes here"),
        (looking("Phone", "LIKE", "%1%2%"), "InvalidInput", "is no pattern that LIKE takes here"),
        (looking("Phone", "LIKE", "%%"), "InvalidInput", "is no pattern that LIKE takes here"),
        (looking("ProspectID", "=", "7"), "InvalidInput", "'7' is not a GUID"),
        (looking("CreatedOn", ">", "soon"), "InvalidActivityFields", "'soon' is no date"),
        ({"Paging": {"PageSize": 5_001}}, "LimitExceeded", "a page has at most 5,000 rows"),
        ({"Paging": {"PageSize": "x"}}, "InvalidInput", "$.Paging.PageSize: 'x' is not a whole"),
        (
            {"Sorting": {"ColumnName": "Fone"}},
            "UnknownAttribute",
            "$.Sorting.ColumnName: 'Fone' is no attribute of a lead. Did you mean Phone?",
        ),
        ({"Sorting": {"Direction": 2}}, "InvalidInput", "$.Sorting.Direction: '2' is no direction"),
        (
            {"Columns": {"Include_CSV": ",".join(f"x{n}" for n in range(251))}},
            "LimitExceeded",
            "has 251 names",
        ),
    ],
)
def test_a_bad_search_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake."""
    refused(server.post(message, path=GET), exception_type, expected)


# --- columns that leads do not have ------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "columns", "ignored"),
    [
        pytest.param(
            "ProspectID,FirstName,Status,Owner",
            ["ProspectID", "FirstName", "OwnerId"],
            "Status",
            id="C6",
        ),
        pytest.param(
            " Stage , Phone,mx_City, P_Phone,stage,Stage",
            ["Phone", "mx_City"],
            "Stage, P_Phone, stage",
            id="C6-order",
        ),
        pytest.param("Status,Deal Size", ["ProspectID"], "Status, Deal Size", id="C6-none-known"),
        pytest.param(
            "Phone,Köln\r\nX-Evil: 1,%41",
            ["Phone"],
            "K%C3%B6ln%0D%0AX-Evil: 1, %2541",
            id="C6-characters",
        ),
        pytest.param("Phone," + "x" * 9_000, ["Phone"], "x" * 80, id="C6-long"),
        pytest.param(
            ",".join(f"{n}".rjust(80, "x") for n in range(200)), ["ProspectID"], "...", id="C6-many"
        ),
        pytest.param("Phone, ,", ["Phone"], None, id="C6-all-known"),
    ],
)
def test_columns_that_leads_do_not_have_are_left_out_and_named(
    asked: str, columns: list[str], ignored: str | None, server: Server
) -> None:
    """Rows have the other columns; the header X-Ignored-Columns names those left out, in order."""
    one = saved(server, Phone=fresh())
    by_attribute = server.post(
        looking("ProspectID", "=", one, Columns={"Include_CSV": asked}), path=GET
    )
    by_ids = server.post(asking(one, columns=asked), path=BY_IDS)
    for answer, rows in ((by_attribute, by_attribute.json), (by_ids, by_ids.json["Leads"])):
        assert [list(row) for row in rows] == [columns]
        named = answer.headers.get("x-ignored-columns")
        if ignored == "...":
            assert named is not None
            assert len(named) < 4_100
            assert named.endswith(", ...")
        else:
            assert named == ignored


# --- who may -----------------------------------------------------------------------------------


def test_a_reader_reads_and_does_not_write(server: Server, folder: Path) -> None:
    """403 names the role; every read is open."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    one = saved(server, Phone=fresh())
    for path in (SAVE, f"{SERVICE}/Lead.Update?leadId={one}"):
        answer = server.post(lead(Phone="1"), path=path, keys=keys)
        assert (answer.status, answer.exception_type) == (403, "MXAccessDeniedException")
    assert server.post(asking(one), path=BY_IDS, keys=keys).json["RecordCount"] == 1
    assert server.post(looking("ProspectID", "=", one), path=GET, keys=keys).status == 200
    answer = server.call("GET", f"{SERVICE}/Leads.GetById?id={one}", headers=keys.headers)
    assert len(json.loads(answer.body)) == 1


def test_a_lead_that_came_with_an_opportunity_has_no_dates(server: Server, folder: Path) -> None:
    """Until it is changed: then it was modified now, and it is not said when it was created."""
    lead_id = str(uuid4())
    store = store_of(folder)
    references = StoredOpportunity(
        id=str(uuid4()), event_code=DEAL, lead_id=lead_id, lead_email=fresh()
    )
    store.write_opportunities([references], now="2024-02-29 13:05:09")
    store.close()
    assert {"CreatedOn", "ModifiedOn"}.isdisjoint(known(server, lead_id))
    well(change(server, lead_id, FirstName="Jane"))
    assert "CreatedOn" not in known(server, lead_id)
    assert known(server, lead_id)["ModifiedOn"] > "2024-03"
