"""Files that are no database, or not the right one: every command refuses them in one line."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support import replacing
from tests.support.replacing import DATABASE, stored, write_and_die
from tests.support.running import one_line, run, run_well, unprivileged
from tests.support.stores import guid

prepared, folder = replacing.prepared, replacing.folder

COMMANDS = [
    ("import", "one.ndjson"),
    ("serve", "--port", "0"),
    ("db", "upgrade"),
    ("db", "check"),
    ("key", "create", "--email", "a@example.com"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_log_of_another_database_is_refused(command: tuple[str, ...], folder: Path) -> None:
    """Beside a database that it is not of: one line, and both files stay as they were."""
    database, log = folder / "backup.db", folder / "backup.db-wal"
    shutil.copyfile(folder / "killed.db-wal", log)
    before = database.read_bytes(), log.read_bytes()
    line = one_line(run(*command, "--database", "sqlite:///backup.db", folder=folder))
    assert "backup.db-wal is damaged, or the log of another database than backup.db" in line
    assert (database.read_bytes(), log.read_bytes()) == before


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("beside", ["nothing", "an empty file"])
@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_a_log_without_its_database_is_refused(
    companion: str, beside: str, command: tuple[str, ...], folder: Path
) -> None:
    """It may be all that is left of acknowledged writes, which SQLite would delete."""
    left = folder / f"new.db{companion}"
    shutil.copyfile(folder / f"killed.db{companion}", left)
    before = left.read_bytes()
    if beside == "an empty file":
        (folder / "new.db").touch()
    line = one_line(run(*command, "--database", "sqlite:///new.db", folder=folder))
    assert f"new.db{companion} is there" in line
    assert left.read_bytes() == before
    assert (folder / "new.db").exists() == (beside == "an empty file")


def test_the_own_log_of_a_killed_process_is_read(folder: Path) -> None:
    """A crash leaves a log of the same database: nothing has to be done, nothing is missing."""
    ids = [guid(n) for n in range(100)]
    assert stored(folder / "killed.db", ids) == set(ids)
    write_and_die(folder / DATABASE)
    assert stored(folder / DATABASE, ids) == set(ids)


@pytest.mark.parametrize("kind", ["FIFO", "folder", "device", "noise", "text", "long name"])
def test_a_path_that_is_no_database_is_refused(kind: str, tmp_path: Path) -> None:
    """One line and exit status 1, from every command."""
    path = tmp_path / "strange.db"
    (tmp_path / "one.ndjson").write_text("")
    match kind:
        case "FIFO":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path = Path("/dev/zero")
        case "noise":
            path.write_bytes(os.urandom(8_192))
        case "text":
            path.write_text("no database " * 1_000)
        case "long name":
            path = tmp_path / ("x" * 300)
    for command in COMMANDS:
        one_line(run(*command, "--database", f"sqlite:///{path}", folder=tmp_path))


@pytest.mark.parametrize("strange", ["folder", "noise"])
def test_something_strange_in_the_place_of_the_log(strange: str, folder: Path) -> None:
    """A folder is refused in one line. What is no log is written over, as SQLite does."""
    log = folder / f"{DATABASE}-wal"
    if strange == "folder":
        log.mkdir()
        one_line(run("db", "check", folder=folder))
        one_line(run("import", "one.ndjson", folder=folder))
    else:
        log.write_bytes(os.urandom(8_192))
        assert run_well("db", "check", folder=folder) == "ok\n"


def test_files_and_folders_that_cannot_be_written(folder: Path) -> None:
    """A user who may only read gets one line from each command, also from those that only read."""
    for one in (*folder.iterdir(), folder):
        one.chmod(0o555 if one.is_dir() else 0o444)
    for command in COMMANDS:
        assert DATABASE in one_line(unprivileged(*command, folder=folder))
    folder.chmod(0o755)
