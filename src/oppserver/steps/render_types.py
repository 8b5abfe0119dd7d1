"""From the catalogue to the bodies of the calls that describe types."""

from collections.abc import Iterable
from typing import Final

import msgspec

from oppserver.contract.metadata import (
    NOTE_FIELD,
    STATUS_FIELD,
    field_metadata,
    type_metadata,
    type_summary,
)
from oppserver.contract.model import Catalogue
from oppserver.contract.wire_types import ActivityTypeWire, FieldWire

_CUSTOM: Final = 2
"""The type of events that are no built-in ones. Source: the documented rows of activities."""

_INBOUND: Final = 0


def render_types(catalogue: Catalogue) -> bytes:
    """The body of ``GetOpportunityTypes``: by event code, without fields."""
    return msgspec.json.encode([type_summary(one) for one in catalogue.types.values()])


def render_type_metadata(catalogue: Catalogue, event_code: int) -> bytes:
    """The body of ``GetOpportunityTypeMetadata`` for a type that is there."""
    fields = catalogue.fields.get(event_code, {})
    return msgspec.json.encode(type_metadata(catalogue.types[event_code], fields.values()))


def render_activity_types(catalogue: Catalogue) -> bytes:
    """The body of ``ActivityTypes.Get``: activity types, then opportunity types, by event code."""
    activities = [
        _activity_type(one.event_code, one.name, [NOTE_FIELD])
        for one in catalogue.activity_types.values()
    ]
    opportunities = [
        _activity_type(
            code,
            one.name,
            [
                NOTE_FIELD,
                STATUS_FIELD,
                *map(field_metadata, catalogue.fields.get(code, {}).values()),
            ],
        )
        for code, one in catalogue.types.items()
    ]
    return msgspec.json.encode(activities + opportunities)


def _activity_type(event_code: int, name: str, fields: Iterable[FieldWire]) -> ActivityTypeWire:
    properties = msgspec.json.encode({"FormMetaData": list(fields)})
    return ActivityTypeWire(
        ActivityEvent=event_code,
        ActivityEventName=name,
        DisplayName=name,
        EventType=_CUSTOM,
        EventDirection=_INBOUND,
        Tags=None,
        ActivityProperties=properties.decode(),
    )
