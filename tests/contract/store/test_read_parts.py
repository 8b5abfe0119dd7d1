"""One bulk read in parts, on several connections of SQLite: the answer is as of one."""

import random
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from operator import methodcaller
from pathlib import Path
from typing import NoReturn

import pytest

from oppserver.contract.errors import Unavailable
from oppserver.store import StoreOptions, open_store
from oppserver.store.queries import Plan, RenderedRows
from oppserver.store.sqlite.connection import SqliteConnection, connect
from oppserver.store.sqlite.parts import PART_IDS_MIN, PartReaders
from tests.support import stores
from tests.support.stores import NOW, entry, guid, lead, opportunity, rows, scaled

NAMES = ("ProspectActivityId", "ActivityEvent_Note", "Owner")
ROWS = 8 * PART_IDS_MIN
PART_THREAD = "bulk-read-part"

WRITER = """
import sys
from oppserver.store import open_store
from tests.support.stores import NOW, opportunity, owner

url, rows, turns = sys.stdin.readline().split()
store = open_store(url)
for turn in range(int(turns)):
    turn_rows = [
        opportunity(n, note=str(turn), owner_id=owner(0), owner_email=f"{turn}@example.com")
        for n in range(int(rows))
    ]
    store.write_opportunities(turn_rows, now=NOW)
store.close()
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file in which every third of the ids is missing, and every fifth of another type."""
    made = f"sqlite:///{tmp_path_factory.mktemp('parts')}/parts.db"
    store = open_store(made)
    batch = [
        opportunity(n, note=f"note {n}", event_code=12_000 if n % 5 else 12_001)
        for n in range(ROWS)
        if n % 3
    ]
    store.write_opportunities(batch, now=NOW)
    store.close()
    return made


def part_threads() -> int:
    """The threads that have read parts in this process and are not ended."""
    return sum(one.name.startswith(PART_THREAD) for one in threading.enumerate())


