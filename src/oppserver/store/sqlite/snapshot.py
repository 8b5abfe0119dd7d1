"""One snapshot of a SQLite file: the reads around a bulk read, each an aggregate statement."""

from collections.abc import Sequence
from functools import lru_cache
from math import isqrt
from typing import Final

import msgspec

from oppserver.contract.columns import Column
from oppserver.store.queries import (
    Change,
    ChangeNumbers,
    ChangesPage,
    Fingerprint,
    IdStatus,
    Plan,
    PlannedEntry,
    RenderedChanges,
    RenderedColumns,
    RenderedRows,
)
from oppserver.store.sql.changes import (
    DELETED_ON,
    changes_parameters,
    changes_statement,
    kind_sql,
    select_change_numbers,
    select_changes,
    select_identity,
)
from oppserver.store.sql.conditions import bulk_column_sql
from oppserver.store.sqlite.connection import SqliteConnection
from oppserver.store.sqlite.read import (
    FROM_IDS,
    OF_TYPE,
    SQLITE,
    WITH_OWNER,
    json_of_ids,
    own_ids,
    read_entry,
    row_json,
)

_ID_STATUSES: Final = (
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

_DECODE_ID_STATUSES: Final = msgspec.json.Decoder(list[tuple[str, int, str | None]]).decode


class SqliteSnapshot:
    """The promises of ``port.Snapshot`` on a connection that is in a transaction."""

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection: Final = connection

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        entries = own_ids(self._connection, plan.entries)
        return [read_entry(self._connection, entry) for entry in entries]

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        return [self._columns(entry) for entry in own_ids(self._connection, plan.entries)]

    def fingerprint(self, plan: Plan) -> Fingerprint:
        return self._connection.fingerprints.fingerprint(self._connection, plan)

    def change_numbers(self) -> ChangeNumbers:
        return select_change_numbers(self._connection)

    def changes(
        self, *, after: int, until: int, limit: int, event_code: int | None
    ) -> list[Change]:
        page = ChangesPage(after=after, until=until, limit=limit, event_code=event_code)
        return select_changes(self._connection, page)

    def rendered_changes(self, page: ChangesPage, columns: tuple[Column, ...]) -> RenderedChanges:
        statement = _rendered_statement(page.event_code, columns)
        [(json, count, last)] = self._connection.rows(statement, **changes_parameters(page))
        return RenderedChanges(count=count, last=last or 0, json=json)

    def ids_of_type(
        self, event_code: int, *, after_id: str, modified_since: str | None, limit: int
    ) -> list[str]:
        """Sort all ids that match, out of the index of dates, or walk through the store's ids.

        Whichever looks at fewer ids (docs/decisions, 0010).
        """
        connection, since = self._connection, modified_since or ""
        [(rows,)] = connection.rows("SELECT coalesce(max(rowid), 0) FROM opportunity")
        few = isqrt(limit * rows)
        [(matching,)] = connection.rows(
            _MATCHING, event_code=event_code, since=since, limit=few + 1
        )
        found = connection.rows(
            _SORTED if matching <= few else _WALKED,
            event_code=event_code,
            since=since,
            after_id=after_id,
            limit=limit,
        )
        return [one for (one,) in found]

    def identity(self) -> str:
        return select_identity(self._connection)

    def versions(self, plan: Plan) -> list[bytes]:
        found: list[bytes] = []
        for entry in plan.entries:
            parameters = (json_of_ids(entry.ids), entry.event_code)
            (lines,) = self._connection.one(_VERSIONS, parameters)
            found.append(lines)
        return found

    def id_statuses(self, ids: Sequence[str]) -> dict[str, IdStatus]:
        (json,) = self._connection.one(_ID_STATUSES, (json_of_ids(ids),))
        return {
            one: IdStatus(event_code=event_code, deleted_on=deleted_on)
            for one, event_code, deleted_on in _DECODE_ID_STATUSES(json)
        }

    def _columns(self, entry: PlannedEntry) -> RenderedColumns:
        *columns, count = self._connection.one(
            columns_statement(entry.columns), (json_of_ids(entry.ids), entry.event_code)
        )
        return RenderedColumns(count=count, columns=columns)


@lru_cache(maxsize=256)
def columns_statement(columns: tuple[Column, ...]) -> str:
    """The statement that reads the rows of one entry by column: a JSON array each, and the count.

    Parameters as those of ``bulk_read_statement``. Columns without their names are read in three
    quarters of the time.
    """
    arrays = ", ".join(
        f"CAST(json_group_array({bulk_column_sql(column, SQLITE, dates_are_stored=True)}) AS BLOB)"
        for column in columns
    )
    return f"SELECT {arrays}, count(*){FROM_IDS}{WITH_OWNER}{OF_TYPE}"


_MATCHING: Final = (
    "SELECT count(*) FROM (SELECT 1 FROM opportunity WHERE event_code = :event_code"
    " AND modified_on >= :since LIMIT :limit)"
)

_SORTED: Final = (
    "SELECT id FROM opportunity WHERE event_code = :event_code AND modified_on >= :since"
    " AND +id > :after_id ORDER BY +id LIMIT :limit"
)

_WALKED: Final = (
    "SELECT id FROM opportunity WHERE +event_code = :event_code AND +modified_on >= :since"
    " AND id > :after_id ORDER BY id LIMIT :limit"
)

_HEAD: Final = "'ProspectActivityId', c.id, 'EventCode', CAST(c.event_code AS TEXT)"


@lru_cache(maxsize=256)
def _rendered_statement(event_code: int | None, columns: tuple[Column, ...]) -> str:
    """The statement of a rendered page: ``(json, count, last)``. Parameters as those of the page.

    A page is made before the rows are looked up, and rows are met in its order.
    """
    kind = kind_sql(event_code)
    upserted = f"json_object('Change', 'Upserted', {_HEAD})"
    rows = ""
    if columns:
        row = row_json([(column.name, bulk_column_sql(column, SQLITE)) for column in columns])
        upserted = f"json_object('Change', 'Upserted', {_HEAD}, 'Opportunity', json({row}))"
        rows = f" LEFT JOIN opportunity AS o ON o.id = c.id{WITH_OWNER}"
    changes = changes_statement(event_code)
    return (
        f"SELECT CAST(json_group_array(json(CASE {kind} WHEN 'Upserted' THEN {upserted}"
        f" WHEN 'Deleted' THEN json_object('Change', 'Deleted', {_HEAD}, 'DeletedOn', {DELETED_ON})"
        f" ELSE json_object('Change', 'Moved', {_HEAD}) END)) AS BLOB), count(*),"
        f" max(c.change_number) FROM ({changes}) AS c{rows}"
    )
