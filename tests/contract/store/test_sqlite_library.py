"""Which SQLite library a process uses: one, without the WAL-reset bug."""

import json
import re
import threading
from contextlib import closing
from pathlib import Path

import pytest

from oppserver.contract import example
from oppserver.store import migrations, open_store
from oppserver.store.sqlite.library import Connection, describe_library
from tests.migration.test_migrations import at_revision
from tests.support.many import MESSAGE, fill, processes, workers
from tests.support.running import (
    Keys,
    asking,
    create_key,
    events,
    group,
    run,
    run_python,
    run_well,
    serving,
)
from tests.support.stores import NOW, everything, opportunity

# the SQLite libraries that a Python program has loaded: the names of their extension modules
LOADED = "print([name for name in ('apsw', '_sqlite3', 'pysqlite3') if name in sys.modules])"


def pretending(folder: Path, version: str) -> dict[str, str]:
    """An environment in which SQLite says that it has a version."""
    packages = folder / "packages"
    packages.mkdir(exist_ok=True)
    (packages / "sitecustomize.py").write_text(
        f"import apsw\napsw.sqlite_lib_version = lambda: {version!r}\n"
    )
    return {"PYTHONPATH": str(packages)}


def libraries_of(process: int) -> set[str]:
    """The SQLite libraries that a process has mapped: the folder of each, or its file."""
    maps = Path(f"/proc/{process}/maps")
    if not maps.exists():
        pytest.skip("this system does not list what a process has mapped")
    files = {Path(line.split()[-1]) for line in maps.read_text().splitlines() if "/" in line}
    return {
        "apsw" if file.parent.name == "apsw" else file.name
        for file in files
        if file.parent.name == "apsw" or "sqlite3" in file.name
    }


# --- the choice --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "has_bug"),
    [
        ("3.38.0", True),
        ("3.40.1", True),
        ("3.44.5", True),
        ("3.44.6", False),
        ("3.44.12", False),
        ("3.45.0", True),
        ("3.49.2", True),
        ("3.50.6", True),
        ("3.50.7", False),
        ("3.50.8", False),
        ("3.51.0", True),
        ("3.51.2", True),
        ("3.51.3", False),
        ("3.51.10", False),
        ("3.52.0", False),
        ("3.54.1", False),
        ("4.0.0", False),
    ],
)
def test_versions_with_the_wal_reset_bug_are_known(version: str, has_bug: bool) -> None:
    """Versions before 3.51.3 have it, but the patch releases 3.44.6 and 3.50.7 and later ones."""
    library = describe_library(version)
    assert str(library) == f"SQLite {version} (apsw)"
    assert (library.warning is not None) is has_bug
    assert not library.warning or f"SQLite {version} has the WAL-reset bug" in library.warning


def test_a_server_uses_one_library(tmp_path: Path) -> None:
    """``serve`` and its workers have loaded apsw and nothing of the standard library's."""
    keys = create_key(fill(tmp_path))
    with workers(tmp_path, keys=keys) as server:
        for _ in range(8):
            assert server.post(MESSAGE).status == 200
        processes_of_workers = processes(server).values()
        assert [libraries_of(one) for one in processes_of_workers] == [{"apsw"}] * 2
        assert libraries_of(server.process.pid) <= {"apsw"}
        [line] = events(server, "listening")
        assert re.fullmatch(r"SQLite 3\.\d+\.\d+ \(apsw\)", line["library"])
        assert events(server, "library_unsafe") == []


COMMANDS = (
    ("db", "upgrade"),
    ("db", "check"),
    ("db", "backup", "copy.db"),
    ("import", "opportunities.ndjson"),
    ("export",),
    ("key", "create", "--email", "a@example.com"),
    ("type", "list"),
    ("index", "add", "Status"),
)


def test_no_command_loads_a_second_library(tmp_path: Path) -> None:
    """Not by SQLAlchemy, nor by migrations."""
    (tmp_path / "opportunities.ndjson").write_bytes(example.opportunities())
    program = f"""
import sys
from oppserver.cli.main import app
for arguments in {COMMANDS}:
    app(arguments, standalone_mode=False)
    {LOADED}
"""
    done = run_python(program, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if "apsw" in line] == ["['apsw']"] * len(COMMANDS)


def test_a_migration_loads_no_second_library(tmp_path: Path) -> None:
    """A database of the first version is upgraded by apsw alone, with Alembic's scripts."""
    at_revision(tmp_path / "oppserver.db", migrations.REVISIONS[0])
    program = f"""
import sys
from oppserver.store import open_store
open_store("sqlite:///oppserver.db").close()
assert "alembic" in sys.modules
{LOADED}
"""
    done = run_python(program, folder=tmp_path)
    assert done.stdout == "['apsw']\n", done.stderr


def test_a_store_opens_without_sqlalchemy(tmp_path: Path) -> None:
    """A new file and one that is there: its import would be a third of a server's start."""
    program = """
import sys
from oppserver.store import open_store
for _ in range(2):
    open_store("sqlite:///oppserver.db").close()
print([name for name in ("sqlalchemy", "alembic") if name in sys.modules])
"""
    assert run_python(program, folder=tmp_path).stdout == "[]\n"


