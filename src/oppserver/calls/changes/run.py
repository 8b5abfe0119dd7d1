"""``GET /v1/changes``: what has changed since a cursor, in the order of commits."""

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from oppserver.calls.shared.call import NO_BODY, Answer, Call, Read, Services
from oppserver.calls.shared.decode import check_names, choice, number
from oppserver.calls.shared.names import columns_of_query, event_code_of_query
from oppserver.calls.shared.paging import (
    ChangesCursor,
    check_reached,
    check_same,
    cursor_text,
    place_of,
)
from oppserver.contract.columns import Column
from oppserver.contract.formats import Format
from oppserver.contract.limits import CHANGES_ROWS_DEFAULT, CHANGES_ROWS_MAX
from oppserver.contract.model import Catalogue, Field
from oppserver.formats.ndjson import ndjson_lines
from oppserver.store.port import Snapshot
from oppserver.store.queries import ChangesPage, RenderedChanges

# --- parse and plan ------------------------------------------------------------------------------

_NAMES: Final = ("event_code", "columns", "cursor", "limit", "rows")

_NOW: Final = "now"


class AskedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes as it was asked: nothing is looked up yet.

    ``cursor`` None: from the beginning. ``from_now``: from the end. ``with_rows``: an opportunity
    that is still stored comes with its row.
    """

    event_code: str | None
    columns: str
    cursor: str | None
    from_now: bool
    limit: int
    with_rows: bool
    format: Format


def parse_changes(call: Call, _: None) -> AskedChanges:
    """Parse the query of a page of changes. Raises InvalidValue that names the parameter."""
    query = call.query
    check_names(query, _NAMES)
    cursor = query.get("cursor", "").strip()
    from_now = cursor.lower() == _NOW
    return AskedChanges(
        event_code=query.get("event_code", "").strip() or None,
        columns=query.get("columns", ""),
        cursor=None if from_now or not cursor else cursor,
        from_now=from_now,
        limit=number(
            query, "limit", at_least=1, at_most=CHANGES_ROWS_MAX, default=CHANGES_ROWS_DEFAULT
        ),
        with_rows=choice(query, "rows", ("true", "false")) == "true",
        format=call.format,
    )


class PlannedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes as it will be read. ``columns`` empty: changes come without rows."""

    event_code: int | None
    columns: tuple[Column, ...]
    cursor: ChangesCursor | None
    from_now: bool
    limit: int
    format: Format


def plan_changes(asked: AskedChanges, catalogue: Catalogue) -> PlannedChanges:
    """Plan a page of changes. Raises an ApiError with status 400 that names the place.

    A cursor keeps the type that it began with: with another type, its earlier changes would be
    missing.
    """
    code = None
    if asked.event_code is not None:
        code = event_code_of_query(asked.event_code, catalogue)
    cursor = None if asked.cursor is None else place_of(asked.cursor, ChangesCursor)
    if cursor is not None:
        check_same("event_code", cursor.event_code, code)
    return PlannedChanges(
        event_code=code,
        columns=_columns(asked.columns, code, catalogue) if asked.with_rows else (),
        cursor=cursor,
        from_now=asked.from_now,
        limit=asked.limit,
        format=asked.format,
    )


def _columns(text: str, code: int | None, catalogue: Catalogue) -> tuple[Column, ...]:
    """The columns of one type; of all types, the system columns and the fields that are named."""
    fields = _fields(code, catalogue)
    if code is None and not text.replace(",", "").strip():
        fields = {}
    return columns_of_query(text, fields, event_code=code)


def _fields(code: int | None, catalogue: Catalogue) -> Mapping[str, Field]:
    if code is not None:
        return catalogue.fields.get(code, {})
    return {name: field for of in catalogue.fields.values() for name, field in of.items()}


# --- read and render -----------------------------------------------------------------------------


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
    check_reached(planned.cursor.database, planned.cursor.number, database=database, last=last)
    return planned.cursor.number


class ChangesEndWire(msgspec.Struct):
    """The members of a page of changes beside the changes; the last line of NDJSON."""

    RecordCount: int
    HasMore: bool
    OwnerAddressesChanged: bool
    Cursor: str


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
