"""What must hold in a PostgreSQL database: indexes, and what this program promises of its data."""

from sqlalchemy import Connection

from oppserver.store import postgres_indexes, postgres_shards
from oppserver.store.common_check import broken_promises
from oppserver.store.postgres_shards_check import promises_broken_across


def problems_of(connection: Connection) -> list[str]:
    """What is wrong, a line each; empty when all holds. Damaged pages are found by pg_amcheck."""
    is_sharded = postgres_shards.is_sharded(connection)
    return [
        *(
            f"the index {name} is missing or not valid"
            for name in postgres_indexes.missing(connection)
        ),
        *broken_promises(connection, is_sharded=is_sharded),
        *(promises_broken_across(connection) if is_sharded else ()),
    ]
