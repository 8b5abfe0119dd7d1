"""A message of every call with a JSON body, and changes to it."""

import json
from copy import deepcopy
from typing import Any, NamedTuple

from msgspec import inspect

from oppserver.calls.activities.parse import ActivityWire, OpportunityActivityWire
from oppserver.calls.activities.search import ActivitySearchWire
from oppserver.calls.activities.timelines import TimelineWire
from oppserver.calls.leads.parse import AttributeWire
from oppserver.calls.leads.reads import LeadsByIdsWire, LeadsGetWire
from oppserver.calls.leads.searches import LeadSearchWire, RecentLeadsWire
from oppserver.calls.lists.parse import ByLeadFieldWire, RecentlyModifiedWire
from oppserver.calls.shared.advanced_search import SearchWire
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
)
from tests.support.lead_calls import BY_IDS, GET, SAVE
from tests.support.running import Answer, Server
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    UNIQUE,
    UPDATE,
    capturing,
    fields,
    fresh,
    lead,
    well,
)

OPPORTUNITIES = writing.SERVICE


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
