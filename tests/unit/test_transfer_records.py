"""From a line's members to an opportunity: what is read, and what is refused with which words."""

import re
from typing import Any

import pytest

from oppserver.contract.errors import RejectedLine
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.model import StoredOpportunity
from oppserver.transfer.records import members_of, opportunity_of

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
LEAD = "a368678f-1e81-4fb8-af0a-4b896f6330e1"
OWNER = "d5d08e32-5ca9-11ea-8dd7-029e1407a868"
LEAST: dict[str, Any] = {"ProspectActivityId": ID, "EventCode": 12003, "ProspectId": LEAD}


def line(**members: Any) -> dict[str, Any]:
    return LEAST | members


def test_a_full_line_is_a_full_opportunity() -> None:
    """Every member has its place; dates come in any of the three forms."""
    one = opportunity_of(
        line(
            EmailAddress="a@example.com",
            Owner=OWNER.upper(),
            OwnerEmailAddress="o@example.com",
            Status="Open",
            OpportunityNote="note",
            CreatedOn="4/6/2023 3:23:34 PM",
            CreatedBy="someone",
            ModifiedOn="2023-04-06T15:23:35Z",
            ModifiedBy="another",
            mx_Custom_1="one",
            MX_CUSTOM_250="last",
        )
    )
    assert one == StoredOpportunity(
        id=ID,
        event_code=12003,
        lead_id=LEAD,
        lead_email="a@example.com",
        owner_id=OWNER,
        owner_email="o@example.com",
        status="Open",
        note="note",
        created_on="2023-04-06 15:23:34",
        created_by="someone",
        modified_on="2023-04-06 15:23:35",
        modified_by="another",
        slots={"mx_custom_1": "one", "mx_custom_250": "last"},
    )


def test_what_is_written_is_read_back() -> None:
    """The members of an opportunity make the same opportunity, in the documented order."""
    one = opportunity_of(line(Status="Won", mx_Custom_10="ten", mx_Custom_9="nine"))
    assert opportunity_of(members_of(one)) == one
    assert list(members_of(one))[:4] == ["ProspectActivityId", "EventCode", "ProspectId", "Status"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_is_empty_is_not_set(nothing: str | None) -> None:
    """A member that is null or empty is as good as left out."""
    members = line(Status=nothing, Owner=nothing, CreatedOn=nothing, mx_Custom_1=nothing)
    assert opportunity_of(members) == opportunity_of(LEAST)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (7, "7"),
        (True, "1"),
        (False, "0"),
        (" a ", " a "),
        ("0.10", "0.10"),
        (10**30, f"1{'0' * 30}"),
    ],
)
def test_scalars_become_text(value: Any, stored: str) -> None:
    """Numbers and truths are kept as text, text is kept exactly."""
    assert opportunity_of(line(mx_Custom_1=value)).slots == {"mx_custom_1": stored}


@pytest.mark.parametrize("code", [12003, "12003", " 12003 "])
def test_an_event_code_is_a_number_or_its_digits(code: Any) -> None:
    """An event code may have the forms in which callers of the API send it."""
    assert opportunity_of(line(EventCode=code)).event_code == 12003


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({}, "ProspectActivityId is missing"),
        ({"ProspectActivityId": ID}, "EventCode is missing"),
        (line(EventCode=""), "EventCode is missing"),
        (line(ProspectId=None), "ProspectId is missing"),
        (line(ProspectActivityId="12"), "ProspectActivityId: '12' is no GUID"),
        (line(Owner="bob"), "Owner: 'bob' is no GUID"),
        (line(EventCode="12.5"), "EventCode: '12.5' is no event code"),
        (line(EventCode=-1), "EventCode: '-1' is no event code"),
        (line(EventCode=2**31), "EventCode: 2147483648 is larger than"),
        (line(CreatedOn="yesterday"), "CreatedOn: 'yesterday': not a date"),
        (line(ModifiedOn="2023-02-29 00:00:00"), "ModifiedOn: '2023-02-29 00:00:00'"),
        (line(Statsu="x"), "'Statsu' is no member of an opportunity. Did you mean Status?"),
        (line(mx_Custom_251="x"), "'mx_Custom_251' is no member"),
        (line(STATUS="a", Status="b"), "'Status' and 'STATUS' are the same member"),
        (line(OpportunityNote="a", ActivityEvent_Note="b"), "are the same member"),
        (line(mx_Custom_1=[1]), "mx_Custom_1: a text, a number, true or false is expected"),
        (line(mx_Custom_1={}), "mx_Custom_1: a text, a number, true or false is expected"),
        (line(mx_Custom_1="a\0b"), "mx_Custom_1: the character U+0000 cannot be stored"),
        (line(mx_Custom_1="\ud800"), "mx_Custom_1: not UTF-8"),
        (line(Status="x" * (TEXT_CHARACTERS_MAX + 1)), "Status: 32,001 characters"),
        (line(OwnerEmailAddress="o@example.com"), "OwnerEmailAddress is given without Owner"),
    ],
)
def test_what_is_refused_is_named(members: dict[str, Any], reason: str) -> None:
    """The member at fault, its value, and what is expected."""
    with pytest.raises(RejectedLine, match=re.escape(reason)):
        opportunity_of(members)
