"""The statements that PostgreSQL runs, and their tables, fit a sharded database too."""

import json
from collections.abc import Callable, Iterator
from itertools import chain, combinations
from typing import Any, Final

import psycopg
import pytest

from oppserver.contract.columns import Column
from oppserver.contract.leads import EVERY_ATTRIBUTE
from oppserver.contract.model import Lead, Written
from oppserver.store import StoreOptions
from oppserver.store.migrations import tables
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.engine import PostgresStore
from oppserver.store.queries import ChangesPage, LeadSearch, Ordering, Plan
from oppserver.store.sql import changes as common_changes
from tests.support import postgres, searches
from tests.support.sharding import broken_rules
from tests.support.stores import NOW, by_column, columns, entry, guid, lead, opportunity

asked: list[str] = []
parameters: list[Any] = []
"""The tables of each statement."""


class Listening(psycopg.Cursor[Any]):
    """A cursor that tells what it was asked."""

    def execute(self, query: Any, *arguments: Any, **more: Any) -> Any:
        asked.append(query.decode() if isinstance(query, bytes) else str(query))
        parameters.append(arguments[0] if arguments else None)
        return super().execute(query, *arguments, **more)


@pytest.fixture
def store() -> Iterator[PostgresStore]:
    """A store that reads through cursors that listen."""
    url = postgres.shared().migrated_database()
    store = PostgresStore.open(url, StoreOptions(readers=1), migrate=False)
    store._connections.read(lambda driver: setattr(driver, "cursor_factory", Listening))
    store.write_opportunities([opportunity(n, event_code=12_000 + n) for n in (0, 1)], now=NOW)
    asked.clear()
    parameters.clear()
    yield store
    store.close()


@pytest.mark.parametrize("entries", [1, 2, 100])
def test_a_bulk_read_is_one_statement(entries: int, store: PostgresStore) -> None:
    """However many entries it has; ids are asked by ``ANY``, and rows come in any order."""
    plan = Plan(
        entries=tuple(
            entry([guid(0), guid(1)], "ProspectActivityId", "OwnerEmailAddress", event_code=code)
            for code in range(12_000, 12_000 + entries)
        )
    )
    counts = [rows.count for rows in store.bulk_read(plan)]
    assert counts == [1, 1, *[0] * 98][:entries]
    [statement] = asked
    assert statement.count("o.id = ANY(%s::text[])") == entries
    for word in ("unnest", "ORDER BY", "json_agg"):
        assert word not in statement


# --- the names of members ----------------------------------------------------------------------

_NAMES: Final = ("Status", "CreatedOn", "Owner", "OwnerEmailAddress", "mx_Custom_3")


