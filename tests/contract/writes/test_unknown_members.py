"""Values that a call does not keep are refused by name: unknown members, field sets, other places.

The messages are taken from the table of routes, so that a new one is tried as well.
"""

import json
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec import inspect

from oppserver.api.routes import ROUTES
from oppserver.calls.activities.parse import ActivityWire, OpportunityActivityWire
from oppserver.calls.activities.search import ActivitySearchWire
from oppserver.calls.activities.timelines import TimelineWire
from oppserver.calls.bulk_read.parse import GetOpportunitiesByIdWire
from oppserver.calls.leads.parse import AttributeWire
from oppserver.calls.leads.reads import LeadsByIdsWire, LeadsGetWire
from oppserver.calls.leads.searches import LeadSearchWire, RecentLeadsWire
from oppserver.calls.lists.parse import ByLeadFieldWire, RecentlyModifiedWire
from oppserver.calls.shared.advanced_search import AdvancedSearchWire, SearchWire
from oppserver.calls.shared.call import Stream
from oppserver.calls.shared.paging import (
    ListWire,
)
from oppserver.calls.types.activity_types import NewActivityTypeWire
from oppserver.calls.writes.wire import AddWire, CaptureWire, UpdateWire
from tests.support import activity_calls, writing
from tests.support.activity_calls import (
    CALL,
    LIST,
    POST,
    POST_ON,
    RETRIEVE,
    item,
    new_lead,
)
from tests.support.lead_calls import BY_IDS, GET, SAVE, known, saved
from tests.support.running import Answer, Server
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    UNIQUE,
    UPDATE,
    captured,
    capturing,
    fields,
    fresh,
    lead,
    row,
    well,
)

folder, server = activity_calls.folder, writing.server

OPPORTUNITIES = writing.SERVICE
FIDELITY = Path(__file__).parents[3] / "docs" / "fidelity.md"
PAGE = {"Paging": {"PageIndex": 1, "PageSize": 10}}
SORTED = {"Sorting": {"ColumnName": "CreatedOn", "Direction": 1}}
COLUMNS = {"Columns": {"Include_CSV": "CreatedOn"}}
LEADS = "/v2/LeadManagement.svc"
INVALID = "MXInvalidInputException"
MISFIT = "MXInvalidActivityFieldsException"


SET = writing.field_set_of(o1="x")
LEAD_SET = {
    "Attribute": "mx_Set",
    "Value": "",
    "Fields": [{"Attribute": "mx_CustomObject_1", "Value": "N"}],
}


class Sent(NamedTuple):
    """A call: its path and a body with every message in it, and the form of the body."""

    form: Any
    path: str
    body: Any


class Place(NamedTuple):
    """A message in a body: where it is, and its form."""

    path: tuple[str | int, ...]
    form: inspect.StructType

    @property
    def shown(self) -> str:
        """The place as errors name it."""
        steps_in = (f"[{one}]" if isinstance(one, int) else f".{one}" for one in self.path)
        return "$" + "".join(steps_in)


