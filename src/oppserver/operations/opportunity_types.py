"""``GetOpportunityTypes``: all opportunity types, without their fields."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.render_types import render_types


def opportunity_types(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    return render_types(services.store.catalogue())
