"""``ActivityTypes.Get``: all types of activities; opportunity types are some of them."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.render_types import render_activity_types


def activity_types(call: Call, services: Services) -> bytes:
    """The body of the answer."""
    admit(call, services)
    return render_activity_types(services.store.catalogue())
