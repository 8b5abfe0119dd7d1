"""What must hold in a SQLite file: that it is sound, and what this program promises of its data."""

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from oppserver.store import sqlite_indexes
from oppserver.store.common_check import broken_promises
from oppserver.store.sqlite_library import sqlite3


def problems_of(connection: Connection) -> list[str]:
    """What is wrong, a line each; empty when all holds. In a damaged file only the damage is."""
    damage = _damage(connection)
    if damage:
        return damage
    return [
        *(
            f"the index {name} is missing: an import into an empty store is under way, or was cut"
            " off; 'oppserver db upgrade' builds it"
            for name in sqlite_indexes.missing(connection)
        ),
        *broken_promises(connection),
    ]


def _damage(connection: Connection) -> list[str]:
    try:
        lines = list(connection.exec_driver_sql("PRAGMA integrity_check").scalars())
    except DatabaseError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error.orig)]
    return [] if lines == ["ok"] else lines
