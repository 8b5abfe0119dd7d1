"""``Bulk/CustomActivity/Add/ByOpportunityId``: up to 25 activities on an opportunity, or none."""

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import OpportunityNotFound
from oppserver.contract.query import mandatory_guid
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.lookups import users_named
from oppserver.operations.named_opportunity import gone
from oppserver.operations.write import write
from oppserver.steps.parse_activities import parse_opportunity_activities
from oppserver.steps.plan_activities import Subject, plan_activity
from oppserver.steps.render_activities import render_activities_posted
from oppserver.store.port import Session


def add_opportunity_activities(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    opportunity_id = mandatory_guid(call.query, "opportunityId")
    asked = parse_opportunity_activities(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )

    def work(session: Session) -> bytes:
        opportunity = session.opportunities([opportunity_id]).get(opportunity_id)
        if opportunity is None:
            raise OpportunityNotFound(
                f"query parameter 'opportunityId': {gone(session, opportunity_id)}"
            )
        users = users_named(session, [one.owner for one in asked if one.owner is not None])
        activities = [
            plan_activity(
                one,
                Subject(lead_id=opportunity.lead_id, opportunity_id=opportunity.id),
                activity_id=services.sources.new_id(),
                catalogue=session.catalogue(),
                users=users,
                by=caller.user_id,
                now=now_stored(call.now),
            )
            for one in asked
        ]
        session.write_activities(activities)
        return render_activities_posted([one.id for one in activities])

    return write(call, services, work)
