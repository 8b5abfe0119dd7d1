"""The promises of the engine on SQLite beside the suite: refusals, and outcomes of faults."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.errors import (
    DatabaseRefused,
    InvalidDatabaseUrl,
    StoreFull,
    Unavailable,
)
from oppserver.store import StoreOptions, migrations, open_store
from oppserver.store.queries import Plan, PlannedEntry, SearchIndex
from oppserver.store.sqlite import connection as sqlite_connect
from oppserver.store.sqlite import engine as sqlite
from oppserver.store.sqlite import maintenance as sqlite_indexes
from oppserver.store.sqlite.engine import SqliteStore
from oppserver.store.sqlite.library import Connection
from tests.contract.store.test_store_bulk_read import ALL_COLUMNS
from tests.support import stores
from tests.support.stores import NOW, by_column, entry, guid, ids_read, key, opportunity


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is, or will be."""
    return tmp_path / "oppserver.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A store with two opportunities of one lead, an owner and a key."""
    store = SqliteStore.open(f"sqlite:///{path}", StoreOptions(), migrate=True)
    store.add_key(key("AK1"))
    store.write_opportunities(
        [opportunity(n, lead_id=stores.lead(1), owner_id=stores.owner(1)) for n in (1, 2)], now=NOW
    )
    yield store
    store.close()


@contextmanager
def raw(path: Path) -> Iterator[Connection]:
    """Another program's connection to the file, which commits what it does."""
    with closing(Connection(path)) as connection:
        yield connection


def open_url(path: Path) -> None:
    """Opens and migrates a file, and closes it."""
    open_store(f"sqlite:///{path}").close()


# --- opening -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "sqlite", "sqlite:", "sqlite://", "sqlite:///", "sqlite:///:memory:",
        "sqlite:////a.db?mode=ro", "sqlite://host/a.db", "mysql:///a", "://", "//[", "http://[::1",
        "SQLITE3:///a.db",
    ],
)  # fmt: skip
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    """A database URL of another form is refused with the form that is expected."""
    with pytest.raises(InvalidDatabaseUrl, match="sqlite:///"):
        open_store(url)


def test_a_place_that_cannot_hold_a_file_is_refused(tmp_path: Path) -> None:
    """A missing folder, a folder, a file as folder: refused, naming the path."""
    (tmp_path / "file").write_bytes(b"")
    for place in ("missing/a.db", "", "file/a.db"):
        with pytest.raises(DatabaseRefused, match=str(tmp_path)):
            open_url(tmp_path / place)


def test_a_file_that_may_not_be_written_is_refused(path: Path) -> None:
    """Where SQLite cannot create or write the file, the refusal names it."""
    if not Path("/proc/version").exists():
        pytest.skip("no folder here in which nobody can create a file")
    with pytest.raises(DatabaseRefused, match=r"/proc/oppserver\.db cannot be opened"):
        open_url(Path("/proc/oppserver.db"))


def test_a_file_of_something_else_is_refused_and_left_alone(path: Path) -> None:
    """A file that is no database stays byte for byte."""
    path.write_bytes(b"not a database, but rather long " * 100)
    before = path.read_bytes()
    with pytest.raises(DatabaseRefused, match=r"oppserver\.db cannot be opened"):
        open_url(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE theirs (x)", "CREATE TABLE alembic_version (version_num TEXT)"],
)
def test_a_database_of_another_program_is_refused_and_left_alone(
    statement: str, path: Path
) -> None:
    """An SQLite database that is not ours is refused, also one that Alembic migrates."""
    with raw(path) as connection:
        connection.execute(statement)
    if "alembic" in statement:
        with raw(path) as connection:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (migrations.HEAD,))
    before = path.read_bytes()
    with pytest.raises(DatabaseRefused, match="not one of oppserver"):
        open_url(path)
    assert path.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused(path: Path) -> None:
    """A schema that this version does not know is refused, naming both, and is left alone."""
    open_url(path)
    with raw(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DatabaseRefused, match=f"schema 9999.*schema {migrations.HEAD}"):
        open_url(path)
    with raw(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            ("9999",)
        ]


def test_a_missing_database_is_refused_when_it_is_not_to_be_made(path: Path) -> None:
    """Without migration nothing is created: a missing file is refused with what creates it."""
    with pytest.raises(DatabaseRefused, match="oppserver db upgrade"):
        open_store(f"sqlite:///{path}", migrate=False)
    assert not path.exists()


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    """A file of no bytes becomes a database, but only when one is to be made."""
    path.write_bytes(b"")
    with pytest.raises(DatabaseRefused, match="oppserver db upgrade"):
        open_store(f"sqlite:///{path}", migrate=False)
    open_url(path)
    open_store(f"sqlite:///{path}", migrate=False).close()