def test_a_testing_server_uses_one_library(tmp_path: Path) -> None:
    """The server of the pytest plug-in, inside of the process of the tests, as well."""
    program = f"""
import sys
from oppserver.testing import OppserverFixture
one = OppserverFixture({{}})
one.reset()
{LOADED}
one.close()
"""
    done = run_python(program, folder=tmp_path)
    assert done.stdout == "['apsw']\n", done.stderr


# --- a build of apsw with another SQLite -------------------------------------------------------


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2"])
def test_a_library_with_the_bug_is_warned_of(version: str, tmp_path: Path) -> None:
    """At the start of a server and in ``db check``, which go on; the warning says what to do."""
    other = pretending(tmp_path, version)
    name = f"SQLite {version} (apsw)"
    with serving(tmp_path, environment=other) as server:
        [line] = events(server, "listening")
        assert line["library"] == name
        [warning] = events(server, "library_unsafe")
    assert warning["level"] == "warning"
    assert f"SQLite {version} has the WAL-reset bug" in warning["hint"]
    assert "Install apsw from PyPI" in warning["hint"]
    done = run("db", "check", folder=tmp_path, environment=other)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr.splitlines() == [f"checked with {name}", f"warning: {warning['hint']}"]


def test_a_library_with_the_fix_gives_no_warning(tmp_path: Path) -> None:
    """A patch release of an older SQLite serves without a word."""
    other = pretending(tmp_path, "3.44.6")
    with serving(tmp_path, environment=other) as server:
        assert events(server, "listening")[0]["library"] == "SQLite 3.44.6 (apsw)"
        assert events(server, "library_unsafe") == []


def test_one_warning_is_given_for_all_workers(tmp_path: Path) -> None:
    """Not one for each."""
    with workers(tmp_path, environment=pretending(tmp_path, "3.40.1")) as server:
        assert len(events(server, "library_unsafe")) == 1


# --- files of other libraries ------------------------------------------------------------------

OTHER = """
import sqlite3
database = sqlite3.connect("oppserver.db", isolation_level=None, timeout=30)
"""
"""A program with the standard library's SQLite, whatever its version: as this server's before."""


def test_a_database_of_another_library_is_served(tmp_path: Path) -> None:
    """Whole, with the log of a writer that was killed."""
    store = open_store(f"sqlite:///{tmp_path / 'oppserver.db'}")
    store.write_opportunities([opportunity(n) for n in range(1_000)], now=NOW)
    store.close()
    program = f"""{OTHER}
import os
database.execute("UPDATE opportunity SET status = 'Lost'")
os._exit(0)
"""
    done = run_python(program, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "oppserver.db-wal").stat().st_size > 0
    made = run("key", "create", "--email", "a@b.com", "--json", folder=tmp_path)
    key = json.loads(made.stdout)
    with serving(tmp_path, keys=Keys(key["accessKey"], key["secretKey"])) as server:
        ids = [opportunity(n).id for n in range(1_000)]
        answer = server.post(asking(group(ids, "Status", code=12_000)))
        assert (answer.status, answer.json[0]["RecordCount"]) == (200, 1_000)
        assert {row["Status"] for row in answer.json[0]["Opportunities"]} == {"Lost"}
    assert run("db", "check", folder=tmp_path).stdout == "ok\n"


def test_backups_pass_from_one_library_to_another(tmp_path: Path) -> None:
    """Ours is whole for another library, and what that one makes of it is a whole store for us."""
    (tmp_path / "opportunities.ndjson").write_bytes(example.opportunities())
    run_well("import", "opportunities.ndjson", folder=tmp_path)
    run_well("db", "backup", "ours.db", folder=tmp_path)
    program = """
import sqlite3
ours, theirs = sqlite3.connect("ours.db"), sqlite3.connect("theirs.db")
print(ours.execute("PRAGMA integrity_check").fetchall())
ours.backup(theirs)
theirs.close()
"""
    assert run_python(program, folder=tmp_path).stdout == "[('ok',)]\n"
    before = run_well("export", folder=tmp_path)
    for copy in ("ours.db", "theirs.db"):
        database = ("--database", f"sqlite:///{copy}")
        assert run_well("db", "check", *database, folder=tmp_path) == "ok\n"
        assert run_well("export", *database, folder=tmp_path) == before != ""


def test_processes_with_different_libraries_write_in_turn(tmp_path: Path) -> None:
    """Locks hold between processes of both: no write of either is lost, and the file is sound."""
    store = open_store(f"sqlite:///{tmp_path / 'oppserver.db'}")
    program = f"""{OTHER}
for n in range(200):
    database.execute("INSERT INTO \\"user\\" (id, is_active) VALUES (?, 1)", (str(n),))
"""
    ended: list[int] = []
    beside = threading.Thread(
        target=lambda: ended.append(run_python(program, folder=tmp_path).returncode)
    )
    beside.start()
    for number in range(200):
        store.write_opportunities([opportunity(number)], now=NOW)
    beside.join()
    assert ended == [0]
    assert store.count_opportunities(event_code=None) == 200
    with closing(Connection(tmp_path / "oppserver.db")) as database:
        others = database.one('SELECT count(*) FROM "user" WHERE email IS NULL')
    assert others == (200,)
    assert store.check() == []
    assert len(everything(store)) == 200
    store.close()
