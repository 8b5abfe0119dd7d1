"""One moment of a SQLite file: the reads around a bulk read, each a statement that aggregates."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from oppserver.contract.changes import Change, ChangeNumbers, ChangesPage, RenderedChanges
from oppserver.contract.columns import Column
from oppserver.contract.model import (
    Plan,
    PlannedEntry,
    RenderedColumns,
    RenderedRows,
    Stamp,
    Whereabouts,
)
from oppserver.store.sqlite_changes import (
    read_change_numbers,
    read_changes,
    read_identity,
    read_ids_of_type,
    read_rendered_changes,
)
from oppserver.store.sqlite_library import sqlite3
from oppserver.store.sqlite_read import (
    FROM_IDS,
    OF_TYPE,
    WITH_OWNER,
    column_sql,
    json_of_ids,
    read_entry,
)
from oppserver.store.sqlite_stamps import Stamps

_WHEREABOUTS: Final = (
    "SELECT json_group_array(json_array(id, event_code, deleted_on)) FROM ("
    "SELECT o.id, o.event_code, NULL AS deleted_on"
    " FROM json_each(?1) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value"
    " UNION ALL SELECT d.id, d.event_code, d.deleted_on"
    " FROM json_each(?1) AS asked CROSS JOIN deleted_opportunity AS d ON d.id = asked.value)"
)
_VERSIONS: Final = (
    "SELECT CAST(coalesce(group_concat(o.id || ' ' || o.version || char(10), ''), '') AS BLOB)"
    f"{FROM_IDS}{OF_TYPE}"
)
_DECODE_WHEREABOUTS: Final = msgspec.json.Decoder(list[tuple[str, int, str | None]]).decode


class SqliteMoment:
    """The promises of ``port.Moment`` on a connection that is in a transaction.

    ``stamps`` are the connection's.
    """

    def __init__(self, connection: sqlite3.Connection, stamps: Stamps) -> None:
        self._connection: Final = connection
        self._stamps: Final = stamps

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        return [read_entry(self._connection, entry) for entry in plan.entries]

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        return [self._columns(entry) for entry in plan.entries]

    def stamp(self, plan: Plan) -> Stamp:
        return self._stamps.stamp(self._connection, plan)

    def change_numbers(self) -> ChangeNumbers:
        return read_change_numbers(self._connection)

    def changes(
        self, *, after: int, until: int, limit: int, event_code: int | None
    ) -> list[Change]:
        page = ChangesPage(after=after, until=until, limit=limit, event_code=event_code)
        return read_changes(self._connection, page)

    def rendered_changes(self, page: ChangesPage, columns: tuple[Column, ...]) -> RenderedChanges:
        return read_rendered_changes(self._connection, page, columns)

    def ids_of_type(
        self, event_code: int, *, after_id: str, modified_since: str | None, limit: int
    ) -> list[str]:
        since = modified_since or ""
        asked = (event_code, since, after_id, limit)
        return read_ids_of_type(self._connection, *asked)

    def identity(self) -> str:
        return read_identity(self._connection)

    def versions(self, plan: Plan) -> list[bytes]:
        found: list[bytes] = []
        for entry in plan.entries:
            parameters = (json_of_ids(entry.ids), entry.event_code)
            (lines,) = self._connection.execute(_VERSIONS, parameters).fetchone()
            found.append(lines)
        return found

    def whereabouts(self, ids: Sequence[str]) -> dict[str, Whereabouts]:
        (json,) = self._connection.execute(_WHEREABOUTS, (json_of_ids(ids),)).fetchone()
        return {
            one: Whereabouts(event_code=event_code, deleted_on=deleted_on)
            for one, event_code, deleted_on in _DECODE_WHEREABOUTS(json)
        }

    def _columns(self, entry: PlannedEntry) -> RenderedColumns:
        *columns, count = self._connection.execute(
            columns_statement(entry.columns), (json_of_ids(entry.ids), entry.event_code)
        ).fetchone()
        return RenderedColumns(count=count, columns=columns)


@lru_cache(maxsize=256)
def columns_statement(columns: tuple[Column, ...]) -> str:
    """The statement that reads the rows of one entry by column: a JSON array each, and the count.

    Parameters as those of ``bulk_read_statement``. Columns without their names are read in three
    quarters of the time.
    """
    arrays = ", ".join(
        f"CAST(json_group_array({column_sql(column, dates_are_stored=True)}) AS BLOB)"
        for column in columns
    )
    return f"SELECT {arrays}, count(*){FROM_IDS}{WITH_OWNER}{OF_TYPE}"
