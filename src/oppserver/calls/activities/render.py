"""The answers of the calls of activities: their messages, and how they are made."""

from collections.abc import Mapping, Sequence

import msgspec

from oppserver.calls.activities.timelines import COLUMNS, IDENTITY
from oppserver.calls.shared.activity_rows import TimelineRowWire, timeline_row
from oppserver.calls.shared.names import event_name
from oppserver.contract.columns import slot_of, with_member_sign
from oppserver.contract.field_sets import members_in, split_member
from oppserver.contract.model import Activity, Catalogue
from oppserver.store.queries import TimelinePage

_Values = Mapping[str, str | None]


class PostedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``ProspectActivity.svc/Create``. ``RelatedId`` is the lead."""

    Id: str
    RelatedId: str


class PostedActivityWire(msgspec.Struct, frozen=True):
    """One posted activity."""

    ProspectActivityId: str


class PostedActivitiesWire(msgspec.Struct, frozen=True):
    """The answer of ``Bulk/CustomActivity/Add/ByOpportunityId``."""

    Response: list[PostedActivityWire]


def render_activities_posted(ids: Sequence[str]) -> bytes:
    """The body of ``Bulk/CustomActivity/Add/ByOpportunityId``."""
    return msgspec.json.encode(PostedActivitiesWire([PostedActivityWire(one) for one in ids]))


# --- a lead's timeline -------------------------------------------------------------------------


class TimelineAnswerWire(msgspec.Struct, frozen=True):
    """The answer of ``ProspectActivity.svc/Retrieve``."""

    RecordCount: int
    ProspectActivities: list[TimelineRowWire]


def render_timeline(page: TimelinePage, catalogue: Catalogue) -> bytes:
    """The body of ``ProspectActivity.svc/Retrieve``."""
    rows = [timeline_row(one, catalogue) for one in page.rows]
    return msgspec.json.encode(TimelineAnswerWire(RecordCount=page.total, ProspectActivities=rows))


# --- a list ------------------------------------------------------------------------------------


class ActivityListWire(msgspec.Struct, frozen=True):
    """The answer of ``GetActivitiesOfOpportunity``."""

    RecordCount: int
    List: list[dict[str, str | None]]


def render_activity_list(page: TimelinePage, columns: Sequence[str], catalogue: Catalogue) -> bytes:
    """The body of ``GetActivitiesOfOpportunity``; no columns: all that the page's rows have."""
    rows = [listed(one, catalogue) for one in page.rows if isinstance(one, Activity)]
    assert len(rows) == len(page.rows), "an opportunity has no opportunities"
    custom = {name for row in rows for name in row if slot_of(name) is not None}
    every = (*COLUMNS, *sorted(custom, key=lambda name: slot_of(name) or 0))
    names = dict.fromkeys((*IDENTITY, *(columns or every)))
    return msgspec.json.encode(
        ActivityListWire(
            RecordCount=page.total,
            List=[{name: listed_value(row, name) for name in names} for row in rows],
        )
    )


def listed_value(row: _Values, name: str) -> str | None:
    """The value of a column, or of a member of the custom field set in one."""
    of_set, key = split_member(with_member_sign(name))
    return members_in(row.get(of_set)).get(key) if key else row.get(name)


def listed(one: Activity, catalogue: Catalogue) -> _Values:
    """An activity as a row of a list, dates as they are stored."""
    return {
        "ProspectId": one.lead_id,
        "ProspectActivityId": one.id,
        "RelatedProspectId": one.lead_id,
        "OpportunityId": one.opportunity_id,
        "RelatedOpportunityId": one.opportunity_id,
        "ActivityEvent": str(one.event_code),
        "ActivityEventName": event_name(one.event_code, catalogue),
        "ActivityEvent_Note": one.note,
        "Owner": one.owner_id,
        "CreatedBy": one.created_by,
        "CreatedOn": one.created_on,
        "ModifiedOn": one.modified_on,
        **one.fields,
    }
