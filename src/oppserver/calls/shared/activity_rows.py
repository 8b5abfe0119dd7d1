"""A row of activities: the members that all reads of activities answer."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.messages import KeyValueWire
from oppserver.calls.shared.names import FIRST_SLOTS, POSTED_NAMES, event_name
from oppserver.contract.dates import to_answer
from oppserver.contract.model import Activity, Catalogue, StoredOpportunity
from oppserver.contract.values import DATA_TYPES

_NOT_DATA: Final = ("CreatedBy", "CreatedOn", "ModifiedOn")
"""The fields that are not repeated in ``Data``."""

_Values = Mapping[str, str | None]


class TimelineRowWire(msgspec.Struct, frozen=True, kw_only=True):
    """One activity, in the documented order of its members. ``RelatedOpportunityId`` is observed.

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
    RelatedOpportunityId: str | None
    Data: list[KeyValueWire]
    ActivityFields: dict[str, str | None] | UnsetType = UNSET


def timeline_row(one: Activity | StoredOpportunity, catalogue: Catalogue) -> TimelineRowWire:
    """The row of an activity, or of an opportunity among activities."""
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
        RelatedOpportunityId=one.opportunity_id if isinstance(one, Activity) else None,
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
