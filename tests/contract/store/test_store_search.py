"""The promises of every engine about searches: the rows that are found."""

import pytest

from oppserver.contract.model import Lead
from oppserver.store import Store
from oppserver.store.queries import ConditionGroup, Ordering
from tests.support import stores
from tests.support.searches import any_, asked, every, is_, numbers, with_values
from tests.support.stores import guid, lead, opportunity, owner, write

database, store = stores.database, stores.store

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
    """Conditions compare a lead's own columns, and its attributes too."""
    attributes = {"mx_City": "Oslo"}
    store.write(
        lambda transaction: transaction.write_leads(
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
    """A search may have the most conditions of a call, side by side and in groups, ten deep."""
    with_values(store, "mx_custom_1", [str(number) for number in range(200)])
    each = [is_("mx_custom_1", "eq", str(number)) for number in range(100)]
    assert len(numbers(store, asked(any_(*each)))) == 100
    nested: ConditionGroup = every(is_("id", "isnotnull"))
    for depth in range(9):
        of_depth = range(depth * 10, depth * 10 + 10)
        nested = every(nested, *(is_("mx_custom_1", "neq", str(number)) for number in of_depth))
    assert len(numbers(store, asked(nested))) == 110


def test_types(store: Store) -> None:
    """A search finds rows of one type, or of all; of an unknown type it finds nothing."""
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
