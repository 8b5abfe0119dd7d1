"""``oppserver db backup``: what it refuses, what it leaves behind, and backups side by side."""

import os
import resource
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from oppserver.store import open_store
from tests.support.running import OPPSERVER, clean_environment, one_line, run, run_well
from tests.support.stores import NOW, opportunity

ROWS = 5_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a database."""
    store = open_store(f"sqlite:///{tmp_path}/oppserver.db")
    store.write_opportunities([opportunity(n) for n in range(ROWS)], now=NOW)
    store.close()
    return tmp_path


def rows_of(database: Path) -> int:
    """The number of opportunities of a sound database."""
    store = open_store(f"sqlite:///{database}", migrate=False)
    assert store.check() == []
    count = store.count_opportunities(event_code=None)
    store.close()
    return count


def make(kind: str, path: Path) -> None:
    """Puts something at a path."""
    match kind:
        case "file":
            path.write_bytes(b"precious")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to(path.with_name("elsewhere"))
            path.with_name("elsewhere").write_bytes(b"precious")
        case "dangling link":
            path.symlink_to(path.with_name("nothing"))
        case "FIFO":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(path))


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "FIFO", "socket"])
def test_a_backup_takes_the_place_of_nothing(kind: str, folder: Path) -> None:
    """Whatever has the name of the target stays as it is, and no part of a backup is left."""
    target = folder / "copy"
    make(kind, target)
    before = target.lstat()
    names = sorted(folder.iterdir())
    assert "copy exists already" in one_line(run("db", "backup", "copy", folder=folder))
    after = target.lstat()
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )
    assert sorted(folder.iterdir()) == names


@pytest.mark.parametrize(
    "target",
    ["oppserver.db", "./oppserver.db", "/dev/null", "/dev/full", ".", "/"],
)
def test_a_backup_to_the_database_or_a_device_is_refused(target: str, folder: Path) -> None:
    """The database itself, a device and a folder are there already; the database stays as it is."""
    before = (folder / "oppserver.db").read_bytes()
    assert "exists already" in one_line(run("db", "backup", target, folder=folder))
    assert (folder / "oppserver.db").read_bytes() == before


@pytest.mark.parametrize("companion", ["-wal", "-shm", "-journal"])
def test_a_backup_is_no_companion_of_a_database(companion: str, folder: Path) -> None:
    """A name that SQLite would take for a part of a database is refused, in both directions."""
    one_line(run("db", "backup", f"oppserver.db{companion}", folder=folder))
    assert rows_of(folder / "oppserver.db") == ROWS
    (folder / f"copy{companion}").write_bytes(b"of another database")
    assert f"copy{companion} is there" in one_line(run("db", "backup", "copy", folder=folder))
    assert not (folder / "copy").exists()


def limited_files() -> None:
    """Lets a process write files of up to 100 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_backup_that_meets_a_full_disk_leaves_nothing(folder: Path) -> None:
    """One line that names the file, no file, no part of one, and a sound database."""
    names = sorted(folder.iterdir())
    done = subprocess.run(
        [OPPSERVER, "db", "backup", "copy"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited_files,
    )
    assert "The backup to copy failed" in one_line(done)
    assert sorted(folder.iterdir()) == names
    assert rows_of(folder / "oppserver.db") == ROWS


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """A folder on a file system of 200 kB; skips where none can be mounted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_backup_to_a_small_disk_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """A disk that is too small for the copy is as empty afterwards as before."""
    with small_disk(tmp_path / "disk") as disk:
        done = run("db", "backup", str(disk / "copy"), folder=folder)
        assert "disk is full" in one_line(done)
        assert list(disk.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/copy", "oppserver.db/copy", "/proc/copy", "x" * 300])
def test_a_place_where_no_file_can_be_is_refused(place: str, folder: Path) -> None:
    """A folder that is missing, is a file or cannot be written, and a name that is too long."""
    names = sorted(folder.iterdir())
    assert f"The backup to {place} failed" in one_line(run("db", "backup", place, folder=folder))
    assert sorted(folder.iterdir()) == names


def test_a_backup_has_the_mode_of_its_database(folder: Path) -> None:
    """A store that only its owner may read is not readable by others as a backup."""
    (folder / "oppserver.db").chmod(0o600)
    run_well("db", "backup", "copy", folder=folder)
    assert stat.S_IMODE((folder / "copy").stat().st_mode) == 0o600


def test_of_two_backups_to_one_file_one_is_made(folder: Path) -> None:
    """Both at the same time: one has the name with a whole backup, the others are refused."""
    running = [
        subprocess.Popen(
            [OPPSERVER, "db", "backup", "copy"],
            cwd=folder,
            env=clean_environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    told = [process.communicate()[1] for process in running]
    assert sorted(process.returncode for process in running) == [0, 1, 1]
    assert sum("copy exists already" in text for text in told) == 2
    assert rows_of(folder / "copy") == ROWS
    assert not list(folder.glob(".oppserver-backup-*"))


def test_parts_of_other_backups_are_named_and_left_alone(folder: Path) -> None:
    """A part that is there is named on stderr; nobody knows whose it is, so it stays."""
    part = folder / ".oppserver-backup-0123456789abcdef.part"
    part.write_bytes(b"of somebody")
    done = run("db", "backup", "copy", folder=folder)
    assert done.returncode == 0
    assert done.stdout == "backed up to copy\n"
    assert part.name in done.stderr
    assert part.read_bytes() == b"of somebody"


def test_a_damaged_database_is_not_backed_up(folder: Path) -> None:
    """A copy of damage is no backup: the command says so and names what shows the damage."""
    database = folder / "oppserver.db"
    data = bytearray(database.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4 * 4096] = b"\xa5" * (4 * 4096)
    database.write_bytes(data)
    assert "oppserver db check" in one_line(run("db", "backup", "copy", folder=folder))
    assert not (folder / "copy").exists()
