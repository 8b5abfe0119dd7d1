"""The answers of lists and searches, and of what was modified."""

from collections.abc import Mapping

import msgspec

from oppserver.calls.shared.activity_rows import TimelineRowWire, timeline_row
from oppserver.calls.shared.messages import KeyValueWire
from oppserver.calls.shared.names import FIRST_SLOTS
from oppserver.contract.columns import is_member, slot_of
from oppserver.contract.model import Activity, Catalogue, StoredOpportunity
from oppserver.store.queries import RenderedPage, Search, TimelinePage


def render_list(_: Search, page: RenderedPage) -> bytes:
    """Render the body of lists and searches. The rows are JSON already and are not decoded."""
    return b'{"RecordCount":%d,"List":%b}' % (page.total, page.json)


def render_modified_opportunities(page: RenderedPage) -> bytes:
    """Render the body of ``RetrieveRecentlyModified`` of opportunities; their rows are JSON."""
    return b'{"RecordCount":%d,"ProspectActivities":%b}' % (page.total, page.json)


class ModifiedActivityWire(TimelineRowWire, frozen=True, kw_only=True):
    """One activity of ``RetrieveRecentlyModified``: a row of a timeline, and its fields."""

    Fields: list[KeyValueWire]


class ModifiedActivitiesWire(msgspec.Struct, frozen=True):
    """The body of an answer of ``RetrieveRecentlyModified``."""

    RecordCount: int
    ProspectActivities: list[ModifiedActivityWire]


def render_modified_activities(
    page: TimelinePage, catalogue: Catalogue, *, with_custom_fields: bool
) -> bytes:
    """The body of ``RetrieveRecentlyModified`` of activities; opportunities may be among them."""
    rows = [
        _modified_row(one, catalogue, with_custom_fields=with_custom_fields) for one in page.rows
    ]
    return msgspec.json.encode(
        ModifiedActivitiesWire(RecordCount=page.total, ProspectActivities=rows)
    )


def _modified_row(
    one: Activity | StoredOpportunity, catalogue: Catalogue, *, with_custom_fields: bool
) -> ModifiedActivityWire:
    fields = {
        name: value
        for name, value in _modified_fields(one, catalogue).items()
        if with_custom_fields or slot_of(name) is None or name in FIRST_SLOTS
    }
    return ModifiedActivityWire(
        **msgspec.structs.asdict(timeline_row(one, catalogue)),
        Fields=[KeyValueWire(Key=name, Value=value) for name, value in fields.items()],
    )


def _modified_fields(
    one: Activity | StoredOpportunity, catalogue: Catalogue
) -> Mapping[str, str | None]:
    of_every = {"Owner": one.owner_id, "ActivityEvent_Note": one.note, "CreatedBy": one.created_by}
    if isinstance(one, Activity):
        return {**of_every, **one.fields}
    defined = catalogue.fields.get(one.event_code, {})
    slots = {name: one.slots.get(name.lower()) for name in defined if not is_member(name)}
    return {"Status": one.status, **of_every, **slots}
