"""What must hold in a SQLite file: that it is sound, and what this program promises of its data."""

import sqlite3
from types import MappingProxyType
from typing import Final

from oppserver.store.sqlite_indexes import INDEXES

_BROKEN: Final = MappingProxyType(
    {
        "opportunities whose EmailAddress is not their lead's": (
            "SELECT count(*) FROM opportunity o LEFT JOIN lead l ON l.id = o.lead_id"
            " WHERE l.id IS NULL OR l.email IS NOT o.lead_email"
        ),
        "opportunities of no known type": (
            "SELECT count(*) FROM opportunity o LEFT JOIN opportunity_type t"
            " ON t.event_code = o.event_code WHERE t.event_code IS NULL"
        ),
        "opportunities of an unknown owner": (
            'SELECT count(*) FROM opportunity o LEFT JOIN "user" u ON u.id = o.owner_id'
            " WHERE o.owner_id IS NOT NULL AND u.id IS NULL"
        ),
        "opportunities that are marked as deleted": (
            "SELECT count(*) FROM deleted_opportunity d JOIN opportunity o ON o.id = d.id"
        ),
        "leads of an unknown owner": (
            'SELECT count(*) FROM lead l LEFT JOIN "user" u ON u.id = l.owner_id'
            " WHERE l.owner_id IS NOT NULL AND u.id IS NULL"
        ),
        "activities of an unknown lead": (
            "SELECT count(*) FROM activity a LEFT JOIN lead l ON l.id = a.lead_id"
            " WHERE l.id IS NULL"
        ),
        "activities of an opportunity that was never there": (
            "SELECT count(*) FROM activity a LEFT JOIN opportunity o ON o.id = a.opportunity_id"
            " LEFT JOIN deleted_opportunity d ON d.id = a.opportunity_id"
            " WHERE a.opportunity_id IS NOT NULL AND o.id IS NULL AND d.id IS NULL"
        ),
        "fields of no known type": (
            "SELECT count(*) FROM field f LEFT JOIN opportunity_type t"
            " ON t.event_code = f.event_code WHERE t.event_code IS NULL"
        ),
        "keys of an unknown user": (
            'SELECT count(*) FROM api_key k LEFT JOIN "user" u ON u.id = k.user_id'
            " WHERE u.id IS NULL"
        ),
    }
)
"""What SQLite does not check: the meaning of each fault, and the statement that counts it."""


def problems_of(connection: sqlite3.Connection) -> list[str]:
    """What is wrong, a line each; empty when all holds. In a damaged file only the damage is."""
    damage = _damage(connection)
    if damage:
        return damage
    found = [
        f"the index {name} is missing: an import into an empty store is under way, or was cut off;"
        " 'oppserver db upgrade' builds it"
        for name in _missing_indexes(connection)
    ]
    for meaning, statement in _BROKEN.items():
        (count,) = connection.execute(statement).fetchone()
        if count:
            found.append(f"{count} {meaning}")
    return found


def _missing_indexes(connection: sqlite3.Connection) -> list[str]:
    there = _names(connection, "SELECT name FROM sqlite_schema WHERE type = 'index'")
    added = _names(connection, "SELECT name FROM search_index ORDER BY name")
    wanted = [*(str(index.name) for index in INDEXES), *added]
    return [name for name in wanted if name not in there]


def _names(connection: sqlite3.Connection, statement: str) -> list[str]:
    return [row[0] for row in connection.execute(statement)]


def _damage(connection: sqlite3.Connection) -> list[str]:
    try:
        lines = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error)]
    return [] if lines == ["ok"] else lines
