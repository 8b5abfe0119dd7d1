"""Which SQLite library a process uses: one, without the WAL-reset bug where that can be had."""

import json
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from oppserver.contract import example
from oppserver.store import open_store
from oppserver.store.sqlite.library import describe_library, has_wal_reset_bug
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

PREFERRED = "pysqlite3"
STANDARD = "_sqlite3"

needs_both = pytest.mark.skipif(
    find_spec(PREFERRED) is None, reason="pysqlite3 has no wheel for this system"
)

# what the library that a Python program has loaded is: the name of its extension module
LOADED = "print([name for name in ('_sqlite3', 'pysqlite3._sqlite3') if name in sys.modules])"


def without_pysqlite3(folder: Path, *, pretended: tuple[int, ...] | None = None) -> dict[str, str]:
    """An environment in which pysqlite3 cannot be imported.

    ``pretended``: the version that the standard library's SQLite says it has.
    """
    packages = folder / "packages"
    (packages / PREFERRED).mkdir(parents=True, exist_ok=True)
    (packages / PREFERRED / "__init__.py").write_text("raise ImportError('not for this system')\n")
    if pretended:
        (packages / "sitecustomize.py").write_text(
            f"import sqlite3\nsqlite3.sqlite_version_info = {pretended}\n"
        )
    return {"PYTHONPATH": str(packages)}


def libraries_of(process: int) -> set[str]:
    """The SQLite libraries that a process has mapped, by their extension modules."""
    maps = Path(f"/proc/{process}/maps")
    if not maps.exists():
        pytest.skip("this system does not list what a process has mapped")
    files = {Path(line.split()[-1]) for line in maps.read_text().splitlines() if "sqlite3" in line}
    extensions = {file for file in files if file.name.startswith("_sqlite3.")}
    return {PREFERRED if file.parent.name == PREFERRED else STANDARD for file in extensions}


# --- the choice --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "has_bug"),
    [
        ((3, 38, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 44, 12), False),
        ((3, 45, 0), True),
        ((3, 49, 2), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 50, 8), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 51, 10), False),
        ((3, 52, 0), False),
        ((3, 53, 4), False),
        ((4, 0, 0), False),
    ],
)
def test_versions_with_the_wal_reset_bug_are_known(version: tuple[int, ...], has_bug: bool) -> None:
    """Versions before 3.51.3 have it, but the patch releases 3.44.6 and 3.50.7 and later ones."""
    assert has_wal_reset_bug(version) is has_bug
    library = describe_library(version)
    text = ".".join(map(str, version))
    assert library.version == text
    assert (library.warning is not None) is has_bug
    assert not library.warning or f"SQLite {text} has the WAL-reset bug" in library.warning


@needs_both
def test_a_server_uses_one_library(tmp_path: Path) -> None:
    """``serve`` and its workers have loaded pysqlite3 and nothing of the standard library's."""
    keys = create_key(fill(tmp_path))
    with workers(tmp_path, keys=keys) as server:
        for _ in range(8):
            assert server.post(MESSAGE).status == 200
        processes_of_workers = processes(server).values()
        assert [libraries_of(one) for one in processes_of_workers] == [{PREFERRED}] * 2
        assert libraries_of(server.process.pid) <= {PREFERRED}
        [line] = events(server, "listening")
        assert line["library"].startswith("SQLite 3.")
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


@needs_both
@pytest.mark.parametrize("library", ["pysqlite3._sqlite3", "_sqlite3"])
def test_no_command_loads_a_second_library(library: str, tmp_path: Path) -> None:
    """Not by SQLAlchemy, nor by migrations; whichever library there is."""
    (tmp_path / "opportunities.ndjson").write_bytes(example.opportunities())
    program = f"""
import sys
from oppserver.cli.main import app
for arguments in {COMMANDS}:
    app(arguments, standalone_mode=False)
    {LOADED}
"""
    other = without_pysqlite3(tmp_path) if library == "_sqlite3" else {}
    done = run_python(program, folder=tmp_path, environment=other)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line for line in lines if "sqlite3" in line] == [f"['{library}']"] * len(COMMANDS)


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


@needs_both
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
    assert done.stdout == "['pysqlite3._sqlite3']\n", done.stderr


# --- without pysqlite3 -------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 40, 1), (3, 51, 2)])
def test_a_library_with_the_bug_is_warned_of(version: tuple[int, ...], tmp_path: Path) -> None:
    """At the start of a server and in ``db check``, which go on; the warning says what to do."""
    other = without_pysqlite3(tmp_path, pretended=version)
    name = f"SQLite {'.'.join(map(str, version))} (sqlite3)"
    with serving(tmp_path, environment=other) as server:
        [line] = events(server, "listening")
        assert line["library"] == name
        [warning] = events(server, "library_unsafe")
    assert warning["level"] == "warning"
    assert f"{name.removesuffix(' (sqlite3)')} has the WAL-reset bug" in warning["hint"]
    assert "Install pysqlite3 0.6.1 or later" in warning["hint"]
    done = run("db", "check", folder=tmp_path, environment=other)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr.splitlines() == [f"checked with {name}", f"warning: {warning['hint']}"]