def test_the_file_says_whose_it_is(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    """The file and its backups carry the application id and are in WAL mode."""
    store.backup(tmp_path / "copy.db")
    for file in (path, tmp_path / "copy.db"):
        with raw(file) as connection:
            assert connection.one("PRAGMA application_id") == (0x4F505053,)
            assert connection.one("PRAGMA journal_mode") == ("wal",)


def test_a_write_is_on_the_disk_when_it_returns(store: SqliteStore) -> None:
    """Every connection is opened with ``synchronous=FULL``; readers cannot write."""
    with store._writing() as connection:
        assert connection.rows("PRAGMA synchronous") == [(2,)]
    with store._snapshot() as connection:
        assert connection.rows("PRAGMA query_only") == [(1,)]


# --- what goes wrong ---------------------------------------------------------------------------


def test_a_read_that_takes_too_long_is_ended(path: Path) -> None:
    """A read past its time limit is Unavailable, and the connection is well afterwards."""
    store = open_store(f"sqlite:///{path}", StoreOptions(readers=1, query_timeout_s=0.001))
    store.write_opportunities([opportunity(n) for n in range(2_000)], now=NOW)
    wide = PlannedEntry(event_code=12_000, ids=[guid(n) for n in range(2_000)], columns=ALL_COLUMNS)
    for entries in ((wide,), (wide, wide)):
        with pytest.raises(Unavailable, match="longer in the store"):
            store.bulk_read(Plan(entries=entries))
        assert ids_read(store, [guid(1)]) == [guid(1)]
    with pytest.raises(Unavailable, match="longer in the store"):
        stores.everything(store)
    assert store.write_opportunities([opportunity(1)], now=NOW).replaced == 1
    assert store.check() == []
    store.close()


def test_a_write_while_another_program_writes_is_unavailable(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that waits too long for the file's lock is Unavailable; reads go on."""
    monkeypatch.setattr(sqlite_connect, "BUSY_TIMEOUT_S", 0.05)
    hasty = open_store(f"sqlite:///{path}")
    with closing(Connection(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="busy with another write"):
            hasty.write_opportunities([opportunity(3)], now=NOW)
        assert ids_read(hasty, [guid(1), guid(3)]) == [guid(1)]
        other.execute("ROLLBACK")
    assert hasty.write_opportunities([opportunity(3)], now=NOW).created == 1
    hasty.close()


def test_more_threads_than_connections_end_in_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a connection has a limit: for a reader, and for the one writer."""
    monkeypatch.setattr(sqlite_connect, "BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.05)
    store = SqliteStore.open(f"sqlite:///{path}", StoreOptions(readers=1), migrate=True)
    with store._reader(), pytest.raises(Unavailable, match="connections to the store are busy"):
        store.ping()
    with store._writing(), pytest.raises(Unavailable, match="busy with other writes"):
        store.write_opportunities([opportunity(1)], now=NOW)
    store.ping()
    store.close()


def test_a_batch_that_meets_a_full_disk_is_not_in_the_store(store: SqliteStore, path: Path) -> None:
    """A full disk is StoreFull, nothing of the batch is there, and reads go on.

    SQLite tells a full disk and a full ``max_page_count`` by the same error.
    """
    full = SqliteStore.open(f"sqlite:///{path}", StoreOptions(), migrate=True)
    with full._writer.connection() as writer:
        writer.execute("PRAGMA max_page_count=100")
    before = stores.everything(full)
    for _ in range(2):
        with pytest.raises(StoreFull, match="disk of the store is full"):
            full.write_opportunities([opportunity(n) for n in range(5_000)], now=NOW)
        assert stores.everything(full) == before
        assert full.check() == []
    assert full.write_opportunities([opportunity(3)], now=NOW).created == 1
    full.close()


def test_a_damaged_file_is_unavailable(store: SqliteStore, path: Path) -> None:
    """A file that SQLite finds malformed is Unavailable, not a fault without a name."""
    store.close()
    damage(path)
    store = SqliteStore.open(f"sqlite:///{path}", StoreOptions(), migrate=False)
    with pytest.raises(Unavailable, match="malformed"):
        store.bulk_read(Plan(entries=(entry([guid(1)]),)))
    store.close()


def test_a_stored_text_that_is_not_utf_8_is_unavailable(store: SqliteStore, path: Path) -> None:
    """Readers get Unavailable for a text that is damaged; a check reports it."""
    with raw(path) as connection:
        connection.execute("UPDATE opportunity SET status = CAST(x'ff41' AS TEXT)")
    with pytest.raises(Unavailable, match="a stored text is not UTF-8"):
        stores.everything(store)
    assert store.check()


def damage(path: Path) -> None:
    """Overwrites every page of the opportunities with noise."""
    with raw(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = connection.one("PRAGMA page_size")
        roots: list[Any] = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'opportunity'"
        ).fetchall()
    with path.open("r+b") as file:
        for (root,) in roots:
            file.seek((root - 1) * size)
            file.write(b"\xa5" * size)


# --- the check ---------------------------------------------------------------------------------

AN_ACTIVITY = (
    "INSERT INTO activity (id, event_code, lead_id, opportunity_id, created_on, modified_on)"
)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        (
            "UPDATE lead SET email = 'x'",
            "2 opportunities whose EmailAddress is not that of its lead",
        ),
        ("UPDATE opportunity SET lead_email = 'x'", "2 opportunities whose EmailAddress"),
        ("DELETE FROM lead", "2 opportunities whose EmailAddress"),
        ("DELETE FROM opportunity_type", "2 opportunities of no known type"),
        ("DELETE FROM user", "2 opportunities of an unknown owner"),
        ("DELETE FROM user", "1 key of an unknown user"),
        (
            "INSERT INTO deleted_opportunity SELECT id, 1, 1, 'x', 'x', 1, false FROM opportunity",
            "2 opportunities marked as deleted",
        ),
        ("UPDATE lead SET owner_id = 'x'", "1 lead of an unknown owner"),
        (f"{AN_ACTIVITY} VALUES ('x', 33, 'x', NULL, 'x', 'x')", "1 activity of an unknown lead"),
        (
            f"{AN_ACTIVITY} SELECT 'x', 33, id, 'x', 'x', 'x' FROM lead",
            "1 activity of an opportunity that was never there",
        ),
        (
            "INSERT INTO field SELECT 1, 'mx_Custom_1', 'x', 'String', 0, 0, '', 1, '', '', NULL",
            "1 field of no known type",
        ),
    ],
)
def test_a_check_finds_a_broken_promise(
    statement: str, found: str, store: SqliteStore, path: Path
) -> None:
    """Damage by another program in the file is found, counted and named."""
    assert store.check() == []
    with raw(path) as connection:
        connection.execute(statement)
    assert any(problem.startswith(found) for problem in store.check())


def test_a_check_finds_damage(store: SqliteStore, path: Path) -> None:
    """A file with noise in it is described line by line; the check itself does not fail."""
    store.close()
    damage(path)
    store = SqliteStore.open(f"sqlite:///{path}", StoreOptions(), migrate=False)
    problems = store.check()
    assert problems
    assert all(problems)
    store.close()


# --- loading -----------------------------------------------------------------------------------


def test_a_load_that_was_cut_off_is_found_and_repaired(tmp_path: Path) -> None:
    """The check names the indexes that a killed load left missing; opening to write builds them."""
    url = f"sqlite:///{tmp_path}/oppserver.db"
    whole = open_store(url)
    whole.add_search_index(SearchIndex(name="search_status", columns=("status",)))
    whole.close()
    names = [*sorted(sqlite_indexes.INDEXES), "search_status"]
    with closing(Connection(tmp_path / "oppserver.db")) as connection:
        for name in names:
            connection.execute(f"DROP INDEX {name}")
    looking = open_store(url, migrate=False)
    faults = looking.check()
    looking.close()
    assert names
    assert [fault.split()[2] for fault in faults] == names
    assert all("oppserver db upgrade" in fault for fault in faults)
    repaired = open_store(url)
    assert repaired.check() == []
    repaired.close()


def test_a_load_into_a_filled_store_keeps_its_indexes(tmp_path: Path) -> None:
    """Only an empty store puts its indexes off: readers of a filled one are not made slow."""
    store = open_store(f"sqlite:///{tmp_path}/oppserver.db")
    faults: list[list[str]] = []
    for _ in ("empty", "filled"):
        store.load(
            by_column([[opportunity(1)]]),
            now=lambda: NOW,
            on_written=lambda _: faults.append(store.check()),
        )
        assert store.check() == []
    assert faults[0] != []
    assert faults[1] == []
    assert "change_number" not in str(faults), "changes are asked for while a store is loaded"
    store.close()
