"""The promises of every engine about a transaction that reads and writes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oppserver.contract.model import (
    Activity,
    OpportunityType,
    StoredOpportunity,
    Tombstone,
    Written,
)
from oppserver.store import Store
from oppserver.store.port import Transaction
from oppserver.store.queries import IdempotencyRecord
from tests.support import stores
from tests.support.stores import EARLIER, LATER, NOW, a_lead, guid, lead, opportunity, owner, write

database, store = stores.database, stores.store

CALLS = 100


class Refused(Exception):
    """An error that the work itself raises."""


def written(number: int, **values: Any) -> StoredOpportunity:
    """An opportunity as it is read back."""
    return opportunity(number, **{"created_on": NOW, "modified_on": NOW} | values)


# --- the transaction


def test_what_the_work_returns_is_returned(store: Store) -> None:
    """A write gives back what its work gives."""
    assert store.write(lambda _: 42) == 42


def test_a_session_reads_what_it_has_written(store: Store) -> None:
    """Each kind of thing is there for the rest of the work as soon as it is written."""

    def work(transaction: Transaction) -> None:
        assert transaction.write_opportunities([opportunity(1)], now=NOW) == Written(
            created=1, replaced=0
        )
        assert transaction.opportunities([guid(1)]) == {guid(1): written(1)}
        assert transaction.opportunity_like(12_000, {"lead_id": lead(1)}) == guid(1)
        assert 12_000 in transaction.catalogue().types
        assert transaction.delete_opportunities([guid(1)], now=LATER, by="me") == 1
        assert transaction.opportunities([guid(1)]) == {}
        assert transaction.tombstones([guid(1)])[guid(1)].deleted_by == "me"
        two = a_lead(2, phone="2", owner_id=owner(2))
        transaction.write_leads([two])
        assert transaction.leads([lead(2)]) == {lead(2): two}
        assert transaction.leads_by("phone", ["2"]) == {"2": two}
        assert list(transaction.users([owner(2)])) == [owner(2)]

    store.write(work)


def test_what_was_written_is_there_afterwards(store: Store) -> None:
    """When the write has returned, other readers see all of it."""

    def work(transaction: Transaction) -> None:
        transaction.write_leads([a_lead(1, email="a@example.com")])
        transaction.write_opportunities([opportunity(1)], now=NOW)

    store.write(work)
    assert stores.everything(store) == [written(1, lead_email="a@example.com")]


def everything_at_once(transaction: Transaction) -> None:
    """Writes of every kind, on a store that has opportunities 1 and 2."""
    transaction.write_opportunities([opportunity(1, status="changed"), opportunity(3)], now=LATER)
    transaction.write_opportunities(
        [opportunity(9, event_code=7, slots={"mx_custom_9": "x"})], now=NOW
    )
    transaction.delete_opportunities([guid(2)], now=LATER, by=None)
    transaction.write_leads([a_lead(1, email="new@example.com", owner_id=owner(5)), a_lead(8)])
    transaction.write_activities([activity(1)])
    transaction.put_idempotency_record(kept("k"), not_before=NOW)


def activity(number: int, **values: Any) -> Activity:
    given: dict[str, Any] = {"id": guid(number, kind=4), "event_code": 33, "lead_id": lead(1)}
    return Activity(**given | {"created_on": NOW, "modified_on": NOW} | values)


def kept(key: str, **values: Any) -> IdempotencyRecord:
    given: dict[str, Any] = {"key_sha256": key, "request_sha256": "r", "body": b"{}"}
    return IdempotencyRecord(**given | {"created_on": NOW} | values)


def test_work_that_raises_undoes_everything(store: Store) -> None:
    """An error in the work is raised, and nothing that it did has happened."""
    write(store, opportunity(1), opportunity(2))
    catalogue = store.catalogue()

    def work(transaction: Transaction) -> None:
        everything_at_once(transaction)
        transaction.catalogue()
        raise Refused

    with pytest.raises(Refused):
        store.write(work)
    assert stores.everything(store) == [written(1), written(2)]
    assert store.catalogue() == catalogue

    def nothing_is_left(transaction: Transaction) -> None:
        assert transaction.catalogue() == catalogue
        assert transaction.tombstones([guid(2)]) == {}
        assert transaction.leads([lead(1), lead(8)]) == {lead(1): a_lead(1)}
        assert transaction.users([owner(5)]) == {}
        assert transaction.idempotency_record("k", not_before=NOW) is None
        transaction.write_activities([activity(1)])  # its id is free

    store.write(nothing_is_left)


def test_a_write_after_one_that_failed(store: Store) -> None:
    """A store goes on after work that raised."""

    def work(transaction: Transaction) -> None:
        transaction.write_opportunities([opportunity(1)], now=NOW)
        raise Refused

    for _ in range(3):
        with pytest.raises(Refused):
            store.write(work)
    write(store, opportunity(2))
    assert stores.everything(store) == [written(2)]


def test_types_that_a_failed_write_made_are_gone(store: Store) -> None:
    """The catalogue that a session saw before it failed is nobody's."""

    def work(transaction: Transaction) -> None:
        transaction.write_opportunities([opportunity(1, event_code=7)], now=NOW)
        assert 7 in transaction.catalogue().types
        raise Refused

    with pytest.raises(Refused):
        store.write(work)
    store.put_types([OpportunityType(event_code=8, name="Eight")])
    assert list(store.catalogue().types) == [8]


