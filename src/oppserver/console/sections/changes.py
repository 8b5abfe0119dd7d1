"""Changes: what was written and deleted, as it comes, from the feed of ``/v1/changes``."""

from collections.abc import Mapping
from typing import Any, Final

from oppserver.calls.changes.run import CHANGES
from oppserver.calls.shared.paging import ChangesCursor, cursor_text
from oppserver.console.visit import Live, Page, Reply, Section, Shown, Visit

SHOWN_MAX: Final = 100
"""Changes that the page begins with. Chosen: a few screens."""

_COLUMNS: Final = "Status,Owner,ModifiedOn,ModifiedBy"


def _changes(visit: Visit) -> Reply:
    catalogue = visit.server.services.store.catalogue()
    code = visit.query.one("type")
    last = visit.server.services.store.change_numbers().last
    rows = _page(visit, after=max(0, last - SHOWN_MAX), code=code)
    values = {"rows": rows, "last": last, "types": list(catalogue.types.values()), "code": code}
    return Shown("changes/table.html" if visit.is_fragment else "changes/changes.html", values)


def _page(visit: Visit, *, after: int, code: str) -> list[dict[str, Any]]:
    """The changes behind a number, newest first."""
    identity = visit.server.services.store.read(lambda snapshot: snapshot.identity())
    event_code = int(code) if code.isdecimal() and len(code) < 10 else None
    cursor = ChangesCursor(database=identity, event_code=event_code, number=after)
    query = {
        "cursor": cursor_text(cursor),
        "rows": "true",
        "columns": _COLUMNS,
        "limit": str(SHOWN_MAX),
        **({"event_code": code} if code else {}),
    }
    rows = visit.json(CHANGES, name="Changes", query=query)["Changes"]
    rows.reverse()
    return _with_names(visit, rows)


def _with_names(visit: Visit, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows, each with ``By``: the writer's address, or id if it has none."""
    writers = [(row.get("Opportunity") or {}).get("ModifiedBy") or "" for row in rows]
    users = visit.server.services.store.users(sorted({one for one in writers if one}))
    emails = {user.id: user.email for user in users}
    return [{**row, "By": emails.get(one) or one} for row, one in zip(rows, writers, strict=True)]


def _live(visit: Visit) -> Reply:
    code = visit.query.one("type")

    def poll(place: str) -> tuple[tuple[str, Mapping[str, Any]] | None, str]:
        last = visit.server.services.store.change_numbers().last
        after = int(place) if place.isdecimal() and len(place) < 19 else last
        if last <= after:
            return None, str(last)
        rows = _page(visit, after=max(after, last - SHOWN_MAX), code=code)
        return (("changes/rows.html", {"rows": rows}) if rows else None), str(last)

    return Live(poll)


SECTION: Final = Section(
    title="Changes",
    path="/changes",
    pages=(Page("GET", "/changes", _changes), Page("GET", "/changes/live", _live)),
)
