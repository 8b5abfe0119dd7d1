"""Activities are posted over a socket: on leads, and on opportunities."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support import activity_calls, writing
from tests.support.activity_calls import (
    CALL,
    LIST,
    MEETING,
    POST,
    POST_ON,
    RETRIEVE,
    ids,
    item,
    listed,
    new_lead,
    post_on,
    posted,
    timeline,
)
from tests.support.lead_calls import GET as LEADS_GET
from tests.support.lead_calls import found, looking, refused
from tests.support.running import Server, create_key
from tests.support.writing import (
    DEAL,
    OWNER_EMAIL,
    UNKNOWN_ID,
    capture,
    delete,
    fields,
    fresh,
    lead,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = activity_calls.folder, writing.server

# --- posted on an opportunity of a lead ---------------------------------------------------------


def an_opportunity(server: Server, lead_id: str) -> str:
    """The id of a new opportunity of a lead."""
    of_lead = lead(SearchBy="ProspectId", ProspectID=lead_id)
    return str(capture(server, lead=of_lead)["CreatedOpportunityId"])


@pytest.mark.parametrize("name", ["RelatedOpportunityId", "opportunityId", "RELATEDOPPORTUNITYID"])
def test_c3_an_activity_is_posted_on_the_opportunity(name: str, server: Server) -> None:
    """Named in the body, or in the query in any case: it is the opportunity's and the lead's."""
    lead_id = new_lead(server)
    one, other = an_opportunity(server, lead_id), an_opportunity(server, lead_id)
    message = {"RelatedProspectId": lead_id, "ActivityEvent": CALL, "Fields": fields(c1="x")}
    in_body = name == "RelatedOpportunityId"
    answer = well(
        server.post(
            message | ({name: one.upper()} if in_body else {}),
            path=POST if in_body else f"{POST}?{name}={{{one}}}",
        )
    )
    assert answer["Message"]["RelatedId"] == lead_id
    posted_id = answer["Message"]["Id"]
    [row] = listed(server, one, f"&activityEventCode={CALL}")["List"]
    assert (row["ProspectActivityId"], row["RelatedOpportunityId"]) == (posted_id, one)
    assert listed(server, other, f"&activityEventCode={CALL}")["RecordCount"] == 0
    [on_lead] = timeline(server, lead_id, Parameter={"ActivityEvent": CALL})
    assert (on_lead["Id"], on_lead["RelatedOpportunityId"]) == (posted_id, one)


def test_c3_an_activity_without_an_opportunity_is_the_lead_s_alone(server: Server) -> None:
    """Also where the member is there and empty."""
    lead_id = new_lead(server)
    for nothing in ({}, *({"RelatedOpportunityId": one} for one in (None, "", " "))):
        one = posted(server, lead_id, **nothing)
        row = next(row for row in timeline(server, lead_id) if row["Id"] == one)
        assert row["RelatedOpportunityId"] is None


@pytest.mark.parametrize("case", ["unknown", "deleted", "of another lead", "no GUID", "two", "new"])
def test_c3_an_opportunity_that_is_not_the_lead_s_is_refused(case: str, server: Server) -> None:
    """A 400 that names the member, and nothing is posted on either of the two."""
    lead_id = new_lead(server)
    one = an_opportunity(server, lead_id)
    named, words, query = UNKNOWN_ID, [f"there is no opportunity {UNKNOWN_ID}"], ""
    who: dict[str, Any] = {"RelatedProspectId": lead_id}
    if case == "deleted":
        delete(server, one)
        named, words = one, ["was deleted"]
    elif case == "of another lead":
        named = an_opportunity(server, new_lead(server))
        words = [named, lead_id, "Send its own lead"]
    elif case == "no GUID":
        named, words = "none", ["not a GUID"]
    elif case == "two":
        named, words, query = one, ["name two opportunities"], f"?opportunityId={UNKNOWN_ID}"
    elif case == "new":
        address = f"{fresh()}@example.com"
        named, who, words = one, {"EmailAddress": address}, ["Send its own lead"]
    before = timeline(server, lead_id)
    message = {**who, "ActivityEvent": CALL, "RelatedOpportunityId": named}
    answer = server.post(message, path=f"{POST}{query}")
    assert answer.status == 400, answer.body
    for word in ("RelatedOpportunityId", *words):
        assert word in answer.message
    assert timeline(server, lead_id) == before
    if case == "new":
        looked = found(server, "EmailAddress", "=", address)
        assert looked == []


# --- posted on a lead --------------------------------------------------------------------------


def test_an_activity_is_posted_and_read_at_once(server: Server) -> None:
    """Every member of it, with the caller as the one who made it."""
    one = new_lead(server)
    answer = server.post(
        {
            "RelatedProspectId": one.upper(),
            "ActivityEvent": str(CALL),
            "ActivityNote": "Asked for a quote",
            "ActivityDateTime": "2024-02-29 13:05:09",
            "ProcessFilesAsync": True,
            "Fields": fields(c1="Called back", c250=12.50, Status="Done", Owner=OWNER_EMAIL),
        },
        path=POST,
    )
    activity = well(answer)["Message"]["Id"]
    message = {"Id": activity, "RelatedId": one}
    assert answer.json == {"Status": "Success", "Message": message}
    [row] = timeline(server, one)
    modified_on, made = row.pop("ModifiedOn"), row["ActivityFields"]
    assert modified_on > row["CreatedOn"]
    assert made.pop("ModifiedOn") != made["CreatedOn"]
    assert made.pop("CreatedBy") not in (None, made["Owner"])
    owner = made["Owner"]
    assert row == {
        "Id": activity,
        "EventCode": CALL,
        "EventName": "Call",
        "ActivityScore": 0,
        "CreatedOn": "2024-02-29 13:05:09",
        "ActivityType": 2,
        "IsEmailType": False,
        "Type": "Custom",
        "SessionId": "00000000-0000-0000-0000-000000000000",
        "TrackLocation": 0,
        "Latitude": None,
        "Longitude": None,
        "RelatedProspectId": one,
        "RelatedOpportunityId": None,
        "Data": [
            {"Key": "ActivityEvent_Note", "Value": "Asked for a quote"},
            {"Key": "Owner", "Value": owner},
            {"Key": "mx_Custom_1", "Value": "Called back"},
            {"Key": "mx_Custom_250", "Value": "12.5"},
            {"Key": "Status", "Value": "Done"},
        ],
        "ActivityFields": {
            "ActivityEvent_Note": "Asked for a quote",
            "CreatedOn": "2/29/2024 1:05:09 PM",
            "Owner": owner,
            "mx_Custom_1": "Called back",
            "mx_Custom_250": "12.5",
            "Status": "Done",
        },
    }


def test_an_activity_of_now_has_one_date(server: Server) -> None:
    """Without ActivityDateTime it was made when it was posted."""
    one = new_lead(server)
    posted(server, one)
    [row] = timeline(server, one)
    assert row["CreatedOn"] == row["ModifiedOn"]


def test_the_lead_may_stand_in_the_query(server: Server) -> None:
    """``leadId``, in any case, names the lead; with the body's it has to be the same."""
    one = new_lead(server)
    path = f"{POST}?LeadID={one}"
    well(server.post({"ActivityEvent": CALL}, path=path))
    well(server.post({"ActivityEvent": CALL, "RelatedProspectId": one}, path=path))
    assert len(timeline(server, one)) == 2
    other = server.post({"ActivityEvent": CALL, "RelatedProspectId": UNKNOWN_ID}, path=path)
    refused(other, "InvalidInput", "name two leads")


