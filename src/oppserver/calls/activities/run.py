"""The calls of activities: posted on a lead or an opportunity, and read."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from oppserver.calls.activities.parse import (
    ActivityWire,
    AskedActivity,
    AskedLeadActivity,
    AskedOpportunityActivities,
    OpportunityActivityWire,
    parse_lead_activity,
    parse_opportunity_activities,
)
from oppserver.calls.activities.render import (
    PostedWire,
    render_activities_posted,
    render_activity_list,
    render_timeline,
)
from oppserver.calls.activities.search import (
    ActivitySearchWire,
    parse_activity_search,
    plan_activity_search,
    read_activity,
    read_activity_search,
    render_activity,
    render_activity_search,
)
from oppserver.calls.activities.timelines import (
    AskedActivityList,
    TimelineWire,
    parse_activity_list,
    parse_timeline,
)
from oppserver.calls.leads.save import find_leads, lead_here, save_lead
from oppserver.calls.shared.call import NO_BODY, Read, Services, Write, WriteContext
from oppserver.calls.shared.decode import Body, mandatory_guid
from oppserver.calls.shared.lookups import (
    ActivitiesFound,
    gone,
    opportunity_here,
    read_timeline,
    stored_opportunity,
    users_named,
)
from oppserver.calls.shared.messages import success
from oppserver.calls.shared.names import activity_code_of, user_here
from oppserver.calls.shared.paging import ListWire
from oppserver.contract.errors import InvalidReference
from oppserver.contract.model import Activity, Catalogue, User
from oppserver.store.port import Transaction


def create_activity(
    transaction: Transaction, asked: AskedLeadActivity, context: WriteContext
) -> bytes:
    """Post an activity on a lead, which may be a new one, and maybe on its opportunity."""
    owner = asked.activity.owner
    lead_id = _lead_id(transaction, asked, now=context.now, new_id=context.new_id)
    if asked.opportunity_id is not None:
        _check_opportunity(transaction, asked.opportunity_id, lead_id=lead_id)
    activity = plan_activity(
        asked.activity,
        Subject(lead_id=lead_id, opportunity_id=asked.opportunity_id),
        catalogue=transaction.catalogue(),
        users=users_named(transaction, [] if owner is None else [owner]),
        context=context,
    )
    transaction.write_activities([activity])
    return success(PostedWire(activity.id, lead_id))


def _lead_id(
    transaction: Transaction, asked: AskedLeadActivity, *, now: str, new_id: Callable[[], str]
) -> str:
    """Return the id of the lead that was named by id or address. An unknown address gets a lead."""
    if asked.lead is None:
        assert asked.lead_id is not None, "a lead is asked for in one way or the other"
        return lead_here(transaction, asked.lead_id, place="RelatedProspectId").id
    [found] = find_leads(transaction, [asked.lead])
    if found.lead is not None:
        return found.lead.id
    return save_lead(transaction, asked.lead, now=now, new_id=new_id).lead.id


def _check_opportunity(transaction: Transaction, one: str, *, lead_id: str) -> None:
    """Check that an opportunity is stored and of the lead. Raises InvalidReference."""
    place = "RelatedOpportunityId"
    found = transaction.opportunities([one]).get(one)
    if found is None:
        raise InvalidReference(f"{place}: {gone(transaction, one)}")
    if found.lead_id != lead_id:
        raise InvalidReference(
            f"{place}: the opportunity {one} is of the lead {found.lead_id}, not of {lead_id}."
            " Send its own lead."
        )


def add_opportunity_activities(
    transaction: Transaction, asked: AskedOpportunityActivities, context: WriteContext
) -> bytes:
    """Post up to 25 activities on an opportunity, or none."""
    place = "query parameter 'opportunityId'"
    opportunity = stored_opportunity(transaction, asked.opportunity_id, place=place)
    owners = [one.owner for one in asked.activities if one.owner is not None]
    users = users_named(transaction, owners)
    activities = [
        plan_activity(
            one,
            Subject(lead_id=opportunity.lead_id, opportunity_id=opportunity.id),
            catalogue=transaction.catalogue(),
            users=users,
            context=context,
        )
        for one in asked.activities
    ]
    transaction.write_activities(activities)
    return render_activities_posted([one.id for one in activities])


CREATE_ACTIVITY: Final = Write(
    body=Body(ActivityWire), parse=parse_lead_activity, write=create_activity
)

ADD_OPPORTUNITY_ACTIVITIES: Final = Write(
    body=Body(list[OpportunityActivityWire]),
    parse=parse_opportunity_activities,
    write=add_opportunity_activities,
)


def _read_activity_list(asked: AskedActivityList, services: Services) -> ActivitiesFound:
    opportunity_id = asked.search.opportunity_id
    assert opportunity_id is not None, "the list is of an opportunity"
    opportunity_here(services.store, opportunity_id, place="query parameter 'opportunityId'")
    return read_timeline(asked.search, services)


LEAD_ACTIVITIES: Final = Read(
    body=Body(TimelineWire, is_optional=True),
    parse=parse_timeline,
    read=read_timeline,
    render=lambda _, found: render_timeline(found.page, found.catalogue),
)

OPPORTUNITY_ACTIVITIES: Final = Read(
    body=Body(ListWire, is_optional=True),
    parse=parse_activity_list,
    read=_read_activity_list,
    render=lambda asked, found: render_activity_list(found.page, asked.columns, found.catalogue),
)


SEARCH_ACTIVITIES: Final = Read(
    body=Body(ActivitySearchWire),
    parse=parse_activity_search,
    plan=plan_activity_search,
    read=read_activity_search,
    render=render_activity_search,
)

ACTIVITY_DETAILS: Final = Read(
    body=NO_BODY,
    parse=lambda call, _: mandatory_guid(call.query, "activityId"),
    read=read_activity,
    render=lambda _, found: render_activity(found),
)


class Subject(NamedTuple):
    """The lead of an activity, and the opportunity if it is posted on one."""

    lead_id: str
    opportunity_id: str | None


def plan_activity(
    asked: AskedActivity,
    subject: Subject,
    *,
    catalogue: Catalogue,
    users: Mapping[str, User],
    context: WriteContext,
) -> Activity:
    """The activity. ``users`` are by owner as given.

    Raises UnknownEventCode, or InvalidReference when the owner is not here.
    """
    code = activity_code_of(asked.event_code, catalogue, place=f"{asked.place}ActivityEvent")
    owner_id = None
    if asked.owner is not None:
        owner_id = user_here(asked.owner, users, place=f"{asked.owner_place}:").id
    return Activity(
        id=context.new_id(),
        event_code=code,
        lead_id=subject.lead_id,
        opportunity_id=subject.opportunity_id,
        note=asked.note,
        owner_id=owner_id,
        created_by=context.user_id,
        created_on=asked.created_on or context.now,
        modified_on=context.now,
        fields=asked.fields,
    )
