"""Checks of ``db check`` for a sharded database: references across machines.

Citus does not join rows of different machines everywhere. So the rows are read page by page, and
their references are looked up by id.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

# --- PostgreSQL --------------------------------------------------------------------------------

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
        "opportunities whose EmailAddress is not their lead's",
        "opportunity",
        "lead_id",
        ("lead",),
        ("lead_email", "email"),
    ),
    _Naming("activities of an unknown lead", "activity", "lead_id", ("lead",)),
    _Naming(
        "activities of an opportunity that was never there",
        "activity",
        "opportunity_id",
        ("opportunity", "deleted_opportunity"),
    ),
)


def promises_broken_across(connection: Connection) -> list[str]:
    """The faults that are there, a line each, with how many rows have it."""
    return [
        f"{number} {naming.meaning}"
        for naming in _NAMING
        if (number := _number_broken(connection, naming))
    ]


def _number_broken(connection: Connection, naming: _Naming) -> int:
    number, after_id = 0, ""
    here, there = naming.copied or ("NULL", "NULL")
    page = (
        f"SELECT id, {naming.column}, {here} FROM {naming.table} WHERE id > %s"
        f" ORDER BY id LIMIT {CHECK_PAGE_ROWS}"
    )
    while rows := connection.exec_driver_sql(page, (after_id,)).all():
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
    connection: Connection, table: str, column: str, ids: Sequence[str]
) -> list[tuple[str, Any]]:
    found = connection.exec_driver_sql(
        f"SELECT id, {column} FROM {table} WHERE id = ANY(%s)", (list(ids),)
    )
    return [(row[0], row[1]) for row in found]
