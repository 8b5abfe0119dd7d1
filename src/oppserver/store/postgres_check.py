"""What must hold in a PostgreSQL database: indexes, and what this program promises of its data."""

from sqlalchemy import Connection

from oppserver.store import postgres_indexes
from oppserver.store.common_check import broken_promises


def problems_of(connection: Connection) -> list[str]:
    """What is wrong, a line each; empty when all holds. Damaged pages are found by pg_amcheck."""
    return [
        *(
            f"the index {name} is missing or not valid"
            for name in postgres_indexes.missing(connection)
        ),
        *broken_promises(connection),
    ]
