"""``Lead.Capture``, ``Lead.Create`` and ``Lead/Bulk/CreateOrUpdate`` over a socket."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support import writing
from tests.support.lead_calls import SERVICE, by_id, known, refused, saved
from tests.support.running import Answer, Server
from tests.support.writing import OWNER_EMAIL, fresh, lead, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

CAPTURE = f"{SERVICE}/Lead.Capture"
CREATE = f"{SERVICE}/Lead.Create"
BULK = f"{SERVICE}/Lead/Bulk/CreateOrUpdate"


def captured(server: Server, query: str = "", **attributes: Any) -> tuple[str, bool]:
    """The id of the lead of a capture, and whether it is new."""
    answer = well(server.post(lead(**attributes), path=f"{CAPTURE}{query}"))
    message = answer["Message"]
    assert list(message) == ["Id", "RelatedId", "IsCreated"]
    assert message["Id"] == message["RelatedId"]
    return message["RelatedId"], message["IsCreated"]


def address() -> str:
    return f"{fresh().replace(' ', '')}@example.com"


# --- Lead.Capture ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"FirstName": "Jane"}, id="C12-name"),
        pytest.param({"mx_City": "Pune"}, id="C12-custom"),
        pytest.param({"EmailAddress": "{fresh}@example.com", "FirstName": "Jane"}, id="C12-email"),
        pytest.param({"Phone Number": "{fresh}", "Owner": OWNER_EMAIL}, id="C12-display-names"),
    ],
)
def test_a_lead_that_is_not_found_is_created(attributes: dict[str, str], server: Server) -> None:
    """No attribute is mandatory by its name."""
    sent = {name: one.format(fresh=fresh()) for name, one in attributes.items()}
    one, is_new = captured(server, **sent)
    assert is_new
    assert set(sent.values()) - {OWNER_EMAIL} <= set(known(server, one).values())


def test_a_captured_lead_is_found_by_id_then_address_then_phone(server: Server) -> None:
    """The first that somebody has finds the lead, which takes all attributes."""
    email, phone = address(), fresh()
    by_phone, _ = captured(server, Phone=phone)
    assert captured(server, Phone=phone, FirstName="A") == (by_phone, False)
    by_email, is_new = captured(server, EmailAddress=email)
    assert is_new
    assert captured(server, EmailAddress=email.upper(), LastName="B") == (by_email, False)
    assert captured(server, ProspectID=by_email, mx_City="C") == (by_email, False)
    assert captured(server, ProspectID=by_email, EmailAddress=email) == (by_email, False)
    row = known(server, by_email)
    assert (row["LastName"], row["mx_City"]) == ("B", "C")
    assert known(server, by_phone)["FirstName"] == "A"
    other = address()
    assert captured(server, EmailAddress=other, Phone=phone) == (by_phone, False)
    assert known(server, by_phone)["EmailAddress"] == other


def test_a_lead_of_the_id_with_another_address_is_another_lead(server: Server) -> None:
    """A new lead, or the lead that has the address; the lead of the id stays as it is."""
    first, second = address(), address()
    one, _ = captured(server, EmailAddress=first)
    two, is_new = captured(server, ProspectID=one, EmailAddress=second, FirstName="New")
    assert is_new
    assert two != one
    assert captured(server, ProspectID=one, EmailAddress=second) == (two, False)
    assert known(server, one)["EmailAddress"] == first
    without, _ = captured(server, FirstName="No address")
    assert captured(server, ProspectID=without, EmailAddress=address()) == (without, False)


def test_an_unknown_id_is_that_of_the_new_lead(server: Server) -> None:
    """A visitor keeps the id, unless another lead has the address."""
    visitor, email = str(uuid4()), address()
    assert captured(server, ProspectID=visitor.upper(), FirstName="V") == (visitor, True)
    one, _ = captured(server, EmailAddress=email)
    assert captured(server, ProspectID=str(uuid4()), EmailAddress=email) == (one, False)


@pytest.mark.parametrize("place", ["body", "query"])
def test_search_by_has_priority_in_a_capture(place: str, server: Server) -> None:
    """It may be in the query too; what belongs to another lead is refused."""
    email, phone = address(), fresh()
    by_phone, _ = captured(server, Phone=phone)
    captured(server, EmailAddress=email)
    query = "?SearchBy=Phone" if place == "query" else ""
    more = {"SearchBy": "Phone"} if place == "body" else {}
    assert captured(server, query, **more, Phone=phone, FirstName="P") == (by_phone, False)
    answer = server.post(lead(**more, Phone=phone, EmailAddress=email), path=f"{CAPTURE}{query}")
    refused(answer, "DuplicateEntry", "A Lead with same Email already exists.")
    assert "EmailAddress" not in known(server, by_phone)


def test_each_behavior_of_a_capture(server: Server) -> None:
    """A lead that is found takes all attributes, none, only what it lacks, or not the unique."""
    email, phone = address(), fresh()
    one, _ = captured(server, EmailAddress=email, Phone=phone, FirstName="A")
    sent = {"EmailAddress": email, "Phone": fresh(), "FirstName": "B", "mx_City": "Pune"}

    def after(query: str) -> list[str | None]:
        assert captured(server, query, **sent) == (one, False)
        row = known(server, one)
        return [row.get(name) for name in ("Phone", "FirstName", "mx_City")]

    assert after("?LeadUpdateBehavior=DoNotUpdate") == [phone, "A", None]
    assert after("?leadUpdateBehavior=updateonlyemptyfields") == [phone, "A", "Pune"]
    assert after("?LeadUpdateBehavior=DoNotUpdateUniqueFields") == [phone, "B", "Pune"]
    assert after("") == [sent["Phone"], "B", "Pune"]


def test_a_lead_that_is_captured_again_keeps_its_source(server: Server) -> None:
    """A lead without one takes it."""
    phone = fresh()
    one, _ = captured(server, Phone=phone)
    for source in ("Web", "Shop"):
        assert captured(server, Phone=phone, Source=source, ProspectStage=source) == (one, False)
        row = known(server, one)
        assert (row["Source"], row["ProspectStage"]) == ("Web", source)


def test_a_refused_capture_writes_nothing(server: Server) -> None:
    """Another lead's number, an unknown attribute, an empty list, a wrong parameter."""
    phone, email = fresh(), address()
    captured(server, Phone=phone)
    one, _ = captured(server, EmailAddress=email)
    both = lead(EmailAddress=email, Phone=phone, FirstName="no")
    refused(
        server.post(both, path=CAPTURE), "DuplicateEntry", "A Lead with same Phone Number already"
    )
    answer = server.post(lead(EmailAddress=email, Fone="1", FirstName="no"), path=CAPTURE)
    refused(answer, "UnknownAttribute", "Attribute(s) does not exist - Fone")
    answer = server.post(both, path=f"{CAPTURE}?LeadUpdateBehavior=Never")
    refused(answer, "InvalidInput", "'Never' is unknown. Expected DoNotUpdate,")
    answer = server.post(lead(SearchBy="Phone", Phone=phone), path=f"{CAPTURE}?SearchBy=Mobile")
    refused(answer, "InvalidInput", "'SearchBy': 'Mobile', but $ has SearchBy 'Phone'")
    refused(server.post([], path=CAPTURE), "MandatoryAttributeMissing", "$ has no attribute")
    assert "FirstName" not in known(server, one)


