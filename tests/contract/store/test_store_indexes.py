"""The promises of every engine about the indexes that operators add."""

import pytest

from oppserver.store import Store
from oppserver.store.queries import ColumnCondition, Comparison, ConditionGroup, Search, SearchIndex
from tests.support import stores
from tests.support.searches import BY_MODIFIED_ON, ID
from tests.support.stores import NOW, opportunity

database, store = stores.database, stores.store

BY_STATUS = SearchIndex(name="search_status", columns=("status",))
BY_TWO = SearchIndex(name="search_status_mx_custom_4", columns=("status", "mx_custom_4"))


def test_indexes_are_remembered_by_name(database: stores.Database) -> None:
    """An added index is listed by name, also by the next store; a name is taken once."""
    store = database.open()
    assert store.search_indexes() == []
    assert store.add_search_index(BY_TWO)
    assert store.add_search_index(BY_STATUS)
    assert not store.add_search_index(BY_TWO)
    store.close()
    store = database.open()
    assert store.search_indexes() == [BY_STATUS, BY_TWO]
    assert store.check() == []
    store.close()


def test_an_index_that_is_dropped_is_gone(store: Store) -> None:
    """It can be added again; what was never added cannot be dropped, nor can what is built in."""
    store.add_search_index(BY_TWO)
    assert store.drop_search_index(BY_TWO.name)
    assert not store.drop_search_index(BY_TWO.name)
    assert not store.drop_search_index("opportunity_by_lead")
    assert store.search_indexes() == []
    assert store.check() == []
    assert store.add_search_index(BY_TWO)


@pytest.mark.parametrize("is_loaded", [True, False])
def test_an_index_changes_no_answer(is_loaded: bool, store: Store) -> None:
    """A search finds the same without the index, with it, after writes and loads, and dropped."""
    equal = [("status", "Open"), ("mx_custom_4", "Closed")]
    search = Search(
        event_code=12_000,
        where=ConditionGroup(
            members=tuple(
                ColumnCondition(stored=stored, comparison=Comparison.EQUAL, values=(value,))
                for stored, value in equal
            )
        ),
        ordering=BY_MODIFIED_ON,
        offset=3,
        limit=5,
        columns=(ID,),
    )
    batch = [
        opportunity(n, status="Open" if n % 3 else "Won", slots={"mx_custom_4": "Closed"})
        for n in range(40)
    ]
    if is_loaded:
        store.add_search_index(BY_TWO)
        store.load(stores.by_column([batch]), now=lambda: NOW, on_written=lambda _: None)
    else:
        store.write_opportunities(batch, now=NOW)
    first = store.search(search)
    assert first.total == 26
    store.add_search_index(BY_TWO)
    assert store.search(search) == first
    assert store.check() == []
    store.write_opportunities([opportunity(50, status="Open")], now=NOW)
    assert store.search(search) == first
    store.drop_search_index(BY_TWO.name)
    assert store.search(search) == first
