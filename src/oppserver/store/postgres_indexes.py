"""The indexes of a PostgreSQL database: which are missing, and those that operators add."""

from sqlalchemy import Connection

from oppserver.contract.searches import SearchIndex
from oppserver.store import common_indexes, tables

_VALID = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND i.indisvalid
"""


def missing(connection: Connection) -> list[str]:
    """The names of indexes that should be there and are not, or are not valid."""
    there = set(connection.exec_driver_sql(_VALID).scalars())
    added = [index.name for index in common_indexes.select_search_indexes(connection)]
    of_the_schema = {
        str(index.name) for table in tables.metadata.tables.values() for index in table.indexes
    }
    return [name for name in (*sorted(of_the_schema), *added) if name not in there]


def add(connection: Connection, index: SearchIndex) -> bool:
    """Builds an operator's index; False when there is one of that name."""
    is_new = common_indexes.insert_search_index(connection, index)
    if is_new:
        connection.exec_driver_sql(common_indexes.create_statement(index))
    return is_new


def drop(connection: Connection, name: str) -> bool:
    """Drops an operator's index; False when there is none."""
    is_known = common_indexes.delete_search_index(connection, name)
    if is_known:
        connection.exec_driver_sql(f'DROP INDEX IF EXISTS "{name}"')
    return is_known