def test_the_lead_may_be_found_by_its_address(server: Server) -> None:
    """An unknown one creates the lead, with names and number; a known lead stays as it is."""
    email = f"{fresh()}@example.com"
    message = {"EmailAddress": email, "FirstName": "Jane", "ActivityEvent": CALL, "Phone": 555}
    for name in ("Jane", "Other"):
        well(server.post(message | {"FirstName": name}, path=POST))
    [row] = server.post(looking("EmailAddress", "=", email), path=LEADS_GET).json
    assert (row["FirstName"], row["Phone"]) == ("Jane", "555")
    assert len(timeline(server, row["ProspectID"])) == 2


def test_a_posted_activity_is_safe_to_repeat(server: Server) -> None:
    """With a key it is posted once."""
    one, key = new_lead(server), str(uuid4())
    message = {"RelatedProspectId": one, "ActivityEvent": CALL}
    first = server.post(message, path=POST, Idempotency_Key=key)
    assert server.post(message, path=POST, Idempotency_Key=key).body == first.body
    assert ids(timeline(server, one)) == [first.json["Message"]["Id"]]


@pytest.mark.parametrize(
    ("message", "exception_type", "expected"),
    [
        ({}, "MandatoryAttributeMissing", "'RelatedProspectId' is mandatory"),
        (
            {"RelatedProspectId": UNKNOWN_ID},
            "MandatoryAttributeMissing",
            "'ActivityEvent' is mandatory",
        ),
        (
            {"RelatedProspectId": "7", "ActivityEvent": CALL},
            "InvalidInput",
            "RelatedProspectId: '7' is not a GUID",
        ),
        (
            {"RelatedProspectId": UNKNOWN_ID, "ActivityEvent": CALL},
            "InvalidEntity",
            "RelatedProspectId: Lead does not exist in the system",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": 7},
            "InvalidEntityReference",
            "'7' is the event code of no activity type here. Known: 200, 201. 'oppserver activity-",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": DEAL},
            "InvalidEntityReference",
            "ActivityEvent: 12000 is an opportunity type. OpportunityManagement.svc/Capture",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": "33"},
            "InvalidEntityReference",
            "ActivityEvent: 33 is posted by the server alone",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "ActivityDateTime": "soon"},
            "InvalidInput",
            "ActivityDateTime: 'soon' is not a date",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(Owner="no@x")},
            "InvalidEntity",
            "Fields[0].Value: 'no@x' is no user here",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(c1="a", c251="b")},
            "UnknownAttribute",
            "Fields[1].SchemaName: 'mx_Custom_251' is no field of an activity",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(Statos="a")},
            "UnknownAttribute",
            "Did you mean Status?",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": fields(CreatedOn="a")},
            "InvalidActivityFields",
            "Fields[0].SchemaName: CreatedOn is not written through Fields",
        ),
        (
            {
                "EmailAddress": "new@x",
                "ActivityEvent": CALL,
                "Fields": fields(c1="a", MX_CUSTOM_1="b"),
            },
            "InvalidInput",
            "Fields[1].SchemaName: mx_Custom_1 is named twice",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": [{"SchemaName": "Status"}]},
            "MandatoryAttributeMissing",
            "'Value' is mandatory in Fields[0]",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "Fields": [{"Value": 1}]},
            "MandatoryAttributeMissing",
            "'SchemaName' is mandatory in Fields[0]",
        ),
        (
            {
                "EmailAddress": "new@x",
                "ActivityEvent": CALL,
                "ActivityNote": "a",
                "Fields": fields(ActivityEvent_Note="b"),
            },
            "InvalidInput",
            "ActivityNote: the note is in Fields too",
        ),
        (
            {"EmailAddress": "new@x", "ActivityEvent": CALL, "ActivityNote": "x" * 32_001},
            "InvalidActivityFields",
            "ActivityNote has 32001 characters",
        ),
    ],
)
def test_a_bad_activity_is_a_400_that_names_the_place(
    message: Any, exception_type: str, expected: str, server: Server
) -> None:
    """Each kind of mistake; no lead is created by it."""
    refused(server.post(message, path=POST), exception_type, expected)
    assert found(server, "EmailAddress", "=", "new@x") == []


