"""``Capture``: a new opportunity and its lead, unless the opportunity is there already."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.contract.model import Lead
from tests.support import writing
from tests.support.running import Answer, Server
from tests.support.writing import (
    BULK_ADD,
    CAPTURE,
    DEAL,
    OWNER_EMAIL,
    capture,
    captured,
    capturing,
    fresh,
    lead,
    row,
    store_of,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STORED_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def lead_of(folder: Path, one: str) -> Lead:
    store = store_of(folder)
    found = store.write(lambda transaction: transaction.leads([one]))[one]
    store.close()
    return found


def refused(server: Server, message: Any) -> Answer:
    """The answer to a capture that is refused; nothing is written by it."""
    answer = server.post(message, path=CAPTURE)
    assert 400 <= answer.status < 500, answer.body
    assert answer.json["Status"] == "Error"
    return answer


# --- the answer


def test_a_new_opportunity_of_a_new_lead(server: Server) -> None:
    """The answer has the known members in their order, and 0 as its status."""
    answer = server.post(capturing(), path=CAPTURE, X_Request_Id="request-1")
    assert list(well(answer)) == [
        "Status",
        "PrimaryAction",
        "SecondaryAction",
        "ExceptionType",
        "ExceptionMessage",
        "RequestId",
        "RelatedProspectId",
        "IsUnique",
        "CreatedOpportunityId",
        "ConflictedOpportunityId",
        "AdditionalDetails",
        "OverwriteFields",
        "UpdateEmptyFields",
        "DoNotPostDuplicateActivity",
        "DoNotChangeOwner",
    ]
    message = answer.json
    assert GUID.fullmatch(message.pop("RelatedProspectId"))
    assert GUID.fullmatch(message.pop("CreatedOpportunityId"))
    [details] = message.pop("AdditionalDetails")
    assert details["PostDeDupActionPerformed"] == 1
    assert GUID.fullmatch(details["ActivityId"])
    assert message == {
        "Status": 0,
        "PrimaryAction": 1,
        "SecondaryAction": 1,
        "ExceptionType": None,
        "ExceptionMessage": None,
        "RequestId": "request-1",
        "IsUnique": True,
        "ConflictedOpportunityId": None,
        "OverwriteFields": False,
        "UpdateEmptyFields": False,
        "DoNotPostDuplicateActivity": False,
        "DoNotChangeOwner": False,
    }


def test_what_was_captured_is_read_at_once(server: Server) -> None:
    """The next bulk read has the values, the lead's address, the caller and the dates."""
    done = capture(
        server,
        lead=lead(EmailAddress="Read@example.com"),
        values={"c1": "Name", "c2": "negotiation", "c3": "web", "c6": "200,000", "c9": True},
        OpportunityNote="a note",
    )
    found = row(
        server,
        done["CreatedOpportunityId"],
        "Status,OpportunityNote,mx_Custom_1,mx_Custom_2,mx_Custom_3,mx_Custom_6,mx_Custom_9",
        "Owner,CreatedBy,ModifiedBy,CreatedOn,ModifiedOn,EventCode",
    )
    assert found is not None
    assert found.pop("CreatedOn") == found.pop("ModifiedOn")
    by = found.pop("CreatedBy")
    assert found.pop("ModifiedBy") == by
    assert by is not None
    assert GUID.fullmatch(by)
    assert found == {
        "ProspectId": done["RelatedProspectId"],
        "EmailAddress": "Read@example.com",
        "ProspectActivityId": done["CreatedOpportunityId"],
        "EventCode": str(DEAL),
        "Status": "Open",
        "OpportunityNote": "a note",
        "mx_Custom_1": "Name",
        "mx_Custom_2": "Negotiation",
        "mx_Custom_3": "Web",
        "mx_Custom_6": "200000",
        "mx_Custom_9": "1",
        "Owner": None,
        "OwnerEmailAddress": None,
    }


