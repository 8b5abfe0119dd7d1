"""Indexes and integrity of a PostgreSQL database."""

from sqlalchemy import Connection

from oppserver.store import schema
from oppserver.store.postgres.citus import cluster
from oppserver.store.postgres.citus.checks import promises_broken_across
from oppserver.store.queries import SearchIndex
from oppserver.store.sql import catalogue as catalogue_sql
from oppserver.store.sql.checks import broken_promises

_VALID = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND i.indisvalid
"""


def missing(connection: Connection) -> list[str]:
    """The names of indexes that should be there and are not, or are not valid."""
    there = set(connection.exec_driver_sql(_VALID).scalars())
    added = [index.name for index in catalogue_sql.select_search_indexes(connection)]
    of_the_schema = {
        str(index.name) for table in schema.metadata.tables.values() for index in table.indexes
    }
    return [name for name in (*sorted(of_the_schema), *added) if name not in there]


def add(connection: Connection, index: SearchIndex) -> bool:
    """Builds an operator's index; False when there is one of that name."""
    is_new = catalogue_sql.insert_search_index(connection, index)
    if is_new:
        connection.exec_driver_sql(catalogue_sql.create_statement(index))
    return is_new


def drop(connection: Connection, name: str) -> bool:
    """Drop an operator's index; False when no index has the name."""
    is_known = catalogue_sql.delete_search_index(connection, name)
    if is_known:
        connection.exec_driver_sql(f'DROP INDEX IF EXISTS "{name}"')
    return is_known


def problems_of(connection: Connection) -> list[str]:
    """List the faults, one line each; empty when all holds. pg_amcheck finds damaged pages."""
    is_sharded = cluster.is_sharded(connection)
    return [
        *(f"the index {name} is missing or not valid" for name in missing(connection)),
        *broken_promises(connection, is_sharded=is_sharded),
        *(promises_broken_across(connection) if is_sharded else ()),
    ]
