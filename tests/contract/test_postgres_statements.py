"""What PostgreSQL is asked, and what it is asked of, so that it fits a sharded database too."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from oppserver.contract.changes import ChangesPage
from oppserver.contract.columns import Column
from oppserver.contract.model import Plan, Written
from oppserver.store import StoreOptions, common_changes, tables
from oppserver.store.postgres import PostgresStore
from oppserver.store.postgres_connection import Driver
from tests import postgres
from tests.stores import NOW, entry, guid, opportunity

asked: list[str] = []


class Listening(psycopg.Cursor[Any]):
    """A cursor that tells what it was asked."""

    def execute(self, query: Any, *arguments: Any, **more: Any) -> Any:
        asked.append(query.decode() if isinstance(query, bytes) else str(query))
        return super().execute(query, *arguments, **more)


@pytest.fixture
def store() -> Iterator[PostgresStore]:
    """A store that reads through cursors that listen."""
    url = postgres.shared().migrated_database()
    store = PostgresStore.open(url, StoreOptions(readers=1), migrate=False)
    store._connections.fetch(lambda driver: setattr(driver, "cursor_factory", Listening))
    store.write_opportunities([opportunity(n, event_code=12_000 + n) for n in (0, 1)], now=NOW)
    asked.clear()
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
        [[opportunity(number) for number in range(5_000)]],
        now=lambda: NOW,
        on_written=written.append,
    )
    statement = common_changes.changes_statement("%s::bigint", of_type=event_code is not None)
    parameters = common_changes.changes_parameters(
        ChangesPage(after=100, until=5_000, limit=50, event_code=event_code)
    )

    def explained(driver: Driver) -> str:
        rows = driver.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
        return "\n".join(row[0] for row in rows)

    plan = store._connections.fetch(explained)
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