@pytest.mark.parametrize("version", [(3, 44, 6), (3, 51, 3)])
def test_a_library_with_the_fix_gives_no_warning(version: tuple[int, ...], tmp_path: Path) -> None:
    """The standard library's SQLite serves without a word where it has the fix."""
    other = without_pysqlite3(tmp_path, pretended=version)
    name = f"SQLite {'.'.join(map(str, version))} (sqlite3)"
    with serving(tmp_path, environment=other) as server:
        assert events(server, "listening")[0]["library"] == name
        assert events(server, "library_unsafe") == []
    done = run("db", "check", folder=tmp_path, environment=other)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert done.stderr == f"checked with {name}\n"


@needs_both
def test_workers_without_pysqlite3_use_the_standard_library(tmp_path: Path) -> None:
    """Every worker takes the standard library's; one warning is given, not one for each."""
    other = without_pysqlite3(tmp_path, pretended=(3, 40, 1))
    with workers(tmp_path, environment=other) as server:
        processes_of_workers = processes(server).values()
        assert [libraries_of(one) for one in processes_of_workers] == [{STANDARD}] * 2
        assert len(events(server, "library_unsafe")) == 1


# --- files of both -----------------------------------------------------------------------------


@needs_both
@pytest.mark.parametrize("writer_has_pysqlite3", [False, True])
def test_a_database_of_the_other_library_is_served(
    writer_has_pysqlite3: bool, tmp_path: Path
) -> None:
    """A database that one library wrote is read by the other, from the log of a killed writer."""
    reader = {} if not writer_has_pysqlite3 else without_pysqlite3(tmp_path)
    writer = {} if writer_has_pysqlite3 else without_pysqlite3(tmp_path)
    program = """
import os
from oppserver.store import open_store
from tests.support.stores import NOW, opportunity
store = open_store("sqlite:///oppserver.db")
store.write_opportunities([opportunity(n) for n in range(1_000)], now=NOW)
store.delete_opportunities([opportunity(7).id], now=NOW, by=None)
os._exit(0)
"""
    done = run_python(program, folder=tmp_path, environment=_with_tests(writer))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "oppserver.db-wal").stat().st_size > 0
    made = run("key", "create", "--email", "a@b.com", "--json", folder=tmp_path, environment=reader)
    key = json.loads(made.stdout)
    keys = Keys(key["accessKey"], key["secretKey"])
    with serving(tmp_path, keys=keys, environment=reader) as server:
        ids = [opportunity(n).id for n in range(1_000)]
        answer = server.post(asking(group(ids, code=12_000)))
        assert (answer.status, answer.json[0]["RecordCount"]) == (200, 999)
    for other in (reader, writer):
        assert run("db", "check", folder=tmp_path, environment=other).stdout == "ok\n"


@needs_both
def test_backups_are_read_by_the_other_library(tmp_path: Path) -> None:
    """A backup that one library made is a whole store for the other one."""
    (tmp_path / "opportunities.ndjson").write_bytes(example.opportunities())
    run_well("import", "opportunities.ndjson", folder=tmp_path)
    kinds = [{}, without_pysqlite3(tmp_path)]
    before = _export(tmp_path, {})
    for number, (maker, reader) in enumerate(zip(kinds, reversed(kinds), strict=True)):
        copy = f"copy{number}.db"
        run("db", "backup", copy, folder=tmp_path, environment=maker)
        database = ("--database", f"sqlite:///{copy}")
        assert _export(tmp_path, reader, *database) == before != []


@needs_both
def test_processes_with_different_libraries_write_in_turn(tmp_path: Path) -> None:
    """Locks hold between processes of both: no write of either is lost, and the file is sound."""
    other = without_pysqlite3(tmp_path)
    store = open_store(f"sqlite:///{tmp_path / 'oppserver.db'}")
    program = """
import sys
from oppserver.store import open_store
from tests.support.stores import NOW, opportunity
store = open_store("sqlite:///oppserver.db")
print("ready", flush=True)
for n in range(1_000, 1_200):
    store.write_opportunities([opportunity(n)], now=NOW)
store.close()
"""
    ended: list[int] = []
    beside = threading.Thread(
        target=lambda: ended.append(
            run_python(program, folder=tmp_path, environment=_with_tests(other)).returncode
        )
    )
    beside.start()
    for number in range(200):
        store.write_opportunities([opportunity(number)], now=NOW)
    beside.join()
    assert ended == [0]
    assert store.count_opportunities(event_code=None) == 400
    assert store.check() == []
    assert len(everything(store)) == 400
    store.close()


def _with_tests(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, with the folder of ``tests`` on Python's path."""
    root = str(Path(__file__).parents[3])
    path = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": f"{path}:{root}" if path else root}


def _export(folder: Path, environment: Mapping[str, str], *flags: str) -> list[dict[str, str]]:
    done = run("export", *flags, folder=folder, environment=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
