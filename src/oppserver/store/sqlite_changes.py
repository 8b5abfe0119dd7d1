"""Changes and whole types on SQLite: how far changes are, pages of them, ids of a type."""

from functools import lru_cache
from math import isqrt
from typing import Final

from oppserver.contract.changes import Change, ChangeNumbers, ChangesPage, RenderedChanges
from oppserver.contract.columns import Column
from oppserver.store.common_changes import (
    DELETED_ON,
    IDENTITY,
    NUMBERS,
    change_of,
    changes_parameters,
    changes_statement,
    kind_sql,
    numbers_of,
)
from oppserver.store.sqlite_library import sqlite3
from oppserver.store.sqlite_read import WITH_OWNER, column_sql, row_json

_MATCHING: Final = (
    "SELECT count(*) FROM (SELECT 1 FROM opportunity WHERE event_code = ? AND modified_on >= ?"
    " LIMIT ?)"
)
_SORTED: Final = (
    "SELECT id FROM opportunity WHERE event_code = ? AND modified_on >= ? AND +id > ?"
    " ORDER BY +id LIMIT ?"
)
_WALKED: Final = (
    "SELECT id FROM opportunity WHERE +event_code = ? AND +modified_on >= ? AND id > ?"
    " ORDER BY id LIMIT ?"
)
_HEAD: Final = "'ProspectActivityId', c.id, 'EventCode', CAST(c.event_code AS TEXT)"


def read_change_numbers(connection: sqlite3.Connection) -> ChangeNumbers:
    """How far changes are."""
    return numbers_of(connection.execute(NUMBERS).fetchone())


def read_identity(connection: sqlite3.Connection) -> str:
    """The database's random name."""
    (identity,) = connection.execute(IDENTITY).fetchone()
    return str(identity)


def read_changes(connection: sqlite3.Connection, page: ChangesPage) -> list[Change]:
    """A page of changes, by number."""
    statement = changes_statement("?", of_type=page.event_code is not None)
    return [change_of(row) for row in connection.execute(statement, changes_parameters(page))]


def read_rendered_changes(
    connection: sqlite3.Connection, page: ChangesPage, columns: tuple[Column, ...]
) -> RenderedChanges:
    """A page of changes as JSON, by number."""
    json, count, last = connection.execute(
        _rendered_statement(page.event_code, columns), changes_parameters(page)
    ).fetchone()
    return RenderedChanges(count=count, last=last or 0, json=json)


def read_ids_of_type(
    connection: sqlite3.Connection, event_code: int, since: str, after_id: str, limit: int
) -> list[str]:
    """Up to so many ids of a type above one, that were not modified before ``since``.

    All ids that match are sorted, out of the index of dates, or all ids of the store are walked
    through until there are enough: whichever looks at fewer (docs/decisions, 0010).
    """
    (rows,) = connection.execute("SELECT max(rowid) FROM opportunity").fetchone()
    few = isqrt(limit * (rows or 0))
    (matching,) = connection.execute(_MATCHING, (event_code, since, few + 1)).fetchone()
    statement = _SORTED if matching <= few else _WALKED
    found = connection.execute(statement, (event_code, since, after_id, limit))
    return [one for (one,) in found]


@lru_cache(maxsize=256)
def _rendered_statement(event_code: int | None, columns: tuple[Column, ...]) -> str:
    """The statement of a rendered page: ``(json, count, last)``. Parameters as those of the page.

    A page is made before the rows are looked up, and rows are met in its order.
    """
    kind = kind_sql(event_code)
    upserted = f"json_object('Change', 'Upserted', {_HEAD})"
    rows = ""
    if columns:
        row = row_json([(column.name, column_sql(column)) for column in columns])
        upserted = f"json_object('Change', 'Upserted', {_HEAD}, 'Opportunity', json({row}))"
        rows = f" LEFT JOIN opportunity AS o ON o.id = c.id{WITH_OWNER}"
    changes = changes_statement("?", of_type=event_code is not None)
    return (
        f"SELECT CAST(json_group_array(json(CASE {kind} WHEN 'Upserted' THEN {upserted}"
        f" WHEN 'Deleted' THEN json_object('Change', 'Deleted', {_HEAD}, 'DeletedOn', {DELETED_ON})"
        f" ELSE json_object('Change', 'Moved', {_HEAD}) END)) AS BLOB), count(*),"
        f" max(c.change_number) FROM ({changes}) AS c{rows}"
    )
