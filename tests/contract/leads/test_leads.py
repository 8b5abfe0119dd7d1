"""``Lead.CreateOrUpdate`` and ``Lead.Update`` over a socket."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support import writing
from tests.support.lead_calls import SAVE, SERVICE, change, known, refused, save, saved
from tests.support.running import Server
from tests.support.writing import OWNER_EMAIL, UNKNOWN_ID, capture, fresh, lead, value, well

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

# --- create or update --------------------------------------------------------------------------


def test_a_lead_is_created_then_updated(server: Server) -> None:
    """The answer tells its id and whether it was created; what is not sent stays as it is."""
    email = f"{fresh()}@example.com"
    answer = well(save(server, EmailAddress=email, FirstName="Jane", mx_City="Pune"))
    one = answer["Message"]["Id"]
    assert answer == {
        "Status": "Success",
        "Message": {"Id": one, "AffectedRows": 1, "IsCreated": True},
    }
    again = well(save(server, EmailAddress=email.upper(), LastName="Hewitt"))
    assert again["Message"] == {"Id": one, "AffectedRows": 1, "IsCreated": False}
    row = known(server, one)
    assert row.pop("CreatedOn") <= row.pop("ModifiedOn") == row.pop("LeadLastModifiedOn")
    assert row == {
        "ProspectID": one,
        "FirstName": "Jane",
        "LastName": "Hewitt",
        "EmailAddress": email.upper(),
        "mx_City": "Pune",
    }


def test_display_names_and_any_case_are_taken(server: Server) -> None:
    """Display names are taken as clients write them; a custom name keeps its spelling."""
    phone = fresh()
    one = saved(server, **{"phone number": phone, " first name ": "Jane", "LEAD STAGE": "New"})
    row = known(server, one)
    assert (row["Phone"], row["FirstName"], row["ProspectStage"]) == (phone, "Jane", "New")


def test_values_of_other_types_become_text(server: Server) -> None:
    """Numbers are plain decimals; empty and null clear."""
    one = saved(server, Phone=fresh(), Score=12.50, mx_Count=10**20, mx_Flag=True, mx_Old="x")
    row = known(server, one)
    assert (row["Score"], row["mx_Count"], row["mx_Flag"]) == ("12.5", str(10**20), "true")
    well(change(server, one, Score=None, mx_Old=""))
    assert {"Score", "mx_Old"}.isdisjoint(known(server, one))


def test_without_search_by_address_then_phone_then_mobile(server: Server) -> None:
    """The first of them that somebody has finds the lead."""
    email, phone, mobile = f"{fresh()}@example.com", fresh(), fresh()
    one = saved(server, Mobile=mobile)
    assert saved(server, Phone=phone, Mobile=mobile) == one
    assert saved(server, EmailAddress=email, Phone=phone) == one
    assert saved(server, EmailAddress=email) == one


def test_search_by_looks_for_that_field_alone(server: Server) -> None:
    """The others are what the lead is to have."""
    email, mobile = f"{fresh()}@example.com", fresh()
    first = saved(server, EmailAddress=email, Mobile=mobile)
    other = f"{fresh()}@example.com"
    second = saved(server, SearchBy="EmailAddress", EmailAddress=other, Mobile=mobile)
    assert second != first
    assert saved(server, SearchBy="mobile", Mobile=fresh(), Phone=fresh()) not in (first, second)


def test_a_lead_is_found_by_its_id(server: Server) -> None:
    """A GUID in any form, with SearchBy ProspectId or without, finds the lead that has it."""
    one = saved(server, Phone=fresh())
    assert saved(server, ProspectID="{" + one.upper() + "}", SearchBy="ProspectId") == one
    assert saved(server, ProspectId=one, EmailAddress=f"{fresh()}@example.com") == one
    new = str(uuid4())
    answer = save(server, ProspectID=new, SearchBy="ProspectId")
    refused(answer, "InvalidEntity", "__UseUserDefinedGuid__")
    assert saved(server, ProspectID=new, __UseUserDefinedGuid__="true") == new


@pytest.mark.parametrize("_row", [pytest.param(None, id="C10")])
def test_what_belongs_to_another_lead_is_refused(_row: None, server: Server) -> None:
    """An address or a phone number; the other lead is named, and nothing is written."""
    email, phone = f"{fresh()}@example.com", fresh()
    by_email, by_phone = saved(server, EmailAddress=email), saved(server, Phone=phone)
    for answer in (
        save(server, EmailAddress=email, Phone=phone, FirstName="no"),
        change(server, by_email, Phone=phone, FirstName="no"),
        save(server, ProspectID=by_email, Phone=phone, FirstName="no"),
    ):
        refused(answer, "DuplicateEntry", f"Phone '{phone}' is that of the lead {by_phone}")
        assert answer.message.startswith("A Lead with same Phone Number already exists.")
    refused(
        change(server, by_phone, EmailAddress=email.upper()),
        "DuplicateEntry",
        f"EmailAddress '{email.upper()}' is that of the lead {by_email}",
    )
    assert "FirstName" not in known(server, by_email)
    assert "EmailAddress" not in known(server, by_phone)
    well(change(server, by_phone, Phone=phone))


def test_the_owner_is_a_user_of_this_server(server: Server) -> None:
    """By id or by address; the lead tells the owner's name and address."""
    one = saved(server, Phone=fresh(), OwnerId=OWNER_EMAIL)
    row = known(server, one)
    assert row["OwnerIdName"] == row["OwnerIdEmailAddress"] == OWNER_EMAIL
    other = saved(server, Phone=fresh(), Owner=row["OwnerId"].upper())
    assert known(server, other)["OwnerId"] == row["OwnerId"]
    for nobody in ("nobody@example.com", UNKNOWN_ID, "Ada"):
        answer = save(server, Phone=fresh(), OwnerId=nobody)
        refused(answer, "InvalidEntity", f"$: OwnerId '{nobody}' is no user here")


