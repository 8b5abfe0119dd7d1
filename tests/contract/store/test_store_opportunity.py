"""The promises of every engine about one opportunity, read by its id."""

from oppserver.contract.model import StoredOpportunity, Tombstone
from oppserver.store import Store
from tests.support import stores
from tests.support.stores import LATER, NOW, guid, lead, opportunity, owner

database, store = stores.read_database, stores.store


def test_an_opportunity_comes_out_whole(store: Store) -> None:
    """A read has everything that was written, both addresses, and every set slot."""
    whole = StoredOpportunity(
        id=guid(1),
        event_code=12_000,
        lead_id=lead(1),
        lead_email="lead@example.com",
        owner_id=owner(1),
        owner_email="owner@example.com",
        status="Open",
        note='Größe: "XL"\n\u2028',
        created_on=NOW,
        modified_on=LATER,
        created_by="creator",
        modified_by="modifier",
        slots={f"mx_custom_{slot}": f"value {slot}" for slot in range(1, 251)},
    )
    sparse = opportunity(2, slots={"mx_custom_2": "", "mx_custom_250": "last"})
    store.write_opportunities([whole, sparse], now=NOW)
    assert store.opportunity(guid(1)) == whole
    found = store.opportunity(guid(2))
    assert isinstance(found, StoredOpportunity)
    assert (found.created_on, found.modified_on) == (NOW, NOW)
    assert (found.owner_id, found.owner_email, found.lead_email) == (None, None, None)
    assert found.slots == sparse.slots


def test_it_is_what_a_page_has(store: Store) -> None:
    """One by id equals the same one of a page of all."""
    batch = [opportunity(number, owner_id=owner(number % 2)) for number in range(1, 4)]
    store.write_opportunities(batch, now=NOW)
    assert [store.opportunity(one.id) for one in batch] == stores.everything(store)


def test_a_deleted_one_leaves_a_tombstone(store: Store) -> None:
    """When, by whom and of which type; None for one that never was, or is written again."""
    store.write_opportunities([opportunity(1), opportunity(2, event_code=12_001)], now=NOW)
    store.delete_opportunities([guid(1)], now=LATER, by=owner(1))
    store.delete_opportunities([guid(2)], now=LATER, by=None)
    assert store.opportunity(guid(1)) == Tombstone(
        id=guid(1), event_code=12_000, deleted_on=LATER, deleted_by=owner(1)
    )
    assert store.opportunity(guid(2)) == Tombstone(
        id=guid(2), event_code=12_001, deleted_on=LATER, deleted_by=None
    )
    assert store.opportunity(guid(3)) is None
    store.write_opportunities([opportunity(1)], now=NOW)
    assert isinstance(store.opportunity(guid(1)), StoredOpportunity)


def test_another_store_sees_a_change_at_once(database: stores.Database) -> None:
    """A write of one store is read by another one when the call has returned."""
    store, other = database.open(), database.open()
    for number in range(1, 4):
        store.write_opportunities([opportunity(1, status=f"Status {number}")], now=NOW)
        found = other.opportunity(guid(1))
        assert isinstance(found, StoredOpportunity)
        assert found.status == f"Status {number}"
    other.delete_opportunities([guid(1)], now=LATER, by=None)
    assert isinstance(store.opportunity(guid(1)), Tombstone)
    store.close()
    other.close()
