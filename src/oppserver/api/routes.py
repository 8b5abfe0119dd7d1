"""The calls of the API: their paths and methods, and the operation behind each."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from oppserver.calls.activities.run import (
    add_opportunity_activities,
    create_activity,
    lead_activities,
    opportunity_activities,
)
from oppserver.calls.bulk_read.run import bulk_read
from oppserver.calls.changes.run import changes
from oppserver.calls.leads.run import (
    create_or_update_lead,
    lead_by_id,
    leads_by_ids,
    leads_get,
    update_lead,
)
from oppserver.calls.lists.run import (
    opportunities_by_lead_field,
    opportunities_of_lead,
    recently_modified,
    search,
)
from oppserver.calls.shared.call import Answer, Call, Services
from oppserver.calls.streams.export import ExportStream, open_export
from oppserver.calls.streams.read import ReadStream, open_stream
from oppserver.calls.types.run import (
    activity_types,
    opportunity_details,
    opportunity_feature,
    opportunity_type_metadata,
    opportunity_types,
)
from oppserver.calls.users.run import access_key_user, users
from oppserver.calls.writes.run import bulk_add, bulk_update, capture, delete, update


class Route(NamedTuple):
    """One call: ``name`` is what logs, metrics and the OpenAPI document call it.

    ``writes``: it changes what is stored, so a reader's key may not call it, and it takes an
    ``Idempotency-Key``. ``takes_query``: a POST that only reads; it is answered to QUERY too,
    the safe method with a body (RFC 10008).
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    operation: Callable[[Call, Services], bytes | Answer]
    writes: bool = False
    takes_query: bool = False


class StreamRoute(NamedTuple):
    """A call whose answer is a stream, and maybe its body: it is opened, and goes on from there."""

    name: str
    method: Literal["GET", "POST"]
    path: str
    open: Callable[[Call, Services], ReadStream | ExportStream]
    takes_query: bool = False

    @property
    def allow(self) -> str:
        """The methods that it takes, as ``Allow`` names them."""
        return f"{self.method}, QUERY" if self.takes_query else self.method


STREAM_ROUTES: Final = (
    StreamRoute(
        name="ReadOpportunities",
        method="POST",
        path="/v1/opportunities/read",
        open=open_stream,
        takes_query=True,
    ),
    StreamRoute(
        name="ExportOpportunities",
        method="GET",
        path="/v1/opportunities",
        open=open_export,
    ),
)

ROUTES: Final = (
    Route(
        name="GetOpportunitiesById",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesById",
        operation=bulk_read,
        takes_query=True,
    ),
    Route(
        name="GetOpportunityDetails",
        method="GET",
        path="/v2/OpportunityManagement.svc/GetOpportunityDetails",
        operation=opportunity_details,
    ),
    Route(
        name="GetOpportunityTypes",
        method="GET",
        path="/v2/OpportunityManagement.svc/GetOpportunityTypes",
        operation=opportunity_types,
    ),
    Route(
        name="GetOpportunityTypeMetadata",
        method="GET",
        path="/v2/OpportunityManagement.svc/GetOpportunityTypeMetadata",
        operation=opportunity_type_metadata,
    ),
    Route(
        name="IsOpportunityEnabled",
        method="GET",
        path="/v2/OpportunityManagement.svc/IsOpportunityEnabled",
        operation=opportunity_feature,
    ),
    Route(
        name="GetOpportunitiesOfLead",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesOfLead",
        operation=opportunities_of_lead,
    ),
    Route(
        name="GetOpportunitiesByUniqueLeadField",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesByUniqueLeadField",
        operation=opportunities_by_lead_field,
    ),
    Route(
        name="RetrieveBySearchParameter",
        method="POST",
        path="/v2/OpportunityManagement.svc/Retrieve/BySearchParameter",
        operation=search,
    ),
    Route(
        name="RetrieveRecentlyModified",
        method="POST",
        path="/v2/ProspectActivity.svc/RetrieveRecentlyModified",
        operation=recently_modified,
    ),
    Route(
        name="ActivityTypesGet",
        method="GET",
        path="/v2/ProspectActivity.svc/ActivityTypes.Get",
        operation=activity_types,
    ),
    Route(
        name="UsersGet",
        method="GET",
        path="/v2/UserManagement.svc/Users.Get",
        operation=users,
    ),
    Route(
        name="UserByAccessKeyGet",
        method="GET",
        path="/v2/Authentication.svc/UserByAccessKey.Get",
        operation=access_key_user,
    ),
    Route(
        name="Capture",
        method="POST",
        path="/v2/OpportunityManagement.svc/Capture",
        operation=capture,
        writes=True,
    ),
    Route(
        name="Update",
        method="POST",
        path="/v2/OpportunityManagement.svc/Update",
        operation=update,
        writes=True,
    ),
    Route(
        name="BulkUpdateByOpportunityId",
        method="POST",
        path="/v2/OpportunityManagement.svc/Bulk/Update/ByOpportunityId",
        operation=bulk_update,
        writes=True,
    ),
    Route(
        name="BulkAddByLeadField",
        method="POST",
        path="/v2/OpportunityManagement.svc/Bulk/Add/ByLeadField",
        operation=bulk_add,
        writes=True,
    ),
    Route(
        name="Delete",
        method="GET",
        path="/v2/OpportunityManagement.svc/Delete",
        operation=delete,
        writes=True,
    ),
    Route(
        name="GetActivitiesOfOpportunity",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetActivitiesOfOpportunity",
        operation=opportunity_activities,
    ),
    Route(
        name="LeadCreateOrUpdate",
        method="POST",
        path="/v2/LeadManagement.svc/Lead.CreateOrUpdate",
        operation=create_or_update_lead,
        writes=True,
    ),
    Route(
        name="LeadUpdate",
        method="POST",
        path="/v2/LeadManagement.svc/Lead.Update",
        operation=update_lead,
        writes=True,
    ),
    Route(
        name="LeadsGetById",
        method="GET",
        path="/v2/LeadManagement.svc/Leads.GetById",
        operation=lead_by_id,
    ),
    Route(
        name="LeadsGet",
        method="POST",
        path="/v2/LeadManagement.svc/Leads.Get",
        operation=leads_get,
    ),
    Route(
        name="LeadsRetrieveByIds",
        method="POST",
        path="/v2/LeadManagement.svc/Leads/Retrieve/ByIds",
        operation=leads_by_ids,
    ),
    Route(
        name="ProspectActivityCreate",
        method="POST",
        path="/v2/ProspectActivity.svc/Create",
        operation=create_activity,
        writes=True,
    ),
    Route(
        name="ProspectActivityRetrieve",
        method="POST",
        path="/v2/ProspectActivity.svc/Retrieve",
        operation=lead_activities,
    ),
    Route(
        name="CustomActivityAddByOpportunityId",
        method="POST",
        path="/v2/ProspectActivity.svc/Bulk/CustomActivity/Add/ByOpportunityId",
        operation=add_opportunity_activities,
        writes=True,
    ),
    Route(
        name="Changes",
        method="GET",
        path="/v1/changes",
        operation=changes,
    ),
)
