"""The promises of every engine that backs up to a file."""

import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.model import Written
from oppserver.store import Store
from oppserver.store.queries import Plan
from tests.support import stores
from tests.support.stores import NOW, entry, field, guid, ids_read, key, opportunity

store = stores.store


@pytest.fixture(params=["memory", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Database:
    """A fresh database of each engine; one on a server is backed up by the server's programs."""
    return stores.ENGINES[request.param](tmp_path)


def test_a_backup_is_a_store_of_its_own(
    database: stores.Database, store: Store, tmp_path: Path
) -> None:
    """A backup has everything, and what is written afterwards to one is not in the other."""
    store.put_fields([field(1)])
    store.add_key(key("AK1"))
    store.write_opportunities([opportunity(n) for n in range(100)], now=NOW)
    store.backup(tmp_path / "copy")
    store.write_opportunities([opportunity(100)], now=NOW)
    copy = database.open_backup(tmp_path / "copy")
    assert stores.everything(copy) == stores.everything(store)[:100]
    assert copy.catalogue() == store.catalogue()
    assert copy.keys() == store.keys()
    assert copy.check() == []
    copy.write_opportunities([opportunity(200)], now=NOW)
    assert ids_read(store, [guid(200)]) == []
    copy.close()


def test_a_backup_has_stamps_of_its_own(
    database: stores.Database, store: Store, tmp_path: Path
) -> None:
    """Served in place of its database it repeats versions, with other values, but no stamps."""
    store.write_opportunities([opportunity(1)], now=NOW)
    store.backup(tmp_path / "copy")
    copy = database.open_backup(tmp_path / "copy")
    plan = Plan(entries=(entry([guid(1)]),))
    fingerprints = {
        one.read(lambda snapshot: snapshot.fingerprint(plan)).digest for one in (store, copy)
    }
    assert len(fingerprints) == 2
    copy.close()


def test_a_backup_is_of_one_moment_while_others_write(
    database: stores.Database, store: Store, tmp_path: Path
) -> None:
    """While writes go on, a backup has each batch whole or not at all, and they all succeed."""
    written: list[Written] = []
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            status = str(len(written))
            batch = [opportunity(n, status=status) for n in range(500)]
            written.append(store.write_opportunities(batch, now=NOW))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            stores.wait_until(partial(more_than, written, len(written)))
            store.backup(tmp_path / f"copy{number}")
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        copy = database.open_backup(tmp_path / f"copy{number}")
        assert len({one.status for one in stores.everything(copy)}) == 1
        assert copy.count_opportunities(event_code=None) == 500
        assert copy.check() == []
        copy.close()


def more_than(written: Sequence[Written], number: int) -> bool:
    """Return whether there were more writes than a number."""
    return len(written) > number


def test_a_backup_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    """A file that is there is refused and stays as it was."""
    (tmp_path / "copy").write_bytes(b"precious")
    with pytest.raises(DatabaseRefused, match="copy"):
        store.backup(tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"precious"


@pytest.mark.parametrize("place", ["missing/copy", "file/copy"])
def test_a_backup_that_fails_leaves_no_file(place: str, store: Store, tmp_path: Path) -> None:
    """Where no file can be, the backup is refused; there is no file, and the store is well."""
    (tmp_path / "file").write_bytes(b"")
    there = sorted(tmp_path.iterdir())
    with pytest.raises(DatabaseRefused, match="copy"):
        store.backup(tmp_path / place)
    assert sorted(tmp_path.iterdir()) == there
    store.ping()
