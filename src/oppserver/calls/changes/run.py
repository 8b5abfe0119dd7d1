"""``GET /v1/changes``: what has changed since a cursor, in the order of commits."""

from functools import partial
from typing import Final

import msgspec

from oppserver.calls.changes.parse import PlannedChanges, parse_changes, plan_changes
from oppserver.calls.shared.call import NO_BODY, Answer, Read, Services
from oppserver.contract.cursors import ChangesCursor, check_reached, cursor_text
from oppserver.contract.formats import Format
from oppserver.formats.ndjson import ndjson_lines
from oppserver.store.port import Snapshot
from oppserver.store.queries import ChangesPage, RenderedChanges


class FoundChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes, and the place behind it.

    ``has_more``: there is a further page now. ``addresses_changed``: an owner has got another
    address since the page's beginning.
    """

    rendered: RenderedChanges
    cursor: ChangesCursor
    has_more: bool
    addresses_changed: bool


def _find(snapshot: Snapshot, *, planned: PlannedChanges) -> FoundChanges:
    """Read a page and the place behind it.

    On the last page the place is the last number of all types: the next call of one type does not
    have to skip the changes of the others again.
    """
    database, numbers = snapshot.identity(), snapshot.change_numbers()
    after = _begin(planned, database=database, last=numbers.last)
    page = ChangesPage(
        after=after, until=numbers.last, limit=planned.limit, event_code=planned.event_code
    )
    rendered = snapshot.rendered_changes(page, planned.columns)
    has_more = rendered.count == planned.limit and rendered.last < numbers.last
    number = rendered.last if has_more else numbers.last
    return FoundChanges(
        rendered=rendered,
        cursor=ChangesCursor(database=database, event_code=planned.event_code, number=number),
        has_more=has_more,
        addresses_changed=numbers.addresses > after,
    )


def _begin(planned: PlannedChanges, *, database: str, last: int) -> int:
    """Return the change number after which a page begins. Raises CursorGone."""
    if planned.cursor is None:
        return last if planned.from_now else 0
    check_reached(planned.cursor, database=database, last=last)
    return planned.cursor.number


def render_changes(found: FoundChanges) -> bytes:
    """Render one object. The changes are JSON already and are not decoded."""
    return b'{"Changes":%b,%b' % (found.rendered.json, _end(found)[1:])


def changes_end(found: FoundChanges) -> bytes:
    """Render the last line of NDJSON: the members that the JSON object has beside its changes."""
    return b'{"End":%b}\n' % _end(found)


def _end(found: FoundChanges) -> bytes:
    return msgspec.json.encode(
        ChangesEndWire(
            RecordCount=found.rendered.count,
            HasMore=found.has_more,
            OwnerAddressesChanged=found.addresses_changed,
            Cursor=cursor_text(found.cursor),
        )
    )


class ChangesEndWire(msgspec.Struct):
    """The members of a page of changes beside the changes; the last line of NDJSON."""

    RecordCount: int
    HasMore: bool
    OwnerAddressesChanged: bool
    Cursor: str


def _read(planned: PlannedChanges, services: Services) -> FoundChanges:
    return services.store.read(partial(_find, planned=planned))


def _render(planned: PlannedChanges, found: FoundChanges) -> Answer:
    if planned.format is Format.JSON:
        body = render_changes(found)
    else:
        body = ndjson_lines(found.rendered.json, first="Change") + changes_end(found)
    headers = {"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
    return Answer(body=body, media_type=planned.format.content_type, headers=headers)


CHANGES: Final = Read(
    body=NO_BODY,
    formats=(Format.JSON, Format.NDJSON),
    parse=parse_changes,
    plan=plan_changes,
    read=_read,
    render=_render,
)