# --- Lead.Create -------------------------------------------------------------------------------


def create(server: Server, **attributes: Any) -> Answer:
    return server.post(lead(**attributes), path=CREATE)


def test_a_lead_is_created(server: Server) -> None:
    """The answer has its id alone; a name is enough, and two leads may have it."""
    ids = set()
    for _ in range(2):
        answer = well(create(server, LastName="Hewitt", mx_City="Pune"))
        assert list(answer["Message"]) == ["Id"]
        ids.add(answer["Message"]["Id"])
    assert len(ids) == 2
    assert {known(server, one)["LastName"] for one in ids} == {"Hewitt"}


@pytest.mark.parametrize(
    ("name", "called"),
    [
        pytest.param("EmailAddress", "Email", id="C10-email"),
        pytest.param("Email", "Email", id="C10-email-by-display-name"),
        pytest.param("Phone", "Phone Number", id="C10-phone"),
        pytest.param("Phone Number", "Phone Number", id="C10-phone-by-display-name"),
    ],
)
def test_a_lead_with_the_values_of_another_is_not_created(
    name: str, called: str, server: Server
) -> None:
    """The exception type and the text that programs branch on."""
    taken = address()
    well(create(server, **{name: taken}))
    answer = create(server, **{name: taken.upper() if "mail" in name else taken})
    refused(answer, "DuplicateEntry", f"A Lead with same {called} already exists.")


