"""``GetOpportunityDetails``: one opportunity, each field of its type with its value."""

from oppserver.contract.errors import OpportunityNotFound
from oppserver.contract.model import Catalogue, Opportunity, Tombstone
from oppserver.contract.names import quoted
from oppserver.contract.query import mandatory_guid
from oppserver.operations.call import Call, Services, admit
from oppserver.steps.render_details import render_details


def opportunity_details(call: Call, services: Services) -> bytes:
    """The body of the answer. ``getFileURL`` changes nothing: there are no files here."""
    admit(call, services)
    asked = mandatory_guid(call.query, "OpportunityId")
    found = services.store.opportunity(asked)
    catalogue = services.store.catalogue()  # after the opportunity, so that its type is in it
    if not isinstance(found, Opportunity):
        raise _not_found(asked, found, catalogue)
    return render_details(found, services.details_forms.of(catalogue, found.event_code))


def _not_found(
    asked: str, tombstone: Tombstone | None, catalogue: Catalogue
) -> OpportunityNotFound:
    if tombstone is None:
        return OpportunityNotFound(f"query parameter 'OpportunityId': there is no '{asked}' here")
    name = catalogue.types[tombstone.event_code].name
    by = f" by user {tombstone.deleted_by}" if tombstone.deleted_by else ""
    return OpportunityNotFound(
        f"query parameter 'OpportunityId': '{asked}' of type {tombstone.event_code}"
        f" ({quoted(name)}) was deleted on {tombstone.deleted_on} UTC{by}"
    )
