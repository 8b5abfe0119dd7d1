"""``GET /v1/changes``: what has changed since a cursor, in the order of commits."""

from functools import partial
from typing import Final

from oppserver.contract.changes import ChangesCursor, ChangesPage, FoundChanges, PlannedChanges
from oppserver.contract.cursors import check_reached
from oppserver.contract.formats import Format
from oppserver.formats.ndjson import ndjson_lines
from oppserver.operations.call import Answer, Call, Services, admit
from oppserver.steps.negotiate import choose_format
from oppserver.steps.parse_changes import parse_changes
from oppserver.steps.plan_changes import plan_changes
from oppserver.steps.render_changes import changes_end, render_changes
from oppserver.store.port import Moment

_FORMATS: Final = (Format.JSON, Format.NDJSON)


def changes(call: Call, services: Services) -> Answer:
    """The answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    chosen = choose_format(call.accept, _FORMATS)
    planned = plan_changes(parse_changes(call.query), services.store.catalogue())
    found = services.store.read(partial(_find, planned=planned))
    if chosen is Format.JSON:
        body = render_changes(found)
    else:
        body = ndjson_lines(found.rendered.json, first="Change") + changes_end(found)
    headers = {"Vary": "Accept, Accept-Encoding", "Cache-Control": "no-store"}
    return Answer(body=body, media_type=chosen.content_type, headers=headers)


def _find(moment: Moment, *, planned: PlannedChanges) -> FoundChanges:
    """A page, and the place behind it: at the end of the changes that is the last of all numbers.

    So a caller of one type does not pass over the changes of the others again and again.
    """
    database, numbers = moment.identity(), moment.change_numbers()
    after = _begin(planned, database=database, last=numbers.last)
    page = ChangesPage(
        after=after, until=numbers.last, limit=planned.limit, event_code=planned.event_code
    )
    rendered = moment.rendered_changes(page, planned.columns)
    has_more = rendered.count == planned.limit and rendered.last < numbers.last
    number = rendered.last if has_more else numbers.last
    return FoundChanges(
        rendered=rendered,
        cursor=ChangesCursor(database=database, event_code=planned.event_code, number=number),
        has_more=has_more,
        addresses_changed=numbers.addresses > after,
    )


def _begin(planned: PlannedChanges, *, database: str, last: int) -> int:
    """The number behind which a page begins. Raises CursorGone."""
    if planned.cursor is None:
        return last if planned.from_now else 0
    check_reached(planned.cursor, database=database, last=last)
    return planned.cursor.number
