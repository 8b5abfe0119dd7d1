"""``GetOpportunitiesByUniqueLeadField``: the opportunities of the lead with some address."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.parse_lists import parse_lead_field_list
from oppserver.steps.plan_lists import plan_lead_field_list
from oppserver.steps.render_lists import render_list


def opportunities_by_lead_field(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_lead_field_list(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    search = plan_lead_field_list(asked, services.store.catalogue())
    return render_list(services.store.search(search))
