"""The promises of every engine about reading leads."""

from collections.abc import Sequence

import msgspec
import pytest

from oppserver.contract.columns import Column
from oppserver.contract.leads import (
    EVERY_ATTRIBUTE,
    READABLE_COLUMNS,
    readable_lead_column_named,
)
from oppserver.contract.model import Activity, Lead, Role, User
from oppserver.store import Store
from oppserver.store.queries import LeadNumbers
from tests.support import stores
from tests.support.stores import LATER, NOW, guid, key, lead, opportunity, owner

database, store = stores.database, stores.store

FULL = Lead(
    id=lead(1),
    email="Jane@Example.com",
    first_name="Jane",
    last_name="Hewitt",
    phone="+1-555-0100",
    mobile="555",
    owner_id=owner(1),
    created_on=NOW,
    modified_on=LATER,
    attributes={"ProspectStage": "Customer", "mx_City": 'He said "{}"\n', "mx_city": "Pune"},
)


def put(store: Store, *leads: Lead) -> None:
    store.write(lambda transaction: transaction.write_leads(leads))


def post(store: Store, *activities: Activity) -> None:
    store.write(lambda transaction: transaction.write_activities(activities))


def columns(*names: str) -> list[Column]:
    """The columns of names, ``*`` among them."""
    named = [
        EVERY_ATTRIBUTE if name == EVERY_ATTRIBUTE.name else readable_lead_column_named(name)
        for name in names
    ]
    return [column for column in named if column is not None]


def rows(store: Store, ids: Sequence[str], *names: str) -> list[list[tuple[str, str | None]]]:
    """The rows that are read, each as its pairs in order; their number is what was counted."""
    rendered = store.leads(ids, columns(*(names or ["ProspectID"])))
    decoded: list[dict[str, str | None]] = msgspec.json.decode(rendered.json)
    assert rendered.count == len(decoded)
    return [list(row.items()) for row in decoded]


# --- by ids ------------------------------------------------------------------------------------


def test_leads_come_in_the_order_of_the_ids(store: Store) -> None:
    """Leads that are not here are left out."""
    put(store, *(Lead(id=lead(number)) for number in range(5)))
    asked = [lead(3), lead(9), lead(0), lead(4)]
    assert rows(store, asked) == [[("ProspectID", one)] for one in (lead(3), lead(0), lead(4))]
    assert rows(store, [lead(9)]) == []
    assert rows(store, []) == []


def test_a_row_has_the_columns_in_order(store: Store) -> None:
    """Every one of them: a text, or null; dates with a fraction that is zero."""
    put(store, FULL)
    assert rows(store, [FULL.id], "LastName", "CreatedOn", "mx_City", "Company", "ModifiedOn") == [
        [
            ("LastName", "Hewitt"),
            ("CreatedOn", "2024-02-29 13:05:09.000"),
            ("mx_City", 'He said "{}"\n'),
            ("Company", None),
            ("ModifiedOn", "2024-03-01 00:00:00.000"),
        ]
    ]


def test_a_lead_of_an_imported_opportunity_has_its_address_alone(store: Store) -> None:
    """Nothing else is known of it, its dates neither."""
    store.write_opportunities([opportunity(1, lead_email="a@example.com")], now=NOW)
    [row] = rows(store, [lead(1)], *(column.name for column in READABLE_COLUMNS))
    known = {name: value for name, value in row if value is not None}
    assert known == {"ProspectID": lead(1), "EmailAddress": "a@example.com"}


def test_custom_names_are_told_apart_by_case(store: Store) -> None:
    """No definition says which spelling is meant, so each is an attribute of its own."""
    put(store, FULL)
    assert rows(store, [FULL.id], "mx_city", "mx_CITY") == [
        [("mx_city", "Pune"), ("mx_CITY", None)]
    ]