def test_the_flags_are_echoed(server: Server) -> None:
    """Flags are answered as booleans, also where they were sent as text or number."""
    done = capture(
        server,
        OverwriteFields="true",
        UpdateEmptyFields="0",
        DoNotPostDuplicateActivity=1,
        DoNotChangeOwner=None,
    )
    assert [done["OverwriteFields"], done["UpdateEmptyFields"]] == [True, False]
    assert [done["DoNotPostDuplicateActivity"], done["DoNotChangeOwner"]] == [True, False]


@pytest.mark.parametrize(
    ("overwrite", "update_empty"),
    [
        pytest.param(True, True, id="C11"),
        pytest.param("true", 1, id="C11-text-and-number"),
        pytest.param("1", "TRUE", id="C11-texts"),
        pytest.param(1, True, id="C11-number"),
    ],
)
def test_two_flags_that_contradict_each_other_are_refused(
    overwrite: Any, update_empty: Any, server: Server
) -> None:
    """OverwriteFields with UpdateEmptyFields: a 400 in Capture and in Bulk/Add, nothing written."""
    both = {"OverwriteFields": overwrite, "UpdateEmptyFields": update_empty}
    phone = fresh()
    answer = refused(server, capturing(lead=lead(Phone=phone), **both))
    assert answer.exception_type == "MXInvalidInputException"
    assert "Opportunity: OverwriteFields and UpdateEmptyFields are both true" in answer.message
    one = captured(server, lead=lead(Phone=phone))
    addition = {"SearchByValue": phone, "OpportunityEventCode": DEAL, **both}
    answer = server.post([addition], path=f"{BULK_ADD}?SearchBy=Phone")
    assert (answer.status, answer.exception_type) == (400, "MXInvalidInputException")
    assert "[0]: OverwriteFields and UpdateEmptyFields are both true" in answer.message
    kept = {"OverwriteFields": overwrite, "UpdateEmptyFields": False}
    assert captured(server, lead=lead(Phone=phone), **kept) != one


def test_the_opportunity_s_date_is_its_created_on(server: Server) -> None:
    """In any form of a date; it was modified now."""
    one = captured(server, OpportunityDateTime="2021-11-24 13:17:20")
    assert value(server, one, "CreatedOn") == "11/24/2021 1:17:20 PM"
    assert value(server, one, "ModifiedOn") != "11/24/2021 1:17:20 PM"


# --- the lead


def test_a_lead_is_found_and_takes_what_is_given(server: Server, folder: Path) -> None:
    """By the address in any case; other attributes stay; null clears; its ModifiedOn is now."""
    email = f"{uuid4()}@example.com"
    first = capture(
        server,
        lead=lead(
            EmailAddress=email, FirstName="Ada", Phone=" 123 ", mx_City="Rome", Company="A & B"
        ),
    )
    second = capture(
        server,
        lead=lead(
            SearchBy="EmailAddress", EmailAddress=email.upper(), LastName="L", Phone=None, mx_Age=7
        ),
    )
    assert (first["SecondaryAction"], second["SecondaryAction"]) == (1, 2)
    assert second["RelatedProspectId"] == first["RelatedProspectId"]
    found = lead_of(folder, first["RelatedProspectId"])
    assert found.created_on is not None
    assert STORED_DATE.fullmatch(found.created_on)
    assert found.modified_on is not None
    assert found == Lead(
        id=first["RelatedProspectId"],
        email=email.upper(),
        first_name="Ada",
        last_name="L",
        created_on=found.created_on,
        modified_on=found.modified_on,
        attributes={"mx_City": "Rome", "Company": "A & B", "mx_Age": "7"},
    )


def test_a_lead_s_new_address_is_that_of_its_opportunities(server: Server) -> None:
    """In the same transaction: also those that were there before have it."""
    phone = fresh()
    first = captured(server, lead=lead(Phone=phone, EmailAddress=f"{fresh()}@example.com"))
    email = f"{fresh()}@example.com"
    second = captured(server, lead=lead(SearchBy="Phone", Phone=phone, EmailAddress=email))
    assert value(server, first, "EmailAddress") == email
    assert value(server, second, "EmailAddress") == email


