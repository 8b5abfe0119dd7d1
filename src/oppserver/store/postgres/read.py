"""The frequent reads on PostgreSQL: a key, the bulk read, one opportunity.

The bulk read is one statement for all entries. It renders rows and lets them come as they are
found; here they are placed. A join with the list of ids would keep their order, but reads whole
tables where the table is sharded.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from typing import Final, TypeVar

from oppserver.contract.columns import Column
from oppserver.contract.model import Key, StoredOpportunity, Tombstone
from oppserver.store.postgres.connection import Driver
from oppserver.store.queries import PlannedEntry, RenderedRows
from oppserver.store.sql.lookups import (
    KEY,
    OPPORTUNITY,
    TOMBSTONE,
    VERSION,
    key_of,
    opportunity_of,
    tombstone_of,
)

_Place = TypeVar("_Place", bound=Hashable)

_KEY: Final = KEY.format("%s").encode()

_VERSION: Final = VERSION.encode()

_OPPORTUNITY: Final = OPPORTUNITY.format("%s").encode()

_TOMBSTONE: Final = TOMBSTONE.format("%s").encode()


@contextmanager
def one_snapshot(driver: Driver) -> Iterator[None]:
    """Give all reads in the block one snapshot."""
    driver.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ")
    try:
        yield
    finally:
        if not driver.closed:
            driver.rollback()


def read_version(driver: Driver) -> int:
    """The version of the catalogue."""
    row = driver.execute(_VERSION, prepare=True).fetchone()
    assert row is not None, "the migrations have made the row"
    version: int = row[0]
    return version


def read_key(driver: Driver, access_key: str) -> Key | None:
    """Return a key with its user; None for an unknown one."""
    row = driver.execute(_KEY, (access_key,), prepare=True).fetchone()
    return None if row is None else key_of(row)


def read_opportunity(driver: Driver, one: str) -> StoredOpportunity | Tombstone | None:
    """The opportunity of an id, or what is left of it."""
    with one_snapshot(driver), driver.cursor(binary=True) as cursor:
        row = cursor.execute(_OPPORTUNITY, (one,), prepare=True).fetchone()
        if row is not None:
            return opportunity_of(row)
        row = cursor.execute(_TOMBSTONE, (one,), prepare=True).fetchone()
        return None if row is None else tombstone_of(row)


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


def read_entries(driver: Driver, entries: Sequence[PlannedEntry]) -> list[RenderedRows]:
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


def _read_entry(driver: Driver, entry: PlannedEntry) -> RenderedRows:
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
    row = object_sql((column.name, column_sql(column)) for column in columns)
    has_owner = any(column.stored == "owner_email" for column in columns)
    owner = ' LEFT JOIN "user" AS u ON u.id = o.owner_id' if has_owner else ""
    return (
        f"SELECT {place}o.id, {row} FROM opportunity AS o{owner}"
        " WHERE o.id = ANY(%s::text[]) AND o.event_code = %s"
    )


def column_sql(column: Column, *, dates_are_stored: bool = False) -> str:
    """The value of a column, as text; dates in the form of answers, unless said otherwise."""
    match column.stored:
        case "owner_email":
            return "u.email"
        case "event_code" | "version":
            return f"o.{column.stored}::text"
        case "created_on" | "modified_on" if not dates_are_stored:
            return f"o.{column.stored}_answer"
        case stored:
            return f"o.{stored}"
