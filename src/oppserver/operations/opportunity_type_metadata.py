"""``GetOpportunityTypeMetadata``: one opportunity type and all its fields."""

from oppserver.contract.event_codes import event_code_of
from oppserver.contract.query import mandatory
from oppserver.operations.call import Call, Services, admit
from oppserver.steps.render_types import render_type_metadata


def opportunity_type_metadata(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    asked = mandatory(call.query, "code")
    catalogue = services.store.catalogue()
    code = event_code_of(asked, catalogue, place="query parameter 'code'")
    return render_type_metadata(catalogue, code)
