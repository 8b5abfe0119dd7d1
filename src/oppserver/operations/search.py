"""``Retrieve/BySearchParameter``: the opportunities of a type that meet conditions."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.parse_search import parse_search
from oppserver.steps.plan_search import plan_search
from oppserver.steps.render_lists import render_list


def search(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_search(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    planned = plan_search(asked, services.store.catalogue())
    return render_list(services.store.search(planned))
