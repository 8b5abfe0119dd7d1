"""The answers of the calls of activities: their messages, and how they are made."""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.activities.timelines import COLUMNS, IDENTITY
from oppserver.calls.shared.messages import KeyValueWire
from oppserver.calls.shared.names import FIRST_SLOTS, POSTED_NAMES, event_name
from oppserver.contract.columns import slot_of
from oppserver.contract.dates import to_answer
from oppserver.contract.model import Activity, Catalogue, StoredOpportunity
from oppserver.contract.values import DATA_TYPES
from oppserver.store.queries import TimelinePage

_NOT_DATA: Final = ("CreatedBy", "CreatedOn", "ModifiedOn")
"""The fields that are not repeated in ``Data``."""

_Values = Mapping[str, str | None]


class PostedWire(msgspec.Struct, frozen=True):
    """``Message`` of ``ProspectActivity.svc/Create``."""

    Id: str


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


class TimelineRowWire(msgspec.Struct, frozen=True, kw_only=True):
    """One activity of a lead's timeline, in the documented order of its members.

    ``ActivityFields`` is there where the activity has any.
    """

    Id: str
    EventCode: int
    EventName: str
    ActivityScore: Literal[0] = 0
    CreatedOn: str
    ActivityType: Literal[2] = 2
    IsEmailType: Literal[False] = False
    Type: Literal["Custom"] = "Custom"
    SessionId: str = "00000000-0000-0000-0000-000000000000"
    TrackLocation: Literal[0] = 0
    Latitude: None = None
    Longitude: None = None
    ModifiedOn: str
    RelatedProspectId: str
    Data: list[KeyValueWire]
    ActivityFields: dict[str, str | None] | UnsetType = UNSET


class TimelineAnswerWire(msgspec.Struct, frozen=True):
    """The answer of ``ProspectActivity.svc/Retrieve``."""

    RecordCount: int
    ProspectActivities: list[TimelineRowWire]


def render_timeline(page: TimelinePage, catalogue: Catalogue) -> bytes:
    """The body of ``ProspectActivity.svc/Retrieve``."""
    rows = [_timeline_row(one, catalogue) for one in page.rows]
    return msgspec.json.encode(TimelineAnswerWire(RecordCount=page.total, ProspectActivities=rows))


def _timeline_row(one: Activity | StoredOpportunity, catalogue: Catalogue) -> TimelineRowWire:
    fields = _fields_of(one, catalogue)
    is_posted = one.event_code in POSTED_NAMES
    assert one.created_on is not None, "what is stored has its dates"
    assert one.modified_on is not None, "what is stored has its dates"
    return TimelineRowWire(
        Id=one.id,
        EventCode=one.event_code,
        EventName=event_name(one.event_code, catalogue),
        CreatedOn=one.created_on,
        ModifiedOn=one.modified_on,
        RelatedProspectId=one.lead_id,
        Data=[
            KeyValueWire(Key=name, Value=value)
            for name, value in fields.items()
            if value is not None and name not in _NOT_DATA
        ],
        ActivityFields=UNSET if is_posted else dict(fields),
    )


def _fields_of(one: Activity | StoredOpportunity, catalogue: Catalogue) -> _Values:
    """The fields of an activity, dates in the form of answers."""
    own = one.fields if isinstance(one, Activity) else _opportunity_fields(one, catalogue)
    return {
        "ActivityEvent_Note": one.note,
        "CreatedBy": one.created_by,
        "CreatedOn": to_answer(one.created_on or ""),
        "ModifiedOn": to_answer(one.modified_on or ""),
        "Owner": one.owner_id,
        **own,
    }


def _opportunity_fields(one: StoredOpportunity, catalogue: Catalogue) -> _Values:
    slots = {name: one.slots.get(name.lower()) for name in FIRST_SLOTS}
    defined = catalogue.fields.get(one.event_code, {})
    return {
        "Status": one.status,
        **{
            name: None if value is None else DATA_TYPES[field.data_type].answer(value)
            for name, value in slots.items()
            if (field := defined.get(name)) is not None
        },
    }


# --- a list ------------------------------------------------------------------------------------


class ActivityListWire(msgspec.Struct, frozen=True):
    """The answer of ``GetActivitiesOfOpportunity``."""

    RecordCount: int
    List: list[dict[str, str | None]]


def render_activity_list(page: TimelinePage, columns: Sequence[str], catalogue: Catalogue) -> bytes:
    """The body of ``GetActivitiesOfOpportunity``; no columns: all that the page's rows have."""
    rows = [_listed(one, catalogue) for one in page.rows if isinstance(one, Activity)]
    assert len(rows) == len(page.rows), "an opportunity has no opportunities"
    custom = {name for row in rows for name in row if slot_of(name) is not None}
    every = (*COLUMNS, *sorted(custom, key=lambda name: slot_of(name) or 0))
    names = dict.fromkeys((*IDENTITY, *(columns or every)))
    return msgspec.json.encode(
        ActivityListWire(
            RecordCount=page.total, List=[{name: row.get(name) for name in names} for row in rows]
        )
    )


def _listed(one: Activity, catalogue: Catalogue) -> _Values:
    return {
        "ProspectId": one.lead_id,
        "ProspectActivityId": one.id,
        "RelatedProspectId": one.lead_id,
        "OpportunityId": one.opportunity_id,
        "ActivityEvent": str(one.event_code),
        "ActivityEventName": event_name(one.event_code, catalogue),
        "ActivityEvent_Note": one.note,
        "Owner": one.owner_id,
        "CreatedBy": one.created_by,
        "CreatedOn": one.created_on,
        "ModifiedOn": one.modified_on,
        **one.fields,
    }
