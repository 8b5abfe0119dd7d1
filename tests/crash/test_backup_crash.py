"""Backups that are ended at random moments: the target is a whole backup, or it is not there."""

import random
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from oppserver.store import open_store
from oppserver.store.queries import Plan
from tests.support.running import OPPSERVER, SCALE, clean_environment, poll, run, run_well
from tests.support.stores import NOW, entry, guid, opportunity

ROWS = 20_000
KILLS = max(8, int(15 * SCALE))
ENDINGS = max(3, int(4 * SCALE))


def _there(file: Path) -> bool | None:
    return file.exists() or None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database of some MB, whose last writes are in its log."""
    folder = tmp_path_factory.mktemp("killed-backups")
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    for first in range(0, ROWS, 5_000):
        store.write_opportunities([opportunity(n) for n in range(first, first + 5_000)], now=NOW)
    store.close()
    return folder


def start_backup(folder: Path, target: str) -> "subprocess.Popen[str]":
    """Starts a backup of the folder's database."""
    return subprocess.Popen(
        [OPPSERVER, "db", "backup", target],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def parts(folder: Path) -> set[Path]:
    """The unfinished copies, and what SQLite has beside them."""
    return set(folder.glob(".oppserver-backup-*"))


def end_at(
    chance: random.Random, process: "subprocess.Popen[str]", folder: Path, number: signal.Signals
) -> None:
    """Ends a backup at a random moment after its first byte is written, if it still runs."""
    before = parts(folder)

    def has_begun() -> bool | None:
        return bool(parts(folder) - before) or process.poll() is not None or None

    poll(has_begun, what="an unfinished copy")
    time.sleep(chance.choice([0, chance.uniform(0, 0.02), chance.uniform(0, 0.25)]))
    process.send_signal(number)
    process.communicate()


def check_whole(folder: Path, copy: Path) -> None:
    """A backup opens without being upgraded, has all rows, is sound and has its own identity."""
    original = open_store(f"sqlite:///{folder}/oppserver.db", migrate=False)
    store = open_store(f"sqlite:///{copy}", migrate=False)
    plan = Plan(entries=(entry([guid(1)]),))
    try:
        assert store.count_opportunities(event_code=None) == ROWS
        assert store.catalogue() == original.catalogue()
        assert store.check() == []
        identities = {
            one.read(lambda moment: (moment.identity(), moment.fingerprint(plan).digest))
            for one in (original, store)
        }
        assert len(identities) == 2
    finally:
        store.close()
        original.close()


@pytest.mark.slow
def test_a_killed_backup_is_whole_or_not_there(folder: Path) -> None:
    """SIGKILL at any time leaves no backup or a whole one; the next run names the rest."""
    chance = random.Random(11)
    absent = 0
    for number in range(KILLS):
        target = folder / f"killed-{number}.db"
        end_at(chance, start_backup(folder, target.name), folder, signal.SIGKILL)
        if not target.exists():
            absent += 1
            done = run("db", "backup", target.name, folder=folder)
            assert done.returncode == 0, done.stderr
            left = {one.name for one in parts(folder) if one.suffix == ".part"}
            assert {line.split()[1] for line in done.stderr.splitlines()} == left
            for one in parts(folder):
                one.unlink()
        check_whole(folder, target)
        target.unlink()
    assert absent, "no kill came before the end"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_backup_that_is_told_to_end_cleans_up(number: signal.Signals, folder: Path) -> None:
    """Ctrl-C, SIGTERM and a closed terminal leave no file, or the whole backup, and no part."""
    chance = random.Random(number)
    interrupted = 0
    for turn in range(10 * ENDINGS):
        if turn >= ENDINGS and interrupted:
            break  # on a busy machine a signal may come too late several times
        target = folder / f"{number.name}-{turn}.db"
        process = start_backup(folder, target.name)
        end_at(chance, process, folder, number)
        if target.exists():
            check_whole(folder, target)
        else:
            interrupted += 1
            assert process.returncode == 130
        assert parts(folder) == set()
    assert interrupted, "no signal came before the end"


@pytest.mark.slow
def test_a_killed_upgrade_is_done_again(folder: Path, tmp_path: Path) -> None:
    """A database whose creation is killed at any moment is created by the next command."""
    chance = random.Random(12)
    for turn in range(ENDINGS):
        database = ("--database", f"sqlite:///{tmp_path}/{turn}.db")
        process = subprocess.Popen([OPPSERVER, "db", "upgrade", *database], env=clean_environment())
        file = tmp_path / f"{turn}.db"
        poll(partial(_there, file), what="the file")
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.wait()
        assert run_well("db", "upgrade", *database, folder=tmp_path) == "the store is up to date\n"
        assert run_well("db", "check", *database, folder=tmp_path) == "ok\n"