def calls(lead_id: str, one: str) -> dict[str, Sent]:
    """Every call that takes a JSON body and is no bulk read; the lead and opportunity are here."""
    phone = fresh()
    search = {
        "GrpConOp": "And",
        "Conditions": [
            {
                "Type": "Activity",
                "ConOp": "and",
                "RowCondition": [
                    {"SubConOp": "And", "LSO": "ActivityEvent", "Operator": "eq", "RSO": str(DEAL)}
                ],
            }
        ],
    }
    of_calls = json.dumps(search).replace(str(DEAL), str(CALL))
    change = {"ProspectOpportunityId": one, "Fields": [*fields(c10=fresh()), SET]}
    addition = {
        "SearchByValue": lead_id,
        "OpportunityEventCode": UNIQUE,
        "Fields": [*fields(Status="Open", c3=fresh()), SET],
    }
    activity = {"ActivityEvent": CALL, "Fields": [*fields(c1="x"), SET]}
    by_field = {"LookupName": "ProspectId", "LookupValue": lead_id, "SqlOperator": "="}
    since = {"FromDate": "2024-01-01", "ActivityEvent": DEAL}
    return {
        "Capture": Sent(
            CaptureWire,
            CAPTURE,
            capturing(
                lead=[*lead(Phone=fresh()), LEAD_SET], Fields=[*fields(c1="x", Status="Open"), SET]
            ),
        ),
        "Update": Sent(UpdateWire, UPDATE, change),
        "Bulk/Update/ByOpportunityId": Sent(
            list[UpdateWire], BULK_UPDATE, [change | {"OpportunityEventCode": DEAL}]
        ),
        "Bulk/Add/ByLeadField": Sent(list[AddWire], f"{BULK_ADD}?SearchBy=ProspectId", [addition]),
        "Lead.CreateOrUpdate": Sent(list[AttributeWire], SAVE, [*lead(Phone=phone), LEAD_SET]),
        "Lead.Update": Sent(
            list[AttributeWire],
            f"/v2/LeadManagement.svc/Lead.Update?leadId={lead_id}",
            [*lead(mx_City=fresh()), LEAD_SET],
        ),
        "Lead.Capture": Sent(list[AttributeWire], f"{LEADS}/Lead.Capture", lead(Phone=fresh())),
        "Lead.Create": Sent(list[AttributeWire], f"{LEADS}/Lead.Create", lead(FirstName="A")),
        "Lead/Bulk/CreateOrUpdate": Sent(
            list[list[AttributeWire]], f"{LEADS}/Lead/Bulk/CreateOrUpdate", [lead(Phone=fresh())]
        ),
        "Leads.RecentlyModified": Sent(
            RecentLeadsWire,
            f"{LEADS}/Leads.RecentlyModified",
            {"Parameter": {"FromDate": "2024-01-01"}} | COLUMNS | PAGE | SORTED,
        ),
        "Leads/Retrieve/BySearchParameter": Sent(
            LeadSearchWire,
            f"{LEADS}/Leads/Retrieve/BySearchParameter",
            {"SearchParameters": {"AdvancedSearchTextNew": "{}"}} | COLUMNS | PAGE | SORTED,
        ),
        "Activity/Retrieve/BySearchParameter": Sent(
            ActivitySearchWire,
            f"{activity_calls.SERVICE}/Activity/Retrieve/BySearchParameter",
            {"ActivityEvent": CALL, "AdvancedSearch": of_calls} | COLUMNS | PAGE | SORTED,
        ),
        "CreateType": Sent(
            NewActivityTypeWire,
            f"{activity_calls.SERVICE}/CreateType",
            {"ActivityEventName": fresh(), "Fields": [{"SchemaName": "mx_Custom_1"}]},
        ),
        "ProspectActivity.svc/Create": Sent(
            ActivityWire, POST, {"RelatedProspectId": lead_id, **activity}
        ),
        "Bulk/CustomActivity/Add/ByOpportunityId": Sent(
            list[OpportunityActivityWire],
            f"{POST_ON}?opportunityId={one}",
            [item(Fields=[*fields(c1="x"), SET])],
        ),
        "GetOpportunitiesOfLead": Sent(
            ListWire,
            f"{OPPORTUNITIES}/GetOpportunitiesOfLead?leadId={lead_id}",
            COLUMNS | PAGE | SORTED,
        ),
        "GetActivitiesOfOpportunity": Sent(
            ListWire, f"{LIST}?opportunityId={one}", COLUMNS | PAGE | SORTED
        ),
        "GetOpportunitiesByUniqueLeadField": Sent(
            ByLeadFieldWire,
            f"{OPPORTUNITIES}/GetOpportunitiesByUniqueLeadField",
            {"Parameter": by_field} | COLUMNS | PAGE | SORTED,
        ),
        "Retrieve/BySearchParameter": Sent(
            SearchWire,
            f"{OPPORTUNITIES}/Retrieve/BySearchParameter",
            {"OpportunityEventCode": DEAL, "AdvancedSearch": search} | COLUMNS | PAGE | SORTED,
        ),
        "RetrieveRecentlyModified": Sent(
            RecentlyModifiedWire,
            f"{activity_calls.SERVICE}/RetrieveRecentlyModified",
            {"Parameter": since} | PAGE | SORTED,
        ),
        "ProspectActivity.svc/Retrieve": Sent(
            TimelineWire,
            f"{RETRIEVE}?leadId={lead_id}",
            {"Parameter": {"ActivityEvent": CALL}} | PAGE,
        ),
        "Leads.Get": Sent(LeadsGetWire, GET, {"Parameter": by_field} | COLUMNS | PAGE | SORTED),
        "Leads/Retrieve/ByIds": Sent(
            LeadsByIdsWire, BY_IDS, {"SearchParameters": {"LeadIds": [lead_id]}} | COLUMNS | PAGE
        ),
    }