def test_without_search_by_address_then_phone_then_mobile(server: Server) -> None:
    """The first of them that somebody has finds the lead."""
    email, phone, mobile = f"{fresh()}@example.com", fresh(), fresh()
    by_phone = capture(server, lead=lead(Phone=phone))["RelatedProspectId"]
    by_mobile = capture(server, lead=lead(Mobile=mobile))["RelatedProspectId"]

    def found(**attributes: str) -> Any:
        return capture(server, lead=lead(**attributes))["RelatedProspectId"]

    assert found(EmailAddress=email, Mobile=mobile) == by_mobile
    assert found(EmailAddress=email, Phone=phone) == by_mobile
    assert found(Mobile=fresh(), Phone=fresh(), email=email.upper()) == by_mobile
    assert found(Mobile=fresh(), **{"Phone Number": phone, "Email": ""}) == by_phone


def test_search_by_looks_for_that_field_alone(server: Server) -> None:
    """Another field of the list does not find the lead."""
    phone, mobile = fresh(), fresh()
    first = capture(server, lead=lead(Phone=phone))
    second = capture(server, lead=lead(SearchBy="mobile", Mobile=mobile, Phone=phone))
    assert second["SecondaryAction"] == 1
    assert second["RelatedProspectId"] != first["RelatedProspectId"]


def test_a_lead_is_found_by_its_id(server: Server) -> None:
    """In any form of a GUID, with SearchBy ProspectId or without."""
    one = capture(server)["RelatedProspectId"]
    for details in (
        lead(ProspectID=one, SearchBy="ProspectId"),
        lead(ProspectId=one.upper().replace("-", ""), Phone=fresh()),
    ):
        done = capture(server, lead=details)
        assert (done["RelatedProspectId"], done["SecondaryAction"]) == (one, 2)


def test_an_unknown_id_is_taken_when_it_may_be(server: Server) -> None:
    """``__UseUserDefinedGuid__`` makes it the new lead's; without it the capture is refused."""
    one = str(uuid4())
    details = lead(ProspectID=one, SearchBy="ProspectId")
    answer = refused(server, capturing(lead=details))
    assert answer.exception_type == "MXInvalidEntityException"
    assert "__UseUserDefinedGuid__" in answer.message
    done = capture(server, lead=[*details, *lead(__UseUserDefinedGuid__="true")])
    assert (done["RelatedProspectId"], done["SecondaryAction"]) == (one, 1)


def test_a_lead_s_owner_is_a_user(server: Server, folder: Path) -> None:
    """By id or address; an unknown user is refused."""
    done = capture(server, lead=lead(Phone=fresh(), OwnerId=OWNER_EMAIL.upper()))
    found = lead_of(folder, done["RelatedProspectId"])
    assert found.owner_id is not None
    again = capture(server, lead=lead(Phone=fresh(), Owner=found.owner_id))
    assert lead_of(folder, again["RelatedProspectId"]).owner_id == found.owner_id
    answer = refused(server, capturing(lead=lead(Phone=fresh(), OwnerId="nobody@example.com")))
    assert answer.message.startswith("LeadDetails: OwnerId 'nobody@example.com' is no user here.")


def test_two_leads_do_not_get_one_address(server: Server) -> None:
    """A lead that would take the address of another is refused, new or not."""
    email, phone = f"{fresh()}@example.com", fresh()
    capture(server, lead=lead(EmailAddress=email))
    capture(server, lead=lead(Phone=phone))
    for number in (phone, fresh()):
        answer = refused(
            server,
            capturing(lead=lead(SearchBy="Phone", Phone=number, EmailAddress=email.upper())),
        )
        assert answer.exception_type == "MXDuplicateEntryException"
        assert answer.message.startswith("A Lead with same Email already exists.")
        assert "is that of the lead" in answer.message
