"""``ProspectActivity.svc/Create``: an activity is posted on a lead, which may be a new one."""

from collections.abc import Callable

from oppserver.contract.asked_activities import AskedLeadActivity
from oppserver.contract.dates import now_stored
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.lead_writes import lead_here, save_lead
from oppserver.operations.lookups import find_leads, users_named
from oppserver.operations.write import write
from oppserver.steps.parse_activities import parse_lead_activity
from oppserver.steps.plan_activities import Subject, plan_activity
from oppserver.steps.render_activities import render_activity_posted
from oppserver.store.port import Session


def create_activity(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    asked = parse_lead_activity(
        call.body,
        call.query,
        content_type=call.content_type,
        body_bytes_max=services.body_bytes_max,
    )
    now, new_id = now_stored(call.now), services.sources.new_id

    def work(session: Session) -> bytes:
        owner = asked.activity.owner
        activity = plan_activity(
            asked.activity,
            Subject(lead_id=_lead_id(session, asked, now=now, new_id=new_id), opportunity_id=None),
            activity_id=new_id(),
            catalogue=session.catalogue(),
            users=users_named(session, [] if owner is None else [owner]),
            by=caller.user_id,
            now=now,
        )
        session.write_activities([activity])
        return render_activity_posted(activity.id)

    return write(call, services, work)


def _lead_id(
    session: Session, asked: AskedLeadActivity, *, now: str, new_id: Callable[[], str]
) -> str:
    """The lead of the id, or of the address: that one is created where there is none."""
    if asked.lead is None:
        assert asked.lead_id is not None, "a lead is asked for in one way or the other"
        return lead_here(session, asked.lead_id, place="RelatedProspectId").id
    [found] = find_leads(session, [asked.lead])
    if found.lead is not None:
        return found.lead.id
    return save_lead(session, asked.lead, now=now, new_id=new_id).lead.id
