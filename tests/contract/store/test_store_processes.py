"""The promises of every engine that more than one process can open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from oppserver.store import open_store
from tests.support import stores
from tests.support.stores import NOW, guid, ids_read, lead, opportunity, value

ANOTHER_PROCESS = """
import sys
from oppserver.store import open_store
from tests.support.stores import NOW, opportunity

for line in sys.stdin:
    url, first, number = line.split()
    store = open_store(url)
    written = store.write_opportunities(
        [
            opportunity(n, event_code=int(first), lead_id=opportunity(0).lead_id, lead_email=first)
            for n in range(int(first), int(first) + int(number))
        ],
        now=NOW,
    )
    print(written.created, *store.check(), flush=True)
    store.close()
"""


@pytest.fixture(params=stores.UNOPENED)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> stores.Database:
    """A fresh database of each engine that other processes can open."""
    return stores.ENGINES[request.param](tmp_path)


@pytest.fixture
def processes() -> Iterator[list["stores.Process"]]:
    """Four processes that write what they are told to, one line each."""
    started = [stores.start_python(ANOTHER_PROCESS) for _ in range(4)]
    yield started
    assert [stores.ended(one) for one in started] == [(0, "", "")] * 4, "a process failed"


def test_a_write_by_another_process_is_seen_at_once(
    database: stores.Database, processes: list["stores.Process"]
) -> None:
    """When another process has said that it wrote, a read here has it, and the changed address."""
    store = database.open()
    store.write_opportunities([opportunity(1, lead_id=lead(0), lead_email="old")], now=NOW)
    for number, process in enumerate(processes, start=100):
        stores.tell(process, f"{database.url} {number} 1")
        assert stores.heard(process) == "1"
        assert ids_read(store, [guid(number)], event_code=number) == [guid(number)]
        assert value(store, 1, "EmailAddress") == str(number)
        assert number in store.catalogue().types
    store.close()


def test_processes_that_write_at_once_wait_for_each_other(
    database: stores.Database, processes: list["stores.Process"]
) -> None:
    """Four processes that write at once all succeed, and everything holds afterwards."""
    store = database.open()
    for turn in range(5):
        firsts = [1_000 * (4 * turn + number) for number in range(1, 5)]
        for first, process in zip(firsts, processes, strict=True):
            stores.tell(process, f"{database.url} {first} 200")
        assert [stores.heard(process) for process in processes] == ["200"] * 4
        assert store.check() == []
    assert store.count_opportunities(event_code=None) == 5 * 4 * 200
    assert len({one.lead_email for one in stores.everything(store)}) == 1
    store.close()


A_PROCESS_THAT_CAPTURES = """
import sys
from oppserver.store import open_store
from tests.support.stores import NOW, guid, opportunity

store = open_store(sys.stdin.readline().strip())
which = int(sys.stdin.readline())

def capture(number):
    values = {"mx_custom_1": str(number)}
    one = opportunity(0, id=guid(number, kind=which), slots=values)
    def work(session):
        is_new = session.opportunity_like(one.event_code, values) is None
        if is_new:
            session.write_opportunities([one], now=NOW)
        return is_new
    return store.write(work)

print("ready", flush=True)
print(sum(capture(number) for number in range(int(sys.stdin.readline()))), flush=True)
store.close()
"""


def test_processes_that_capture_the_same_write_each_once(database: stores.Database) -> None:
    """Two processes that write a hundred things unless they are there make a hundred in all."""
    store = database.open()
    started = [stores.start_python(A_PROCESS_THAT_CAPTURES) for _ in range(2)]
    for which, process in enumerate(started):
        stores.tell(process, f"{database.url}\n{which}")
    assert [stores.heard(process) for process in started] == ["ready", "ready"]
    for process in started:
        stores.tell(process, "100")
    assert sum(int(stores.heard(process)) for process in started) == 100
    assert [stores.ended(process) for process in started] == [(0, "", "")] * 2
    assert store.count_opportunities(event_code=None) == 100
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("engine", stores.UNOPENED)
def test_processes_that_open_a_new_database_at_once_all_get_it(
    engine: str, tmp_path: Path, processes: list["stores.Process"]
) -> None:
    """Four processes race to create and migrate one database: each of them can write to it."""
    for turn in range(stores.scaled(15)):
        url = stores.UNOPENED[engine](tmp_path / str(turn))
        for number, process in enumerate(processes):
            stores.tell(process, f"{url} {number * 10} 2")
        assert [stores.heard(process) for process in processes] == ["2"] * 4
        store = open_store(url, migrate=False)
        assert store.count_opportunities(event_code=None) == 8
        assert store.check() == []
        store.close()
