"""The secondary indexes of a SQLite file: which are missing, and how they come and go.

They are missing while a load into an empty store is under way: built once at its end they cost a
tenth of what each row would. A load that was cut off leaves them missing; the next store that opens
the file to write builds them, and so does a write that needs one.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, Index
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex

from oppserver.contract.searches import SearchIndex
from oppserver.store import common_indexes, tables

INDEXES: Final[tuple[Index, ...]] = tuple(
    sorted(
        (
            index
            for table in (tables.lead, tables.opportunity)
            for index in table.indexes
            if not index.unique
        ),
        key=lambda index: str(index.name),
    )
)
"""Those of the schema that only make reads quick, by name. Operators may have added others."""

_KEPT: Final = frozenset({"opportunity_by_change_number"})
"""Those that stay while a store is loaded: new rows go to their end, and changes are asked for."""

_BUILT_IN: Final = {
    str(index.name): str(CreateIndex(index).compile(dialect=sqlite.dialect())) for index in INDEXES
}


def missing(connection: Connection) -> Mapping[str, str]:
    """The indexes that the file should have and has not: the statement of each by its name."""
    there = _there(connection)
    return {name: sql for name, sql in _wanted(connection).items() if name not in there}


def create_missing(connection: Connection) -> None:
    """Builds what is missing; next to nothing when nothing is."""
    for statement in missing(connection).values():
        connection.exec_driver_sql(statement)


def drop_if_empty(connection: Connection) -> None:
    """Drops the indexes of a store without opportunities, but those that cost a load nothing."""
    if connection.exec_driver_sql("SELECT 1 FROM opportunity LIMIT 1").first() is None:
        for name in _wanted(connection).keys() & _there(connection) - _KEPT:
            _drop(connection, name)


def add(connection: Connection, index: SearchIndex) -> bool:
    """Builds an operator's index; False when there is one of that name."""
    is_new = common_indexes.insert_search_index(connection, index)
    if is_new:
        connection.exec_driver_sql(common_indexes.create_statement(index))
    return is_new


def drop(connection: Connection, name: str) -> bool:
    """Drops an operator's index, which a load may have dropped; False when there is none."""
    is_known = common_indexes.delete_search_index(connection, name)
    if is_known:
        _drop(connection, name)
    return is_known


def _drop(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f'DROP INDEX IF EXISTS "{name}"')


def _wanted(connection: Connection) -> Mapping[str, str]:
    added = common_indexes.select_search_indexes(connection)
    return _BUILT_IN | {index.name: common_indexes.create_statement(index) for index in added}


def _there(connection: Connection) -> set[str]:
    statement = "SELECT name FROM sqlite_schema WHERE type = 'index'"
    return set(connection.exec_driver_sql(statement).scalars())
