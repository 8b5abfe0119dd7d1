"""``GetActivitiesOfOpportunity``: the activities of an opportunity, page by page."""

from oppserver.contract.query import mandatory_guid
from oppserver.contract.searches import ActivitySearch
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.named_opportunity import opportunity_here
from oppserver.steps.parse_timelines import event_code_asked, parse_activity_list
from oppserver.steps.render_activities import render_activity_list


def opportunity_activities(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    opportunity_id = mandatory_guid(call.query, "opportunityId")
    event_code = event_code_asked(
        call.query.get("activityeventcode"), place="query parameter 'activityEventCode'"
    )
    asked = parse_activity_list(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    opportunity_here(services.store, opportunity_id, place="query parameter 'opportunityId'")
    page = services.store.timeline(
        ActivitySearch(
            opportunity_id=opportunity_id,
            event_code=event_code,
            by_modified_on=asked.by_modified_on,
            is_descending=asked.is_descending,
            offset=asked.offset,
            limit=asked.limit,
        )
    )
    return render_activity_list(page, asked.columns, services.store.catalogue())
