"""The promises of every engine about changes: numbers in the order of commits, each id once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.model import Lead, OpportunityType
from oppserver.store import Store, open_store
from oppserver.store.port import Snapshot, Transaction
from oppserver.store.queries import Change, ChangeNumbers
from tests.support import stores
from tests.support.databases import database_of, execute, kept_in
from tests.support.stores import LATER, NOW, changes, guid, lead, opportunity, owner

database, store = stores.database, stores.store


def write(store: Store, *numbers: int, **values: Any) -> None:
    store.write_opportunities([opportunity(number, **values) for number in numbers], now=NOW)


def delete(store: Store, *numbers: int) -> None:
    store.delete_opportunities([guid(number) for number in numbers], now=LATER, by=None)


def told(store: Store, *, after: int = 0, event_code: int | None = None) -> list[str]:
    """The ids of the changes behind a number, with a minus before those that are deleted."""
    found = changes(store, after=after, event_code=event_code)
    return [f"-{one.id}" if one.deleted_on else one.id for one in found]


# --- what has a number -------------------------------------------------------------------------


def test_a_new_database_has_no_changes(store: Store) -> None:
    """The last number is 0, and there is nothing behind it."""
    assert store.change_numbers() == ChangeNumbers(last=0, addresses=0)
    assert changes(store) == []


def test_every_write_of_an_opportunity_is_a_change(store: Store) -> None:
    """Creation, replacement, deletion, creation again: each id once, at its latest place."""
    write(store, 1, 2)
    assert sorted(told(store)) == [guid(1), guid(2)]
    write(store, 3)
    write(store, 1)
    assert told(store) == [guid(2), guid(3), guid(1)]
    delete(store, 3)
    assert told(store) == [guid(2), guid(1), f"-{guid(3)}"]
    assert changes(store)[-1].deleted_on == LATER
    write(store, 3)
    assert told(store) == [guid(2), guid(1), guid(3)]


def test_numbers_rise_and_are_given_once(store: Store) -> None:
    """A batch has as many numbers as rows; a repeated id in it leaves a gap."""
    store.write_opportunities([opportunity(n) for n in (5, 1, 3, 1, 2)], now=NOW)
    numbers = [one.number for one in changes(store)]
    assert numbers == sorted(set(numbers))
    assert store.change_numbers().last == 5 >= numbers[-1]
    write(store, 4)
    assert changes(store)[-1] == Change(id=guid(4), number=6, event_code=12_000)


def test_an_address_of_a_lead_is_a_change_of_its_opportunities(store: Store) -> None:
    """Whoever brings it: another opportunity, or a session that writes leads."""
    write(store, 1, 2, lead_id=lead(1))
    write(store, 3)
    seen = store.change_numbers().last
    write(store, 4, lead_id=lead(1), lead_email="a@example.com")
    assert sorted(told(store, after=seen)) == [guid(1), guid(2), guid(4)]
    seen = store.change_numbers().last
    write(store, 4, lead_id=lead(1), lead_email="a@example.com")
    assert told(store, after=seen) == [guid(4)]
    seen = store.change_numbers().last
    store.write(
        lambda transaction: transaction.write_leads([Lead(id=lead(1), email="b@example.com")])
    )
    assert sorted(told(store, after=seen)) == [guid(1), guid(2), guid(4)]
    numbers = [one.number for one in changes(store)]
    assert numbers == sorted(set(numbers))


def test_an_address_of_an_owner_is_noted_and_changes_no_opportunity(store: Store) -> None:
    """Rows show it, so the last number rises; whoever keeps rows can tell what has happened."""
    write(store, 1, owner_id=owner(1), owner_email="a@example.com")
    before = store.change_numbers()
    assert before.addresses == 0
    write(store, 2, owner_id=owner(1), owner_email="a@example.com")
    assert store.change_numbers() == ChangeNumbers(last=before.last + 1, addresses=0)
    write(store, 2, owner_id=owner(1), owner_email="b@example.com")
    now = store.change_numbers()
    assert before.last + 1 < now.addresses <= now.last
    assert told(store, after=before.last) == [guid(2)]


def test_what_is_no_change_takes_no_number(store: Store) -> None:
    """Types, keys, a deletion of nothing, a lead without opportunities."""
    write(store, 1)
    before = store.change_numbers()
    store.put_types([OpportunityType(event_code=5, name="Other")])
    store.add_key(stores.key("k"))
    delete(store, 9)
    store.write(
        lambda transaction: transaction.write_leads([Lead(id=lead(8), email="x@example.com")])
    )
    store.write_opportunities([], now=NOW)
    assert store.change_numbers() == before


def test_a_write_that_fails_gives_no_numbers(store: Store) -> None:
    """The failed write is undone, and so is the counting."""
    write(store, 1)
    before = store.change_numbers()

    def fail(transaction: Transaction) -> None:
        transaction.write_opportunities([opportunity(2)], now=NOW)
        transaction.delete_opportunities([guid(1)], now=NOW, by=None)
        raise LookupError

    with pytest.raises(LookupError):
        store.write(fail)
    assert store.change_numbers() == before
    assert told(store) == [guid(1)]


# --- reading them ------------------------------------------------------------------------------


def test_pages_of_changes(store: Store) -> None:
    """Above the one number, up to the other, no more than asked for; stored and deleted merged."""
    for number in range(6):
        write(store, number)
    delete(store, 1)
    delete(store, 4)

    def page(after: int, until: int, limit: int) -> list[int]:
        found = store.read(
            lambda snapshot: snapshot.changes(
                after=after, until=until, limit=limit, event_code=None
            )
        )
        return [one.number for one in found]

    assert page(0, 99, 99) == [1, 3, 4, 6, 7, 8]
    assert page(0, 99, 2) == [1, 3]
    assert page(3, 99, 3) == [4, 6, 7]
    assert page(3, 6, 9) == [4, 6]
    assert page(8, 99, 9) == page(0, 99, 0) == []


def test_changes_of_one_type_have_what_has_left_it(store: Store) -> None:
    """An id that is of another type now is told to those who had it, also when it is deleted."""
    write(store, 1, 2, 3)
    write(store, 4, event_code=12_001)
    assert told(store, event_code=12_001) == [guid(4)]
    write(store, 1, event_code=12_001)
    write(store, 3, event_code=12_001)
    delete(store, 3)
    delete(store, 2)
    write(store, 2, event_code=12_002)
    for code in (12_000, 12_001, 12_002):
        moved = [one for one in changes(store, event_code=code) if one.has_moved]
        assert [(one.id, one.event_code) for one in moved] == [
            (guid(1), 12_001),
            (guid(3), 12_001),
            (guid(2), 12_002),
        ]
    assert told(store, event_code=12_001) == [guid(4), guid(1), f"-{guid(3)}", guid(2)]


def test_numbers_and_rows_are_of_one_moment(database: stores.Database) -> None:
    """A write during a snapshot is not in its changes."""
    store, other = database.open(), database.open()
    write(store, 1)

    def look(snapshot: Snapshot) -> tuple[ChangeNumbers, ChangeNumbers, list[Change]]:
        before = snapshot.change_numbers()
        write(other, 2)
        delete(other, 1)
        found = snapshot.changes(after=0, until=99, limit=99, event_code=None)
        return before, snapshot.change_numbers(), found

    before, after, found = store.read(look)
    assert before == after == ChangeNumbers(last=1, addresses=0)
    assert [(one.id, one.deleted_on) for one in found] == [(guid(1), None)]
    assert told(store) == [guid(2), f"-{guid(1)}"]
    store.close()
    other.close()


def test_no_change_is_passed_over_while_others_write(database: stores.Database) -> None:
    """Four writers, and a reader that goes on from the last number it saw: it has it all."""
    writers = [database.open() for _ in range(4)]
    reader = database.open()
    each = stores.scaled(15)

    def work(place: int) -> None:
        for turn in range(each):
            number = place * each + turn
            write(writers[place], number, 1_000)
            if turn % 3 == 0:
                delete(writers[place], number)

    replica: dict[str, Change] = {}
    with ThreadPoolExecutor(4) as pool:
        working = [pool.submit(work, place) for place in range(4)]
        after, is_last = 0, False
        while not is_last:
            is_last = all(one.done() for one in working)
            for one in changes(reader, after=after):
                assert one.number > after
                after = one.number
                replica[one.id] = one
        for done in working:
            done.result()
    assert sorted(replica.values(), key=lambda one: one.number) == changes(reader)
    assert replica.keys() == {guid(number) for number in (*range(4 * each), 1_000)}
    for opened in (*writers, reader):
        opened.close()


# --- whole types -------------------------------------------------------------------------------


def test_ids_of_a_type_in_pages(store: Store) -> None:
    """In the order of ids, above one, of one type, and not modified before a date."""
    for number in (4, 1, 3, 2):
        write(store, number, modified_on=f"2024-01-0{number} 00:00:00")
    write(store, 5, event_code=12_001)

    def page(after: str, limit: int, since: str | None = None) -> list[str]:
        return store.read(
            lambda snapshot: snapshot.ids_of_type(
                12_000, after_id=after, modified_since=since, limit=limit
            )
        )

    assert page("", 3) == [guid(1), guid(2), guid(3)]
    assert page(guid(3), 3) == [guid(4)]
    assert page(guid(4), 3) == page("", 0) == []
    assert page("", 9, "2024-01-03 00:00:00") == [guid(3), guid(4)]
    assert page(guid(3), 9, "2024-01-02 00:00:00") == [guid(4)]


# --- care --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
@pytest.mark.parametrize("number", [0, 9])
def test_a_number_that_was_not_given_is_found(engine: str, number: int, tmp_path: Path) -> None:
    """``db check`` reports changes that no reader of changes would get."""
    folder = kept_in(tmp_path, engine)
    store = _opened(folder)
    write(store, 1)
    delete(store, 1)
    write(store, 2)
    for table in ("opportunity", "deleted_opportunity"):
        execute(folder, f"UPDATE {table} SET change_number = {number}")
    assert store.check() == [
        "1 opportunity whose change has a number that was not given",
        "1 deletion whose change has a number that was not given",
    ]
    store.close()


def _opened(folder: Path) -> Store:
    return open_store(database_of(folder))