def test_a_changed_address_is_on_the_opportunities_at_once(server: Server) -> None:
    """The lead's opportunities answer the new one with the next read."""
    done = capture(server)
    one = done["CreatedOpportunityId"]
    new = f"{fresh()}@example.com"
    well(change(server, done["RelatedProspectId"], EmailAddress=new))
    assert value(server, one, "EmailAddress") == new


def test_a_write_of_a_lead_is_safe_to_repeat(server: Server) -> None:
    """With a key, the same answer, and nothing is written twice."""
    message, key = lead(Phone=fresh()), str(uuid4())
    first = server.post(message, path=SAVE, Idempotency_Key=key)
    again = server.post(message, path=SAVE, Idempotency_Key=key)
    assert first.body == again.body
    assert again.headers["idempotent-replayed"] == "true"


def test_post_updated_lead_is_accepted(server: Server) -> None:
    """There are no automations that it could start."""
    answer = server.post(lead(Phone=fresh()), path=f"{SAVE}?postUpdatedLead=true")
    assert answer.json["Message"]["IsCreated"] is True


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        ({}, "InvalidDataType", "$: Expected array"),
        ([], "MandatoryAttributeMissing", "$ has no unique field with a value"),
        (lead(FirstName="x", Phone=" "), "MandatoryAttributeMissing", "$ has no unique field"),
        ([{"Value": 1}], "MandatoryAttributeMissing", "'Attribute' is mandatory in $[0]"),
        ([{"Attribute": "Phone"}], "MandatoryAttributeMissing", "'Value' is mandatory in $[0]"),
        (
            lead(Phone="1", Fone="2"),
            "UnknownAttribute",
            "Attribute(s) does not exist - Fone ($[1].Attribute). Did you mean Phone?",
        ),
        (
            lead(Phone="1", **{"Phone Number": "2"}),
            "InvalidInput",
            "$[1].Attribute: 'Phone Number' is named twice",
        ),
        (lead(Phone="1", ModifiedOn="x"), "InvalidInput", "$[1].Attribute: ModifiedOn is set by"),
        (
            lead(Phone="1", SearchBy="ProspectStage"),
            "InvalidInput",
            "$: Invalid SearchBy value provided: 'ProspectStage'",
        ),
        (lead(ProspectID="7"), "InvalidInput", "$: ProspectID: '7' is not a GUID"),
        (lead(Phone="\0"), "InvalidActivityFields", "$[0].Value has the character U+0000"),
        (
            [*lead(Phone="1"), {"Attribute": "mx_Set", "Value": "", "Fields": [{}]}],
            "UnknownAttribute",
            "$[1].Fields[0]: '' is no member of a custom field set",
        ),
        (
            [*lead(Phone="1"), {"Attribute": "Company", "Fields": lead(mx_CustomObject_1="x")}],
            "InvalidInput",
            "$[1].Fields: 'Company' is no custom attribute",
        ),
        (
            lead(**{f"mx_{number}": "x" for number in range(251)}),
            "LimitExceeded",
            "$ has 251 attributes; a lead takes 250",
        ),
    ],
)
def test_a_bad_lead_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake."""
    refused(server.post(message, path=SAVE), exception_type, expected)


def test_a_lead_takes_no_more_attributes_than_a_row_has(server: Server) -> None:
    """Call after call, too: what is stored counts."""
    phone = fresh()
    one = saved(server, Phone=phone, **{f"mx_a{number}": "x" for number in range(249)})
    answer = change(server, one, mx_b="x", mx_c="x")
    refused(answer, "LimitExceeded", "the lead would have 251 attributes")
    well(change(server, one, mx_b="x"))


# --- update ------------------------------------------------------------------------------------


def test_a_lead_is_updated_by_its_id(server: Server) -> None:
    """No unique field is needed, and the answer tells the number alone."""
    one = saved(server, Phone=fresh())
    answer = well(change(server, one, FirstName="Jane"))
    assert answer == {"Status": "Success", "Message": {"AffectedRows": 1}}
    assert known(server, one)["FirstName"] == "Jane"


@pytest.mark.parametrize(
    ("query", "exception_type", "expected"),
    [
        ("", "MandatoryAttributeMissing", "'leadId' is mandatory"),
        ("?leadId=7", "InvalidInput", "query parameter 'leadId': '7' is not a GUID"),
        (f"?LEADID={UNKNOWN_ID}", "InvalidEntity", "Lead does not exist in the system"),
    ],
)
def test_an_update_needs_a_lead_that_is_here(
    query: str, exception_type: str, expected: str, server: Server
) -> None:
    """The error names what is wrong with the id."""
    answer = server.post(lead(FirstName="x"), path=f"{SERVICE}/Lead.Update{query}")
    refused(answer, exception_type, expected)


def test_an_update_does_not_change_the_id(server: Server) -> None:
    """Another ProspectID among the attributes is a mistake."""
    one = saved(server, Phone=fresh())
    refused(change(server, one, ProspectID=UNKNOWN_ID), "InvalidEntity", f"the lead found is {one}")
    well(change(server, one, ProspectID=one))
