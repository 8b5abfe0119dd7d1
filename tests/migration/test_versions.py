"""Databases of newer versions, the way back, and several processes that upgrade at once."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from oppserver.store import migrations
from oppserver.store.sqlite.library import Connection
from tests.support import stores
from tests.support.running import run, run_well
from tests.support.schemas import created, described, revision_in


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--port", "0"],
        ["db", "upgrade"],
        ["db", "check"],
        ["db", "backup", "copy.db"],
        ["key", "create", "--email", "a@example.com"],
        ["key", "list"],
        ["type", "create", "12001"],
        ["type", "list"],
        ["field", "list", "12001"],
        ["export"],
    ],
    ids=" ".join,
)
def test_no_command_touches_a_database_of_a_newer_version(
    arguments: Sequence[str], tmp_path: Path
) -> None:
    """One line that names both versions and what to do, exit status 1, the files as they were."""
    path = created(tmp_path / "oppserver.db")
    with closing(Connection(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = files(tmp_path)
    done = run(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("oppserver: The database oppserver.db is of a newer version")
    assert "schema 9999" in line
    assert f"schema {migrations.HEAD}" in line
    assert files(tmp_path) == before


def test_there_is_no_way_back(tmp_path: Path) -> None:
    """No script goes down, and no command asks one to: the way back is a backup."""
    scripts = ScriptDirectory.from_config(migrations.alembic_config())
    for script in scripts.walk_revisions():
        assert not hasattr(script.module, "downgrade")
    run_well("db", "upgrade", folder=tmp_path)
    before = files(tmp_path)
    done = run("db", "downgrade", folder=tmp_path)
    assert done.returncode == 2
    assert "No such command 'downgrade'" in done.stderr
    assert files(tmp_path) == before


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


def test_processes_that_open_a_new_database_at_once_make_one_schema(
    processes: list["stores.Process"], tmp_path: Path
) -> None:
    """Six of them race: each gets it, and it is as if one had been alone."""
    alone = created(tmp_path / "alone.db")
    for turn in range(stores.scaled(5)):
        path = tmp_path / f"{turn}.db"
        open_at_once(processes, path)
        assert described(path) == described(alone)
        assert revision_in(path) == [(migrations.HEAD,)]
        with closing(Connection(path)) as database:
            versions = database.execute("SELECT * FROM catalogue_version").fetchall()
        assert versions == [(1, 1)]


def open_at_once(processes: Sequence["stores.Process"], path: Path) -> None:
    """Every process opens the database."""
    for process in processes:
        stores.tell(process, f"sqlite:///{path}")
    assert [stores.heard(process) for process in processes] == ["opened"] * len(processes)