def _subsets(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """All combinations of names but the empty one."""
    return list(chain(*(combinations(names, size) for size in range(1, len(names) + 1))))


def _bulk_read(store: PostgresStore, names: tuple[str, ...]) -> list[Any]:
    [rows] = store.bulk_read(Plan(entries=(entry([guid(0)], *names),)))
    return list(json.loads(rows.json))


def _bulk_read_of_two(store: PostgresStore, names: tuple[str, ...]) -> list[Any]:
    one = entry([guid(0)], *names)
    first, second = store.bulk_read(Plan(entries=(one, entry([guid(1)], event_code=12_001))))
    assert [list(row) for row in json.loads(second.json)] == [["ProspectActivityId"]]
    return list(json.loads(first.json))


def _changes(store: PostgresStore, names: tuple[str, ...]) -> list[Any]:
    page = ChangesPage(after=0, until=10, limit=1, event_code=12_000)
    found = store.read(lambda moment: moment.rendered_changes(page, columns(*names)))
    [change] = json.loads(found.json)
    assert list(change) == ["Change", "ProspectActivityId", "EventCode", "Opportunity"]
    return [change["Opportunity"]]


def _search(store: PostgresStore, names: tuple[str, ...]) -> list[Any]:
    _, rows = searches.page(store, searches.asked(columns=columns(*names)))
    return rows


def _search_with_leads(store: PostgresStore, names: tuple[str, ...]) -> list[Any]:
    of_lead = (Column(name="Phone", stored="lead.phone"), *columns(*names))
    _, rows = searches.page(store, searches.asked(columns=of_lead))
    return [{name: row[name] for name in list(row)[1:]} for row in rows]


_READS: Final[list[Callable[[PostgresStore, tuple[str, ...]], list[Any]]]] = [
    *(_bulk_read, _bulk_read_of_two, _changes, _search, _search_with_leads)
]


@pytest.mark.parametrize("read", _READS)
def test_members_have_names_with_any_columns(
    read: Callable[[PostgresStore, tuple[str, ...]], list[Any]], store: PostgresStore
) -> None:
    """With and without an owner; and no plan makes JSON of a ROW, which a shard would not name."""
    for names in _subsets(_NAMES):
        [row] = read(store, names)
        assert list(row) == list(names)
    _held_to_names(store)


@pytest.mark.parametrize("more", [(), (EVERY_ATTRIBUTE,)])
def test_members_of_leads_have_names(more: tuple[Column, ...], store: PostgresStore) -> None:
    """Read by id and searched, with and without an owner and the attributes as they are stored."""
    with_attributes = Lead(id=lead(0), attributes={"mx_City": "Pune"})
    store.write(lambda transaction: transaction.write_leads([with_attributes]))
    known = {"ProspectID": "id", "Phone": "phone", "OwnerIdName": "owner_name"}
    for names in _subsets(tuple(known)):
        named = (*(Column(name=name, stored=known[name]) for name in names), *more)
        by_id = json.loads(store.leads([lead(0)], named).json)
        search = LeadSearch(
            ordering=Ordering(stored="id", is_descending=False), offset=0, limit=1, columns=named
        )
        page = json.loads(store.search_leads(search).json)
        assert by_id == page
        assert [list(row) for row in page] == [[*names, *(["mx_City"] if more else [])]]
    _held_to_names(store)


def _held_to_names(store: PostgresStore) -> None:
    """Looks at how PostgreSQL takes each statement that was asked, and at the rules of shards."""

    def explained(driver: PostgresConnection) -> None:
        rendering = [n for n, statement in enumerate(asked) if "row_to_json" in statement]
        assert rendering
        for n in rendering:
            plan = driver.execute(f"EXPLAIN VERBOSE {asked[n]}".encode(), parameters[n]).fetchall()
            assert not [row for (row,) in plan if "row_to_json(ROW" in row], asked[n]
            assert broken_rules(asked[n]) == ()

    store._connections.read(explained)


def test_reads_lock_nothing(store: PostgresStore) -> None:
    """Only writes pass the gate."""
    store.opportunity(guid(0))
    store.leads([guid(0)], [Column(name="ProspectID", stored="id")])
    store.catalogue()
    assert asked
    assert not any("FOR UPDATE" in statement for statement in asked)


@pytest.mark.parametrize("event_code", [None, 12_000])
def test_a_page_of_changes_is_read_in_their_order(
    event_code: int | None, store: PostgresStore
) -> None:
    """By the indexes of both tables, from a number on; nothing but the two pages is sorted."""
    written: list[Written] = []
    store.load(
        by_column([[opportunity(number) for number in range(5_000)]]),
        now=lambda: NOW,
        on_written=written.append,
    )
    statement = common_changes.changes_statement(event_code)
    values = common_changes.changes_parameters(
        ChangesPage(after=100, until=5_000, limit=50, event_code=event_code)
    )

    def explained(driver: PostgresConnection) -> str:
        rows = driver.rows(f"EXPLAIN {statement}", **values)
        return "\n".join(row[0] for row in rows)

    plan = store._connections.read(explained)
    assert "using opportunity_by_change_number on opportunity" in plan
    assert "Seq Scan on opportunity" not in plan


def test_the_schema_fits_a_sharded_database() -> None:
    """The first column of the primary key is in every unique index; no triggers, no sequences."""
    with psycopg.connect(postgres.shared().migrated_database()) as connection:

        def rows(statement: str) -> list[Any]:
            return connection.execute(statement.encode()).fetchall()

        assert rows("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
        assert rows("SELECT sequencename FROM pg_sequences") == []
        assert rows("SELECT conname FROM pg_constraint WHERE contype = 'f'") == []
        unique = rows(
            "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND i.indisunique"
        )
    schema = tables.metadata.tables.items()
    first = {name: table.primary_key.columns.keys()[0] for name, table in schema}
    ours = [row for row in unique if row[0] in first]
    assert len(ours) == len(first), "a primary key each, and nothing else that is unique"
    assert all(first[table] == column for table, column in ours)