def test_a_new_lead_has_an_id_of_its_own(server: Server) -> None:
    """An id that is sent is taken when it may be, and when no lead has it."""
    one = str(uuid4())
    refused(create(server, ProspectID=one, FirstName="A"), "InvalidEntity", "__UseUserDefinedGuid")
    taken = {"ProspectID": one, "__UseUserDefinedGuid__": "true", "FirstName": "A"}
    assert well(create(server, **taken))["Message"]["Id"] == one
    refused(create(server, **taken), "DuplicateEntry", "A Lead with same ProspectID already exists")


@pytest.mark.parametrize(
    ("attributes", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "$ has none of FirstName, LastName, EmailAddress, Phone"),
        ({"Mobile": "1", "Company": "x"}, "MandatoryAttributeMissing", "$ has none of FirstName"),
        ({"FirstName": ""}, "MandatoryAttributeMissing", "$ has none of FirstName"),
        ({"FirstName": "x", "Nme": "y"}, "UnknownAttribute", "does not exist - Nme"),
        ({"FirstName": "x", "SearchBy": "Phone"}, "InvalidInput", "takes no SearchBy"),
    ],
)
def test_a_new_lead_that_cannot_be_is_refused(
    attributes: dict[str, str], exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake, named with its place."""
    refused(create(server, **attributes), exception_type, expected)


# --- Lead/Bulk/CreateOrUpdate ------------------------------------------------------------------


def test_leads_are_created_and_updated_in_bulk(server: Server) -> None:
    """A row for each, in order; each sees those before it."""
    email = address()
    there = saved(server, Phone=fresh(), EmailAddress=email)
    new = fresh()
    rows = server.post(
        [
            lead(EmailAddress=email, FirstName="A"),
            lead(Phone=new, FirstName="B"),
            lead(SearchBy="Phone", Phone=new, LastName="C"),
        ],
        path=BULK,
    ).json
    assert [row["RowNumber"] for row in rows] == [1, 2, 3]
    assert [row["LeadCreated"] for row in rows] == [False, True, False]
    assert [row["LeadUpdated"] for row in rows] == [True, False, True]
    assert [row["AffectedRows"] for row in rows] == [1, 1, 1]
    assert rows[0]["LeadId"] == there
    assert rows[1]["LeadId"] == rows[2]["LeadId"]
    assert known(server, there)["FirstName"] == "A"
    row = known(server, rows[1]["LeadId"])
    assert (row["FirstName"], row["LastName"]) == ("B", "C")


def test_a_lead_that_is_refused_in_bulk_is_named_in_its_place(server: Server) -> None:
    """Under 200; the others are written, and a repeated call with a key changes nothing."""
    taken, email = fresh(), address()
    saved(server, Phone=taken)
    one = saved(server, EmailAddress=email)
    body = [
        lead(EmailAddress=email, Phone=taken, FirstName="no"),
        lead(Fone="1"),
        lead(FirstName="no unique field"),
        lead(Phone=fresh(), OwnerId="nobody@example.com"),
        lead(Phone=fresh(), FirstName="yes"),
    ]
    key = str(uuid4())
    answer = server.post(body, path=BULK, Idempotency_Key=key)
    rows = answer.json
    assert [row.get("ExceptionType") for row in rows] == [
        "MXDuplicateEntryException",
        "MXUnknownAttributeException",
        "MXMandatoryAttributeMissingException",
        "MXInvalidEntityException",
        None,
    ]
    assert rows[0]["ErrorMessage"].startswith("A Lead with same Phone Number already exists. $[0]")
    assert "$[1][0].Attribute" in rows[1]["ErrorMessage"]
    failed = {"LeadId": "", "LeadCreated": False, "LeadUpdated": False, "AffectedRows": 0}
    assert all(failed.items() <= row.items() for row in rows[:4])
    assert "FirstName" not in known(server, one)
    assert known(server, rows[4]["LeadId"])["FirstName"] == "yes"
    again = server.post(body, path=BULK, Idempotency_Key=key)
    assert again.body == answer.body
    assert again.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "exception_type", "expected"),
    [
        ([], "MandatoryAttributeMissing", "empty array"),
        ([lead(FirstName="x")] * 26, "LimitExceeded", "26 entries; one call takes 25"),
        (lead(Phone="1"), "InvalidDataType", "$[0]: Expected array"),
        ([[{"Attribute": "Phone", "Value": []}]], "InvalidDataType", "$[0][0].Value"),
    ],
)
def test_a_bulk_write_of_leads_that_cannot_be_is_refused(
    body: Any, exception_type: str, expected: str, server: Server
) -> None:
    """The whole call is refused when its body is not 1 to 25 leads."""
    refused(server.post(body, path=BULK), exception_type, expected)
    assert by_id(server, str(uuid4())) == []
