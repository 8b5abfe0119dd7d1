"""The faults between a store and its PostgreSQL server, and their outcomes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest

from oppserver.contract.errors import StoreFull, Unavailable
from oppserver.store import StoreOptions
from oppserver.store.postgres import connections as postgres_connections
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.engine import PostgresStore
from oppserver.store.postgres.read import in_one_snapshot
from oppserver.store.queries import Plan
from tests.support import postgres, stores
from tests.support.stores import NOW, entry, guid, ids_read, opportunity

RAISE: Final = "DO $$ BEGIN RAISE EXCEPTION 'made by a test' USING ERRCODE = '{}'; END $$"
INSERT: Final = "INSERT INTO lead (id) VALUES (:id)"
GATE: Final = "SELECT version FROM catalogue_version FOR UPDATE"


@pytest.fixture
def url() -> str:
    """A new database that is migrated."""
    return postgres.shared().migrated_database()


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    """A store with two opportunities of one lead."""
    store = opened(url)
    store.write_opportunities([opportunity(n, lead_id=stores.lead(1)) for n in (1, 2)], now=NOW)
    yield store
    store.close()


def opened(url: str, **options: Any) -> PostgresStore:
    return PostgresStore.open(url, StoreOptions(**options), migrate=False)


@contextmanager
def another(url: str, *statements: str) -> Iterator["psycopg.Connection[Any]"]:
    """Another program, which has run statements in a transaction that it undoes in the end."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.rollback()


def end_all(url: str) -> None:
    """Ends every other connection to the database, as a server does that is shut down."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        stores.wait_until(
            lambda: (
                connection.execute(
                    "SELECT 1 FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).fetchone()
                is None
            )
        )


# --- too busy, too slow ------------------------------------------------------------------------


def test_a_read_that_takes_too_long_is_ended_by_the_server(store: PostgresStore, url: str) -> None:
    """``query_timeout_s`` holds for each statement; other connections are as they were."""
    hasty = opened(url, query_timeout_s=0.05)
    plan = Plan(entries=(entry([guid(1)]),))
    with (
        another(url, "LOCK TABLE opportunity"),
        pytest.raises(Unavailable, match="took longer in the store"),
    ):
        hasty.bulk_read(plan)
    assert hasty.bulk_read(plan)[0].count == 1
    hasty.close()


def test_a_check_may_take_its_time(url: str) -> None:
    """A read of everything has no limit of time."""
    store = opened(url, query_timeout_s=0.5)

    def look(driver: PostgresConnection) -> list[tuple[Any, ...]]:
        postgres_connections.lift_limit(driver)
        return driver.rows("SHOW statement_timeout")

    assert store._connections.read(in_one_snapshot(look)) == [("0",)]
    store.close()


def test_a_write_waits_for_another_no_longer_than_it_may(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that cannot have its turn is Unavailable; reads go on."""
    monkeypatch.setattr(postgres_connections, "BUSY_TIMEOUT_S", 0.05)
    hasty = opened(url)
    with another(url, GATE):
        with pytest.raises(Unavailable, match="busy with other writes"):
            hasty.write_opportunities([opportunity(3)], now=NOW)
        assert ids_read(hasty, [guid(1), guid(3)]) == [guid(1)]
    assert hasty.write_opportunities([opportunity(3)], now=NOW).created == 1
    hasty.close()


