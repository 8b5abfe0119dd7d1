"""The calls of the API: path, method and operation of each. A call is added here."""

from typing import Final, Literal, NamedTuple

from oppserver.calls.activities.run import (
    ADD_OPPORTUNITY_ACTIVITIES,
    CREATE_ACTIVITY,
    LEAD_ACTIVITIES,
    OPPORTUNITY_ACTIVITIES,
)
from oppserver.calls.bulk_read.run import BULK_READ
from oppserver.calls.changes.run import CHANGES
from oppserver.calls.leads.run import (
    CREATE_OR_UPDATE_LEAD,
    LEAD_BY_ID,
    LEADS_BY_IDS,
    LEADS_GET,
    UPDATE_LEAD,
)
from oppserver.calls.lists.run import (
    OPPORTUNITIES_BY_LEAD_FIELD,
    OPPORTUNITIES_OF_LEAD,
    RECENTLY_MODIFIED,
    SEARCH,
)
from oppserver.calls.shared.call import Operation, Stream, Write
from oppserver.calls.streams.run import EXPORT, READ_STREAM, ExportStream, ReadStream
from oppserver.calls.types.run import (
    ACTIVITY_TYPES,
    OPPORTUNITY_DETAILS,
    OPPORTUNITY_FEATURE,
    OPPORTUNITY_TYPE_METADATA,
    OPPORTUNITY_TYPES,
)
from oppserver.calls.users.run import ACCESS_KEY_USER, USERS
from oppserver.calls.writes.run import BULK_ADD, BULK_UPDATE, CAPTURE, DELETE, UPDATE


