"""From the catalogue to the bodies of the calls that describe types."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from oppserver.contract.columns import column_named
from oppserver.contract.metadata import (
    DETAIL_FIELDS,
    NOTE_FIELD,
    STATUS_FIELD,
    ActivityTypeWire,
    FieldWire,
    field_metadata,
    type_metadata,
    type_summary,
)
from oppserver.contract.model import Catalogue, Field, OpportunityType, StoredOpportunity

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


_NO_VALUE: Final = b'"Value":null'
"""A field's message has this once: within a text of JSON a quote would be escaped."""


class DetailsForm(NamedTuple):
    """What the details of all opportunities of a type share.

    ``between`` is the JSON around the values, one piece more than there are values. ``stored`` has
    the stored name of each value.
    """

    between: tuple[bytes, ...]
    stored: tuple[str, ...]


def details_form(one: OpportunityType, fields: Iterable[Field]) -> DetailsForm:
    """The form of a type: with a hundred fields, its making costs more than a call may take."""
    name = msgspec.json.encode(one.name)
    pieces = [b'{"ID":']
    pieces.append(b',"Name":%b,"DisplayName":%b,"EventCode":%d' % (name, name, one.event_code))
    pieces[-1] += b',"RelatedProspectId":'
    pieces.append(b',"OpportunityNote":')
    pieces.append(b',"Fields":[')
    stored = ["id", "lead_id", "note"]
    messages = [NOTE_FIELD, STATUS_FIELD, *DETAIL_FIELDS, *map(field_metadata, fields)]
    for number, message in enumerate(messages):
        before, after = msgspec.json.encode(message).split(_NO_VALUE)
        pieces[-1] += (b"," if number else b"") + before + b'"Value":'
        pieces.append(after)
        stored.append(_stored(message))
    pieces[-1] += b"]}"
    return DetailsForm(tuple(pieces), tuple(stored))


def render_details(one: StoredOpportunity, form: DetailsForm) -> bytes:
    """The body of ``GetOpportunityDetails``. Dates are in the stored form: requests take it."""
    known: dict[str, Any] = {**msgspec.structs.asdict(one), **one.slots}
    parts = [b""] * (len(form.between) + len(form.stored))
    parts[::2] = form.between
    parts[1::2] = [msgspec.json.encode(known.get(stored)) for stored in form.stored]
    return b"".join(parts)


def _stored(message: FieldWire) -> str:
    column = column_named(message.SchemaName)
    assert column is not None, "a field is a system column or a slot"
    return column.stored


class _FormsOfCatalogue(NamedTuple):
    catalogue: Catalogue
    forms: dict[int, DetailsForm]


class DetailsForms:
    """Makes the form of a type once for each catalogue. Safe from several threads.

    At most one form for each type is latest. Two threads may make the same one at the same time.
    """

    def __init__(self) -> None:
        self._latest: _FormsOfCatalogue | None = None  # owner: of(); replaced whole

    def of(self, catalogue: Catalogue, event_code: int) -> DetailsForm:
        """The form of a type that is in the catalogue.

        A store gives the same catalogue until it moves, so it is known by its identity.
        """
        latest = self._latest
        if latest is None or latest.catalogue is not catalogue:
            latest = self._latest = _FormsOfCatalogue(catalogue, {})
        form = latest.forms.get(event_code)
        if form is None:
            fields = catalogue.fields.get(event_code, {})
            form = details_form(catalogue.types[event_code], fields.values())
            latest.forms[event_code] = form
        return form
