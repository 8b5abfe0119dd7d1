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
        raise OpportunityNotFound(
            f"query parameter 'OpportunityId': {_gone(asked, found, catalogue, services)}"
        )
    return render_details(found, services.details_forms.of(catalogue, found.event_code))


def _gone(asked: str, tombstone: Tombstone | None, catalogue: Catalogue, services: Services) -> str:
    if tombstone is None:
        return f"there is no opportunity {asked}. Check the id."
    name = catalogue.types[tombstone.event_code].name
    emails = {user.id: user.email for user in services.store.users()}
    who = tombstone.deleted_by and (emails.get(tombstone.deleted_by) or tombstone.deleted_by)
    return (
        f"the opportunity {asked} of type {tombstone.event_code} ({quoted(name)}) was deleted on"
        f" {tombstone.deleted_on} (UTC){f' by {who}' if who else ''}."
    )
