"""What every engine promises of searches: which rows, in which order, how many, rendered how."""

import json
import threading
from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from oppserver.contract.columns import LIST_COLUMNS, Column, column_named
from oppserver.contract.leads import lead_column_named
from oppserver.contract.model import (
    Comparison,
    Condition,
    ConditionGroup,
    Lead,
    Opportunity,
    Ordering,
    RowForm,
    Search,
)
from oppserver.store import Store
from tests import stores
from tests.stores import NOW, guid, lead, opportunity, owner

database, store = stores.database, stores.store

ID = Column(name="Id", stored="id")
BY_MODIFIED_ON = Ordering(stored="modified_on")


def is_(
    stored: str, comparison: Comparison | str, *values: str, is_number: bool = False
) -> Condition:
    """A condition."""
    return Condition(
        stored=stored, comparison=Comparison(comparison), values=values, is_number=is_number
    )


def every(*members: Condition | ConditionGroup) -> ConditionGroup:
    """All of these hold."""
    return ConditionGroup(members=members)


def any_(*members: Condition | ConditionGroup) -> ConditionGroup:
    """Any of these holds."""
    return ConditionGroup(members=members, is_any=True)


def asked(*members: Condition | ConditionGroup, **more: Any) -> Search:
    """A search of type 12000 for ids, lowest first, unless said otherwise."""
    given: dict[str, Any] = {
        "event_code": 12_000,
        "where": every(*members),
        "ordering": Ordering(stored="id", is_descending=False),
        "offset": 0,
        "limit": 1_000,
        "columns": (ID,),
    }
    return Search(**given | more)


def page(store: Store, search: Search) -> tuple[int, list[Any]]:
    """How many there are in all, and the rows."""
    found = store.search(search)
    return found.total, json.loads(found.json)


def numbers(store: Store, search: Search) -> list[int]:
    """The numbers of the opportunities that are found; all of them are counted."""
    total, rows = page(store, search)
    found = [int(row["Id"][:8], 16) for row in rows]
    assert total == len(found)
    return found


def write(store: Store, *batch: Opportunity) -> None:
    store.write_opportunities(batch, now=NOW)


def with_values(store: Store, stored: str, values: Sequence[str | None]) -> None:
    """Opportunities 0, 1, 2, … with these values."""
    write(
        store,
        *(
            opportunity(number, slots={} if value is None else {stored: value})
            for number, value in enumerate(values)
        ),
    )


# --- comparisons -------------------------------------------------------------------------------

TEXTS = ["apple", "Apple", "", "banana", None, "%", "appl_", "\N{SNOWMAN}", "\U0001f600", "10", "9"]


