"""Checks of ``db check`` on PostgreSQL: indexes, promises, and references across machines.

Citus does not join rows of different machines everywhere. So the rows of a sharded database are
read page by page, and their references are looked up by id.
"""

from typing import Any, Final, NamedTuple

from oppserver.store.migrations import tables
from oppserver.store.postgres.citus.cluster import is_sharded
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.catalogue import select_search_indexes
from oppserver.store.sql.checks import broken_promises, fault, unformed_values

_VALID: Final = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND i.indisvalid
"""


def problems_of(connection: SqlConnection) -> list[str]:
    """List the faults, one line each; empty when all holds. pg_amcheck finds damaged pages."""
    is_spread = is_sharded(connection)
    return [
        *(f"the index {name} is missing or not valid" for name in _missing(connection)),
        *broken_promises(connection, is_sharded=is_spread),
        *unformed_values(connection),
        *(_promises_broken_across(connection) if is_spread else ()),
    ]


def _missing(connection: SqlConnection) -> list[str]:
    """The names of indexes that should be there and are not, or are not valid."""
    there = {name for (name,) in connection.rows(_VALID)}
    added = [index.name for index in select_search_indexes(connection)]
    of_the_schema = {
        str(index.name) for table in tables.metadata.tables.values() for index in table.indexes
    }
    return [name for name in (*sorted(of_the_schema), *added) if name not in there]


# --- references across machines ----------------------------------------------------------------

CHECK_PAGE_ROWS: Final = 10_000
"""Rows of a sharded database that a check looks at together. Ours: flat memory, few statements."""


class _Naming(NamedTuple):
    """Rows that name others: ``column`` is null, or an id in one of the tables ``named``.

    ``copied``: a column that has to be equal on both, by its names here and there.
    """

    meaning: str
    table: str
    column: str
    named: tuple[str, ...]
    copied: tuple[str, str] | None = None


_NAMING: Final = (
    _Naming(
        "opportunity whose EmailAddress is not that of its lead",
        "opportunity",
        "lead_id",
        ("lead",),
        ("lead_email", "email"),
    ),
    _Naming("activity of an unknown lead", "activity", "lead_id", ("lead",)),
    _Naming(
        "activity of an opportunity that was never there",
        "activity",
        "opportunity_id",
        ("opportunity", "deleted_opportunity"),
    ),
)


def _promises_broken_across(connection: SqlConnection) -> list[str]:
    """The faults that are there, a line each, with how many rows have it."""
    return [
        fault(number, naming.meaning)
        for naming in _NAMING
        if (number := _number_broken(connection, naming))
    ]


def _number_broken(connection: SqlConnection, naming: _Naming) -> int:
    number, after_id = 0, ""
    here, there = naming.copied or ("NULL", "NULL")
    page = (
        f"SELECT id, {naming.column}, {here} FROM {naming.table} WHERE id > :after_id"
        f" ORDER BY id LIMIT {CHECK_PAGE_ROWS}"
    )
    while rows := connection.rows(page, after_id=after_id):
        named = sorted({row[1] for row in rows if row[1] is not None})
        stored: dict[str, Any] = {}
        for table in naming.named:
            stored.update(_stored(connection, table, there, named))
        number += sum(row[1] is not None and stored.get(row[1], _NONE) != row[2] for row in rows)
        after_id = rows[-1][0]
    return number


_NONE: Final = object()
"""An id that no row has; not equal to anything."""


def _stored(
    connection: SqlConnection, table: str, column: str, ids: list[str]
) -> list[tuple[Any, ...]]:
    statement = f"SELECT id, {column} FROM {table} WHERE id IN (SELECT value FROM json_each(:ids))"
    return connection.rows(statement, ids=ids)
