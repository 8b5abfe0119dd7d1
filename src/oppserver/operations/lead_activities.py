"""``ProspectActivity.svc/Retrieve``: a lead's timeline, opportunities included, newest first."""

from oppserver.contract.query import mandatory_guid
from oppserver.contract.searches import ActivitySearch
from oppserver.operations.call import Call, Services, admit
from oppserver.steps.parse_timelines import parse_timeline
from oppserver.steps.render_activities import render_timeline


def lead_activities(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    lead_id = mandatory_guid(call.query, "leadId")
    asked = parse_timeline(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    search = ActivitySearch(
        lead_id=lead_id,
        event_code=asked.event_code,
        with_opportunities=True,
        offset=asked.offset,
        limit=asked.limit,
    )
    page = services.store.timeline(search)
    return render_timeline(page, services.store.catalogue())
