"""The PostgreSQL databases that are opened, migrated or refused."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from oppserver.contract.errors import DatabaseRefused, InvalidDatabaseUrl, Unavailable
from oppserver.store import migrations, open_store
from oppserver.store.migrations import tables
from oppserver.store.postgres import connection as postgres_connection
from oppserver.store.postgres import migrate as postgres_migrate
from tests.support import postgres, stores
from tests.support.stores import NOW, by_column, opportunity

SECRET = "s3cr%2Ft"


@pytest.fixture
def url() -> str:
    """A new database with nothing in it."""
    return postgres.shared().empty_database()


def ask(url: str, statement: str) -> list[Any]:
    """The rows that another program sees in a database."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def change(url: str, *statements: str) -> None:
    """Run statements of another program in a database."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def refused(url: str, *, migrate: bool = True) -> str:
    """Why a database is not opened: one line that does not hold the password."""
    with pytest.raises((DatabaseRefused, InvalidDatabaseUrl)) as refusal:
        open_store(url, migrate=migrate).close()
    line = str(refusal.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


# --- URLs and servers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}@host:notaport/x",
        f"postgresql://u:{SECRET}%zz@host/x",
        f"postgresql://u:{SECRET}@host/x?nonsense=1",
        f"postgresql://u:and@{SECRET}@host/x",
        f"postgresql://u:and/{SECRET}@host/x",
        f"postgresql://u:{SECRET}/and@host/x",
        f"postgresql://u:{SECRET}?and@host/x",
        "postgresql://",
        f"postgresql:u:{SECRET}",
        f"postgresql+psycopg://u:{SECRET}@host/x",
        f"mysql://u:{SECRET}@host/x",
    ],
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    """With the form that is expected, and without its password."""
    assert "postgresql://" in refused(url)


def test_a_parameter_that_cannot_be_is_told() -> None:
    """One that libpq knows, with a value that it does not."""
    assert "sslmode" in refused(f"postgresql://u:{SECRET}@127.0.0.1/x?sslmode=perhaps")


def test_a_server_that_is_not_there_is_told() -> None:
    """With host and port, and the cause."""
    line = refused(f"postgresql://u:{SECRET}@127.0.0.1:1/x")
    assert line.startswith("The database postgresql://127.0.0.1:1/x cannot be opened: ")
    assert "refused" in line


def test_a_wrong_password_and_a_missing_database_are_told() -> None:
    """The error says what the server says."""
    cluster = postgres.shared().cluster
    postgres.shared().run("DROP ROLE IF EXISTS {}", postgres.GUARDED)
    postgres.shared().run("CREATE ROLE {} LOGIN PASSWORD 'right'", postgres.GUARDED)
    place = cluster.url("postgres", user=f"{postgres.GUARDED}:{SECRET}")
    assert "password authentication failed" in refused(place)
    assert "does not exist" in refused(cluster.url("nobody_made_it"))


def test_a_server_that_is_too_old_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its version and the one that is needed."""
    monkeypatch.setattr(postgres_connection, "POSTGRES_VERSION_MIN", 99)
    assert re.search(r"is on PostgreSQL \d+; oppserver needs 99 or later", refused(url))


def test_a_database_of_another_encoding_is_refused() -> None:
    """One that could not hold every text."""
    server = postgres.shared()
    server.run("DROP DATABASE IF EXISTS ascii")
    server.run("CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII'")
    assert "encoding SQL_ASCII; oppserver needs UTF8" in refused(server.cluster.url("ascii"))


def test_a_role_that_may_not_create_tables_is_told(url: str) -> None:
    """The server's reason is in the line."""
    server = postgres.shared()
    server.run("DROP ROLE IF EXISTS looker")
    server.run("CREATE ROLE looker LOGIN")
    name = url.rpartition("/")[2]
    assert "permission denied" in refused(server.cluster.url(name, user="looker"))


def test_a_server_needs_no_role_that_owns_the_tables(url: str) -> None:
    """On a database that is ready, one that may write rows serves; one that may read only looks."""
    server, name = postgres.shared(), url.rpartition("/")[2]
    for role in ("writes", "looks"):
        server.run("DROP ROLE IF EXISTS {}", role)
        server.run("CREATE ROLE {} LOGIN", role)
    open_store(url).close()
    change(
        url,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writes",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO looks",
    )
    store = open_store(server.cluster.url(name, user="writes"))
    assert store.write_opportunities([opportunity(1)], now=NOW).created == 1
    store.load(by_column([[opportunity(2)]]), now=lambda: NOW, on_written=lambda _: None)
    store.close()
    looking = open_store(server.cluster.url(name, user="looks"), migrate=False)
    assert len(stores.everything(looking)) == 2
    assert looking.check() == []
    with pytest.raises(Unavailable, match="cannot be written"):
        looking.write_opportunities([opportunity(3)], now=NOW)
    looking.close()
    change(url, "DROP OWNED BY writes", "DROP OWNED BY looks")


def test_a_schema_that_is_not_there_is_told(url: str) -> None:
    """New tables need a schema to be in."""
    assert "no schema" in refused(f"{url}?options=-csearch_path%3Dnowhere")


# --- whose it is -------------------------------------------------------------------------------


@pytest.mark.parametrize("migrate", [True, False])
@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE theirs (x int)"],
        ["CREATE VIEW theirs AS SELECT 1"],
        [
            "CREATE TABLE alembic_version (version_num text)",
            f"INSERT INTO alembic_version VALUES ('{migrations.HEAD}')",
        ],
    ],
)
def test_a_database_of_another_program_is_refused_and_left_alone(
    statements: Sequence[str], migrate: bool, url: str
) -> None:
    """Whatever is in it, also where Alembic migrates it."""
    change(url, *statements)
    assert "holds tables of something else" in refused(url, migrate=migrate)
    [(tables_now,)] = ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert tables_now <= 1


