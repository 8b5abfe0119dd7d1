"""Rows by their ids on PostgreSQL, as JSON: those of the bulk read, and leads.

The bulk read is one statement for all entries. It renders rows and lets them come as they are
found; here they are placed. A join with the list of ids would keep their order, but reads whole
tables where the table is sharded.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from typing import Final, TypeVar

from oppserver.contract.columns import Column
from oppserver.contract.leads import EVERY_ATTRIBUTE
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.queries import PlannedEntry, RenderedRows
from oppserver.store.sql.conditions import (
    Dialect,
    bulk_column_sql,
    literal,
    rendered_lead_sql,
)

_Place = TypeVar("_Place", bound=Hashable)

_T = TypeVar("_T")


# exact; a numeric has room for all digits of a text of ours, but not for 16,384 behind the point
_AS_NUMBER: Final = (
    "CASE WHEN {0} ~ '^-?[0-9]+([.][0-9]+)?$' THEN CASE WHEN length({0}) < 10000"
    " THEN ({0})::numeric ELSE"
    " (split_part({0}, '.', 1) || '.' || left(split_part({0}, '.', 2), 10000))::numeric END END"
)

_JSON_TEXT: Final = r'"([^"\\\x01-\x1f]|\\["\\/bfnrt]|\\u00(0[1-9a-f]|1[0-9a-f]))*"'

_OF_TEXTS: Final = rf"^\{{{{({_JSON_TEXT}:{_JSON_TEXT}(,{_JSON_TEXT}:{_JSON_TEXT})*)?\}}}}$"
"""A JSON object of texts, as a set stores it. IS JSON came with PostgreSQL 16."""

POSTGRES: Final = Dialect(
    value='(%s::text COLLATE "C")',
    number_value=f"(SELECT {_AS_NUMBER.format('given.x')} FROM (SELECT %s::text AS x) AS given)",
    number=_AS_NUMBER,
    unequal="{} IS DISTINCT FROM {}",
    lower="lower({})",
    lower_unindexed="lower({})",
    position="strpos({}, {})",
    attribute='(({}::json ->> {}) COLLATE "C")',
    member=f"(CASE WHEN {{0}} ~ '{_OF_TEXTS}' THEN {{0}}::json ->> {{1}} END COLLATE \"C\")",
)


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
    row = object_sql((column.name, bulk_column_sql(column, POSTGRES)) for column in columns)
    has_owner = any(column.stored == "owner_email" for column in columns)
    owner = ' LEFT JOIN "user" AS u ON u.id = o.owner_id' if has_owner else ""
    return (
        f"SELECT {place}o.id, {row} FROM opportunity AS o{owner}"
        " WHERE o.id = ANY(%s::text[]) AND o.event_code = %s"
    )


# --- leads -------------------------------------------------------------------------------------

LEAD_OWNER: Final = ' LEFT JOIN "user" AS u ON u.id = l.owner_id'


def read_leads(
    driver: PostgresConnection, ids: Sequence[str], columns: Sequence[Column]
) -> RenderedRows:
    """The leads of ids, in their order."""
    statement = _leads_statement(tuple(columns)).encode()
    with driver.cursor(binary=True) as cursor:
        found = cursor.execute(statement, (array_of(ids),), prepare=True).fetchall()
    return placed(dict(found), ids)


@lru_cache(maxsize=256)
def _leads_statement(columns: tuple[Column, ...]) -> str:
    """Rows of ``(id, json)``. Parameter: the ids as an array."""
    row = lead_json(columns)
    return f"SELECT l.id, {row} FROM lead AS l{LEAD_OWNER} WHERE l.id = ANY(%s::text[])"


def lead_json(columns: Sequence[Column]) -> str:
    """The SQL of a lead as JSON, whose owner is joined by ``LEAD_OWNER``."""
    named = [column for column in columns if column != EVERY_ATTRIBUTE]
    assert named, "a row begins with columns of its own"
    row = object_sql((column.name, rendered_lead_sql(column.stored, POSTGRES)) for column in named)
    if len(named) == len(columns):
        return row
    # the attributes as they are stored, in their order, each once
    names = ", ".join(literal(column.name) for column in named)
    others = (
        "(SELECT string_agg(',' || to_json(a.key) || ':' || to_json(a.value), '' ORDER BY a.place)"
        " FROM json_each_text(l.attributes::json) WITH ORDINALITY AS a(key, value, place)"
        f" WHERE a.key <> ALL(ARRAY[{names}]))"
    )
    return f"(left({row}::text, -1) || coalesce({others}, '') || '}}')::json"
