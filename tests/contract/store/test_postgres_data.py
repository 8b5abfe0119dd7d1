"""The promises of the engine on PostgreSQL about its data, beside the suite of every engine."""

import string
from random import Random
from typing import Any

import psycopg
import pytest

from oppserver.contract.errors import DatabaseRefused, InvalidValue
from oppserver.contract.model import Lead
from oppserver.store.postgres.engine import PostgresStore
from oppserver.store.queries import (
    ColumnCondition,
    Comparison,
    ConditionGroup,
    Ordering,
    Search,
    SearchIndex,
)
from oppserver.store.sql import batches as sql_batches
from tests.contract.store import test_postgres_faults as faults
from tests.contract.store.test_postgres_faults import asked, opened
from tests.support import postgres, stores
from tests.support.stores import NOW, by_column, guid, ids_read, opportunity

url, store = faults.url, faults.store


def test_a_write_is_durable_whatever_the_database_says(store: PostgresStore, url: str) -> None:
    """``synchronous_commit = off`` would acknowledge what a crash then loses."""
    name = url.rpartition("/")[2]
    postgres.shared().run("ALTER DATABASE {} SET synchronous_commit = off", name)
    again = opened(url)
    setting = "SHOW synchronous_commit"
    assert again._connections.write(lambda c: c.rows(setting)) == [("on",)]
    again.close()


def test_a_backup_is_the_server_s_affair(store: PostgresStore, tmp_path: Any) -> None:
    """It is refused, with the programs that do it."""
    with pytest.raises(DatabaseRefused, match=r"pg_dump.*pg_basebackup"):
        store.backup(tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_any_size_are_written(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is larger than a statement carries is several, and is as one."""
    monkeypatch.setattr(sql_batches, "JSON_BYTES_MAX", 1_000)
    batch = [opportunity(n, note="x" * (n * 100), lead_email="a") for n in range(30)]
    written = store.write_opportunities(batch, now=NOW)
    assert (written.created, written.replaced) == (28, 2)
    assert [one.note for one in stores.everything(store)] == [one.note for one in batch]


def test_a_value_that_no_index_holds_is_refused_by_name(store: PostgresStore) -> None:
    """An operator's index bounds what its columns hold; the built-in ones bound nothing."""
    long = "".join(Random(1).choices(string.printable, k=32_000))
    store.add_search_index(SearchIndex(name="search_status", columns=("status",)))
    with pytest.raises(InvalidValue, match=r"longer than an index .* 2,700 bytes"):
        store.write_opportunities([opportunity(3, status=long)], now=NOW)
    store.drop_search_index("search_status")
    written = opportunity(
        3, status=long, lead_email=long, owner_id=stores.owner(1), owner_email=long
    )
    store.write_opportunities([written], now=NOW)
    lead = Lead(id=written.lead_id, email=long, phone=long, mobile=long, first_name=long)
    store.write(lambda transaction: transaction.write_leads([lead]))
    assert store.write(lambda transaction: transaction.leads_by("email", [long])) == {long: lead}
    assert store.write(lambda transaction: transaction.leads_by("phone", [long])) == {long: lead}
    assert store.write(lambda transaction: transaction.leads_by("mobile", [long])) == {long: lead}


def test_a_value_that_no_text_has_is_refused_by_name(store: PostgresStore) -> None:
    """PostgreSQL's text has no U+0000: a caller that sends one gets an error."""
    condition = ColumnCondition(stored="status", comparison=Comparison.EQUAL, values=("a\0b",))
    search = Search(
        event_code=None,
        where=ConditionGroup(members=(condition,)),
        ordering=Ordering(stored="id"),
        offset=0,
        limit=1,
        columns=(),
    )
    with pytest.raises(InvalidValue, match=r"U\+0000"):
        store.search(search)
    with pytest.raises(InvalidValue, match=r"U\+0000"):
        store.write(lambda transaction: transaction.users_by_email(["a\0b"]))
    assert ids_read(store, [guid(1)]) == [guid(1)]


def test_a_load_leaves_statistics(store: PostgresStore, url: str) -> None:
    """Plans are right at once, and not when the server has looked at the tables by itself."""
    batch = [opportunity(n) for n in range(100)]
    store.load(by_column([batch]), now=lambda: NOW, on_written=lambda _: None)
    known = asked(url, "SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public'")
    assert {("opportunity",), ("lead",)} <= set(known)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE lead SET email = 'x'",
            "2 opportunities whose EmailAddress is not that of its lead",
        ),
        ("DELETE FROM lead", "2 opportunities whose EmailAddress"),
        ("DELETE FROM opportunity_type", "2 opportunities of no known type"),
        ("DROP INDEX opportunity_by_lead", "the index opportunity_by_lead is missing"),
    ],
)
def test_a_check_finds_a_broken_promise(
    statement: str, found: str, store: PostgresStore, url: str
) -> None:
    """Damage by another program is found, counted and named."""
    assert store.check() == []
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
    assert any(problem.startswith(found) for problem in store.check())
