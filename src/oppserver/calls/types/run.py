"""``GetOpportunityTypes``: all opportunity types, without their fields."""

from oppserver.calls.shared.admission import admit
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.decode import mandatory, mandatory_guid
from oppserver.calls.shared.lookups import opportunity_here
from oppserver.calls.shared.names import event_code_of
from oppserver.calls.types.render import (
    render_activity_types,
    render_details,
    render_type_metadata,
    render_types,
)


def opportunity_types(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    return render_types(services.store.catalogue())


def opportunity_type_metadata(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    asked = mandatory(call.query, "code")
    catalogue = services.store.catalogue()
    code = event_code_of(asked, catalogue, place="query parameter 'code'")
    return render_type_metadata(catalogue, code)


def activity_types(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    return render_activity_types(services.store.catalogue())


_ENABLED = b'{"OpportunityManagement":"Enabled"}'


def opportunity_feature(call: Call, services: Services) -> bytes:
    """The body of the answer, for any ``orgId``: a server serves one organisation."""
    admit(call, services)
    return _ENABLED


def opportunity_details(call: Call, services: Services) -> bytes:
    """The body of the answer. ``getFileURL`` changes nothing: there are no files here."""
    admit(call, services)
    asked = mandatory_guid(call.query, "OpportunityId")
    found = opportunity_here(services.store, asked, place="query parameter 'OpportunityId'")
    catalogue = services.store.catalogue()  # after the opportunity, so that its type is in it
    return render_details(found, services.details_forms.of(catalogue, found.event_code))
