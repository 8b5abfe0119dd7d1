"""One snapshot of a PostgreSQL database: the reads around a bulk read.

Rows come as they are found and are placed here, as those of the bulk read are
(``read.py``).
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from oppserver.contract.columns import Column
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.read import POSTGRES, array_of, object_sql, read_entries, rows_json
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

_DIGEST_BYTES: Final = 32

_OF_TYPE: Final = " WHERE o.id = ANY(%s::text[]) AND o.event_code = %s"

_VERSIONS: Final = f"SELECT o.id, o.version, o.owner_id FROM opportunity AS o{_OF_TYPE}"

_ADDRESSES: Final = 'SELECT id, email FROM "user" WHERE id = ANY(%s::text[]) ORDER BY id'

_ID_STATUSES: Final = (
    "SELECT id, event_code, NULL FROM opportunity WHERE id = ANY(%s::text[])"
    " UNION ALL SELECT id, event_code, deleted_on FROM deleted_opportunity"
    " WHERE id = ANY(%s::text[])"
)

_IDS: Final = (
    "SELECT id FROM opportunity WHERE event_code = %s::bigint AND modified_on >= %s::text"
    " AND id > %s::text ORDER BY id LIMIT %s::bigint"
)

_IDENTITY: Final = "SELECT id, version() FROM database_identity"


class PostgresSnapshot:
    """The promises of ``port.Snapshot`` on a driver's connection that is in a transaction.

    ``timeline_id`` is the store's.
    """

    def __init__(self, driver: PostgresConnection, timeline_id: Callable[[], int]) -> None:
        self._driver: Final = driver
        self._timeline_id: Final = timeline_id

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        return read_entries(self._driver, plan.entries)

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        return [self._columns(entry) for entry in plan.entries]

    def fingerprint(self, plan: Plan) -> Fingerprint:
        """Digest the request, the versions of its rows, and owners' addresses.

        The server's version is part of it, because the server renders the rows; and the timeline,
        because a primary that lacks the last writes gives their versions again.
        """
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        digest.update(msgspec.json.encode((plan, self._fetched(_IDENTITY, ()))))
        counts = []
        for entry in plan.entries:
            found = self._versions(entry)
            counts.append(len(found))
            digest.update(msgspec.json.encode((found, self._addresses(entry, found))))
        digest.update(
            msgspec.json.encode(self._timeline_id())
        )  # of no older one than what was read
        return Fingerprint(counts=counts, digest=digest.digest())

    def change_numbers(self) -> ChangeNumbers:
        return select_change_numbers(self._driver)

    def changes(
        self, *, after: int, until: int, limit: int, event_code: int | None
    ) -> list[Change]:
        page = ChangesPage(after=after, until=until, limit=limit, event_code=event_code)
        return select_changes(self._driver, page)

    def rendered_changes(self, page: ChangesPage, columns: tuple[Column, ...]) -> RenderedChanges:
        statement = _rendered_statement(page.event_code, columns)
        rows = self._driver.rows(statement, **changes_parameters(page))
        return RenderedChanges(
            count=len(rows),
            last=rows[-1][0] if rows else 0,
            json=rows_json((json,) for _, json in rows),
        )

    def ids_of_type(
        self, event_code: int, *, after_id: str, modified_since: str | None, limit: int
    ) -> list[str]:
        since = modified_since or ""
        return [row[0] for row in self._fetched(_IDS, (event_code, since, after_id, limit))]

    def identity(self) -> str:
        return select_identity(self._driver)

    def versions(self, plan: Plan) -> list[bytes]:
        return [
            "".join([f"{one} {version}\n" for one, version, _ in self._versions(entry)]).encode()
            for entry in plan.entries
        ]

    def id_statuses(self, ids: Sequence[str]) -> dict[str, IdStatus]:
        array = array_of(ids)
        return {
            one: IdStatus(event_code=event_code, deleted_on=deleted_on)
            for one, event_code, deleted_on in self._fetched(_ID_STATUSES, (array, array))
        }

    def _columns(self, entry: PlannedEntry) -> RenderedColumns:
        found = self._fetched(columns_statement(entry.columns), _parameters(entry))
        rows = _placed(found, entry.ids)
        turned = list(zip(*rows, strict=True))[1:] if rows else [()] * len(entry.columns)
        return RenderedColumns(
            count=len(rows), columns=[msgspec.json.encode(column) for column in turned]
        )

    def _versions(self, entry: PlannedEntry) -> list[tuple[Any, ...]]:
        return _placed(self._fetched(_VERSIONS, _parameters(entry)), entry.ids)

    def _addresses(self, entry: PlannedEntry, found: Iterable[tuple[Any, ...]]) -> list[Any]:
        """The addresses of the owners of rows, where the entry shows them."""
        if not any(column.stored == "owner_email" for column in entry.columns):
            return []
        owners = {owner for _, _, owner in found if owner is not None}
        return self._fetched(_ADDRESSES, (sorted(owners),))

    def _fetched(self, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._driver.cursor(binary=True) as cursor:
            return cursor.execute(statement.encode(), parameters, prepare=True).fetchall()


def _parameters(entry: PlannedEntry) -> tuple[str, str]:
    return array_of(entry.ids), str(entry.event_code)


def _placed(rows: Iterable[tuple[Any, ...]], ids: Iterable[str]) -> list[tuple[Any, ...]]:
    """Rows that begin with an id, in the order of ids."""
    by_id = {row[0]: row for row in rows}
    return [by_id[one] for one in ids if one in by_id]


@lru_cache(maxsize=256)
def columns_statement(columns: tuple[Column, ...]) -> str:
    """The statement that reads the rows of one entry: the id, then the columns, as text.

    Parameters as those of ``bulk_read_statement``.
    """
    values = ", ".join(
        bulk_column_sql(column, POSTGRES, dates_are_stored=True) for column in columns
    )
    return (
        f"SELECT o.id, {values} FROM opportunity AS o"
        f' LEFT JOIN "user" AS u ON u.id = o.owner_id{_OF_TYPE}'
    )


_HEAD: Final = (("ProspectActivityId", "c.id"), ("EventCode", "c.event_code::text"))


@lru_cache(maxsize=256)
def _rendered_statement(event_code: int | None, columns: tuple[Column, ...]) -> str:
    """The statement of a rendered page: ``(number, json)``. Parameters as those of the page."""
    found, rows = "", ""
    upserted: tuple[tuple[str, str], ...] = ()
    if columns:
        row = object_sql((column.name, bulk_column_sql(column, POSTGRES)) for column in columns)
        upserted, rows = (("Opportunity", "o.json"),), " LEFT JOIN found AS o ON o.id = c.id"
        # found by themselves: a left join with the table would read all of it, were it sharded
        found = (
            f", found AS MATERIALIZED (SELECT o.id, {row} AS json FROM opportunity AS o"
            ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
            " WHERE o.id = ANY(ARRAY(SELECT c.id FROM c)))"
        )
    changes = changes_statement(event_code)
    return (
        f"WITH c AS MATERIALIZED ({changes}){found}"
        f" SELECT c.change_number, CASE {kind_sql(event_code)}"
        f" WHEN 'Upserted' THEN {_change('Upserted', *upserted)}"
        f" WHEN 'Deleted' THEN {_change('Deleted', ('DeletedOn', DELETED_ON))}"
        f" ELSE {_change('Moved')} END"
        f" FROM c{rows} ORDER BY c.change_number"
    )


def _change(kind: str, *more: tuple[str, str]) -> str:
    return object_sql((("Change", f"'{kind}'"), *_HEAD, *more))
