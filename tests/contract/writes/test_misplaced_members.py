"""Members at a wrong place: of field sets, and of other calls. Each is refused by its name."""

import json
import re
from collections.abc import Mapping

import pytest

from tests.support import activity_calls, writing
from tests.support.activity_calls import (
    POST_ON,
    item,
    new_lead,
)
from tests.support.lead_calls import SAVE, known, saved
from tests.support.messages import (
    INVALID,
    MISFIT,
    all_that_is_here,
    calls,
    post,
    refused,
    with_member,
)
from tests.support.running import Server
from tests.support.writing import (
    BULK_ADD,
    CAPTURE,
    UNIQUE,
    captured,
    capturing,
    fields,
    fresh,
    lead,
    row,
    well,
)

folder, server = activity_calls.folder, writing.server

SETS: Mapping[str, str] = {
    "Capture": "Opportunity.Fields[1]",
    "Update": "Fields[1]",
    "Bulk/Update/ByOpportunityId": "[0].Fields[1]",
    "Bulk/Add/ByLeadField": "[0].Fields[2]",
    "ProspectActivity.svc/Create": "Fields[1]",
    "Bulk/CustomActivity/Add/ByOpportunityId": "[0].Fields[1]",
    "Lead.CreateOrUpdate": "$[1]",
    "Lead.Update": "$[1]",
}
"""A set in the body of each call that takes one."""


OF_ACTIVITIES = ("ProspectActivity.svc/Create", "Bulk/CustomActivity/Add/ByOpportunityId")


@pytest.mark.parametrize(("name", "place"), SETS.items())
def test_members_of_a_field_set_that_are_wrong_are_named(
    name: str, place: str, server: Server
) -> None:
    """Unknown ones, one twice, a set with a value of its own; nothing is written."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    path = tuple(int(step) if step.isdecimal() else step for step in re.findall(r"\w+", place))
    if name == "Capture":
        path = ("Opportunity", "Fields", 2)
        place = "Opportunity.Fields[2]"
    key = "Attribute" if name.startswith("Lead.") else "SchemaName"
    before = all_that_is_here(server)
    one = {key: "mx_CustomObject_1", "Value": "N"}
    for members, exception_type, words in (
        ([one, {key: "mx_CustomObject_0", "Value": "N"}], "MXUnknownAttributeException", "_0"),
        ([one, {key: "Remark", "Value": "N"}], "MXUnknownAttributeException", "Remark"),
        ([one, one], INVALID, "mx_CustomObject_1 is named twice"),
        ({"mx_CustomObject_1": "N"}, "MXInvalidDataTypeException", "Fields"),
        (["x"], "MXInvalidDataTypeException", "Fields[0]"),
    ):
        body = with_member(call.body, path, "Fields", members)
        refused(post(server, call, body), exception_type, words, place.removeprefix("$"))
    valued = with_member(call.body, path, "Value", "x")
    refused(post(server, call, valued), MISFIT, f"{place} has a Value and Fields")
    plain = with_member(call.body, (*path[:-1], 0), "Fields", [one])
    if name not in OF_ACTIVITIES:
        answer = post(server, call, plain)
        assert answer.status == 400, answer.body
        assert "Fields" in answer.message
    assert all_that_is_here(server) == before


@pytest.mark.parametrize("name", [name for name in SETS if "Lead." not in name])
@pytest.mark.parametrize("schema_name", ["mx_Custom_10~mx_CustomObject_1", "MX_customobject_92"])
def test_a_name_of_a_member_that_is_not_there_is_refused(
    name: str, schema_name: str, server: Server
) -> None:
    """With what to do."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    body = json.loads(json.dumps(call.body))
    holder = body[0] if isinstance(body, list) else body.get("Opportunity", body)
    holder["Fields"].append({"SchemaName": schema_name, "Value": "N"})
    answer = post(server, call, body)
    refused(answer, "MXUnknownAttributeException", schema_name, "of a custom field set")


def test_what_says_which_lead_is_written_is_not_taken_from_the_query(server: Server) -> None:
    """Other calls take it from there; here it would be passed over."""
    phone = fresh()
    lead_id = saved(server, Phone=phone, FirstName="Ann")
    change = f"/v2/LeadManagement.svc/Lead.Update?leadId={lead_id}"
    bodies = {
        SAVE: lead(Phone=phone, FirstName="Bea"),
        change: lead(FirstName="Bea"),
        CAPTURE: capturing(lead=lead(Phone=phone, FirstName="Bea")),
    }
    for path, body in bodies.items():
        for said in ("SearchBy=Mobile", "leadUpdateBehavior=DoNotUpdate"):
            answer = server.post(body, path=f"{path}{'&' if '?' in path else '?'}{said}")
            refused(answer, INVALID, "query parameter")
    assert known(server, lead_id)["FirstName"] == "Ann"
    answer = server.post(lead(Phone=phone, SearchBy="Phone") + lead(searchBy="Mobile"), path=SAVE)
    refused(answer, INVALID, "$[2].Attribute: 'searchBy' is named twice")


def test_an_addition_takes_all_that_a_capture_takes(server: Server) -> None:
    """Date and flags do what they do there."""
    phone, name = fresh(), fresh()
    saved(server, Phone=phone)
    addition = {
        "SearchByValue": phone,
        "OpportunityEventCode": UNIQUE,
        "OpportunityDateTime": "2024-02-29 13:05:09",
        "Fields": fields(Status="Open", c2=name, c3="first"),
    }
    path = f"{BULK_ADD}?SearchBy=Phone"
    [created] = well(server.post([addition], path=path))["Response"]
    one = created["CreatedOpportunityId"]
    again = addition | {
        "Fields": fields(Status="Open", c2=name, c3="second"),
        "OverwriteFields": True,
        "DoNotPostDuplicateActivity": True,
    }
    [met] = well(server.post([again], path=path))["Response"]
    assert (met["ConflictedOpportunityId"], met["IsUnique"]) == (one, False)
    assert met["AdditionalDetails"][0]["ActivityId"] is None
    found = row(server, one, "CreatedOn", "mx_Custom_3", code=UNIQUE)
    assert found is not None
    assert (found["CreatedOn"], found["mx_Custom_3"]) == ("2/29/2024 1:05:09 PM", "second")


def test_an_activity_of_an_opportunity_has_its_date(server: Server) -> None:
    """The activity has a date, as one that is posted on a lead."""
    one = captured(server)
    dated = item(ActivityDateTime="2024-02-29 13:05:09")
    well(server.post([dated], path=f"{POST_ON}?opportunityId={one}"))
    rows = activity_calls.listed(server, one, Columns={"Include_CSV": "CreatedOn"})["List"]
    assert "2024-02-29 13:05:09" in [found["CreatedOn"] for found in rows]
    answer = server.post([item(ActivityDateTime="soon")], path=f"{POST_ON}?opportunityId={one}")
    refused(answer, INVALID, "[0].ActivityDateTime: 'soon' is")
