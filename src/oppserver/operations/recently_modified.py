"""``RetrieveRecentlyModified``: what was modified in a span, page by page.

With the event code of an opportunity type it is the paged bulk read of that type; else it is of
activities.
"""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.parse_recently_modified import parse_recently_modified
from oppserver.steps.plan_recently_modified import (
    plan_modified_activities,
    plan_modified_opportunities,
)
from oppserver.steps.render_activities import render_modified_activities
from oppserver.steps.render_lists import render_modified_opportunities


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
