"""The promises of every engine about searches: order, count, rendering."""

import threading
from itertools import count

import pytest

from oppserver.contract.columns import LIST_COLUMNS, Column, column_named
from oppserver.contract.leads import lead_column_named
from oppserver.contract.model import Lead, StoredOpportunity
from oppserver.store import Store
from oppserver.store.queries import Ordering, RowForm
from tests.support import stores
from tests.support.searches import ID, asked, every, is_, numbers, page, with_values
from tests.support.stores import NOW, guid, lead, opportunity, owner, write

database, store = stores.database, stores.store

# --- order and pages ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ordering", "wanted"),
    [
        (Ordering(stored="mx_custom_1", is_descending=False), [2, 5, 1, 4, 0, 3]),
        (Ordering(stored="mx_custom_1"), [3, 0, 4, 1, 5, 2]),
        (Ordering(stored="mx_custom_1", is_number=True, is_descending=False), [2, 3, 5, 0, 1, 4]),
        (Ordering(stored="mx_custom_1", is_number=True), [4, 1, 0, 5, 3, 2]),
        (Ordering(stored="status"), [5, 4, 3, 2, 1, 0]),
        (Ordering(stored="event_code", is_descending=False), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_the_order_is_total(ordering: Ordering, wanted: list[int], store: Store) -> None:
    """By the column, rows without a value first; ties by id, in the same direction."""
    with_values(store, "mx_custom_1", ["9", "10", None, "abc", "10", ""])
    # as numbers: 2, 3 and 5 are not set; as text: not set, "", "10", "10", "9", "abc"
    assert numbers(store, asked(ordering=ordering)) == wanted


def test_what_is_looked_up_can_be_the_order(store: Store) -> None:
    """The owner's address and name, and what the lead has."""
    names = ["c@x", "a@x", "b@x"]
    write(
        store,
        *(
            opportunity(n, owner_id=owner(n), owner_email=email, lead_email=f"{3 - n}@x")
            for n, email in enumerate(names)
        ),
    )
    for stored, wanted in [
        ("owner_email", [1, 2, 0]),
        ("owner_name", [1, 2, 0]),
        ("lead.email", [2, 1, 0]),
        ("lead_email", [2, 1, 0]),
        ("event_type", [0, 1, 2]),
    ]:
        order = Ordering(stored=stored, is_descending=False)
        assert numbers(store, asked(ordering=order)) == wanted, stored


def dated(number: int) -> StoredOpportunity:
    """One of many opportunities; three at a time have one date, every fifth is Won."""
    day = f"2024-01-{1 + number // 3 % 28:02d} 00:00:00"
    status = "Won" if number % 5 == 0 else "Open"
    return opportunity(number, status=status, created_on=NOW, modified_on=day)


@pytest.mark.parametrize("is_descending", [True, False])
@pytest.mark.parametrize("stored", ["modified_on", "created_on", "status"])
@pytest.mark.parametrize("status", [None, "Won"])
def test_pages_put_together_are_the_whole(
    status: str | None, stored: str, is_descending: bool, store: Store
) -> None:
    """Every page size cuts the same order, from the first row to the last, and none past it."""
    write(store, *map(dated, range(60)))
    where = every() if status is None else every(is_("status", "eq", status))
    ordering = Ordering(stored=stored, is_descending=is_descending)
    total, whole = page(store, asked(where=where, ordering=ordering))
    assert len(whole) == total == (60 if status is None else 12)
    for size in (1, 7, 12, 59, 60, 61):
        parts = []
        for offset in range(0, total + size, size):
            search = asked(where=where, ordering=ordering, offset=offset, limit=size)
            counted, rows = page(store, search)
            assert counted == total
            parts += rows
        assert parts == whole


def test_pages_at_the_bounds(store: Store) -> None:
    """No rows are asked for, or those past the last one, or past any number."""
    write(store, *map(dated, range(5)))
    assert page(store, asked(limit=0)) == (5, [])
    assert page(store, asked(offset=5)) == (5, [])
    assert page(store, asked(offset=2**80, limit=2**80)) == (5, [])
    assert len(page(store, asked(offset=4, limit=2**80))[1]) == 1
    assert page(store, asked(is_("id", "eq", "x"))) == (0, [])


def test_the_last_page_after_deletions_and_changes(store: Store) -> None:
    """Deep pages see what was deleted, added and changed, as all reads do."""
    write(store, *map(dated, range(30)))
    store.delete_opportunities([guid(n) for n in range(10)], now=NOW, by=None)
    write(store, opportunity(15, modified_on="2030-01-01 00:00:00"), dated(40))
    ordering = Ordering(stored="modified_on", is_descending=False)
    total, rows = page(store, asked(ordering=ordering, offset=19, limit=2))
    assert total == 21
    assert [row["Id"] for row in rows] == [guid(40), guid(15)]


# --- rows --------------------------------------------------------------------------------------


def named(*names: str) -> tuple[Column, ...]:
    """The columns of names, those of lists among them."""
    of_lists = {column.name: column for column in LIST_COLUMNS}
    found = [of_lists.get(name) or column_named(name) for name in names]
    return tuple(column for column in found if column is not None)


def test_a_row_has_its_columns_in_their_order(store: Store) -> None:
    """Values are texts or null; dates are in the stored form."""
    write(
        store,
        opportunity(
            7,
            status="Open",
            note='He said "yes"\\no,\n\t{left} \N{SNOWMAN} \x01',
            created_on="2024-01-02 03:04:05",
            modified_on="2024-12-31 13:00:00",
            owner_id=owner(1),
            owner_email="owner@example.com",
            lead_email="lead@example.com",
        ),
    )
    columns = named(
        "OpportunityNote", "OpportunityId", "RelatedProspectId", "EmailAddress", "CreatedOn",
        "ModifiedOn", "Owner", "OwnerName", "OwnerEmailAddress", "OpportunityEvent",
        "OpportunityEventType", "TrackingNormalized", "mx_Custom_9", "Status",
    )  # fmt: skip
    _, [row] = page(store, asked(columns=columns))
    assert list(row.items()) == [
        ("OpportunityNote", 'He said "yes"\\no,\n\t{left} \N{SNOWMAN} \x01'),
        ("OpportunityId", guid(7)),
        ("RelatedProspectId", lead(7)),
        ("EmailAddress", "lead@example.com"),
        ("CreatedOn", "2024-01-02 03:04:05"),
        ("ModifiedOn", "2024-12-31 13:00:00"),
        ("Owner", owner(1)),
        ("OwnerName", "owner@example.com"),
        ("OwnerEmailAddress", "owner@example.com"),
        ("OpportunityEvent", "12000"),
        ("OpportunityEventType", "2"),
        ("TrackingNormalized", None),
        ("mx_Custom_9", None),
        ("Status", "Open"),
    ]


def test_columns_of_the_lead(store: Store) -> None:
    """``lead.`` before a lead's column, also one of its attributes, under any name."""
    attributes = {"mx_City": 'Zürich "\\', "Source": "Web"}
    store.write(
        lambda transaction: transaction.write_leads(
            [Lead(id=lead(1), first_name="Jane", phone="1", attributes=attributes)]
        )
    )
    write(store, opportunity(1), opportunity(2))
    columns = tuple(
        Column(name=f"P_{name}", stored=f"lead.{column.stored}")
        for name in ("FirstName", "LastName", "Phone", "mx_City", "mx_city", "Source")
        if (column := lead_column_named(name))
    )
    _, rows = page(store, asked(columns=(ID, *columns)))
    assert rows == [
        {
            "Id": guid(1),
            "P_FirstName": "Jane",
            "P_LastName": None,
            "P_Phone": "1",
            "P_mx_City": 'Zürich "\\',
            "P_mx_city": None,
            "P_Source": "Web",
        },
        {"Id": guid(2), **{column.name: None for column in columns}},
    ]


def all_slots(number: int) -> StoredOpportunity:
    return opportunity(
        number, slots={f"mx_custom_{slot}": f"[{{{slot}}}]" for slot in range(1, 251)}
    )


def test_a_row_of_every_column(store: Store) -> None:
    """More columns than a function of SQL takes arguments; brackets and braces in the values."""
    write(store, all_slots(1))
    names = [f"mx_Custom_{slot}" for slot in range(1, 251)]
    _, [row] = page(store, asked(columns=(ID, *named(*names))))
    assert list(row) == ["Id", *names]
    assert [row[name] for name in names] == [f"[{{{slot}}}]" for slot in range(1, 251)]


@pytest.mark.parametrize("slots", [0, 1, 63, 64, 100, 101, 200, 250])
def test_a_row_of_keys_and_values(slots: int, store: Store) -> None:
    """Four members, and the columns as pairs of key and value in their order, however many."""
    write(store, all_slots(1), opportunity(2, created_on=NOW, modified_on=NOW))
    names = [f"mx_Custom_{slot}" for slot in range(1, slots + 1)]
    search = asked(columns=named(*names), form=RowForm.KEYS_AND_VALUES)
    _, [full, empty] = page(store, search)
    assert list(full) == ["Id", "RelatedProspectId", "CreatedOn", "ModifiedOn", "Fields"]
    assert full["Fields"] == [
        {"Key": f"mx_Custom_{slot}", "Value": f"[{{{slot}}}]"} for slot in range(1, slots + 1)
    ]
    assert empty == {
        "Id": guid(2),
        "RelatedProspectId": lead(2),
        "CreatedOn": NOW,
        "ModifiedOn": NOW,
        "Fields": [{"Key": name, "Value": None} for name in names],
    }


# --- one moment --------------------------------------------------------------------------------


def test_a_page_and_its_count_are_of_one_moment(database: stores.Database) -> None:
    """While rows come and go, a page that holds all has as many rows as are counted."""
    store, other = database.open(), database.open()
    stop = threading.Event()

    def change() -> None:
        for turn in count():
            if stop.is_set():
                return
            batch = [opportunity(number) for number in range(1 + turn % 9)]
            other.write_opportunities(batch, now=NOW)
            other.delete_opportunities([one.id for one in batch[1:]], now=NOW, by=None)

    writer = threading.Thread(target=change)
    write(store, opportunity(0))
    writer.start()
    try:
        seen: set[int] = set()
        while len(seen) < 4:
            for offset in (0, 1):
                total, rows = page(store, asked(offset=offset, limit=100))
                assert len(rows) == total - offset
                seen.add(total)
    finally:
        stop.set()
        writer.join()
        store.close()
        other.close()
