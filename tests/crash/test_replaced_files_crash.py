"""The database is moved or replaced at random moments under writers."""

import os
import random
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import psutil
import pytest

from oppserver.store import open_store
from tests.support.many import workers
from tests.support.running import SCALE, Keys, Server, create_key, run_well
from tests.support.writing import CAPTURE, capturing, define

TURNS = max(2, int(4 * SCALE))
FILES = ("oppserver.db", "oppserver.db-wal", "oppserver.db-shm")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an empty world."""
    store = open_store(f"sqlite:///{tmp_path}/oppserver.db")
    define(store)
    store.close()
    return tmp_path


@pytest.fixture
def keys(folder: Path) -> Keys:
    return create_key(folder, role="administrator")


def move_away(folder: Path, kept: Path) -> None:
    """Moves the three files, one after the other."""
    for name in FILES:
        (folder / name).rename(kept / name)


def put_a_backup_there(folder: Path, kept: Path) -> None:
    """Keeps the three files under other names, and moves a backup over the database."""
    for name in FILES:
        os.link(folder / name, kept / name)
    (folder / "backup.db").replace(folder / "oppserver.db")


def write_until(server: Server, ended: threading.Event, acknowledged: list[str]) -> None:
    """Creates opportunities; keeps the ids that were acknowledged."""
    while not ended.is_set():
        try:
            answer = server.post(capturing(), path=CAPTURE)
        except (OSError, HTTPException):
            continue
        if answer.status == 200:
            acknowledged.append(str(answer.json["CreatedOpportunityId"]))
        else:
            assert answer.status == 503, answer.body


@pytest.mark.slow
@pytest.mark.parametrize("take", [move_away, put_a_backup_there])
@pytest.mark.parametrize("is_killed", [True, False])
def test_nothing_acknowledged_is_lost(
    take: Callable[[Path, Path], None], is_killed: bool, folder: Path, keys: Keys
) -> None:
    """With four writers and two workers: what was acknowledged is in the files that were taken."""
    chance = random.Random(5)
    for turn in range(TURNS):
        kept = folder / f"kept-{turn}"
        kept.mkdir()
        (folder / "backup.db").unlink(missing_ok=True)
        run_well("db", "backup", "backup.db", folder=folder)
        acknowledged: list[str] = []
        ended = threading.Event()
        with workers(folder, keys=keys) as server:
            writers = [
                threading.Thread(target=write_until, args=(server, ended, acknowledged))
                for _ in range(4)
            ]
            for one in writers:
                one.start()
            time.sleep(chance.uniform(0.2, 0.8))
            take(folder, kept)
            time.sleep(0.2)  # writers go on, and are refused
            ended.set()
            for one in writers:
                one.join()
            if is_killed:
                kill(server)
        assert acknowledged
        store = open_store(f"sqlite:///{kept}/oppserver.db", migrate=False)
        assert [one for one in acknowledged if store.opportunity(one) is None] == []
        assert store.check() == []
        store.close()
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        (kept / "oppserver.db").rename(folder / "oppserver.db")


def kill(server: Server) -> None:
    """Kills the workers, so that nothing is tidied up."""
    for one in psutil.Process(server.process.pid).children(recursive=True):
        one.kill()