NAMES = list(calls("", ""))


# --- the messages of a body --------------------------------------------------------------------


def forms_in(form: inspect.Type) -> list[inspect.Type]:
    return list(form.types) if isinstance(form, inspect.UnionType) else [form]


def places(body: Any, form: inspect.Type, path: tuple[str | int, ...] = ()) -> Iterator[Place]:
    """Every message of a body, the condition language in its text included."""
    for one in forms_in(form):
        if isinstance(one, inspect.ListType) and isinstance(body, list):
            for index, inner in enumerate(body):
                yield from places(inner, one.item_type, (*path, index))
        elif isinstance(one, inspect.StructType) and isinstance(body, dict):
            yield Place(path, one)
            for field in one.fields:
                name = field.encode_name
                is_search = name == "AdvancedSearch"
                inner_form = inspect.type_info(AdvancedSearchWire) if is_search else field.type
                yield from places(body.get(name), inner_form, (*path, name))


def messages_of(form: inspect.Type) -> set[type]:
    """Every message that a form can hold."""
    found: set[type] = set()
    for one in forms_in(form):
        if isinstance(one, inspect.ListType):
            found |= messages_of(one.item_type)
        elif isinstance(one, inspect.StructType):
            found.add(one.cls)
            for field in one.fields:
                found |= messages_of(field.type)
    return found


def ignored(form: inspect.StructType) -> set[str]:
    """The members that a message knows and has no use for."""
    return {field.encode_name for field in form.fields if isinstance(field.type, inspect.RawType)}


def with_member(body: Any, path: tuple[str | int, ...], name: str, value: Any) -> Any:
    changed = deepcopy(body)
    inner = changed
    for step in path:
        inner = inner[step]
    inner[name] = value
    return changed


def post(server: Server, call: Sent, body: Any) -> Answer:
    """The answer to a body; a search has its conditions as JSON in a text."""
    if isinstance(body, dict) and isinstance(body.get("AdvancedSearch"), dict):
        body = body | {"AdvancedSearch": json.dumps(body["AdvancedSearch"])}
    return server.post(body, path=call.path)


def refused(answer: Answer, exception_type: str, *words: str) -> None:
    assert (answer.status, answer.exception_type) == (400, exception_type), answer.body
    for word in words:
        assert word in answer.message, answer.message


def all_that_is_here(server: Server) -> list[Any]:
    """Every opportunity, lead and activity."""
    since = {"Paging": {"PageSize": 5000}}
    modified = server.post(since, path=f"{activity_calls.SERVICE}/RetrieveRecentlyModified")
    leads = server.post({"Paging": {"PageSize": 5000}}, path=GET)
    changes = server.call("GET", "/v1/changes?cursor=now", headers=server.keys.headers)
    return [well(modified), leads.json, well(changes)["Cursor"]]


