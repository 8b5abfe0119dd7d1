"""The promises of every engine about batches and loads: empty, large or bad, page by page."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from oppserver.contract.model import ColumnBlock, StoredOpportunity, Written
from oppserver.store import Store
from tests.support import stores
from tests.support.stores import LATER, NOW, guid, ids_read, lead, opportunity, owner, value

database, store = stores.database, stores.store

MANY: list[dict[str, Any]] = [
    {"slots": {"mx_custom_1": "one"}, "created_on": LATER},
    {"slots": {"mx_custom_7": "seven"}, "note": "note", "modified_on": LATER},
    {"status": "Won", "lead_email": "a@example.com"},
]


@pytest.mark.parametrize(
    "batch",
    [
        [opportunity(1, created_on=LATER), opportunity(1)],
        [opportunity(1, created_on=LATER), opportunity(1, created_on=NOW)],
        [opportunity(1, modified_on=LATER), opportunity(1, status="x"), opportunity(1)],
        [opportunity(1, lead_id=lead(7), lead_email="a@x"), opportunity(1)],
        [opportunity(1, owner_id=owner(7), owner_email="a@x"), opportunity(1)],
        [
            opportunity(1, lead_email="a@x"),
            opportunity(2, lead_id=lead(1), lead_email="b@x"),
            opportunity(1),
            opportunity(3, lead_id=lead(1)),
        ],
    ],
)
def test_a_batch_is_the_same_as_one_at_a_time(
    batch: Sequence[StoredOpportunity], store: Store
) -> None:
    """Where a batch is cut makes no difference: two with one id are as two writes."""
    for one in batch:
        store.write_opportunities([one], now=NOW)
    one_at_a_time, catalogue = stores.everything(store), store.catalogue()
    store.delete_opportunities([one.id for one in batch], now=NOW, by=None)
    store.write_opportunities(batch, now=NOW)
    assert stores.everything(store) == one_at_a_time
    assert store.catalogue() == catalogue


def test_empty_batches_do_nothing(store: Store) -> None:
    """Every call that takes a batch takes one with nothing in it."""
    version = store.catalogue().version
    assert store.write_opportunities([], now=NOW) == Written(created=0, replaced=0)
    assert store.delete_opportunities([], now=NOW, by=None) == 0
    store.put_types([])
    store.put_fields([])
    assert store.catalogue().types == {}
    assert store.catalogue().version == version
    assert store.check() == []


def test_a_large_batch_is_one_write(store: Store) -> None:
    """Five thousand opportunities in random order go in, come out, and go away in one call each."""
    batch = [opportunity(n, slots={"mx_custom_1": str(n)}) for n in range(5_000)]
    Random(1).shuffle(batch)
    assert store.write_opportunities(batch, now=NOW) == Written(created=5_000, replaced=0)
    assert [one.slots["mx_custom_1"] for one in stores.everything(store)] == [
        str(n) for n in range(5_000)
    ]
    assert store.delete_opportunities([one.id for one in batch], now=NOW, by=None) == 5_000


def test_a_batch_with_a_bad_row_leaves_nothing(store: Store) -> None:
    """A write happens whole or not at all: rows, types, fields, leads and owners."""
    store.write_opportunities([opportunity(1, lead_email="kept@example.com")], now=NOW)
    before, catalogue = stores.everything(store), store.catalogue()
    bad = [
        opportunity(n, lead_id=lead(1), lead_email="lost@example.com", event_code=12_001)
        for n in range(50)
    ]
    with pytest.raises(Exception, match=r"not supported|unsupported"):
        store.write_opportunities(
            [*bad, opportunity(99, owner_id=owner(1), note=object())], now=NOW
        )
    assert stores.everything(store) == before
    assert store.catalogue() == catalogue
    assert value(store, 1, "EmailAddress") == "kept@example.com"
    assert store.write_opportunities([opportunity(2)], now=NOW).created == 1


def test_pages_by_id_are_all_there_is(store: Store) -> None:
    """Pages that follow each other's last id hold everything once, in the order of ids."""
    batch = [opportunity(n, event_code=12_000 + n % 2) for n in range(25)]
    store.write_opportunities(list(reversed(batch)), now=NOW)
    for event_code, expected in ((None, batch), (12_001, batch[1::2]), (12_002, [])):
        pages, after_id = [], ""
        while page := store.read_opportunities(event_code=event_code, after_id=after_id, limit=10):
            pages.append(len(page))
            after_id = page[-1].id
        assert pages == [10] * (len(expected) // 10) + [len(expected) % 10] * bool(expected)
        assert store.count_opportunities(event_code=event_code) == len(expected)


# --- loading -----------------------------------------------------------------------------------


def test_a_load_leaves_what_its_batches_would_have_left(store: Store) -> None:
    """Batches of a load are written in order, are reported when they are stored, change leads."""
    told: list[Written] = []
    batches = [
        [opportunity(1, lead_email="a@example.com"), opportunity(3)],
        [opportunity(2, lead_id=lead(1), lead_email="b@example.com")],
        [opportunity(1, status="Won"), opportunity(1, status="Lost")],
    ]

    def on_written(written: Written) -> None:
        told.append(written)
        assert store.count_opportunities(event_code=None) == (2 if len(told) == 1 else 3)

    store.load(stores.by_column(batches), now=lambda: NOW, on_written=on_written)
    assert [(one.created, one.replaced) for one in told] == [(2, 0), (1, 0), (0, 2)]
    assert value(store, 1, "EmailAddress") == "b@example.com"
    assert value(store, 1, "Status") == "Lost"
    assert store.check() == []


def test_a_load_of_many_rows_with_different_columns(store: Store) -> None:
    """Blocks with other columns, types, dates and ids that come again are as one write at a time.

    Rows with the same columns are written by a statement of their own where they are many.
    """
    batch = [
        opportunity(n % 1_700, event_code=12_000 + n % 2, lead_id=lead(n % 90), **MANY[n % 3])
        for n in range(1_800)
    ]
    blocks = [
        ColumnBlock.of(batch).where([n % 3 == one for n in range(1_800)]) for one in (2, 0, 1)
    ]
    written: list[Written] = []
    store.load([blocks], now=lambda: NOW, on_written=written.append)
    assert written == [Written(created=1_700, replaced=100)]
    expected = {one.id: msgspec.structs.asdict(one) for one in batch}
    for one in batch[:100]:  # they came again, and a date that is left out stays
        for date in ("created_on", "modified_on"):
            expected[one.id][date] = expected[one.id][date] or getattr(one, date)
    for one in stores.everything(store):
        wanted = expected.pop(one.id)
        wanted["created_on"] = wanted["created_on"] or NOW
        wanted["modified_on"] = wanted["modified_on"] or wanted["created_on"]
        assert msgspec.structs.asdict(one) | {"lead_email": None} == wanted | {"lead_email": None}
    assert expected == {}
    assert set(store.catalogue().fields[12_000]) == {"mx_Custom_1", "mx_Custom_7"}
    assert store.check() == []


def test_a_load_that_fails_keeps_the_batches_before(store: Store) -> None:
    """Batches before a fault in their source are stored, and the store is whole."""
    told: list[Written] = []

    def batches() -> Iterator[list[StoredOpportunity]]:
        yield [opportunity(1)]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.load(stores.by_column(batches()), now=lambda: NOW, on_written=told.append)
    assert told == [Written(created=1, replaced=0)]
    assert ids_read(store, [guid(1)]) == [guid(1)]
    assert store.check() == []