# --- posted on an opportunity ------------------------------------------------------------------


def test_activities_are_posted_on_an_opportunity(server: Server) -> None:
    """Their ids in the order of the request; each is on the lead's timeline too."""
    done = capture(server)
    one, lead_id = done["CreatedOpportunityId"], done["RelatedProspectId"]
    answer = well(
        post_on(server, one.upper(), item(ActivityNote="a"), item(MEETING, Fields=fields(c1="b")))
    )
    new = ids(answer["Response"], "ProspectActivityId")
    assert answer == {"Response": [{"ProspectActivityId": activity} for activity in new]}
    rows = {row["Id"]: row for row in timeline(server, lead_id)}
    assert [rows[activity]["EventName"] for activity in new] == ["Call", "Meeting"]
    owners = {rows[activity]["ActivityFields"]["Owner"] for activity in new}
    assert len(owners) == 1
    assert None not in owners


def test_twenty_five_activities_at_once(server: Server) -> None:
    """One more is a 400 that names number and limit; an empty list is one too."""
    one = capture(server)["CreatedOpportunityId"]
    assert len(well(post_on(server, one, *[item()] * 25))["Response"]) == 25
    refused(post_on(server, one, *[item()] * 26), "LimitExceeded", "has 26 entries; one call")
    refused(post_on(server, one), "MandatoryAttributeMissing", "The body is an empty array")