# --- unknown members ---------------------------------------------------------------------------


def test_every_message_is_tried() -> None:
    """Whatever a call decodes is in the calls of this module, with all that it can hold."""
    decoded = messages_of(inspect.type_info(AdvancedSearchWire))  # a text within a body
    for route in ROUTES:
        if not isinstance(route.operation, Stream):  # a stream of ids has no message
            decoded |= messages_of(inspect.type_info(route.operation.body.message))
    tried: set[type] = set()
    for call in calls("", "").values():
        tried |= {place.form.cls for place in places(call.body, inspect.type_info(call.form))}
    assert decoded - tried == messages_of(inspect.type_info(GetOpportunitiesByIdWire))


@pytest.mark.parametrize("name", NAMES)
def test_a_member_that_a_message_does_not_have_is_refused(name: str, server: Server) -> None:
    """In every place of every call, whatever its value is; nothing is written."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    assert post(server, call, call.body).status == 200
    before = all_that_is_here(server)
    for place in places(call.body, inspect.type_info(call.form)):
        for value in ("x", 1, True, {"Value": "N"}, [{"SchemaName": "mx_Custom_1"}]):
            body = with_member(call.body, place.path, "mx_Unheard", value)
            refused(post(server, call, body), INVALID, f"{place.shown}.mx_Unheard: there is no")
    assert all_that_is_here(server) == before


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_member_is_told_what_was_meant(name: str, server: Server) -> None:
    """Members are told apart by case, as the documentation spells them."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    for place in places(call.body, inspect.type_info(call.form)):
        known_name = next(field.encode_name for field in place.form.fields)
        body = with_member(call.body, place.path, known_name.lower(), "x")
        answer = post(server, call, body)
        refused(answer, INVALID, f"{place.shown}.{known_name.lower()}", f"mean {known_name}")


def test_a_name_that_is_no_name_is_quoted(server: Server) -> None:
    """Whatever stands in it, and however long it is."""
    for member in ("", "` - at `$.Fields", "a\nb\0c", "\ud800", "ü" * 5_000):
        answer = server.post({"ProspectOpportunityId": "x", member: 1}, path=UPDATE)
        assert answer.status == 400, answer.body
        assert len(answer.message) < 500
        assert answer.message.isprintable()


# --- members without effect --------------------------------------------------------------------


def documented() -> set[tuple[str, str, str]]:
    """Call, place and member of each row of the list in the documents."""
    text = FIDELITY.read_text(encoding="utf-8")
    section = text.partition("### Members without effect")[2].partition("\n##")[0]
    found: set[tuple[str, str, str]] = set()
    for one in section.split("\n- ")[1:]:
        where, _, members = one.partition(": ")
        [name, place] = re.findall(r"`([^`]+)`", where)
        found |= {(name, place, member) for member in re.findall(r"`([^`]+)`", members)}
    return found


def test_members_without_effect_are_documented() -> None:
    """The list has each of them, and no other."""
    known_here = {
        (name, re.sub(r"\d+", "", place.shown), member)
        for name, call in calls("", "").items()
        for place in places(call.body, inspect.type_info(call.form))
        for member in ignored(place.form)
    }
    assert documented() == known_here


@pytest.mark.parametrize("name", sorted({name for name, *_ in documented()}))
def test_members_without_effect_are_accepted(name: str, server: Server) -> None:
    """Whatever their value is: the call is answered as it is without them."""
    lead_id = new_lead(server)
    call = calls(lead_id, captured(server))[name]
    for place in places(call.body, inspect.type_info(call.form)):
        for member in ignored(place.form):
            for value in (True, "1", None, {"a": [1]}):
                body = with_member(call.body, place.path, member, value)
                assert post(server, call, body).status == 200


# --- field sets --------------------------------------------------------------------------------

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


# --- what belongs to another call or place -----------------------------------------------------


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
