"""``ProspectActivity.svc/Create``: an activity is posted on a lead, which may be a new one."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from oppserver.calls.activities.parse import (
    AskedActivity,
    AskedLeadActivity,
    parse_lead_activity,
    parse_opportunity_activities,
)
from oppserver.calls.activities.render import (
    render_activities_posted,
    render_activity_list,
    render_activity_posted,
    render_timeline,
)
from oppserver.calls.activities.timelines import (
    event_code_asked,
    parse_activity_list,
    parse_timeline,
)
from oppserver.calls.leads.save import find_leads, lead_here, save_lead
from oppserver.calls.shared.admission import admit
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.decode import mandatory_guid
from oppserver.calls.shared.idempotency import write
from oppserver.calls.shared.lookups import gone, opportunity_here, users_named
from oppserver.calls.shared.names import activity_code_of
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidReference, OpportunityNotFound
from oppserver.contract.model import Activity, Catalogue, User
from oppserver.contract.names import quoted
from oppserver.store.port import Session
from oppserver.store.queries import ActivitySearch


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


class Subject(NamedTuple):
    """What an activity is on: a lead, and maybe one of its opportunities."""

    lead_id: str
    opportunity_id: str | None


def plan_activity(
    asked: AskedActivity,
    subject: Subject,
    *,
    activity_id: str,
    catalogue: Catalogue,
    users: Mapping[str, User],
    by: str,
    now: str,
) -> Activity:
    """The activity. ``users`` are by owner as given.

    Raises UnknownEventCode, or InvalidReference when the owner is not here.
    """
    code = activity_code_of(asked.event_code, catalogue, place=f"{asked.place}ActivityEvent")
    if asked.owner is not None and asked.owner not in users:
        raise InvalidReference(
            f"{asked.owner_place}: {quoted(asked.owner)} is no user here. Send a user's id or"
            " address."
        )
    return Activity(
        id=activity_id,
        event_code=code,
        lead_id=subject.lead_id,
        opportunity_id=subject.opportunity_id,
        note=asked.note,
        owner_id=None if asked.owner is None else users[asked.owner].id,
        created_by=by,
        created_on=asked.created_on or now,
        modified_on=now,
        fields=asked.fields,
    )
