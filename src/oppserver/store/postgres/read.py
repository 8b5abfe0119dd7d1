"""The bulk read on PostgreSQL.

It is one statement for all entries. It renders rows and lets them come as they are
found; here they are placed. A join with the list of ids would keep their order, but reads whole
tables where the table is sharded.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from typing import TypeVar

from oppserver.contract.columns import Column
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.queries import PlannedEntry, RenderedRows
from oppserver.store.sql.conditions import bulk_column_sql

_Place = TypeVar("_Place", bound=Hashable)

_T = TypeVar("_T")


@contextmanager
def one_snapshot(driver: PostgresConnection) -> Iterator[None]:
    """Give all reads in the block one snapshot."""
    driver.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        yield
    finally:
        if not driver.closed:
            driver.rollback()


def in_one_snapshot(
    work: Callable[[PostgresConnection], _T],
) -> Callable[[PostgresConnection], _T]:
    """The same work, whose reads have one snapshot."""

    def within(driver: PostgresConnection) -> _T:
        with one_snapshot(driver):
            return work(driver)

    return within


# --- rendered rows -----------------------------------------------------------------------------


def array_of(ids: Iterable[str]) -> str:
    """Ids as the text of an array. Canonical GUIDs need no escaping."""
    return "{" + ",".join(ids) + "}"


def object_sql(members: Iterable[tuple[str, str]]) -> str:
    """The SQL of a JSON object, out of the names of its members and the SQL of each value.

    A row becomes JSON as a whole: a function that takes names and values one by one takes 50 of
    them. The row is selected where it is used. From a subquery beside the tables, PostgreSQL makes
    ``row_to_json(ROW(...))``, and where Citus sends that to a shard, the members have no names.
    """
    named = ", ".join(f'{value} AS "{name}"' for name, value in members)
    return f"row_to_json((SELECT t FROM (SELECT {named}) AS t))"


def rows_json(rows: Iterable[tuple[bytes]]) -> bytes:
    """Rendered rows as the JSON array of them."""
    return b"[" + b",".join([row for (row,) in rows]) + b"]"


def placed(rows: Mapping[_Place, bytes], places: Iterable[_Place]) -> RenderedRows:
    """Rendered rows in the order of their places; a place without a row is passed over."""
    found = [row for row in map(rows.get, places) if row is not None]
    return RenderedRows(count=len(found), json=b"[" + b",".join(found) + b"]")


# --- the bulk read -----------------------------------------------------------------------------


def read_entries(driver: PostgresConnection, entries: Sequence[PlannedEntry]) -> list[RenderedRows]:
    """The rows of each entry, all of one moment."""
    if len(entries) == 1:
        return [_read_entry(driver, entries[0])]
    statement = " UNION ALL ".join(
        bulk_read_statement(entry.columns, f"{place}, ") for place, entry in enumerate(entries)
    )
    parameters = [part for entry in entries for part in _parameters(entry)]
    with driver.cursor(binary=True) as cursor:
        found = cursor.execute(statement.encode(), parameters).fetchall()
    rows = {(place, one): row for place, one, row in found}
    return [placed(rows, zip(repeat(place), entry.ids)) for place, entry in enumerate(entries)]


def _read_entry(driver: PostgresConnection, entry: PlannedEntry) -> RenderedRows:
    statement = bulk_read_statement(entry.columns).encode()
    with driver.cursor(binary=True) as cursor:
        found = cursor.execute(statement, _parameters(entry), prepare=True).fetchall()
    return placed(dict(found), entry.ids)


def _parameters(entry: PlannedEntry) -> tuple[str, str]:
    return array_of(entry.ids), str(entry.event_code)


@lru_cache(maxsize=256)
def bulk_read_statement(columns: tuple[Column, ...], place: str = "") -> str:
    """The statement that reads and renders the rows of one entry: ``(place, id, json)``.

    Parameters: the ids as an array, the event code.
    """
    row = object_sql((column.name, bulk_column_sql(column)) for column in columns)
    has_owner = any(column.stored == "owner_email" for column in columns)
    owner = ' LEFT JOIN "user" AS u ON u.id = o.owner_id' if has_owner else ""
    return (
        f"SELECT {place}o.id, {row} FROM opportunity AS o{owner}"
        " WHERE o.id = ANY(%s::text[]) AND o.event_code = %s"
    )
