"""A database whose files are removed or replaced, and how that is done.

A module of tests takes the fixtures over by name::

    prepared, folder = replacing.prepared, replacing.folder
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from oppserver.calls.shared.admission import secret_sha256
from oppserver.contract.model import OpportunityType, Role
from oppserver.store import open_store
from oppserver.store.sqlite.library import Connection
from tests.support.running import Keys, clean_environment
from tests.support.stores import guid, key
from tests.support.writing import DEAL, define

DATABASE = "oppserver.db"
KEYS = Keys("access", "secret")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, its backup, and one whose last write is in its log: its process was killed."""
    folder = tmp_path_factory.mktemp("prepared")
    store = open_store(f"sqlite:///{folder}/{DATABASE}")
    define(store)
    store.put_types([OpportunityType(event_code=12003, name="Loan")])
    store.add_key(
        key(KEYS.access, secret_sha256=secret_sha256(KEYS.secret), role=Role.ADMINISTRATOR)
    )
    store.backup(folder / "backup.db")
    store.close()
    (folder / "one.ndjson").write_text(line_of(1))
    write_and_die(folder / "killed.db")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """The prepared files."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return tmp_path


def line_of(number: int) -> str:
    """A line of an import."""
    members = {"ProspectActivityId": guid(number), "EventCode": DEAL, "ProspectId": guid(1)}
    return json.dumps({**members, "Status": "Open"}) + "\n"


def stored(database: Path, ids: list[str]) -> set[str]:
    """The ids that a sound database has."""
    store = open_store(f"sqlite:///{database}", migrate=False)
    assert store.check() == []
    found = {one for one in ids if store.opportunity(one) is not None}
    store.close()
    return found


WRITE_AND_DIE = f"""
import os, sys
from oppserver.store import open_store
from tests.support.stores import NOW, opportunity
store = open_store(sys.argv[1])
store.write_opportunities([opportunity(n) for n in range(100)], now=NOW)
print("written", flush=True)
os.kill(os.getpid(), {signal.SIGKILL.value})
"""


def write_and_die(database: Path) -> None:
    """A process that has a write acknowledged and is killed: the write is in the log."""
    done = subprocess.run(
        [sys.executable, "-c", WRITE_AND_DIE, f"sqlite:///{database}"],
        env=clean_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "written\n", done.stderr
    assert Path(f"{database}-wal").stat().st_size > 0


def remove(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()


def move_away(folder: Path, *names: str) -> None:
    (folder / "away").mkdir(exist_ok=True)
    for name in names:
        (folder / name).rename(folder / "away" / name)


def move_back(folder: Path) -> None:
    for one in sorted((folder / "away").iterdir()):
        one.rename(folder / one.name)


def new_empty_file(folder: Path) -> None:
    (folder / "empty").touch()
    (folder / "empty").rename(folder / DATABASE)


def copy_a_backup_over(folder: Path) -> None:
    shutil.copyfile(folder / "backup.db", folder / DATABASE)


def move_a_backup_there(folder: Path) -> None:
    (folder / "backup.db").rename(folder / DATABASE)


def empty(folder: Path) -> None:
    os.truncate(folder / DATABASE, 0)


def write_a_text_over(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"no database\n" * 100_000)


def copy_another_program_s_over(folder: Path) -> None:
    with closing(Connection(folder / "theirs.db")) as theirs:
        theirs.execute("CREATE TABLE theirs (x)")
    shutil.copyfile(folder / "theirs.db", folder / DATABASE)


def put_a_backup_there(folder: Path) -> None:
    remove(folder, *ALL)
    move_a_backup_there(folder)


ALL = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")

WAYS: dict[str, Callable[[Path], None]] = {
    "all removed": lambda folder: remove(folder, *ALL),
    "the file removed": lambda folder: remove(folder, DATABASE),
    "the log removed": lambda folder: remove(folder, f"{DATABASE}-wal"),
    "the index of the log removed": lambda folder: remove(folder, f"{DATABASE}-shm"),
    "log and index removed": lambda folder: remove(folder, *ALL[1:]),
    "all moved away": lambda folder: move_away(folder, *ALL),
    "the file moved away": lambda folder: move_away(folder, DATABASE),
    "a backup moved there": move_a_backup_there,
    "a backup copied over it": copy_a_backup_over,
    "an empty file moved there": new_empty_file,
    "all removed, a backup moved there": put_a_backup_there,
    "emptied": empty,
    "a text written over it": write_a_text_over,
    "the database of another program copied over it": copy_another_program_s_over,
}