def test_more_threads_than_connections_end_in_unavailable(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a connection has a limit, for a read and for a write."""
    monkeypatch.setattr(postgres_connections, "BUSY_TIMEOUT_S", 0.05)
    store = opened(url, readers=1)
    with store._connections._readers.connect(), pytest.raises(Unavailable, match="are busy"):
        store.ping()
    with store._connections._writers.connect(), pytest.raises(Unavailable, match="are busy"):
        store.write_opportunities([opportunity(1)], now=NOW)
    store.ping()
    store.close()


def test_a_program_that_stops_in_mid_write_lets_others_in(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server undoes a write that its program has left alone; the program does it again."""
    monkeypatch.setattr(postgres_connections, "POSTGRES_IDLE_WRITE_S", 0.1)
    stopped, other = opened(url), opened(url)
    turns: list[int] = []

    def work(connection: PostgresConnection) -> int:
        turns.append(1)
        connection.run(INSERT, id=f"of turn {len(turns)}")
        if len(turns) == 1:
            other.write_opportunities([opportunity(1)], now=NOW)
        return len(turns)

    assert stopped._connections.write(work) == 2
    [[second]] = [asked(url, "SELECT id FROM lead WHERE id LIKE 'of%'")]
    assert second == ("of turn 2",)
    stopped.close()
    other.close()


def asked(url: str, statement: str) -> list[Any]:
    with another(url) as connection:
        return connection.execute(statement.encode()).fetchall()


# --- conflicts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_a_call_that_met_another_is_done_again(
    code: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read and a write that conflicted succeed in a later turn, from the beginning."""
    monkeypatch.setattr(postgres_connections, "POSTGRES_RETRY_PAUSE_S", 0.0001)
    for call in (store._connections.read, store._connections.write):
        turns: list[int] = []

        def work(connection: PostgresConnection, turns: list[int] = turns) -> int:
            turns.append(1)
            if len(turns) < 4:
                connection.run(RAISE.format(code))
            return len(turns)

        assert call(work) == 4


def test_a_call_that_always_meets_another_ends(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The turns are limited; then it is Unavailable."""
    monkeypatch.setattr(postgres_connections, "POSTGRES_RETRY_PAUSE_S", 0.00001)
    turns: list[int] = []

    def work(connection: PostgresConnection) -> None:
        turns.append(1)
        connection.run(RAISE.format("40001"))

    with pytest.raises(Unavailable, match="busy with other writes"):
        store._connections.write(work)
    assert len(turns) == postgres_connections.POSTGRES_RETRIES_MAX + 1


def test_a_real_deadlock_is_resolved(store: PostgresStore, url: str) -> None:
    """Another program and a write that wait for each other: one is undone, the write succeeds."""
    changed = opportunity(1, lead_id=stores.lead(1), lead_email="new@example.com")
    writes = threading.Thread(
        target=store.write_opportunities, args=([changed],), kwargs={"now": NOW}
    )
    with psycopg.connect(url, autocommit=True) as looking, another(url) as other:
        other.execute("SELECT 1 FROM lead FOR UPDATE")
        writes.start()
        stores.wait_until(
            lambda: (
                looking.execute(
                    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                    " AND datname = current_database()"
                ).fetchone()
                is not None
            )
        )
        try:
            other.execute(GATE)
        except psycopg.errors.DeadlockDetected:
            other.rollback()
    writes.join()
    assert stores.value(store, 2, "EmailAddress") == "new@example.com"
    assert store.check() == []


# --- the connection is lost --------------------------------------------------------------------


def test_calls_go_on_when_all_connections_were_lost(store: PostgresStore, url: str) -> None:
    """Whatever stood idle and is dead is not used: each call makes its connection anew."""
    calls: list[Callable[[], object]] = [
        lambda: ids_read(store, [guid(1)]),
        lambda: store.key("nobody"),
        store.catalogue,
        store.keys,
        store.ping,
        lambda: store.write_opportunities([opportunity(3)], now=NOW),
        lambda: store.delete_opportunities([guid(3)], now=NOW, by=None),
        store.check,
    ]
    for call in calls:
        stores.ids_read(store, [guid(1)])
        end_all(url)
        call()


def test_a_pool_of_dead_connections_costs_one_failure(store: PostgresStore, url: str) -> None:
    """After a restart of the server no call fails, however many connections stood idle."""
    together = threading.Barrier(4)

    def hold(driver: "psycopg.Connection[Any]") -> None:
        driver.execute("SELECT 1")
        together.wait()

    threads = [threading.Thread(target=store._connections.read, args=(hold,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end_all(url)
    for _ in range(8):
        assert ids_read(store, [guid(1)]) == [guid(1)]


@pytest.mark.parametrize("losses", [1, 2])
def test_a_write_that_lost_its_connection_is_done_once_more(
    losses: int, store: PostgresStore
) -> None:
    """Before its end it has surely left nothing. A second loss is Unavailable."""
    turns: list[int] = []

    def work(connection: PostgresConnection) -> str:
        turns.append(1)
        connection.run(INSERT, id="new")
        if len(turns) <= losses:
            connection.run("SELECT pg_terminate_backend(pg_backend_pid())")
        return "done"

    if losses == 1:
        assert store._connections.write(work) == "done"
    else:
        with pytest.raises(Unavailable, match="cannot be reached"):
            store._connections.write(work)
    assert len(turns) == 2
    assert store.write_opportunities([opportunity(5)], now=NOW).created == 1


def test_a_write_that_was_lost_at_its_end_is_not_done_again(
    store: PostgresStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether it is there, and the error says so."""
    turns: list[int] = []

    def work(connection: PostgresConnection) -> None:
        turns.append(1)
        connection.run(INSERT, id=f"turn {len(turns)}")

    commit = PostgresConnection.commit

    def end_before(driver: PostgresConnection) -> None:
        end_all(url)
        commit(driver)

    with monkeypatch.context() as patched, pytest.raises(Unavailable, match="may be there or not"):
        patched.setattr(PostgresConnection, "commit", end_before)
        store._connections.write(work)
    assert len(turns) == 1
    assert store.write_opportunities([opportunity(5)], now=NOW).created == 1


def test_what_the_work_raises_undoes_it(store: PostgresStore, url: str) -> None:
    """And is raised, and the connection goes on to be used."""

    def work(connection: PostgresConnection) -> None:
        connection.run(INSERT, id="lost")
        raise ZeroDivisionError

    for _ in range(10):
        with pytest.raises(ZeroDivisionError):
            store._connections.write(work)
    assert asked(url, "SELECT 1 FROM lead WHERE id = 'lost'") == []


# --- the rest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("53100", StoreFull, "disk of the store is full"),
        ("53200", Unavailable, "cannot be reached"),
        ("25006", Unavailable, "cannot be written"),
        ("42501", Unavailable, "cannot be written"),
        ("57014", Unavailable, "took longer"),
    ],
)
def test_errors_have_names(
    code: str, error: type[Exception], said: str, store: PostgresStore
) -> None:
    """The server's codes, each as what it is to a caller, without the server's own words."""
    with pytest.raises(error, match=said) as raised:
        store._connections.write(lambda c: c.run(RAISE.format(code)))
    assert "made by a test" not in str(raised.value)
    assert "made by a test" in str(raised.value.__cause__)