@pytest.mark.parametrize("parts", [2, 3, 5, 8])
def test_parts_are_joined_in_the_order_of_the_ids(url: str, parts: int) -> None:
    """Any ids in any order, found or not, of this type or not: the bytes of one read."""
    chance = random.Random(parts)
    whole, divided = open_store(url), open_store(url, StoreOptions(sqlite_read_parts=parts))
    try:
        for count in (ROWS, ROWS // 2, 2 * PART_IDS_MIN, 2 * PART_IDS_MIN - 1, 1, 0):
            ids = [guid(n) for n in chance.sample(range(ROWS), count)]
            plan = Plan(entries=(entry(ids, *NAMES),))
            assert divided.bulk_read(plan) == whole.bulk_read(plan)
        none = Plan(entries=(entry([guid(n) for n in range(ROWS, 2 * ROWS)]),))
        assert divided.bulk_read(none) == [RenderedRows(count=0, json=b"[]")]
        assert part_threads() > 0
    finally:
        whole.close()
        divided.close()


@pytest.mark.parametrize("parts", [1, 2, 5])
def test_several_entries_are_read_as_each_alone(url: str, parts: int) -> None:
    """Entries that name the ids of other types too, and share ids: each has the rows of its own."""
    store = open_store(url, StoreOptions(sqlite_read_parts=parts))
    chance = random.Random(parts)
    try:
        for count in (ROWS, PART_IDS_MIN, 7, 1, 0):
            ids = [guid(n) for n in chance.sample(range(ROWS), count)]
            entries = (
                entry(ids, *NAMES),
                entry(ids[::-1], "Owner", event_code=12_001),
                entry(ids[: count // 2], event_code=12_000),
                entry([], *NAMES, event_code=12_001),
                entry(ids, *NAMES, event_code=12_999),
            )
            alone = [store.bulk_read(Plan(entries=(one,)))[0] for one in entries]
            assert store.bulk_read(Plan(entries=entries)) == alone
            together = Plan(entries=entries)
            assert store.read(methodcaller("bulk_read", together)) == alone
            by_column = store.read(methodcaller("bulk_read_columns", together))
            assert [one.count for one in by_column] == [one.count for one in alone]
    finally:
        store.close()


def test_ids_are_divided_only_where_parts_are_large_enough(url: str) -> None:
    """A store with one part, and a call with few ids, need no thread."""
    for parts, count in ((1, ROWS), (8, 2 * PART_IDS_MIN - 1)):
        store = open_store(url, StoreOptions(sqlite_read_parts=parts))
        rows(store, entry([guid(n) for n in range(count)]))
        assert part_threads() == 0
        store.close()


def test_a_busy_store_divides_nothing(url: str) -> None:
    """While another read is under way, its core is taken."""
    store = open_store(url, StoreOptions(sqlite_read_parts=2))

    def read_beside() -> list[list[dict[str, str | None]]]:
        return rows(store, entry([guid(n) for n in range(ROWS)]))

    expected = read_beside()
    threads = part_threads()
    assert threads == 1
    store.close()
    store = open_store(url, StoreOptions(sqlite_read_parts=2))
    assert store.read(lambda _snapshot: read_beside()) == expected
    assert part_threads() == 0
    assert read_beside() == expected
    assert part_threads() == 1
    store.close()


@pytest.mark.slow
def test_an_answer_is_of_one_snapshot_while_another_process_writes(tmp_path: Path) -> None:
    """Every transaction gives all rows one note and one address: no answer has two of either."""
    path = f"sqlite:///{tmp_path}/race.db"
    store = open_store(path, StoreOptions(sqlite_read_parts=4))
    store.write_opportunities([opportunity(n, lead_id=lead(n)) for n in range(ROWS)], now=NOW)
    ids = [guid(n) for n in range(ROWS)]
    writer = stores.start_python(WRITER)
    turns = scaled(40)
    stores.tell(writer, f"{path} {ROWS} {turns}")
    seen = set()
    while writer.poll() is None:
        [answered] = rows(store, entry(ids, *NAMES))
        notes = {row["ActivityEvent_Note"] for row in answered}
        addresses = {row["Owner"] for row in answered}
        assert len(answered) == ROWS
        assert len(notes) == len(addresses) == 1
        seen |= notes
    assert stores.ended(writer) == (0, "", "")
    assert part_threads() > 0
    assert len(seen) > 1
    assert stores.value(store, 0, "ActivityEvent_Note") == str(turns - 1)
    store.close()


def test_a_part_of_another_snapshot_is_read_again(tmp_path: Path) -> None:
    """A write between the begins of two parts: the answer is of the snapshot of the call."""
    path = tmp_path / "between.db"
    store = open_store(f"sqlite:///{path}")
    ids = [guid(n) for n in range(2 * PART_IDS_MIN)]
    store.write_opportunities([opportunity(n, note="old") for n in range(len(ids))], now=NOW)

    @contextmanager
    def lent_after_a_write() -> Iterator[SqliteConnection]:
        begun.wait()
        store.write_opportunities([opportunity(n, note="new") for n in range(len(ids))], now=NOW)
        other = connect(path, StoreOptions(), writes=False)
        yield other
        other.close()

    def note(_: object, statement: str, __: object) -> bool:
        if "last_number" in statement:
            begun.set()
        return True

    begun = threading.Event()
    connection = connect(path, StoreOptions(), writes=False)
    connection.exec_trace = note
    readers = PartReaders(parts_max=2, idle=lent_after_a_write)
    [read] = readers.read(connection, [entry(ids, *NAMES)])
    assert read.count == len(ids)
    assert b"new" not in read.json
    [again] = readers.read(connection, [entry(ids[:PART_IDS_MIN], *NAMES)])
    assert again.json.count(b"new") > 0
    readers.close()
    connection.close()
    store.close()


class Busy(AbstractContextManager[SqliteConnection]):
    """A connection that cannot be had."""

    def __enter__(self) -> NoReturn:
        raise Unavailable("The store is busy. Try again.")

    def __exit__(self, *_: object) -> None:
        """Give nothing back."""


def test_a_part_that_cannot_be_read_is_read_by_the_call_itself(url: str) -> None:
    """A connection that is busy, or does not open, costs time and no rows."""
    connection = connect(Path(url.removeprefix("sqlite:///")), StoreOptions(), writes=False)
    asked = [entry([guid(n) for n in range(ROWS)], *NAMES)]
    alone = PartReaders(parts_max=1, idle=Busy)
    together = PartReaders(parts_max=4, idle=Busy)
    assert together.read(connection, asked) == alone.read(connection, asked)
    connection.close()
    alone.close()
    together.close()
