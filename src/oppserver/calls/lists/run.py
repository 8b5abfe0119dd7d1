"""``GetOpportunitiesOfLead``: the opportunities of a lead, of one type or all."""

from oppserver.calls.activities.render import render_modified_activities
from oppserver.calls.lists.parse import (
    parse_lead_field_list,
    parse_lead_list,
    parse_recently_modified,
)
from oppserver.calls.lists.parse_search import parse_search
from oppserver.calls.lists.plan import (
    plan_lead_field_list,
    plan_lead_list,
    plan_modified_activities,
    plan_modified_opportunities,
    plan_search,
)
from oppserver.calls.shared.admission import admit
from oppserver.calls.shared.call import Call, Services
from oppserver.store.queries import RenderedPage


def opportunities_of_lead(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_lead_list(
        call.query,
        call.body,
        content_type=call.content_type,
        body_bytes_max=services.body_bytes_max,
    )
    search = plan_lead_list(asked, services.store.catalogue())
    return render_list(services.store.search(search))


def opportunities_by_lead_field(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_lead_field_list(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    search = plan_lead_field_list(asked, services.store.catalogue())
    return render_list(services.store.search(search))


def search(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_search(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    planned = plan_search(asked, services.store.catalogue())
    return render_list(services.store.search(planned))


def recently_modified(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_recently_modified(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    catalogue = services.store.catalogue()
    if asked.event_code is not None and asked.event_code in catalogue.types:
        search = plan_modified_opportunities(asked, asked.event_code, catalogue)
        return render_modified_opportunities(services.store.search(search))
    page = services.store.timeline(plan_modified_activities(asked))
    catalogue = services.store.catalogue()  # after the page, so that its types are in it
    return render_modified_activities(page, catalogue, with_custom_fields=asked.with_custom_fields)


def render_list(page: RenderedPage) -> bytes:
    """The body of lists and searches. The rows are JSON already and are not looked into."""
    return b'{"RecordCount":%d,"List":%b}' % (page.total, page.json)


def render_modified_opportunities(page: RenderedPage) -> bytes:
    """The body of ``RetrieveRecentlyModified`` of an opportunity type."""
    return b'{"RecordCount":%d,"ProspectActivities":%b}' % (page.total, page.json)
