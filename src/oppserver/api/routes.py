"""The calls of the API: their paths and methods, and the operation behind each."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from oppserver.operations.access_key_user import access_key_user
from oppserver.operations.activity_types import activity_types
from oppserver.operations.bulk_read import bulk_read
from oppserver.operations.call import Answer, Call, Services
from oppserver.operations.opportunity_details import opportunity_details
from oppserver.operations.opportunity_feature import opportunity_feature
from oppserver.operations.opportunity_type_metadata import opportunity_type_metadata
from oppserver.operations.opportunity_types import opportunity_types
from oppserver.operations.users import users


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
)
