"""``GetOpportunityDetails``: one opportunity, each field of its type with its value."""

from oppserver.contract.query import mandatory_guid
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.named_opportunity import opportunity_here
from oppserver.steps.render_details import render_details


def opportunity_details(call: Call, services: Services) -> bytes:
    """The body of the answer. ``getFileURL`` changes nothing: there are no files here."""
    admit(call, services)
    asked = mandatory_guid(call.query, "OpportunityId")
    found = opportunity_here(services.store, asked, place="query parameter 'OpportunityId'")
    catalogue = services.store.catalogue()  # after the opportunity, so that its type is in it
    return render_details(found, services.details_forms.of(catalogue, found.event_code))
