"""From an activity that was asked, and what is here, to the activity that is posted."""

from collections.abc import Mapping
from typing import NamedTuple

from oppserver.contract.asked_activities import AskedActivity
from oppserver.contract.errors import InvalidReference
from oppserver.contract.event_codes import activity_code_of
from oppserver.contract.model import Activity, Catalogue, User
from oppserver.contract.names import quoted


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
