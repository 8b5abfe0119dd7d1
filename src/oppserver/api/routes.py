"""The calls of the API: path, method and operation of each. A call is added here."""

from typing import Final, Literal, NamedTuple

from oppserver.calls.activities.run import (
    ACTIVITY_DETAILS,
    ADD_OPPORTUNITY_ACTIVITIES,
    CREATE_ACTIVITY,
    LEAD_ACTIVITIES,
    OPPORTUNITY_ACTIVITIES,
    SEARCH_ACTIVITIES,
)
from oppserver.calls.bulk_read.run import BULK_READ
from oppserver.calls.changes.run import CHANGES
from oppserver.calls.leads.run import (
    BULK_LEADS,
    CAPTURE_LEAD,
    CREATE_LEAD,
    CREATE_OR_UPDATE_LEAD,
    LEAD_BY_EMAIL,
    LEAD_BY_ID,
    LEAD_BY_PHONE,
    LEAD_FIELDS,
    LEADS_BY_IDS,
    LEADS_GET,
    QUICK_SEARCH,
    RECENT_LEADS,
    SEARCH_LEADS,
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
    ACTIVITY_SETTING,
    ACTIVITY_TYPES,
    CREATE_ACTIVITY_TYPE,
    OPPORTUNITY_DETAILS,
    OPPORTUNITY_FEATURE,
    OPPORTUNITY_TYPE_METADATA,
    OPPORTUNITY_TYPES,
)
from oppserver.calls.users.run import ACCESS_KEY_USER, USER_BY_ID, USERS
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

        HEAD is answered for a GET that reads, never for one that writes.
        """
        methods: list[str] = [self.method]
        if self.method == "GET" and not self.writes:
            methods.append("HEAD")
        if self.takes_query:
            methods.append("QUERY")
        return (*methods, "OPTIONS")


def _route(
    method: Literal["GET", "POST"],
    path: str,
    operation: Operation | Stream[ReadStream] | Stream[ExportStream],
    *,
    name: str | None = None,
    takes_query: bool = False,
) -> Route:
    """One row of the table. The name is the end of the path, in one word, unless it is given."""
    end_of_path = path.rpartition(".svc/")[2].replace("/", "").replace(".", "")
    return Route(name or end_of_path, method, path, operation, takes_query)


_OPPORTUNITIES: Final = "/v2/OpportunityManagement.svc"

_LEADS: Final = "/v2/LeadManagement.svc"

_ACTIVITIES: Final = "/v2/ProspectActivity.svc"

ROUTES: Final = (
    _route("POST", f"{_OPPORTUNITIES}/GetOpportunitiesById", BULK_READ, takes_query=True),
    _route("GET", f"{_OPPORTUNITIES}/GetOpportunityDetails", OPPORTUNITY_DETAILS),
    _route("GET", f"{_OPPORTUNITIES}/GetOpportunityTypes", OPPORTUNITY_TYPES),
    _route("GET", f"{_OPPORTUNITIES}/GetOpportunityTypeMetadata", OPPORTUNITY_TYPE_METADATA),
    _route("GET", f"{_OPPORTUNITIES}/IsOpportunityEnabled", OPPORTUNITY_FEATURE),
    _route("POST", f"{_OPPORTUNITIES}/GetOpportunitiesOfLead", OPPORTUNITIES_OF_LEAD),
    _route(
        "POST", f"{_OPPORTUNITIES}/GetOpportunitiesByUniqueLeadField", OPPORTUNITIES_BY_LEAD_FIELD
    ),
    _route("POST", f"{_OPPORTUNITIES}/Retrieve/BySearchParameter", SEARCH),
    _route("POST", f"{_ACTIVITIES}/RetrieveRecentlyModified", RECENTLY_MODIFIED),
    _route("GET", f"{_ACTIVITIES}/ActivityTypes.Get", ACTIVITY_TYPES),
    _route("GET", f"{_ACTIVITIES}/CustomActivity/GetActivitySetting", ACTIVITY_SETTING),
    _route("POST", f"{_ACTIVITIES}/CreateType", CREATE_ACTIVITY_TYPE),
    _route("GET", "/v2/UserManagement.svc/Users.Get", USERS),
    _route("GET", "/v2/UserManagement.svc/User/Retrieve/ByUserId", USER_BY_ID),
    _route("GET", "/v2/Authentication.svc/UserByAccessKey.Get", ACCESS_KEY_USER),
    _route("POST", f"{_OPPORTUNITIES}/Capture", CAPTURE),
    _route("POST", f"{_OPPORTUNITIES}/Update", UPDATE),
    _route("POST", f"{_OPPORTUNITIES}/Bulk/Update/ByOpportunityId", BULK_UPDATE),
    _route("POST", f"{_OPPORTUNITIES}/Bulk/Add/ByLeadField", BULK_ADD),
    _route("GET", f"{_OPPORTUNITIES}/Delete", DELETE),
    _route("POST", f"{_OPPORTUNITIES}/GetActivitiesOfOpportunity", OPPORTUNITY_ACTIVITIES),
    _route("POST", f"{_LEADS}/Lead.CreateOrUpdate", CREATE_OR_UPDATE_LEAD),
    _route("POST", f"{_LEADS}/Lead.Update", UPDATE_LEAD),
    _route("GET", f"{_LEADS}/Leads.GetById", LEAD_BY_ID),
    _route("POST", f"{_LEADS}/Leads.Get", LEADS_GET),
    _route("POST", f"{_LEADS}/Leads/Retrieve/ByIds", LEADS_BY_IDS),
    _route("GET", f"{_LEADS}/LeadsMetaData.Get", LEAD_FIELDS),
    _route("POST", f"{_LEADS}/Lead.Capture", CAPTURE_LEAD),
    _route("POST", f"{_LEADS}/Lead.Create", CREATE_LEAD),
    _route("POST", f"{_LEADS}/Lead/Bulk/CreateOrUpdate", BULK_LEADS),
    _route("POST", f"{_LEADS}/Leads.RecentlyModified", RECENT_LEADS),
    _route("GET", f"{_LEADS}/Leads.GetByEmailaddress", LEAD_BY_EMAIL),
    _route("GET", f"{_LEADS}/RetrieveLeadByPhoneNumber", LEAD_BY_PHONE),
    _route("GET", f"{_LEADS}/Leads.GetByQuickSearch", QUICK_SEARCH),
    _route(
        "POST",
        f"{_ACTIVITIES}/Activity/Retrieve/BySearchParameter",
        SEARCH_ACTIVITIES,
    ),
    _route("GET", f"{_ACTIVITIES}/GetActivityDetails", ACTIVITY_DETAILS),
    _route("POST", f"{_LEADS}/Leads/Retrieve/BySearchParameter", SEARCH_LEADS),
    _route("POST", f"{_ACTIVITIES}/Create", CREATE_ACTIVITY, name="ProspectActivityCreate"),
    _route("POST", f"{_ACTIVITIES}/Retrieve", LEAD_ACTIVITIES, name="ProspectActivityRetrieve"),
    _route(
        "POST",
        f"{_ACTIVITIES}/Bulk/CustomActivity/Add/ByOpportunityId",
        ADD_OPPORTUNITY_ACTIVITIES,
        name="CustomActivityAddByOpportunityId",
    ),
    _route("GET", "/v1/changes", CHANGES, name="Changes"),
    _route(
        "POST", "/v1/opportunities/read", READ_STREAM, takes_query=True, name="ReadOpportunities"
    ),
    _route("GET", "/v1/opportunities", EXPORT, name="ExportOpportunities"),
)
