"""The promises of every engine about the store itself: reopened, shared, backed up, checked."""

import re
import threading
import time
from collections.abc import Callable
from functools import partial

from oppserver.store import Store, StoreOptions
from tests.support import stores
from tests.support.stores import NOW, field, guid, ids_read, key, opportunity, value

database, store = stores.database, stores.store


def test_a_store_that_is_opened_again_has_everything(database: stores.Database) -> None:
    """A store reads everything that another one wrote: opportunities, keys, types, tombstones."""
    first = database.open()
    first.put_fields([field(1, display_name="Named", options=("a", "b"))])
    added = first.add_key(key("AK1"))
    first.write_opportunities(
        [opportunity(n, lead_email=f"{n}@example.com") for n in (1, 2)], now=NOW
    )
    first.delete_opportunities([guid(2)], now=NOW, by=None)
    kept, catalogue = stores.everything(first), first.catalogue()
    first.close()
    second = database.open()
    assert stores.everything(second) == kept
    assert second.catalogue() == catalogue
    assert second.keys() == [added]
    assert second.delete_opportunities([guid(2)], now=NOW, by=None) == 0
    assert second.check() == []
    second.close()


def test_a_write_is_seen_at_once_by_another_store(database: stores.Database) -> None:
    """When a write has returned, every read of another store has it."""
    store, other = database.open(), database.open()
    for number in range(10):
        store.write_opportunities([opportunity(1, status=str(number))], now=NOW)
        assert value(other, 1, "Status") == str(number)
        store.delete_opportunities([guid(1)], now=NOW, by=None)
        assert ids_read(other, [guid(1)]) == []
    store.close()
    other.close()


def test_a_healthy_store_answers_ping_and_passes_its_check(store: Store) -> None:
    """``ping`` returns and ``check`` finds nothing, whatever was written and deleted."""
    store.ping()
    assert store.check() == []
    store.add_key(key("AK1"))
    store.write_opportunities(
        [opportunity(n, lead_email="a@example.com", owner_id=stores.owner(1)) for n in range(50)],
        now=NOW,
    )
    store.delete_opportunities([guid(n) for n in range(20)], now=NOW, by="me")
    store.write_opportunities([opportunity(n) for n in range(10)], now=NOW)
    store.ping()
    assert store.check() == []


def test_o7_the_size_of_a_store_grows_with_its_rows(store: Store) -> None:
    """In bytes, as the metrics show it."""
    before = store.size_bytes()
    for start in range(0, 5_000, 1_000):
        rows = [opportunity(n, note="n" * 1_000) for n in range(start, start + 1_000)]
        store.write_opportunities(rows, now=NOW)
    assert store.size_bytes() - before > 2_000_000


def test_a_store_names_its_engine_and_version(store: Store) -> None:
    """For people: ``SQLite 3.54.1 (apsw)``, ``PostgreSQL 18.1``."""
    assert re.fullmatch(r"(SQLite|PostgreSQL|memory) \d+\.\d[\d.]*( \(\w+\))?", store.engine())


# --- side by side ------------------------------------------------------------------------------


def in_threads(*works: Callable[[], None]) -> None:
    """Runs all works at once; the first failure of one is raised."""
    failures: list[BaseException] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 (a thread's failure is the test's)
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_many_threads_read_and_write_one_store(database: stores.Database) -> None:
    """Eight threads that write and eight that read: nothing is lost, and nothing fails.

    Each writer changes two opportunities and their lead together; no reader sees a half of it.
    """
    store = database.open(StoreOptions(readers=16))
    rounds = 12

    def write(number: int) -> None:
        for turn in range(rounds):
            pair = [
                opportunity(n, lead_id=stores.lead(number), lead_email=str(turn), status=str(turn))
                for n in (number, number + 100)
            ]
            store.write_opportunities(pair, now=NOW)
            assert value(store, number, "Status") == str(turn)

    def read(number: int) -> None:
        asked = stores.entry([guid(number), guid(number + 100)], "Status", "EmailAddress")
        last, ends = -1, time.monotonic() + 30
        while last < rounds - 1 and time.monotonic() < ends:
            [found] = stores.rows(store, asked)
            assert len(found) in (0, 2)
            seen = {text for row in found for text in row.values()}
            assert len(seen) <= 1
            now = int(seen.pop() or -1) if seen else -1
            assert now >= last, "a later read saw an earlier moment"
            last = now
            store.catalogue()

    in_threads(
        *(partial(write, number) for number in range(8)),
        *(partial(read, number) for number in range(8)),
    )
    assert store.count_opportunities(event_code=None) == 16
    assert {one.status for one in stores.everything(store)} == {str(rounds - 1)}
    assert store.check() == []
    store.close()
