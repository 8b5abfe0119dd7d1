"""The promises of every engine about a snapshot: rows by column, fingerprints, id statuses."""

import threading
from collections.abc import Sequence
from itertools import count

import msgspec

from oppserver.contract.columns import CUSTOM_COLUMNS, SYSTEM_COLUMNS
from oppserver.store import Store
from oppserver.store.port import Snapshot
from oppserver.store.queries import IdStatus, Plan, PlannedEntry, RenderedColumns
from tests.support import stores
from tests.support.stores import LATER, NOW, entry, guid, ids_read, lead, opportunity, owner

database, store = stores.read_database, stores.store

ALL_COLUMNS = SYSTEM_COLUMNS + CUSTOM_COLUMNS


def columns_read(store: Store, *entries: PlannedEntry) -> list[RenderedColumns]:
    return store.read(lambda snapshot: snapshot.bulk_read_columns(Plan(entries=entries)))


def values(rendered: RenderedColumns) -> list[list[str | None]]:
    return [msgspec.json.decode(one, type=list[str | None]) for one in rendered.columns]


def digest(store: Store, *entries: PlannedEntry) -> bytes:
    return store.read(lambda snapshot: snapshot.fingerprint(Plan(entries=entries))).digest


# --- columns -----------------------------------------------------------------------------------


def test_columns_are_the_rows_turned(store: Store) -> None:
    """Each column has a value for each row, in the order of the ids; null where it is not set."""
    store.write_opportunities(
        [opportunity(1, status="Open", note='a "note"'), opportunity(2), opportunity(3)], now=NOW
    )
    asked = [guid(3), guid(9), guid(1)]
    [rendered] = columns_read(store, entry(asked, "ProspectActivityId", "OpportunityNote"))
    assert rendered.count == 2
    assert values(rendered) == [[guid(3), guid(1)], [None, 'a "note"']]


def test_dates_of_columns_are_in_the_stored_form(store: Store) -> None:
    """CreatedOn and ModifiedOn sort, and can be read without knowing who writes 4/6."""
    written = opportunity(1, created_on="2023-04-06 15:23:34", modified_on="2024-02-29 00:00:00")
    store.write_opportunities([written], now=NOW)
    [rendered] = columns_read(store, entry([guid(1)], "CreatedOn", "ModifiedOn", "EventCode"))
    assert values(rendered) == [["2023-04-06 15:23:34"], ["2024-02-29 00:00:00"], ["12000"]]


def test_all_columns_at_once_have_their_values(store: Store) -> None:
    """Every column there is can be asked for, each with its own values."""
    slots = {column.stored: f"value of {column.name}" for column in CUSTOM_COLUMNS}
    store.write_opportunities(
        [opportunity(1, slots=slots, owner_id=owner(1), owner_email="o@example.com")], now=NOW
    )
    whole = PlannedEntry(event_code=12_000, ids=[guid(1)], columns=ALL_COLUMNS)
    [rendered] = columns_read(store, whole)
    row = dict(zip((column.name for column in ALL_COLUMNS), values(rendered), strict=True))
    assert row["mx_Custom_250"] == ["value of mx_Custom_250"]
    assert row["OwnerEmailAddress"] == ["o@example.com"]
    assert row["ProspectId"] == [lead(1)]


def test_an_entry_without_rows_has_empty_columns(store: Store) -> None:
    """Nothing found: every column is there, and empty."""
    for rendered in columns_read(store, entry([guid(1)], "Status", "Owner"), entry([], "Status")):
        assert rendered.count == 0
        assert set(map(bytes, rendered.columns)) == {b"[]"}


# --- where an id is ----------------------------------------------------------------------------


def test_id_statuses(store: Store) -> None:
    """The type of what is stored; type and deletion of what is deleted; nothing of the rest."""
    store.write_opportunities([opportunity(1), opportunity(2, event_code=12_001)], now=NOW)
    store.write_opportunities([opportunity(3), opportunity(4, event_code=12_001)], now=NOW)
    store.delete_opportunities([guid(3), guid(4)], now=LATER, by=None)
    asked = [guid(number) for number in range(6)]
    assert store.read(lambda snapshot: snapshot.id_statuses(asked)) == {
        guid(1): IdStatus(event_code=12_000),
        guid(2): IdStatus(event_code=12_001),
        guid(3): IdStatus(event_code=12_000, deleted_on=LATER),
        guid(4): IdStatus(event_code=12_001, deleted_on=LATER),
    }
    assert store.read(lambda snapshot: snapshot.id_statuses([])) == {}


def test_what_is_written_again_is_no_longer_deleted(store: Store) -> None:
    """An id is stored or deleted, never both."""
    store.write_opportunities([opportunity(1)], now=NOW)
    store.delete_opportunities([guid(1)], now=LATER, by=None)
    store.write_opportunities([opportunity(1, event_code=12_001)], now=LATER)
    there = store.read(lambda snapshot: snapshot.id_statuses([guid(1)]))
    assert there == {guid(1): IdStatus(event_code=12_001)}


# --- stamps ------------------------------------------------------------------------------------


def full_entry(ids: Sequence[str]) -> PlannedEntry:
    return PlannedEntry(event_code=12_000, ids=ids, columns=SYSTEM_COLUMNS)


def test_a_stamp_stays_while_nothing_is_written(database: stores.Database) -> None:
    """Through any store on the database, and as often as it is asked for."""
    store, other = database.open(), database.open()
    store.write_opportunities([opportunity(1), opportunity(2)], now=NOW)
    asked = full_entry([guid(1), guid(9), guid(2)])
    first = store.read(lambda snapshot: snapshot.fingerprint(Plan(entries=(asked,))))
    assert list(first.counts) == [2]
    assert digest(store, asked) == first.digest == digest(other, asked)
    other.write_opportunities([opportunity(3)], now=NOW)
    other.delete_opportunities([guid(3)], now=NOW, by=None)
    assert digest(store, asked) == first.digest
    store.close()
    other.close()


