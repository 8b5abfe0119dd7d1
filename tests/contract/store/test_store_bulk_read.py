"""The promises of every engine about the bulk read: its rows, their order and values."""

import threading
from itertools import count

import msgspec
import pytest

from oppserver.contract.columns import CUSTOM_COLUMNS, IDENTITY_COLUMNS, SYSTEM_COLUMNS
from oppserver.store import Store
from oppserver.store.queries import Plan, PlannedEntry
from tests.support import stores
from tests.support.stores import NOW, entry, guid, ids_read, lead, opportunity, owner, rows, value

database, store = stores.read_database, stores.store

ALL_COLUMNS = SYSTEM_COLUMNS + CUSTOM_COLUMNS


def read_columns(store: Store, number_of_columns: int) -> dict[str, str | None]:
    """The one row of opportunity 1 with a number of columns, the last ones first."""
    columns = tuple(reversed(ALL_COLUMNS))[:number_of_columns]
    [[row]] = rows(store, PlannedEntry(event_code=12_000, ids=[guid(1)], columns=columns))
    assert list(row) == [column.name for column in columns]
    return row


def test_rows_come_in_the_order_of_the_ids(store: Store) -> None:
    """The order of the rows is the plan's, not the table's."""
    store.write_opportunities([opportunity(n) for n in range(100)], now=NOW)
    asked = [guid(n * 37 % 100) for n in range(100)]
    assert ids_read(store, asked) == asked


def test_a_full_call_is_answered(store: Store) -> None:
    """Two thousand ids are answered, in order."""
    store.write_opportunities([opportunity(n) for n in range(2_500)], now=NOW)
    asked = [guid(n * 1_499 % 2_500) for n in range(2_000)]
    assert ids_read(store, asked) == asked


def test_unknown_deleted_and_other_types_are_left_out(store: Store) -> None:
    """A row is there only for an id that is stored, of the entry's type."""
    store.write_opportunities(
        [opportunity(n, event_code=12_000 + n % 2) for n in range(6)], now=NOW
    )
    store.delete_opportunities([guid(2)], now=NOW, by=None)
    asked = [guid(n) for n in (9, 5, 4, 2, 1, 0)]
    assert ids_read(store, asked, event_code=12_000) == [guid(4), guid(0)]
    assert ids_read(store, asked, event_code=12_001) == [guid(5), guid(1)]
    assert ids_read(store, asked, event_code=12_002) == []


def test_an_entry_without_rows_is_an_empty_array(store: Store) -> None:
    """Nothing found is ``[]``, also where nothing was asked or nothing is stored."""
    plan = Plan(entries=(entry([]), entry([guid(1)])))
    assert [(one.count, one.json) for one in store.bulk_read(plan)] == [(0, b"[]"), (0, b"[]")]


def test_entries_are_answered_each_for_itself(store: Store) -> None:
    """Each entry has its own type, ids and columns; an id may stand in several."""
    store.write_opportunities(
        [opportunity(1, status="Open"), opportunity(2, event_code=12_001, note="n")], now=NOW
    )
    answered = rows(
        store,
        entry([guid(1), guid(2)], "ProspectActivityId", "Status"),
        entry([guid(1), guid(2)], "OpportunityNote", event_code=12_001),
        entry([guid(1)], "EventCode", "Status"),
    )
    assert answered == [
        [{"ProspectActivityId": guid(1), "Status": "Open"}],
        [{"OpportunityNote": "n"}],
        [{"EventCode": "12000", "Status": "Open"}],
    ]


def test_every_column_has_its_value(store: Store) -> None:
    """All columns there are, in one row, in the order asked, each with its own value."""
    slots = {column.stored: f"value of {column.name}" for column in CUSTOM_COLUMNS}
    full = opportunity(
        1,
        lead_email="lead@example.com",
        owner_id=owner(1),
        owner_email="owner@example.com",
        status="Open",
        note="a note",
        created_on="2023-04-06 15:23:34",
        modified_on="2023-12-31 00:00:00",
        created_by="creator",
        modified_by="modifier",
        slots=slots,
    )
    store.write_opportunities([full, opportunity(2)], now=NOW)
    assert read_columns(store, len(ALL_COLUMNS)) == {
        "ProspectId": lead(1),
        "EmailAddress": "lead@example.com",
        "ProspectActivityId": guid(1),
        "EventCode": "12000",
        "Owner": owner(1),
        "OwnerEmailAddress": "owner@example.com",
        "Status": "Open",
        "OpportunityNote": "a note",
        "ActivityEvent_Note": "a note",
        "CreatedOn": "4/6/2023 3:23:34 PM",
        "CreatedBy": "creator",
        "ModifiedOn": "12/31/2023 12:00:00 AM",
        "ModifiedBy": "modifier",
        **{column.name: f"value of {column.name}" for column in CUSTOM_COLUMNS},
    }