@pytest.mark.parametrize(
    ("comparison", "values", "found"),
    [
        ("eq", ["apple"], [0]),
        ("eq", [""], [2]),
        ("eq", ["none"], []),
        ("neq", ["apple"], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        ("lt", ["9"], [2, 5, 9]),
        ("lte", ["9"], [2, 5, 9, 10]),
        ("gt", ["b"], [3, 7, 8]),
        ("gt", ["\N{SNOWMAN}"], [8]),
        ("gte", ["\N{SNOWMAN}"], [7, 8]),
        ("between", ["Apple", "apple"], [0, 1, 6]),
        ("between", ["b", "a"], []),
        ("contains", ["PPL"], [0, 1, 6]),
        ("contains", ["%"], [5]),
        ("contains", ["_"], [6]),
        ("contains", [""], [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]),
        ("begins", ["APP"], [0, 1, 6]),
        ("begins", ["pp"], []),
        ("begins", ["\N{SNOWMAN}"], [7]),
        ("isnull", [], [4]),
        ("isnotnull", [], [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_text_is_compared_by_code_point(
    comparison: str, values: list[str], found: list[int], store: Store
) -> None:
    """Case counts, but for CONTAINS and BEGINS; what is not set is unequal to every value."""
    with_values(store, "mx_custom_1", TEXTS)
    assert numbers(store, asked(is_("mx_custom_1", comparison, *values))) == found


@pytest.mark.parametrize("comparison", ["contains", "begins"])
def test_only_the_letters_a_to_z_have_no_case(comparison: str, store: Store) -> None:
    """Other letters are told apart by case, in every engine alike."""
    with_values(store, "mx_custom_1", ["ÄZ", "äz", "İI"])
    assert numbers(store, asked(is_("mx_custom_1", comparison, "Äz"))) == [0]
    assert numbers(store, asked(is_("mx_custom_1", comparison, "İi"))) == [2]


NUMBERS = ["10", "9", "-1.50", "9.0", "abc", None, "1e3", "1,000", "", "+1", "-", "1.", ".5", "٣"]


@pytest.mark.parametrize(
    ("comparison", "values", "found"),
    [
        ("eq", ["9"], [1, 3]),
        ("eq", ["-1.5"], [2]),
        ("neq", ["9"], [0, 2, *range(4, 14)]),
        ("lt", ["9.5"], [1, 2, 3]),
        ("lte", ["9"], [1, 2, 3]),
        ("gt", ["-2"], [0, 1, 2, 3]),
        ("gte", ["9.00"], [0, 1, 3]),
        ("between", ["-1.5", "9"], [1, 2, 3]),
        ("isnull", [], list(range(4, 14))),
        ("isnotnull", [], [0, 1, 2, 3]),
        ("contains", ["9"], [1, 3]),
        ("begins", ["9."], [3]),
    ],
)
def test_numbers_are_compared_as_numbers(
    comparison: str, values: list[str], found: list[int], store: Store
) -> None:
    """Text that is not of the form ``-12.5`` counts as not set; 10 is more than 9."""
    with_values(store, "mx_custom_1", NUMBERS)
    search = asked(is_("mx_custom_1", comparison, *values, is_number=True))
    assert numbers(store, search) == found


def test_numbers_may_have_any_number_of_digits(store: Store) -> None:
    """Also more than a double precision holds, on either side, in rows and in conditions."""
    long = [
        "9" * 400,
        f"1{'0' * 200}",
        "1",
        f"0.{'0' * 400}1",
        f"-{'9' * 400}",
        f"1.{'0' * 31_990}",
    ]
    with_values(store, "mx_custom_1", long)
    by_number = Ordering(stored="mx_custom_1", is_number=True)
    for comparison, value, found in [
        ("gt", "1.5", [0, 1]),
        ("gt", "1" * 300, [0]),
        ("lt", f"-{'1' * 300}", [4]),
        ("lt", "0.5", [3, 4]),
        ("eq", "1.0", [2, 5]),
        ("gte", f"0.{'0' * 500}1", [0, 1, 2, 3, 5]),
    ]:
        search = asked(is_("mx_custom_1", comparison, value, is_number=True))
        assert numbers(store, search) == found, (comparison, value)
    assert numbers(store, asked(ordering=by_number)) == [0, 1, 5, 2, 3, 4]


@pytest.mark.parametrize("stored", ["lead_email", "lead.email", "owner_email"])
def test_addresses_are_equal_without_regard_to_case(stored: str, store: Store) -> None:
    """A to Z are a to z in an address, where it is tested for being equal."""
    address = "owner_email" if stored == "owner_email" else "lead_email"
    write(
        store,
        opportunity(0, owner_id=owner(1), **{address: "Jane@Example.com"}),
        opportunity(1, owner_id=owner(2), **{address: "jöhn@example.com"}),
        opportunity(2),
    )
    assert numbers(store, asked(is_(stored, "eq", "jane@EXAMPLE.com"))) == [0]
    assert numbers(store, asked(is_(stored, "eq", "jÖhn@example.com"))) == []
    assert numbers(store, asked(is_(stored, "neq", "JANE@example.com"))) == [1, 2]
    assert numbers(store, asked(is_(stored, "isnull"))) == [2]
    assert numbers(store, asked(is_(stored, "gte", "j"))) == [1]


def test_every_column_can_be_compared(store: Store) -> None:
    """Columns of the row, of its owner, of its lead, and what is the same on all."""
    one = opportunity(
        0,
        owner_id=owner(1),
        owner_email="owner@example.com",
        lead_email="lead@example.com",
        status="Open",
        note="Note",
        created_on="2024-01-01 00:00:00",
        modified_on="2024-02-02 00:00:00",
        created_by="c",
        modified_by="m",
        slots={"mx_custom_1": "first", "mx_custom_250": "last"},
    )
    write(store, one, opportunity(1))
    values = {
        "id": guid(0),
        "event_code": "12000",
        "lead_id": lead(0),
        "lead_email": "lead@example.com",
        "owner_id": owner(1),
        "owner_email": "owner@example.com",
        "owner_name": "owner@example.com",
        "status": "Open",
        "note": "Note",
        "created_on": "2024-01-01 00:00:00",
        "modified_on": "2024-02-02 00:00:00",
        "created_by": "c",
        "modified_by": "m",
        "mx_custom_1": "first",
        "mx_custom_250": "last",
        "lead.id": lead(0),
        "lead.email": "lead@example.com",
        "event_type": "2",
    }
    same_on_both = {"event_code", "event_type"}
    for stored, value in values.items():
        found = numbers(store, asked(is_(stored, "eq", value)))
        assert found == ([0, 1] if stored in same_on_both else [0]), stored
        assert numbers(store, asked(is_(stored, "isnotnull")))[:1] == [0], stored
    assert numbers(store, asked(is_("tracking", "isnull"))) == [0, 1]


def test_a_condition_on_the_lead(store: Store) -> None:
    """What a lead has of its own is compared, its attributes too."""
    attributes = {"mx_City": "Oslo"}
    store.write(
        lambda session: session.write_leads(
            [
                Lead(id=lead(1), phone="+47", first_name="A", attributes=attributes),
                Lead(id=lead(2), mobile="+47"),
            ]
        )
    )
    write(store, *(opportunity(n, lead_id=lead(1 + n % 2)) for n in range(4)))
    assert numbers(store, asked(is_("lead.phone", "eq", "+47"))) == [0, 2]
    assert numbers(store, asked(is_("lead.mobile", "eq", "+47"))) == [1, 3]
    assert numbers(store, asked(is_("lead.id", "eq", lead(2)))) == [1, 3]
    assert numbers(store, asked(is_("lead.attributes.mx_City", "contains", "OS"))) == [0, 2]
    assert numbers(store, asked(is_("lead.attributes.mx_city", "isnull"))) == [0, 1, 2, 3]
    assert numbers(store, asked(is_("lead.first_name", "neq", "A"))) == [1, 3]
    search = asked(is_("lead.phone", "eq", "+47"), is_("id", "gt", guid(0)), event_code=None)
    assert numbers(store, search) == [2]


# --- groups ------------------------------------------------------------------------------------


def test_groups_hold_when_all_or_any_of_their_members_do(store: Store) -> None:
    """Groups in groups; one without members holds for every row."""
    with_values(store, "mx_custom_1", ["a", "b", "c", None])
    a, b, c = (is_("mx_custom_1", "eq", letter) for letter in "abc")
    below_2 = is_("id", "lt", guid(2))
    assert numbers(store, asked(any_(a, c))) == [0, 2]
    assert numbers(store, asked(any_(a, c), below_2)) == [0]
    assert numbers(store, asked(any_(every(a, below_2), every(c, below_2), b))) == [0, 1]
    assert numbers(store, asked(a, b)) == []
    assert numbers(store, asked(every(), any_(), b)) == [1]
    assert numbers(store, asked()) == [0, 1, 2, 3]
    assert numbers(store, asked(where=any_(a, any_()))) == [0, 1, 2, 3]


def test_a_hundred_conditions(store: Store) -> None:
    """As many as a call may have, beside each other and in groups of groups, ten deep."""
    with_values(store, "mx_custom_1", [str(number) for number in range(200)])
    each = [is_("mx_custom_1", "eq", str(number)) for number in range(100)]
    assert len(numbers(store, asked(any_(*each)))) == 100
    nested: ConditionGroup = every(is_("id", "isnotnull"))
    for depth in range(9):
        of_depth = range(depth * 10, depth * 10 + 10)
        nested = every(nested, *(is_("mx_custom_1", "neq", str(number)) for number in of_depth))
    assert len(numbers(store, asked(nested))) == 110


def test_types(store: Store) -> None:
    """Of one type, or of all; of a type that is not there is nothing."""
    write(store, *(opportunity(number, event_code=12_000 + number % 2) for number in range(4)))
    assert numbers(store, asked()) == [0, 2]
    assert numbers(store, asked(event_code=12_001)) == [1, 3]
    assert numbers(store, asked(event_code=None)) == [0, 1, 2, 3]
    assert numbers(store, asked(event_code=5)) == []


def test_a_value_is_never_part_of_the_statement(store: Store) -> None:
    """Quotes, comments and places of values in values are found as they stand."""
    hostile = ["' OR 1=1 --", '"; DROP TABLE opportunity; --', "?", "%s", ":name", "{}", "{0}", "*"]
    with_values(store, "mx_custom_1", hostile)
    for number, text in enumerate(hostile):
        assert numbers(store, asked(is_("mx_custom_1", "eq", text))) == [number]
        assert numbers(store, asked(is_("mx_custom_1", "begins", text))) == [number]


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


def dated(number: int) -> Opportunity:
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
        lambda session: session.write_leads(
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


def all_slots(number: int) -> Opportunity:
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