class Route(NamedTuple):
    """One call. ``name`` is its name in logs, metrics and the OpenAPI document.

    ``takes_query``: a POST that only reads, answered to QUERY too, the safe method with a body
    (RFC 10008).
    """

    name: str
    method: Literal["GET", "POST"]
    path: str
    operation: Operation | Stream[ReadStream] | Stream[ExportStream]
    takes_query: bool = False

    @property
    def writes(self) -> bool:
        """Return whether the call writes: it needs the right, and takes an ``Idempotency-Key``."""
        return isinstance(self.operation, Write)

    @property
    def is_stream(self) -> bool:
        """Return whether the answer is a stream, and maybe the body."""
        return isinstance(self.operation, Stream)

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods that are answered, in the order of ``Allow``.

        HEAD is answered for a GET that reads in one answer: never for one that writes, and not for
        a stream, whose length is not known before its end.
        """
        methods: list[str] = [self.method]
        if self.method == "GET" and not self.writes and not self.is_stream:
            methods.append("HEAD")
        if self.takes_query:
            methods.append("QUERY")
        return (*methods, "OPTIONS")


ROUTES: Final = (
    Route(
        name="GetOpportunitiesById",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesById",
        operation=BULK_READ,
        takes_query=True,
    ),
    Route(
        name="GetOpportunityDetails",
        method="GET",
        path="/v2/OpportunityManagement.svc/GetOpportunityDetails",
        operation=OPPORTUNITY_DETAILS,
    ),
    Route(
        name="GetOpportunityTypes",
        method="GET",
        path="/v2/OpportunityManagement.svc/GetOpportunityTypes",
        operation=OPPORTUNITY_TYPES,
    ),
    Route(
        name="GetOpportunityTypeMetadata",
        method="GET",
        path="/v2/OpportunityManagement.svc/GetOpportunityTypeMetadata",
        operation=OPPORTUNITY_TYPE_METADATA,
    ),
    Route(
        name="IsOpportunityEnabled",
        method="GET",
        path="/v2/OpportunityManagement.svc/IsOpportunityEnabled",
        operation=OPPORTUNITY_FEATURE,
    ),
    Route(
        name="GetOpportunitiesOfLead",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesOfLead",
        operation=OPPORTUNITIES_OF_LEAD,
    ),
    Route(
        name="GetOpportunitiesByUniqueLeadField",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetOpportunitiesByUniqueLeadField",
        operation=OPPORTUNITIES_BY_LEAD_FIELD,
    ),
    Route(
        name="RetrieveBySearchParameter",
        method="POST",
        path="/v2/OpportunityManagement.svc/Retrieve/BySearchParameter",
        operation=SEARCH,
    ),
    Route(
        name="RetrieveRecentlyModified",
        method="POST",
        path="/v2/ProspectActivity.svc/RetrieveRecentlyModified",
        operation=RECENTLY_MODIFIED,
    ),
    Route(
        name="ActivityTypesGet",
        method="GET",
        path="/v2/ProspectActivity.svc/ActivityTypes.Get",
        operation=ACTIVITY_TYPES,
    ),
    Route(
        name="UsersGet",
        method="GET",
        path="/v2/UserManagement.svc/Users.Get",
        operation=USERS,
    ),
    Route(
        name="UserByAccessKeyGet",
        method="GET",
        path="/v2/Authentication.svc/UserByAccessKey.Get",
        operation=ACCESS_KEY_USER,
    ),
    Route(
        name="Capture",
        method="POST",
        path="/v2/OpportunityManagement.svc/Capture",
        operation=CAPTURE,
    ),
    Route(
        name="Update",
        method="POST",
        path="/v2/OpportunityManagement.svc/Update",
        operation=UPDATE,
    ),
    Route(
        name="BulkUpdateByOpportunityId",
        method="POST",
        path="/v2/OpportunityManagement.svc/Bulk/Update/ByOpportunityId",
        operation=BULK_UPDATE,
    ),
    Route(
        name="BulkAddByLeadField",
        method="POST",
        path="/v2/OpportunityManagement.svc/Bulk/Add/ByLeadField",
        operation=BULK_ADD,
    ),
    Route(
        name="Delete",
        method="GET",
        path="/v2/OpportunityManagement.svc/Delete",
        operation=DELETE,
    ),
    Route(
        name="GetActivitiesOfOpportunity",
        method="POST",
        path="/v2/OpportunityManagement.svc/GetActivitiesOfOpportunity",
        operation=OPPORTUNITY_ACTIVITIES,
    ),
    Route(
        name="LeadCreateOrUpdate",
        method="POST",
        path="/v2/LeadManagement.svc/Lead.CreateOrUpdate",
        operation=CREATE_OR_UPDATE_LEAD,
    ),
    Route(
        name="LeadUpdate",
        method="POST",
        path="/v2/LeadManagement.svc/Lead.Update",
        operation=UPDATE_LEAD,
    ),
    Route(
        name="LeadsGetById",
        method="GET",
        path="/v2/LeadManagement.svc/Leads.GetById",
        operation=LEAD_BY_ID,
    ),
    Route(
        name="LeadsGet",
        method="POST",
        path="/v2/LeadManagement.svc/Leads.Get",
        operation=LEADS_GET,
    ),
    Route(
        name="LeadsRetrieveByIds",
        method="POST",
        path="/v2/LeadManagement.svc/Leads/Retrieve/ByIds",
        operation=LEADS_BY_IDS,
    ),
    Route(
        name="ProspectActivityCreate",
        method="POST",
        path="/v2/ProspectActivity.svc/Create",
        operation=CREATE_ACTIVITY,
    ),
    Route(
        name="ProspectActivityRetrieve",
        method="POST",
        path="/v2/ProspectActivity.svc/Retrieve",
        operation=LEAD_ACTIVITIES,
    ),
    Route(
        name="CustomActivityAddByOpportunityId",
        method="POST",
        path="/v2/ProspectActivity.svc/Bulk/CustomActivity/Add/ByOpportunityId",
        operation=ADD_OPPORTUNITY_ACTIVITIES,
    ),
    Route(
        name="Changes",
        method="GET",
        path="/v1/changes",
        operation=CHANGES,
    ),
    Route(
        name="ReadOpportunities",
        method="POST",
        path="/v1/opportunities/read",
        operation=READ_STREAM,
        takes_query=True,
    ),
    Route(
        name="ExportOpportunities",
        method="GET",
        path="/v1/opportunities",
        operation=EXPORT,
    ),
)