@pytest.mark.parametrize("number", [1, 62, 63, 64, 126, 127, 189, 190, 252, 253, 263])
def test_any_number_of_columns_is_one_row(number: int, store: Store) -> None:
    """Wherever an engine has to cut a row, its keys are whole; values that are not set are null."""
    store.write_opportunities([opportunity(1)], now=NOW)
    row = read_columns(store, number)
    assert len(row) == number
    assert {name for name, value in row.items() if value is not None} <= {
        "ProspectId", "ProspectActivityId", "EventCode", "CreatedOn", "ModifiedOn"
    }  # fmt: skip


@pytest.mark.parametrize("text", ["{", "}", "{}", "}}}", '"}', '{"', "\\", '\\"}', ",", ""])
def test_values_at_the_ends_of_a_cut_are_whole(text: str, store: Store) -> None:
    """A value that looks like the end of an object is only a value, wherever a row is cut."""
    slots = {column.stored: text for column in CUSTOM_COLUMNS}
    store.write_opportunities([opportunity(1, slots=slots)], now=NOW)
    assert set(read_columns(store, 200).values()) == {text}


def test_rows_are_json_in_utf_8_with_every_key(store: Store) -> None:
    """The rows of an engine are bytes of UTF-8 and valid JSON, keys in the order asked."""
    store.write_opportunities([opportunity(1, note="ünï \x01\n\"'\\ 漢字 \U0001f600")], now=NOW)
    names = ("OpportunityNote", "ProspectId", "Status", "mx_Custom_9", "CreatedOn")
    [rendered] = store.bulk_read(Plan(entries=(entry([guid(1)], *names),)))
    assert isinstance(rendered.json, bytes)
    [row] = msgspec.json.decode(rendered.json.decode("utf-8"))
    assert list(row.items()) == [
        ("OpportunityNote", "ünï \x01\n\"'\\ 漢字 \U0001f600"),
        ("ProspectId", lead(1)),
        ("Status", None),
        ("mx_Custom_9", None),
        ("CreatedOn", "2/29/2024 1:05:09 PM"),
    ]


@pytest.mark.parametrize(
    ("stored", "answered"),
    [
        ("2023-01-02 00:00:00", "1/2/2023 12:00:00 AM"),
        ("2023-01-02 00:59:59", "1/2/2023 12:59:59 AM"),
        ("2023-01-02 01:00:00", "1/2/2023 1:00:00 AM"),
        ("2023-10-20 11:59:59", "10/20/2023 11:59:59 AM"),
        ("2023-10-20 12:00:00", "10/20/2023 12:00:00 PM"),
        ("2023-10-20 13:00:00", "10/20/2023 1:00:00 PM"),
        ("0001-12-31 23:59:59", "12/31/0001 11:59:59 PM"),
    ],
)
def test_dates_are_in_the_form_of_answers(stored: str, answered: str, store: Store) -> None:
    """No padding of month, day and hour; midnight and noon are hour 12."""
    written = opportunity(1, created_on=stored, modified_on=stored)
    store.write_opportunities([written], now=NOW)
    assert value(store, 1, "CreatedOn") == answered
    assert value(store, 1, "ModifiedOn") == answered


def test_the_identity_columns_are_never_null_but_the_address(store: Store) -> None:
    """The three columns that every row starts with are there without any field."""
    store.write_opportunities([opportunity(1)], now=NOW)
    names = [column.name for column in IDENTITY_COLUMNS]
    assert rows(store, entry([guid(1)], *names)) == [
        [{"ProspectId": lead(1), "EmailAddress": None, "ProspectActivityId": guid(1)}]
    ]


def test_all_entries_are_of_one_moment(database: stores.Database) -> None:
    """While a writer changes two opportunities together, no read sees one without the other."""
    store, other = database.open(), database.open()
    changes, stop = count(), threading.Event()

    def change() -> None:
        while not stop.is_set():
            status = str(next(changes))
            other.write_opportunities(
                [opportunity(n, event_code=12_000 + n, status=status) for n in (0, 1)], now=NOW
            )

    store.write_opportunities([opportunity(n, event_code=12_000 + n) for n in (0, 1)], now=NOW)
    writer = threading.Thread(target=change)
    writer.start()
    try:
        seen: set[str | None] = set()
        while len(seen) < 20:
            first, second = rows(
                store,
                entry([guid(0)], "Status"),
                entry([guid(1)], "Status", event_code=12_001),
            )
            assert len(first) == 1
            assert first == second
            seen.add(first[0]["Status"])
    finally:
        stop.set()
        writer.join()
        store.close()
        other.close()