def test_every_change_of_a_row_changes_the_stamp(store: Store) -> None:
    """Any value, the lead's address, the owner's, its type, that it is gone, that it is new."""
    ids = [guid(1), guid(2)]
    store.write_opportunities([opportunity(1)], now=NOW)
    seen = [digest(store, full_entry(ids))]

    def has_changed() -> None:
        now = digest(store, full_entry(ids))
        assert now != seen[-1]
        seen.append(now)

    store.write_opportunities([opportunity(1, status="Won", owner_id=owner(1))], now=NOW)
    has_changed()
    # another opportunity brings an address for the lead, and one for the owner
    store.write_opportunities([opportunity(7, lead_id=lead(1), lead_email="a@b.c")], now=NOW)
    has_changed()
    written = opportunity(8, owner_id=owner(1), owner_email="owner@example.com")
    store.write_opportunities([written], now=NOW)
    has_changed()
    store.write_opportunities([opportunity(2)], now=NOW)
    has_changed()
    store.write_opportunities([opportunity(2, event_code=12_001)], now=NOW)
    has_changed()
    store.delete_opportunities([guid(1)], now=NOW, by=None)
    has_changed()


def test_a_row_that_comes_again_has_another_stamp(store: Store) -> None:
    """Deleted and written anew, with other values: never the stamp it had before."""
    seen = set()
    for status in ("Open", "Won", "Lost", "Open", "Won"):
        store.write_opportunities([opportunity(1, status=status)], now=NOW)
        seen.add((status, digest(store, full_entry([guid(1)]))))
        store.delete_opportunities([guid(1)], now=NOW, by=None)
    assert len({fingerprint for _, fingerprint in seen}) >= len({status for status, _ in seen})
    for fingerprint in {fingerprint for _, fingerprint in seen}:
        assert len({status for status, other in seen if other == fingerprint}) == 1


def test_stamps_tell_requests_apart(store: Store) -> None:
    """Other ids, another order, other columns, other entries: another stamp."""
    store.write_opportunities([opportunity(1), opportunity(2)], now=NOW)
    one, two = guid(1), guid(2)
    asked = [
        (entry([one]),),
        (entry([one, two]),),
        (entry([two, one]),),
        (entry([one], "Status"),),
        (entry([one], "Status", "Owner"),),
        (entry([one]), entry([two])),
        (entry([one]), entry([one])),
        (entry([one], event_code=12_001),),
    ]
    assert len({digest(store, *entries) for entries in asked}) >= len(asked) - 2
    assert digest(store, *asked[1]) != digest(store, *asked[2])
    assert digest(store, *asked[3]) != digest(store, *asked[4])


# --- one moment --------------------------------------------------------------------------------


def test_all_that_is_read_is_of_one_moment(database: stores.Database) -> None:
    """A write during a snapshot is seen by the next one."""
    store, other = database.open(), database.open()
    store.write_opportunities([opportunity(1, status="Open")], now=NOW)
    plan = Plan(entries=(entry([guid(1)], "Status"),))

    def both(snapshot: Snapshot) -> tuple[bytes, bytes, bytes, int]:
        before = snapshot.fingerprint(plan).digest
        other.write_opportunities([opportunity(1, status="Won")], now=NOW)
        other.delete_opportunities([guid(1)], now=NOW, by=None)
        [rows], [columns] = snapshot.bulk_read(plan), snapshot.bulk_read_columns(plan)
        assert snapshot.fingerprint(plan).digest == before
        return before, rows.json, columns.columns[0], len(snapshot.id_statuses([guid(1)]))

    before, rows, column, there = store.read(both)
    assert (rows, column, there) == (b'[{"Status":"Open"}]', b'["Open"]', 1)
    assert digest(store, *plan.entries) != before
    assert ids_read(store, [guid(1)]) == []
    store.close()
    other.close()


def test_work_that_fails_ends_its_moment(store: Store) -> None:
    """An error in the work is raised, and the store goes on."""
    failures = count()

    def fail(_: Snapshot) -> None:
        next(failures)
        raise LookupError

    for _ in range(20):
        try:
            store.read(fail)
        except LookupError:
            continue
        raise AssertionError("it did not fail")
    assert next(failures) == 20
    assert threading.active_count() < 50
    assert ids_read(store, [guid(1)]) == []


# --- versions ----------------------------------------------------------------------------------


def versions(store: Store, *entries: PlannedEntry) -> list[bytes]:
    return store.read(lambda snapshot: snapshot.versions(Plan(entries=entries)))


def test_versions_are_of_the_rows_in_their_order(store: Store) -> None:
    """A line for each row, none for what is not there; a write changes its opportunity's line."""
    store.write_opportunities([opportunity(n, status="Open") for n in (1, 2, 3)], now=NOW)
    asked = entry([guid(3), guid(9), guid(1)])
    [before] = versions(store, asked)
    lines = before.decode().splitlines()
    assert [line.partition(" ")[0] for line in lines] == [guid(3), guid(1)]
    assert all(line.partition(" ")[2].isdecimal() for line in lines)
    assert before.endswith(b"\n")
    store.write_opportunities([opportunity(1, status="Won")], now=LATER)
    [after] = versions(store, asked)
    assert after.splitlines()[0] == before.splitlines()[0]
    assert after.splitlines()[1] != before.splitlines()[1]
    assert versions(store, entry([guid(9)])) == [b""]
