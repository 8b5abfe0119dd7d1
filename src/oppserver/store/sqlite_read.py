"""The hot reads on SQLite: a key, the bulk read's entries as JSON, and one opportunity."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.model import (
    Key,
    Opportunity,
    PlannedEntry,
    RenderedRows,
    Role,
    Tombstone,
)
from oppserver.store.tables import SLOT_NAMES

_JSON_OBJECT_COLUMNS_MAX: Final = 63
"""A function takes at most 127 arguments in many builds of SQLite: 63 names and values."""


_KEY: Final = (
    "SELECT k.access_key, k.secret_sha256, k.user_id, u.email, k.role, u.is_active,"
    ' k.created_on, k.revoked_on FROM api_key k JOIN "user" u ON u.id = k.user_id'
    " WHERE k.access_key = ?"
)
_MEMBERS: Final = (
    "id",
    "event_code",
    "lead_id",
    "lead_email",
    "owner_id",
    "status",
    "note",
    "created_on",
    "modified_on",
    "created_by",
    "modified_by",
)
_OPPORTUNITY: Final = (
    f"SELECT u.email, {', '.join(f'o.{name}' for name in _MEMBERS + SLOT_NAMES)}"
    ' FROM opportunity AS o LEFT JOIN "user" AS u ON u.id = o.owner_id WHERE o.id = ?'
)
_TOMBSTONE: Final = (
    "SELECT id, event_code, deleted_on, deleted_by FROM deleted_opportunity WHERE id = ?"
)


@contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All that is read in the block is of one moment."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.rollback()


def read_key(connection: sqlite3.Connection, access_key: str) -> Key | None:
    """A key with what is known of its user; None when there is none of that name."""
    row = connection.execute(_KEY, (access_key,)).fetchone()
    if row is None:
        return None
    return Key(
        access_key=row[0],
        secret_sha256=row[1],
        user_id=row[2],
        email=row[3],
        role=Role(row[4]),
        user_is_active=bool(row[5]),
        created_on=row[6],
        revoked_on=row[7],
    )


def read_opportunity(connection: sqlite3.Connection, one: str) -> Opportunity | Tombstone | None:
    """The opportunity of an id, or what is left of it; to be read in one moment."""
    row = connection.execute(_OPPORTUNITY, (one,)).fetchone()
    if row is not None:
        first_slot = 1 + len(_MEMBERS)
        slots = zip(SLOT_NAMES, row[first_slot:], strict=True)
        return Opportunity(
            owner_email=row[0],
            **dict(zip(_MEMBERS, row[1:first_slot], strict=True)),
            slots={name: value for name, value in slots if value is not None},
        )
    row = connection.execute(_TOMBSTONE, (one,)).fetchone()
    if row is None:
        return None
    return Tombstone(id=row[0], event_code=row[1], deleted_on=row[2], deleted_by=row[3])


def read_entry(connection: sqlite3.Connection, entry: PlannedEntry) -> RenderedRows:
    """The rows of one entry of a plan, as they are at this moment of the connection."""
    # canonical GUIDs need no escaping, so this is the JSON array of them
    ids = '["' + '","'.join(entry.ids) + '"]'
    json, count = connection.execute(
        bulk_read_statement(entry.columns), (ids, entry.event_code)
    ).fetchone()
    return RenderedRows(count=count, json=json)


@lru_cache(maxsize=256)
def bulk_read_statement(columns: tuple[Column, ...]) -> str:
    """The statement that reads and renders the rows of one entry: one row, ``(json, count)``.

    Parameters: the ids as a JSON array, the event code. ``CROSS JOIN`` fixes the join's order, and
    with it the order of the rows (sqlite.org/optoverview.html, "Manual control of query plans").
    The cast hands the text over as bytes, which are not decoded and encoded again.
    """
    row = row_json([(column.name, _column_sql(column)) for column in columns])
    return (
        f"SELECT CAST(json_group_array({row}) AS BLOB), count(*)"
        " FROM json_each(?) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value"
        ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
        " WHERE o.event_code = ?"
    )


def row_json(values: Sequence[tuple[str, str]]) -> str:
    """The SQL of a row as a JSON object, out of the names of its members and the SQL of each."""
    pairs = [f"'{name}', {value}" for name, value in values]
    parts = [
        f"json_object({', '.join(pairs[start : start + _JSON_OBJECT_COLUMNS_MAX])})"
        for start in range(0, len(pairs), _JSON_OBJECT_COLUMNS_MAX)
    ]
    if len(parts) == 1:
        return parts[0]
    # Every value is a string or null, so the only braces at an object's ends are its own.
    members = " || ',' || ".join(f"trim({part}, '{{}}')" for part in parts)
    return f"json('{{' || {members} || '}}')"


def _column_sql(column: Column) -> str:
    match column.stored:
        case "owner_email":
            return "u.email"
        case "event_code":
            return "CAST(o.event_code AS TEXT)"
        case "created_on" | "modified_on":
            return f"o.{column.stored}_answer"
        case stored:
            return f"o.{stored}"