# --- opportunities


def test_opportunities_of_ids(store: Store) -> None:
    """The opportunities that are there, by id, whole, with the addresses of lead and owner."""
    one = written(
        1,
        lead_email="a@example.com",
        owner_id=owner(1),
        owner_email="o@example.com",
        status="Open",
        note="n",
        created_by="c",
        modified_by="m",
        slots={"mx_custom_1": "x", "mx_custom_250": "y"},
    )
    write(store, one, opportunity(2, event_code=7))
    found = store.write(lambda transaction: transaction.opportunities([guid(1), guid(2), guid(3)]))
    assert found == {guid(1): one, guid(2): written(2, event_code=7)}
    assert store.write(lambda transaction: transaction.opportunities([])) == {}


def test_tombstones_of_ids(store: Store) -> None:
    """The tombstones of deleted opportunities: when, by whom, of which type."""
    write(store, opportunity(1), opportunity(2, event_code=7), opportunity(3))
    store.delete_opportunities([guid(1)], now=LATER, by=None)
    store.write(
        lambda transaction: transaction.delete_opportunities([guid(2)], now=NOW, by=owner(1))
    )
    found = store.write(lambda transaction: transaction.tombstones([guid(n) for n in range(5)]))
    assert found == {
        guid(1): Tombstone(id=guid(1), event_code=12_000, deleted_on=LATER, deleted_by=None),
        guid(2): Tombstone(id=guid(2), event_code=7, deleted_on=NOW, deleted_by=owner(1)),
    }


def test_the_oldest_like(store: Store) -> None:
    """The duplicate is of the type, with all the values; the oldest, then the lowest id."""
    write(
        store,
        opportunity(1, created_on=LATER, lead_id=lead(1), slots={"mx_custom_1": "x"}),
        opportunity(3, lead_id=lead(1), slots={"mx_custom_1": "x"}, status="Open"),
        opportunity(2, lead_id=lead(1), slots={"mx_custom_1": "x"}),
        opportunity(4, created_on=EARLIER, event_code=7, slots={"mx_custom_1": "x"}),
        opportunity(5, created_on=EARLIER, lead_id=lead(1), slots={"mx_custom_1": "X"}),
        opportunity(6, created_on=EARLIER, lead_id=lead(2), note="n", lead_email="a@example.com"),
    )

    def found(**values: str) -> str | None:
        return store.write(lambda transaction: transaction.opportunity_like(12_000, values))

    assert found(mx_custom_1="x") == guid(2)
    assert found(mx_custom_1="x", lead_id=lead(1)) == guid(2)
    assert found(mx_custom_1="x", status="Open") == guid(3)
    assert found(mx_custom_1="X") == guid(5)
    assert found(lead_id=lead(1)) == guid(5)
    assert found(note="n", lead_email="a@example.com") == guid(6)
    assert found(mx_custom_1="x", lead_id=lead(2)) is None
    assert found(mx_custom_2="x") is None


# --- kept answers


def test_an_answer_is_kept_until_it_is_too_old(store: Store) -> None:
    """It is there from the moment it was kept on, and is thrown away by a later one."""

    def keep(answer: IdempotencyRecord, not_before: str) -> None:
        store.write(
            lambda transaction: transaction.put_idempotency_record(answer, not_before=not_before)
        )

    def found(key: str, not_before: str) -> IdempotencyRecord | None:
        return store.write(
            lambda transaction: transaction.idempotency_record(key, not_before=not_before)
        )

    keep(kept("old", body=b"\x00\xff{}"), EARLIER)
    assert found("old", EARLIER) == kept("old", body=b"\x00\xff{}")
    assert found("old", NOW) == kept("old", body=b"\x00\xff{}")
    assert found("old", LATER) is None
    assert found("other", EARLIER) is None
    keep(kept("new", created_on=LATER), LATER)
    assert found("old", EARLIER) is None
    assert found("new", EARLIER) == kept("new", created_on=LATER)


def test_a_key_whose_answer_is_too_old_can_be_used_again(store: Store) -> None:
    """The new answer takes the old one's place."""

    def work(transaction: Transaction) -> IdempotencyRecord | None:
        transaction.put_idempotency_record(kept("key"), not_before=NOW)
        transaction.put_idempotency_record(
            kept("key", body=b"new", created_on=LATER), not_before=LATER
        )
        return transaction.idempotency_record("key", not_before=LATER)

    assert store.write(work) == kept("key", body=b"new", created_on=LATER)


# --- races


def capture(number: int) -> Callable[[Transaction], str]:
    """Work that writes an opportunity unless there is one like it; the id of the one there is."""

    def work(transaction: Transaction) -> str:
        there = transaction.opportunity_like(12_000, {"mx_custom_1": "the same"})
        if there is None:
            transaction.write_opportunities(
                [opportunity(number, slots={"mx_custom_1": "the same"})], now=NOW
            )
        return there or guid(number)

    return work


def test_a_hundred_at_once_write_one(database: stores.Database) -> None:
    """Threads with two stores, all of which write unless it is there: exactly one does."""
    opened: Sequence[Store] = [database.open(), database.open()]
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda number: opened[number % 2].write(capture(number)), range(CALLS))
        )
    assert len(set(answers)) == 1
    assert [one.id for one in stores.everything(opened[0])] == answers[:1]
    for one in opened:
        one.close()
