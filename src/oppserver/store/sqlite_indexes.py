"""The secondary indexes of a SQLite file: which are missing, and how they come and go.

They are missing while a load into an empty store is under way: built once at its end they cost a
tenth of what each row would. A load that was cut off leaves them missing; the next store that opens
the file to write builds them, and so does a write that needs one.
"""

from typing import Final

from sqlalchemy import Connection, Index

from oppserver.store import tables

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
"""Those that only make reads quick, by name."""


def missing(connection: Connection) -> list[Index]:
    """The indexes that the schema has and the file does not."""
    statement = "SELECT name FROM sqlite_schema WHERE type = 'index'"
    there = set(connection.exec_driver_sql(statement).scalars())
    return [index for index in INDEXES if index.name not in there]


def create_missing(connection: Connection) -> None:
    """Builds what is missing; next to nothing when nothing is."""
    for index in missing(connection):
        index.create(connection)


def drop_if_empty(connection: Connection) -> None:
    """Drops the indexes of a store without opportunities."""
    if connection.exec_driver_sql("SELECT 1 FROM opportunity LIMIT 1").first() is None:
        for index in set(INDEXES).difference(missing(connection)):
            index.drop(connection)
