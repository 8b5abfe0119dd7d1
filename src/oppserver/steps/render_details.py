"""From an opportunity and the form of its type's details to the body of an answer."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from oppserver.contract.columns import column_named
from oppserver.contract.metadata import DETAIL_FIELDS, NOTE_FIELD, STATUS_FIELD, field_metadata
from oppserver.contract.model import Field, Opportunity, OpportunityType
from oppserver.contract.wire_types import FieldWire

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


def render_details(one: Opportunity, form: DetailsForm) -> bytes:
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