@pytest.mark.parametrize(
    ("bad", "exception_type", "expected"),
    [
        (item(None), "MandatoryAttributeMissing", "'ActivityEvent' is mandatory in [1]"),
        (
            {"ActivityEvent": CALL},
            "MandatoryAttributeMissing",
            "'ActivityOwnerEmail' is mandatory in [1]",
        ),
        (item(7), "InvalidEntityReference", "[1].ActivityEvent: '7' is the event code of no"),
        (
            item(ActivityOwnerEmail="no@x"),
            "InvalidEntity",
            "[1].ActivityOwnerEmail: 'no@x' is no user here",
        ),
        (
            item(Fields=fields(Owner=OWNER_EMAIL)),
            "InvalidInput",
            "[1].Fields[0].Value: the owner is the one of ActivityOwnerEmail",
        ),
        (item(Fields=fields(Nothing="x")), "UnknownAttribute", "[1].Fields[0].SchemaName"),
        (item(Fields="x"), "InvalidDataType", "$[1].Fields: Expected `array"),
    ],
)
def test_all_activities_are_posted_or_none(
    bad: dict[str, Any], exception_type: str, expected: str, server: Server
) -> None:
    """One bad item: a 400 that names it, and nothing is written."""
    one = capture(server)["CreatedOpportunityId"]
    before = listed(server, one)["RecordCount"]
    refused(post_on(server, one, item(), bad), exception_type, expected.replace("`", ""))
    assert listed(server, one)["RecordCount"] == before


def test_an_opportunity_that_is_not_here_has_no_activities(server: Server) -> None:
    """404, for posting and for reading; of a deleted one it is said when and by whom."""
    gone = capture(server)["CreatedOpportunityId"]
    well(delete(server, gone))
    for one, why in (
        (UNKNOWN_ID, "here is no opportunity"),
        (gone, " (UTC) by writer@example.com."),
    ):
        for answer in (
            post_on(server, one, item()),
            server.post({}, path=f"{LIST}?opportunityId={one}"),
        ):
            refused(answer, "OpportunityNotFound", why, status=404)
    answer = server.post([item()], path=POST_ON)
    refused(answer, "MandatoryAttributeMissing", "'opportunityId' is mandatory")


# --- who may -----------------------------------------------------------------------------------


def test_a_reader_reads_activities_and_posts_none(server: Server, folder: Path) -> None:
    """403 for both calls that post; both reads are open."""
    keys = create_key(folder, role="reader", email="reader@example.com")
    done = capture(server)
    one, lead_id = done["CreatedOpportunityId"], done["RelatedProspectId"]
    for path, message in (
        (POST, {"RelatedProspectId": lead_id, "ActivityEvent": CALL}),
        (f"{POST_ON}?opportunityId={one}", [item()]),
    ):
        answer = server.post(message, path=path, keys=keys)
        assert (answer.status, answer.exception_type) == (403, "MXAccessDeniedException")
    for path in (f"{RETRIEVE}?leadId={lead_id}", f"{LIST}?opportunityId={one}"):
        assert server.post({}, path=path, keys=keys).json["RecordCount"] > 0
