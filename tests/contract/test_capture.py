"""``Capture``: a new opportunity and its lead, unless the opportunity is there already."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.contract.activities import DUPLICATE_DETECTED, OPPORTUNITY_CAPTURED
from oppserver.contract.model import Lead
from oppserver.store.port import Session
from tests import writing
from tests.running import Answer, Server, create_key
from tests.writing import (
    CAPTURE,
    DEAL,
    OWNER_EMAIL,
    UNIQUE,
    UNKNOWN_ID,
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

folder, server = writing.folder, writing.server

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STORED_DATE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")


def lead_of(folder: Path, one: str) -> Lead:
    store = store_of(folder)
    found = store.write(lambda session: session.leads([one]))[one]
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
    """As booleans, also where they were sent as text or number."""
    done = capture(
        server,
        OverwriteFields="true",
        UpdateEmptyFields=1,
        DoNotPostDuplicateActivity=True,
        DoNotChangeOwner=None,
    )
    assert [done["OverwriteFields"], done["UpdateEmptyFields"]] == [True, True]
    assert [done["DoNotPostDuplicateActivity"], done["DoNotChangeOwner"]] == [True, False]


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
    """By id or address; somebody who is none is refused."""
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
        assert answer.exception_type == "MXInvalidEntityException"
        assert "is that of the lead" in answer.message


# --- duplicates


def of_unique(lead_id: str, **values: Any) -> dict[str, Any]:
    return {
        "code": UNIQUE,
        "lead": lead(ProspectID=lead_id, SearchBy="ProspectId"),
        "values": values,
    }


def test_a_duplicate_is_not_created(server: Server) -> None:
    """Nothing is written, and the answer names the opportunity that is there."""
    name = fresh()
    first = capture(server, code=UNIQUE, values={"c1": name, "c3": "first"})
    same = of_unique(first["RelatedProspectId"], c1=name, c3="second")
    second = capture(server, **same)
    one = first["CreatedOpportunityId"]
    assert (first["IsUnique"], second["IsUnique"]) == (True, False)
    assert second["CreatedOpportunityId"] is None
    assert second["ConflictedOpportunityId"] == one
    assert second["PrimaryAction"] == 3
    assert second["AdditionalDetails"][0]["PostDeDupActionPerformed"] == 3
    assert value(server, one, "mx_Custom_3", code=UNIQUE) == "first"


def test_what_is_not_alike_in_a_whole_rule_is_no_duplicate(server: Server) -> None:
    """Every column of a rule is set and equal: another lead, another case, no value are not."""
    name, other = fresh(), fresh()
    first = capture(server, code=UNIQUE, values={"c1": name})
    of_another_lead = capture(server, code=UNIQUE, values={"c1": name})
    spelled = capture(server, **of_unique(first["RelatedProspectId"], c1=name.upper()))
    assert [one["IsUnique"] for one in (of_another_lead, spelled)] == [True, True]
    without = [capture(server, **of_unique(first["RelatedProspectId"])) for _ in range(2)]
    assert [one["IsUnique"] for one in without] == [True, True]
    capture(server, code=UNIQUE, values={"c2": other})
    assert not capture(server, code=UNIQUE, values={"c2": other})["IsUnique"]


def test_without_a_rule_everything_is_unique(server: Server) -> None:
    """Two equal opportunities of a type without rules are two."""
    same = {"lead": lead(EmailAddress=f"{fresh()}@example.com"), "values": {"c1": "same"}}
    assert [capture(server, **same)["IsUnique"] for _ in range(2)] == [True, True]


def test_the_oldest_duplicate_is_the_conflicted_one(server: Server, folder: Path) -> None:
    """By CreatedOn, also when it was written later."""
    name = fresh()
    first = capture(server, code=UNIQUE, values={"c1": name})
    store = store_of(folder)
    older = str(uuid4())

    def copied(session: Session) -> None:
        one = session.opportunities([first["CreatedOpportunityId"]])
        [stored] = one.values()
        values = {name: getattr(stored, name) for name in stored.__struct_fields__}
        copy = type(stored)(**values | {"id": older, "created_on": "2020-01-01 00:00:00"})
        session.write_opportunities([copy], now="2024-01-01 00:00:00")

    store.write(copied)
    store.close()
    again = capture(server, **of_unique(first["RelatedProspectId"], c1=name))
    assert again["ConflictedOpportunityId"] == older


def test_overwrite_fields_gives_the_values_to_the_duplicate(server: Server) -> None:
    """All of them, also those that clear; what is not named stays."""
    key = fresh()
    first = capture(
        server, code=UNIQUE, values={"c2": key, "c1": "a", "c3": "c"}, OpportunityNote="old"
    )
    one = first["CreatedOpportunityId"]
    done = capture(
        server,
        code=UNIQUE,
        values={"Status": "Won", "c2": key, "c1": None, "Owner": OWNER_EMAIL},
        OpportunityNote="new",
        OverwriteFields=True,
    )
    assert done["ConflictedOpportunityId"] == one
    assert done["PrimaryAction"] == 2
    assert done["AdditionalDetails"][0]["PostDeDupActionPerformed"] == 2
    columns = ("Status", "OpportunityNote", "mx_Custom_1", "mx_Custom_3", "OwnerEmailAddress")
    found = row(server, one, ",".join(columns), code=UNIQUE)
    assert found is not None
    assert [found[name] for name in columns] == ["Won", "new", None, "c", OWNER_EMAIL]


def test_update_empty_fields_gives_what_the_duplicate_lacks(server: Server) -> None:
    """What is set stays; when nothing is lacking, nothing was done."""
    key = fresh()
    first = capture(server, code=UNIQUE, values={"c2": key, "c1": "a"})
    one = first["CreatedOpportunityId"]
    again = {"code": UNIQUE, "values": {"c2": key, "c1": "b", "c3": "c"}, "UpdateEmptyFields": True}
    assert [capture(server, **again)["PrimaryAction"] for _ in range(2)] == [2, 3]
    found = row(server, one, "mx_Custom_1,mx_Custom_3", code=UNIQUE)
    assert found is not None
    assert [found["mx_Custom_1"], found["mx_Custom_3"]] == ["a", "c"]


def test_do_not_change_owner_keeps_the_duplicate_s(server: Server) -> None:
    """Whether the stored one has an owner or none."""
    key = fresh()
    one = captured(server, code=UNIQUE, values={"c2": key})
    capture(
        server,
        code=UNIQUE,
        values={"c2": key, "Owner": OWNER_EMAIL, "c3": "x"},
        OverwriteFields=True,
        DoNotChangeOwner=True,
    )
    assert value(server, one, "Owner", code=UNIQUE) is None
    assert value(server, one, "mx_Custom_3", code=UNIQUE) == "x"


def test_a_hundred_captures_of_one_thing_at_once_make_one(server: Server) -> None:
    """One is unique; all others name it."""
    key = fresh()
    bodies = [capturing(code=UNIQUE, values={"c2": key}) for _ in range(100)]
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda body: well(server.post(body, path=CAPTURE)), bodies))
    created = [one["CreatedOpportunityId"] for one in done if one["IsUnique"]]
    assert len(created) == 1
    assert {one["ConflictedOpportunityId"] for one in done if not one["IsUnique"]} == set(created)


# --- activities


def activities(folder: Path, one: str) -> list[tuple[Any, ...]]:
    """Event code, lead, user and date of the activities of an opportunity."""
    with closing(sqlite3.connect(folder / "oppserver.db")) as connection:
        return connection.execute(
            "SELECT id, event_code, lead_id, created_by, created_on FROM activity"
            " WHERE opportunity_id = ? ORDER BY event_code",
            (one,),
        ).fetchall()


def test_a_captured_activity_is_posted(server: Server, folder: Path) -> None:
    """On the lead and the opportunity, of the same moment and user; the answer has its id."""
    done = capture(server, OpportunityDateTime="2021-11-24 13:17:20")
    one = done["CreatedOpportunityId"]
    assert activities(folder, one) == [
        (
            done["AdditionalDetails"][0]["ActivityId"],
            OPPORTUNITY_CAPTURED,
            done["RelatedProspectId"],
            value(server, one, "CreatedBy"),
            "2021-11-24 13:17:20",
        )
    ]


def test_a_duplicate_is_posted_on_the_conflicted_one(server: Server, folder: Path) -> None:
    """On it and on its lead, unless DoNotPostDuplicateActivity is set."""
    key = fresh()
    first = capture(server, code=UNIQUE, values={"c2": key})
    again = {"code": UNIQUE, "values": {"c2": key}}
    second = capture(server, **again)
    third = capture(server, **again, DoNotPostDuplicateActivity=True)
    _, (activity_id, event_code, lead_id, *_) = activities(folder, first["CreatedOpportunityId"])
    assert event_code == DUPLICATE_DETECTED
    assert lead_id == first["RelatedProspectId"] != second["RelatedProspectId"]
    assert second["AdditionalDetails"][0]["ActivityId"] == activity_id
    assert third["AdditionalDetails"][0]["ActivityId"] is None


# --- errors


@pytest.mark.parametrize(
    ("change", "exception_type", "message"),
    [
        ({"LeadDetails": None}, "MXMandatoryAttributeMissing", "'LeadDetails' is mandatory"),
        ({"LeadDetails": []}, "MXMandatoryAttributeMissing", "'LeadDetails' is mandatory"),
        ({"Opportunity": None}, "MXMandatoryAttributeMissing", "'Opportunity' is mandatory"),
        (
            {"Opportunity": {}},
            "MXMandatoryAttributeMissing",
            "'OpportunityEventCode' is mandatory in Opportunity",
        ),
        ({"LeadDetails": {}}, "MXInvalidDataType", "$.LeadDetails: Expected array"),
        (
            {"LeadDetails": lead(FirstName="x", Phone=" ")},
            "MXMandatoryAttributeMissing",
            "LeadDetails has no unique field with a value",
        ),
        (
            {"LeadDetails": [{"Attribute": "", "Value": "x"}]},
            "MXMandatoryAttributeMissing",
            "'Attribute' is mandatory in LeadDetails[0]",
        ),
        (
            {"LeadDetails": [{"Attribute": "Phone"}]},
            "MXMandatoryAttributeMissing",
            "'Value' is mandatory in LeadDetails[0]",
        ),
        (
            {"LeadDetails": lead(Phone="1", Fone="2")},
            "MXUnknownAttribute",
            "Attribute(s) does not exist - Fone (LeadDetails[1].Attribute). Did you mean Phone",
        ),
        (
            {"LeadDetails": lead(Phone="1", **{"Phone Number": "2"})},
            "MXInvalidInput",
            "LeadDetails[1].Attribute: 'Phone Number' is named twice",
        ),
        (
            {"LeadDetails": lead(Phone="1", CreatedOn="2024-01-01")},
            "MXInvalidInput",
            "LeadDetails[1].Attribute: CreatedOn is set by the server",
        ),
        (
            {"LeadDetails": lead(Phone="1", SearchBy="FirstName")},
            "MXInvalidInput",
            "LeadDetails: Invalid SearchBy value provided: 'FirstName'. It takes EmailAddress,",
        ),
        (
            {"LeadDetails": lead(Phone="1", SearchBy="Mobile")},
            "MXMandatoryAttributeMissing",
            "LeadDetails: SearchBy is 'Mobile', but that attribute has no value",
        ),
        (
            {"LeadDetails": lead(ProspectID="7")},
            "MXInvalidInput",
            "LeadDetails: ProspectID: '7' is not a GUID",
        ),
        (
            {"LeadDetails": lead(**{f"mx_{number}": "x" for number in range(251)})},
            "MXLimitExceeded",
            "LeadDetails has 251 attributes; a lead takes 250",
        ),
        (
            {"LeadDetails": lead(Phone="1", mx_Text="x" * 32_001)},
            "MXInvalidActivityFields",
            "LeadDetails[1].Value has 32001 characters; it takes 32000",
        ),
    ],
)
def test_a_bad_lead_is_a_400_that_names_the_place(
    change: dict[str, Any], exception_type: str, message: str, server: Server
) -> None:
    """Each kind of mistake, its type and what the message begins with."""
    answer = refused(server, capturing() | change)
    assert answer.status == 400
    assert answer.exception_type == f"{exception_type}Exception"
    assert answer.message.startswith(message), answer.message


@pytest.mark.parametrize(
    ("what", "exception_type", "message"),
    [
        (
            {"OpportunityEventCode": 7},
            "MXInvalidEntityReference",
            "Opportunity.OpportunityEventCode: '7' is the event code of no opportunity type",
        ),
        (
            {"OpportunityDateTime": "yesterday"},
            "MXInvalidInput",
            "Opportunity.OpportunityDateTime: 'yesterday' is not a date",
        ),
        (
            {"OverwriteFields": "perhaps"},
            "MXInvalidInput",
            "Opportunity.OverwriteFields: 'perhaps' is neither true nor false",
        ),
        (
            {"Fields": [{"Value": "x"}]},
            "MXMandatoryAttributeMissing",
            "'SchemaName' is mandatory in Opportunity.Fields[0]",
        ),
        (
            {"Fields": [{"SchemaName": "Status"}]},
            "MXMandatoryAttributeMissing",
            "'Value' is mandatory in Opportunity.Fields[0]",
        ),
        ({"Fields": [{"Value": {}}]}, "MXInvalidDataType", "$.Opportunity.Fields[0].Value: "),
    ],
)
def test_a_bad_opportunity_is_a_400_that_names_the_place(
    what: dict[str, Any], exception_type: str, message: str, server: Server
) -> None:
    """Each kind of mistake, its type and what the message begins with."""
    answer = refused(server, capturing(**what))
    assert answer.status == 400
    assert answer.exception_type == f"{exception_type}Exception"
    assert answer.message.startswith(message), answer.message


@pytest.mark.parametrize(
    ("values", "exception_type", "message"),
    [
        (
            {"Status": None},
            "MXInvalidActivityFields",
            "Field name : 'Status' of datatype : 'SearchableDropdown' is mandatory. Add it to Op",
        ),
        (
            {"c1": ""},
            "MXInvalidActivityFields",
            "Field name : 'mx_Custom_1' of datatype : 'String' is mandatory.",
        ),
        (
            {"c1": "x" * 51},
            "MXInvalidActivityFields",
            "Opportunity.Fields[1].Value has 51 characters; it takes 50",
        ),
        (
            {"Status": "Opened"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[0].Value: 'Opened' does not fit Status (Status, Searchable",
        ),
        (
            {"c3": "Mail"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[2].Value: 'Mail' does not fit mx_Custom_3 (Source,",
        ),
        (
            {"c2": "Closed"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[2].Value: mx_Custom_2 (Stage) 'Closed' does not go with Status '",
        ),
        ({"c6": "many"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value: 'many'"),
        ({"c8": "2023-02-29"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value: '2023"),
        ({"c9": "perhaps"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value: 'perhaps'"),
        ({"c10": "a\0"}, "MXInvalidActivityFields", "Opportunity.Fields[2].Value has the char"),
        (
            {"Deal Sise": "1"},
            "MXUnknownAttribute",
            "Opportunity.Fields[2].SchemaName: 'Deal Sise' is no field of type 12000. Did you mea",
        ),
        (
            {"c99": "1"},
            "MXUnknownAttribute",
            "Opportunity.Fields[2].SchemaName: 'mx_Custom_99' is no field of type 12000.",
        ),
        (
            {"Twin": "1"},
            "MXUnknownAttribute",
            "Opportunity.Fields[2].SchemaName: mx_Custom_11 and mx_Custom_12 are called 'Twin'.",
        ),
        (
            {"CreatedOn": "2024-01-01"},
            "MXInvalidActivityFields",
            "Opportunity.Fields[2].SchemaName: CreatedOn is set by the server.",
        ),
        (
            {"mx_custom_1": "x"},
            "MXInvalidInput",
            "Opportunity.Fields[2].SchemaName: 'mx_custom_1' also has a value in Opportunity.F",
        ),
        (
            {"Owner": "nobody@example.com"},
            "MXInvalidEntity",
            "Opportunity.Fields[2].Value: 'nobody@example.com' is no user here.",
        ),
        ({"Owner": UNKNOWN_ID}, "MXInvalidEntity", "Opportunity.Fields[2].Value: 'eeeeeeee-"),
    ],
)
def test_a_bad_value_is_a_400_that_names_the_field(
    values: dict[str, Any], exception_type: str, message: str, server: Server
) -> None:
    """Values go by their fields' definitions; the message names place, field and mend."""
    answer = refused(server, capturing(values=values))
    assert answer.status == 400
    assert answer.exception_type == f"{exception_type}Exception"
    assert answer.message.startswith(message), answer.message


