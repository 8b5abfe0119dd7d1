"""One moment of a SQLite file: the reads around a bulk read, each a statement that aggregates."""

import hashlib
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from uuid import uuid4

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.model import (
    Plan,
    PlannedEntry,
    RenderedColumns,
    RenderedRows,
    Stamp,
    Whereabouts,
)
from oppserver.store.sqlite_read import (
    FROM_IDS,
    OF_TYPE,
    WITH_OWNER,
    column_sql,
    json_of_ids,
    read_entry,
)

_STAMP_BYTES: Final = 32

_WHEREABOUTS: Final = (
    "SELECT json_group_array(json_array(id, event_code, deleted_on)) FROM ("
    "SELECT o.id, o.event_code, NULL AS deleted_on"
    " FROM json_each(?1) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value"
    " UNION ALL SELECT d.id, d.event_code, d.deleted_on"
    " FROM json_each(?1) AS asked CROSS JOIN deleted_opportunity AS d ON d.id = asked.value)"
)
_DECODE_WHEREABOUTS: Final = msgspec.json.Decoder(list[tuple[str, int, str | None]]).decode


class SqliteMoment:
    """The promises of ``port.Moment`` on a connection that is in a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection: Final = connection

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        return [read_entry(self._connection, entry) for entry in plan.entries]

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        return [self._columns(entry) for entry in plan.entries]

    def stamp(self, plan: Plan) -> Stamp:
        digest = hashlib.blake2b(digest_size=_STAMP_BYTES)
        digest.update(self._database().encode())
        counts = [self._update_with(digest, entry) for entry in plan.entries]
        return Stamp(counts=counts, digest=digest.digest())

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

    def _database(self) -> str:
        """What makes stamps of this database unlike those of all others that render as this one.

        The library's version is part of it, because the library renders the rows.
        """
        (one,) = self._connection.execute("SELECT id FROM database_identity").fetchone()
        return f"{one} SQLite {sqlite3.sqlite_version};"

    def _update_with(self, digest: hashlib.blake2b, entry: PlannedEntry) -> int:
        """Adds an entry to a digest: what was asked, which of it is there, in which version.

        Parts cannot run into each other: each of them is JSON, or begins with how long it is.
        """
        ids = json_of_ids(entry.ids)
        has_owner_email = any(column.stored == "owner_email" for column in entry.columns)
        *parts, count = self._connection.execute(
            _stamp_statement(has_owner_email=has_owner_email), (ids, entry.event_code)
        ).fetchone()
        names = [column.name for column in entry.columns]
        digest.update(msgspec.json.encode((entry.event_code, names, count)))
        digest.update(ids.encode())
        for part in parts:
            digest.update(part)
        return int(count)


def give_identity(copy: sqlite3.Connection) -> None:
    """Makes the stamps of a copy unlike those of the database that it is a copy of.

    Once the copy is served in its place, the same versions come again, with other values.
    """
    with copy:
        copy.execute("UPDATE database_identity SET id = ?", (str(uuid4()),))


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


@lru_cache(maxsize=2)
def _stamp_statement(*, has_owner_email: bool) -> str:
    """The statement for an entry's stamp: places in the request, versions, addresses, the count.

    All that a row shows raises its version, but the address of its owner.
    """
    email = " CAST(json_group_array(u.email) AS BLOB)," if has_owner_email else ""
    return (
        "SELECT CAST(json_group_array(asked.key) AS BLOB),"
        f" CAST(json_group_array(o.version) AS BLOB),{email} count(*)"
        f"{FROM_IDS}{WITH_OWNER if has_owner_email else ''}{OF_TYPE}"
    )