def test_what_an_extension_brings_is_no_table_of_another_program(url: str) -> None:
    """Extensions put views into the same schema."""
    change(url, "CREATE EXTENSION pg_buffercache")
    open_store(url).close()


def test_a_schema_of_its_own_is_enough(url: str) -> None:
    """A database may be shared; the tables go where the search path says first."""
    change(url, "CREATE TABLE theirs (x int)", "CREATE SCHEMA ours")
    store = open_store(f"{url}?options=-csearch_path%3Dours")
    store.write_opportunities([opportunity(1)], now=NOW)
    assert store.check() == []
    store.close()
    assert ask(url, "SELECT count(*) FROM ours.opportunity") == [(1,)]


def test_without_migration_an_empty_or_older_database_is_refused(url: str) -> None:
    """A command that only looks creates and upgrades nothing; the error names one that does."""
    assert "is empty. 'oppserver db upgrade' creates it" in refused(url, migrate=False)
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]
    open_store(url).close()
    change(url, f"UPDATE alembic_version SET version_num = '{migrations.REVISIONS[0]}'")
    assert re.search(r"older version.* 'oppserver db upgrade'", refused(url, migrate=False))


def test_a_newer_database_is_refused(url: str) -> None:
    """With both versions."""
    open_store(url).close()
    change(url, "UPDATE alembic_version SET version_num = '9999'")
    for migrate in (True, False):
        line = refused(url, migrate=migrate)
        assert "newer version (schema 9999)" in line
        assert f"schema {migrations.HEAD}" in line


def test_all_text_is_ordered_by_code_point(url: str) -> None:
    """Whatever the database's own order is: each text column has the collation C."""
    open_store(url).close()
    rows = ask(
        url,
        "SELECT table_name, collation_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'text'",
    )
    of_ours = {collation for table, collation in rows if table in tables.metadata.tables}
    assert of_ours == {"C"}


# --- migrated once -----------------------------------------------------------------------------


def leased(url: str, *, seconds: int) -> None:
    """A process that migrates and is not heard of again has a lease for some seconds more."""
    change(
        url,
        postgres_migrate._CREATE,
        "INSERT INTO oppserver_lease VALUES"
        f" ('migration', 'somebody', clock_timestamp() + interval '{seconds} seconds')",
    )


def test_a_process_that_died_while_it_migrated_is_not_waited_for(url: str) -> None:
    """Its lease runs out, and the next one does the work."""
    leased(url, seconds=1)
    open_store(url).close()
    assert ask(url, "SELECT * FROM oppserver_lease") == []


def test_waiting_for_another_process_has_a_limit(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that migrates without end keeps others out; they say so, and nothing is changed."""
    leased(url, seconds=60)
    monkeypatch.setattr(postgres_migrate, "MIGRATION_WAIT_S", 0.05)
    assert "Another process is bringing the store up to date" in refused(url)
    assert ask(url, "SELECT holder FROM oppserver_lease") == [("somebody",)]
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_a_migration_whose_lease_was_lost_is_undone(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that slept past its lease leaves nothing: another one has begun meanwhile."""
    upgrade = migrations.upgrade

    def slow(connection: Any, *more: Any, **options: Any) -> None:
        upgrade(connection, *more, **options)
        change(url, "UPDATE oppserver_lease SET holder = 'somebody'")

    monkeypatch.setattr(migrations, "upgrade", slow)
    assert "Another process has taken over" in refused(url)
    assert ask(url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_a_lease_is_renewed_while_its_holder_works(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration may take longer than a lease lasts."""
    upgrade = migrations.upgrade

    def slow(connection: Any, *more: Any, **options: Any) -> None:
        upgrade(connection, *more, **options)
        first = ask(url, "SELECT expires_at FROM oppserver_lease")
        stores.wait_until(lambda: ask(url, "SELECT expires_at FROM oppserver_lease") > first)

    monkeypatch.setattr(postgres_migrate, "MIGRATION_LEASE_S", 0.5)
    monkeypatch.setattr(migrations, "upgrade", slow)
    open_store(url).close()
    assert ask(url, "SELECT version_num FROM alembic_version") == [(migrations.HEAD,)]


OPENING = """
import sys
from oppserver.store import open_store

print("ready", flush=True)
for line in sys.stdin:
    open_store(line.strip()).close()
    print("opened", flush=True)
"""


@pytest.fixture
def processes() -> Iterator[list["stores.Process"]]:
    """Six processes that open the databases they are told to."""
    started = [stores.start_python(OPENING) for _ in range(6)]
    assert [stores.heard(process) for process in started] == ["ready"] * 6
    yield started
    assert [stores.ended(process) for process in started] == [(0, "", "")] * 6


def test_six_processes_that_open_an_empty_database_at_once_make_one_schema(
    processes: list["stores.Process"],
) -> None:
    """Each gets it, and it is as if one had been alone."""
    for _ in range(stores.scaled(5)):
        url = postgres.shared().empty_database()
        for process in processes:
            stores.tell(process, url)
        assert [stores.heard(process) for process in processes] == ["opened"] * 6
        assert ask(url, "SELECT version_num FROM alembic_version") == [(migrations.HEAD,)]
        assert ask(url, "SELECT * FROM catalogue_version") == [(1, 1)]
        assert ask(url, "SELECT * FROM oppserver_lease") == []