def test_a_note_is_given_once(server: Server) -> None:
    """As a member or as a field, not as both."""
    answer = refused(server, capturing(values={"ActivityEvent_Note": "a"}, OpportunityNote="b"))
    assert "also has a value in Opportunity.Fields[2].Value" in answer.message
    one = captured(server, values={"ActivityEvent_Note": "a"})
    assert value(server, one, "OpportunityNote") == "a"


def test_a_field_may_be_named_as_people_call_it(server: Server) -> None:
    """By its display name, in any case; schema names too in any case."""
    one = captured(server, values={"deal size": "7", "MX_CUSTOM_10": "x"})
    found = row(server, one, "mx_Custom_6,mx_Custom_10")
    assert found is not None
    assert (found["mx_Custom_6"], found["mx_Custom_10"]) == ("7", "x")


def test_a_refused_capture_leaves_nothing(server: Server, folder: Path) -> None:
    """Not even the lead that it would have created."""
    email = f"{fresh()}@example.com"
    refused(server, capturing(lead=lead(EmailAddress=email), values={"c6": "many"}))
    refused(server, capturing(lead=lead(EmailAddress=email), values={"c1": None}))
    store = store_of(folder)
    assert store.write(lambda session: session.leads_by("email", [email])) == {}
    store.close()


def test_a_reader_cannot_capture(server: Server, folder: Path) -> None:
    """403, and nothing is written."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    answer = server.post(capturing(), path=CAPTURE, keys=keys)
    assert (answer.status, answer.exception_type) == (403, "MXAccessDeniedException")
