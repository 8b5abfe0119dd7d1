"""The PostgreSQL server crashes under load: what was acknowledged is there, the store goes on."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from oppserver.contract.errors import Unavailable
from oppserver.store import Store, open_store
from tests.support import postgres, stores
from tests.support.stores import NOW, guid, opportunity

ROWS = 20


@pytest.fixture
def server() -> Iterator[postgres.Server]:
    """A server that nobody else uses."""
    server = postgres.Server()
    yield server
    server.stop()


class Writer:
    """Writes batch after batch, and remembers which were acknowledged and how many were refused."""

    def __init__(self, store: Store) -> None:
        self.acknowledged: list[int] = []
        self.refused = 0
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def wait_until_it_writes(self) -> None:
        before = len(self.acknowledged)
        stores.wait_until(lambda: len(self.acknowledged) > before + 5)

    def wait_until_it_is_refused(self) -> None:
        before = self.refused
        stores.wait_until(lambda: self.refused > before)

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        for number in count():
            if self._stop.is_set():
                return
            batch = [opportunity(number * ROWS + n, status=str(number)) for n in range(ROWS)]
            try:
                self._store.write_opportunities(batch, now=NOW)
            except Unavailable:
                self.refused += 1
            else:
                self.acknowledged.append(number)


@pytest.mark.slow
def test_a_store_goes_on_when_its_server_has_crashed(server: postgres.Server) -> None:
    """Calls meanwhile are Unavailable; afterwards the same store reads and writes, all is there."""
    store = open_store(server.empty_database())
    writer = Writer(store)
    try:
        for _ in range(stores.scaled(3)):
            writer.wait_until_it_writes()
            server.crash()
            writer.wait_until_it_is_refused()
            with pytest.raises(Unavailable):
                store.ping()
            server.start()
            writer.wait_until_it_writes()
    finally:
        writer.end()
    for number in writer.acknowledged:
        ids = [guid(number * ROWS + n) for n in range(ROWS)]
        assert stores.ids_read(store, ids) == ids
    assert store.count_opportunities(event_code=None) % ROWS == 0
    assert store.check() == []
    store.close()