def test_every_attribute_follows_the_other_columns(store: Store) -> None:
    """Everything that is kept is there, and what an earlier column has is not repeated."""
    put(store, FULL, Lead(id=lead(2)))
    first, second = rows(store, [lead(1), lead(2)], "FirstName", "ProspectStage", "*")
    assert first[:2] == [("FirstName", "Jane"), ("ProspectStage", "Customer")]
    assert sorted(first[2:]) == [("mx_City", 'He said "{}"\n'), ("mx_city", "Pune")]
    assert second == [("FirstName", None), ("ProspectStage", None)]


@pytest.mark.parametrize(
    ("names", "name"),
    [
        ((None, None), "a@example.com"),
        (("Ann", None), "Ann"),
        (("", "Lee"), "Lee"),
        (("Ann", "Lee"), "Ann Lee"),
        (("", ""), "a@example.com"),
    ],
)
def test_the_owner_of_a_lead_is_known_by_name_and_address(
    names: tuple[str | None, str | None], name: str, store: Store
) -> None:
    """First and last name; the address where there is neither: as of users."""
    given = key("k", user_id=owner(1), email="a@example.com", role=Role.USER)
    store.add_key(given, first_name=names[0], last_name=names[1])
    put(store, Lead(id=lead(1), owner_id=owner(1)), Lead(id=lead(2)))
    asked = ["OwnerIdName", "OwnerIdEmailAddress"]
    assert rows(store, [lead(1), lead(2)], *asked) == [
        [("OwnerIdName", name), ("OwnerIdEmailAddress", "a@example.com")],
        [("OwnerIdName", None), ("OwnerIdEmailAddress", None)],
    ]
    [user] = store.users()
    assert isinstance(user, User)
    assert user.name == name


def test_ten_thousand_leads_are_read_at_once(store: Store) -> None:
    """All ids of the largest call are read, with more columns than an SQL function takes."""
    put(store, *(Lead(id=lead(number), phone=str(number)) for number in range(10_000)))
    wide = [f"mx_{number}" for number in range(130)]
    answered = rows(store, [lead(number) for number in reversed(range(10_000))], "Phone", *wide)
    assert [row[0][1] for row in answered] == [str(number) for number in reversed(range(10_000))]
    assert len(answered[0]) == 131


# --- by number ---------------------------------------------------------------------------------


def test_leads_are_found_by_the_end_of_a_number(store: Store) -> None:
    """Whatever is between the digits, in phone or mobile, with the date of the last activity."""
    put(
        store,
        Lead(id=lead(1), phone="+91-98765 43210"),
        Lead(id=lead(2), mobile="(0)9876543210"),
        Lead(id=lead(3), phone="555.01", mobile="43210"),
        Lead(id=lead(4), phone="+91-98765 43211"),
        Lead(id=lead(5)),
    )
    for number, on in ((1, NOW), (2, LATER)):
        one = Activity(
            id=guid(number), event_code=200, lead_id=lead(2), created_on=on, modified_on=NOW
        )
        post(store, one)
    first = LeadNumbers(id=lead(1), phone="+91-98765 43210", mobile=None)
    second = LeadNumbers(id=lead(2), phone=None, mobile="(0)9876543210", last_activity_on=LATER)
    assert store.lead_numbers("6543210", limit=9) == [first, second]
    assert store.lead_numbers("6543210", limit=1) == [first]
    assert [one.id for one in store.lead_numbers("55501", limit=9)] == [lead(3)]
    assert [one.id for one in store.lead_numbers("43210", limit=9)] == [lead(3)]
    assert store.lead_numbers("", limit=9) == []
    assert store.lead_numbers("\0", limit=9) == []


def test_activities_are_read_by_their_ids(store: Store) -> None:
    """In the order of the ids; unknown ones are left out."""
    made = [
        Activity(
            id=guid(number),
            event_code=200,
            lead_id=lead(1),
            created_on=NOW,
            modified_on=LATER,
            fields={"mx_Custom_1": "x"},
        )
        for number in (1, 2)
    ]
    post(store, *made)
    assert store.activities([guid(2), guid(3), guid(1)]) == [made[1], made[0]]
