"""``Bulk/Update/ByOpportunityId`` and ``Bulk/Add/ByLeadField``: up to 25 at once, or none."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import writing
from tests.support.running import Answer, Server, create_key
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    DEAL,
    OWNER_EMAIL,
    UNIQUE,
    UNKNOWN_ID,
    capture,
    captured,
    delete,
    fields,
    fresh,
    lead,
    row,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server


def refused(answer: Answer) -> str:
    """The message of an answer that is 400."""
    assert answer.status == 400, answer.body
    return answer.message


# --- update ------------------------------------------------------------------------------------


def updating(one: str, *, code: Any = DEAL, **values: Any) -> dict[str, Any]:
    return {
        "ProspectOpportunityId": one,
        "OpportunityEventCode": code,
        "Fields": fields(**values),
    }


def test_25_opportunities_are_updated(server: Server) -> None:
    """Each with its own values, also of several types; an entry for each in the answer."""
    ids = [captured(server) for _ in range(24)]
    other = captured(server, code=UNIQUE)
    entries = [updating(one, c10=str(number)) for number, one in enumerate(ids)]
    entries.append(updating(other, code=str(UNIQUE), c1="x") | {"OpportunityNote": "n"})
    answer = server.post(entries, path=BULK_UPDATE)
    assert well(answer) == {
        "Status": "Success",
        "Message": {"AffectedRows": 25},
        "Response": [{"ProspectOpportunityId": one, "Status": "Success"} for one in [*ids, other]],
    }
    assert [value(server, one, "mx_Custom_10") for one in ids] == [str(n) for n in range(24)]
    found = row(server, other, "mx_Custom_1,OpportunityNote", code=UNIQUE)
    assert found is not None
    assert (found["mx_Custom_1"], found["OpportunityNote"]) == ("x", "n")


@pytest.mark.parametrize(
    ("bad", "exception_type", "expected"),
    [
        ({"ProspectOpportunityId": None}, "MXMandatoryAttributeMissing", "'ProspectOpportunityId"),
        ({"ProspectOpportunityId": "7"}, "MXInvalidInput", "[1].ProspectOpportunityId: '7' is not"),
        (
            {"ProspectOpportunityId": UNKNOWN_ID},
            "MXInvalidEntity",
            f"[1].ProspectOpportunityId: there is no opportunity {UNKNOWN_ID}.",
        ),
        (
            {"OpportunityEventCode": None},
            "MXMandatoryAttributeMissing",
            "'OpportunityEventCode' is mandatory in [1]",
        ),
        (
            {"OpportunityEventCode": 7},
            "MXInvalidEntityReference",
            "[1].OpportunityEventCode: '7' is the event code of no opportunity type here.",
        ),
        ({"OpportunityEventCode": UNIQUE}, "MXInvalidInput", "[1].OpportunityEventCode: the oppo"),
        ({"Fields": []}, "MXMandatoryAttributeMissing", "[1].Fields has no entry"),
        (
            {"Fields": fields(c6="many")},
            "MXInvalidActivityFields",
            "[1].Fields[0].Value: 'many' does not fit mx_Custom_6",
        ),
        (
            {"Fields": fields(Status=None)},
            "MXInvalidActivityFields",
            "Field name : 'Status' of datatype : 'SearchableDropdown' is mandatory. [1].Fields[0]",
        ),
        (
            {"Fields": fields(Owner="nobody")},
            "MXInvalidEntity",
            "[1].Fields[0].Value: 'nobody' is no user here.",
        ),
    ],
)
def test_one_bad_update_refuses_all(
    bad: dict[str, Any], exception_type: str, expected: str, server: Server
) -> None:
    """The message names the entry, and no opportunity has changed."""
    ids = [captured(server) for _ in range(3)]
    entries = [updating(one, c10="after") for one in ids]
    entries[1] |= bad
    answer = server.post(entries, path=BULK_UPDATE)
    assert refused(answer).startswith(expected), answer.message
    assert answer.exception_type == f"{exception_type}Exception"
    assert [value(server, one, "mx_Custom_10") for one in ids] == [None] * 3


def test_an_opportunity_is_updated_once_in_a_call(server: Server) -> None:
    """The same id twice, in whatever form, is a mistake."""
    one = captured(server)
    entries = [updating(one, c10="a"), updating(one.upper(), c10="b")]
    assert refused(server.post(entries, path=BULK_UPDATE)).startswith(
        f"[1].ProspectOpportunityId: {one} is also in [0]."
    )


def test_a_deleted_one_among_them(server: Server) -> None:
    """The message says that it was deleted."""
    one = captured(server)
    well(delete(server, one))
    message = refused(server.post([updating(one, c10="a")], path=BULK_UPDATE))
    assert message.startswith(f"[0].ProspectOpportunityId: the opportunity {one} of type 12000 (")


@pytest.mark.parametrize("path", [BULK_UPDATE, f"{BULK_ADD}?SearchBy=EmailAddress"])
def test_1_to_25_entries(path: str, server: Server) -> None:
    """None, more, and what is no array."""
    one = updating(captured(server), c10="x") if path == BULK_UPDATE else adding("x")
    assert refused(server.post([], path=path)).startswith("The body is an empty array.")
    assert refused(server.post([one] * 26, path=path)) == (
        "The body has 26 entries; one call takes 25. Split them over several calls."
    )
    assert refused(server.post({}, path=path)).startswith("$: Expected array")


# --- add ---------------------------------------------------------------------------------------


def adding(lead_value: Any, *, code: Any = DEAL, **values: Any) -> dict[str, Any]:
    return {
        "SearchByValue": lead_value,
        "OpportunityEventCode": code,
        "Fields": fields(**({"Status": "Open", "c1": "name"} | values)),
    }


def added(server: Server, *entries: dict[str, Any], by: str = "EmailAddress") -> Answer:
    return server.post(list(entries), path=f"{BULK_ADD}?SearchBy={by}")


def a_lead(server: Server, **attributes: Any) -> str:
    """The id of a new lead."""
    one = capture(server, lead=lead(**attributes))["RelatedProspectId"]
    assert isinstance(one, str)
    return one


def test_25_opportunities_are_added(server: Server) -> None:
    """Each to the lead of its value; an entry for each in the answer, in order."""
    emails = [f"{uuid4()}@example.com" for _ in range(2)]
    leads = [a_lead(server, EmailAddress=email) for email in emails]
    entries = [adding(emails[number % 2].upper(), c10=str(number)) for number in range(25)]
    entries[0] |= {"OpportunityNote": "n", "OpportunityOwnerEmail": OWNER_EMAIL}
    answer = well(added(server, *entries))
    assert answer["Message"] == {"AffectedRows": 25}
    rows = answer["Response"]
    assert [one["RelatedProspectId"] for one in rows] == (leads * 13)[:25]
    assert list(rows[0]) == [
        "Status",
        "RelatedProspectId",
        "IsUnique",
        "CreatedOpportunityId",
        "ConflictedOpportunityId",
        "AdditionalDetails",
    ]
    ids = [one["CreatedOpportunityId"] for one in rows]
    assert [value(server, one, "mx_Custom_10") for one in ids] == [str(n) for n in range(25)]
    first = row(server, ids[0], "OpportunityNote,OwnerEmailAddress")
    assert first is not None
    assert (first["OpportunityNote"], first["OwnerEmailAddress"]) == ("n", OWNER_EMAIL)


@pytest.mark.parametrize("name", ["EmailAddress", "phone", "Mobile", "ProspectId"])
def test_leads_are_found_by_any_unique_field(name: str, server: Server) -> None:
    """The name in any case; an id in any form; blanks around a value do not count."""
    values = {"EmailAddress": f"{fresh()}@example.com", "Phone": fresh(), "Mobile": fresh()}
    one = a_lead(server, **values)
    by_name = {key.lower(): text for key, text in values.items()}
    given = by_name.get(name.lower(), one.upper())
    answer = well(added(server, adding(f" {given} "), by=name))
    assert answer["Response"][0]["RelatedProspectId"] == one


def test_duplicates_also_among_the_entries(server: Server) -> None:
    """An entry meets those before it in the same call, as it would those of another call."""
    email, key = f"{fresh()}@example.com", fresh()
    a_lead(server, EmailAddress=email)
    first, second, third = (adding(email, code=UNIQUE, c2=key, c1=fresh()) for _ in range(3))
    third |= {"UpdateEmptyFields": True}
    third["Fields"] += fields(c3="taken")
    answer = well(added(server, first, second, third))
    rows = answer["Response"]
    one = rows[0]["CreatedOpportunityId"]
    assert answer["Message"] == {"AffectedRows": 2}
    assert [entry["IsUnique"] for entry in rows] == [True, False, False]
    assert [entry["ConflictedOpportunityId"] for entry in rows] == [None, one, one]
    actions = [entry["AdditionalDetails"][0]["PostDeDupActionPerformed"] for entry in rows]
    assert actions == [1, 3, 2]
    assert value(server, one, "mx_Custom_3", code=UNIQUE) == "taken"


@pytest.mark.parametrize(
    ("bad", "exception_type", "expected"),
    [
        ({"SearchByValue": " "}, "MXMandatoryAttributeMissing", "'SearchByValue' is mandatory in"),
        (
            {"SearchByValue": "nobody@example.com"},
            "MXInvalidEntity",
            "[1].SearchByValue: there is no lead with EmailAddress 'nobody@example.com'. Capture",
        ),
        ({"OpportunityEventCode": 7}, "MXInvalidEntityReference", "[1].OpportunityEventCode: '7'"),
        (
            {"OpportunityOwnerEmail": "nobody@example.com"},
            "MXInvalidEntity",
            "[1].OpportunityOwnerEmail: 'nobody@example.com' is no user here.",
        ),
        (
            {"Fields": fields(Status="Open")},
            "MXInvalidActivityFields",
            "Field name : 'mx_Custom_1' of datatype : 'String' is mandatory. Add it to [1].Fields.",
        ),
        (
            {
                "Fields": fields(Status="Open", c1="x", Owner=OWNER_EMAIL),
                "OpportunityOwnerEmail": OWNER_EMAIL,
            },
            "MXInvalidInput",
            "[1].OpportunityOwnerEmail: 'Owner' also has a value in [1].Fields[2].Value.",
        ),
    ],
)
def test_one_bad_addition_refuses_all(
    bad: dict[str, Any], exception_type: str, expected: str, server: Server
) -> None:
    """The message names the entry, and nothing is created."""
    email, key = f"{fresh()}@example.com", fresh()
    a_lead(server, EmailAddress=email)
    entries = [adding(email, code=UNIQUE, c2=key), adding(email)]
    entries[1] |= bad
    answer = added(server, *entries)
    assert refused(answer).startswith(expected), answer.message
    assert answer.exception_type == f"{exception_type}Exception"
    assert well(added(server, entries[0]))["Response"][0]["IsUnique"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "'SearchBy' is mandatory in the query"),
        ("?SearchBy=FirstName", "query parameter 'SearchBy': 'FirstName' is no unique field of a"),
    ],
)
def test_search_by_names_a_unique_field(query: str, expected: str, server: Server) -> None:
    """Missing, or a field that is not unique."""
    answer = server.post([adding("x")], path=f"{BULK_ADD}{query}")
    assert refused(answer).startswith(expected)


@pytest.mark.parametrize("path", [BULK_UPDATE, f"{BULK_ADD}?SearchBy=EmailAddress"])
def test_a_reader_cannot_write_in_bulk(path: str, server: Server, folder: Path) -> None:
    """403, whatever the body is."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    assert server.post([], path=path, keys=keys).status == 403
