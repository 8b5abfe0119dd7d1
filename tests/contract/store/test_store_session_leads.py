"""The promises of every engine about the leads and users of a transaction."""

import pytest

from oppserver.contract.model import Lead, Role, User
from oppserver.store import Store
from oppserver.store.port import Transaction
from tests.support import stores
from tests.support.stores import EARLIER, NOW, a_lead, guid, lead, opportunity, owner, write

database, store = stores.database, stores.store

FULL_LEAD = a_lead(
    1,
    email="One@example.com",
    first_name="Ada",
    last_name="Öz",
    phone="+49-1",
    mobile="+49-2",
    owner_id=owner(1),
    created_on=EARLIER,
    modified_on=NOW,
    attributes={"mx_City": "Köln", "Company": '"quoted"'},
)


def test_leads_are_read_back_as_written(store: Store) -> None:
    """A lead comes out as it went in, also when it is written again with less."""

    def work(transaction: Transaction) -> None:
        transaction.write_leads([FULL_LEAD, a_lead(2)])
        assert transaction.leads([lead(1), lead(2), lead(3)]) == {
            lead(1): FULL_LEAD,
            lead(2): a_lead(2),
        }
        transaction.write_leads([a_lead(1, first_name="x")])
        assert transaction.leads([lead(1)]) == {lead(1): a_lead(1, first_name="x")}

    store.write(work)


def test_the_last_of_two_leads_with_one_id_counts(store: Store) -> None:
    """Leads of one batch are written one after the other."""

    def work(transaction: Transaction) -> dict[str, Lead]:
        transaction.write_leads([a_lead(1, phone="1"), a_lead(1, email="a@example.com")])
        return transaction.leads([lead(1)])

    assert store.write(work) == {lead(1): a_lead(1, email="a@example.com")}


def test_no_leads_are_written(store: Store) -> None:
    """An empty batch is fine."""

    def work(transaction: Transaction) -> None:
        transaction.write_leads([])
        transaction.write_activities([])

    store.write(work)


def test_a_lead_of_imported_opportunities(store: Store) -> None:
    """It has its address and nothing else."""
    write(store, opportunity(1, lead_email="a@example.com"))
    found = store.write(lambda transaction: transaction.leads([lead(1)]))
    assert found == {lead(1): a_lead(1, email="a@example.com")}


@pytest.mark.parametrize("address", ["new@example.com", None])
def test_a_lead_s_address_goes_to_its_opportunities(store: Store, address: str | None) -> None:
    """In the same transaction, to all of them and to no others; also when it is taken away."""
    write(
        store,
        opportunity(1, lead_id=lead(1), lead_email="a@example.com"),
        opportunity(2, lead_id=lead(1)),
        opportunity(3, lead_id=lead(3), lead_email="c@example.com"),
    )

    def work(transaction: Transaction) -> list[str | None]:
        transaction.write_leads([a_lead(1, email=address), a_lead(3, email="c@example.com")])
        found = transaction.opportunities([guid(1), guid(2), guid(3)])
        return [found[guid(number)].lead_email for number in (1, 2, 3)]

    assert store.write(work) == [address, address, "c@example.com"]
    assert stores.value(store, 2, "EmailAddress") == address
    assert store.check() == []


def test_a_lead_brings_its_owner(store: Store) -> None:
    """An owner that is not there is created, without an address; one that is there stays."""
    write(store, opportunity(1, owner_id=owner(1), owner_email="o@example.com"))

    def work(transaction: Transaction) -> dict[str, User]:
        transaction.write_leads([a_lead(1, owner_id=owner(1)), a_lead(2, owner_id=owner(2))])
        return transaction.users([owner(1), owner(2)])

    assert store.write(work) == {
        owner(1): User(id=owner(1), email="o@example.com"),
        owner(2): User(id=owner(2), email=None),
    }


def test_leads_by_address_phone_or_mobile(store: Store) -> None:
    """By the value as given; of several, the lowest id's. A to Z of an address are in any case."""
    alike = [
        a_lead(2, email="ada@example.com", phone="1", mobile="2"),
        a_lead(1, email="ADA@example.com", phone="1", mobile="3"),
        a_lead(3, email="Ö@example.com", phone="2"),
        a_lead(4, email="ö@example.com", phone="Aa"),
        a_lead(5),
    ]

    def work(transaction: Transaction) -> list[dict[str, Lead]]:
        transaction.write_leads(alike)
        return [
            transaction.leads_by("email", ["Ada@Example.COM", "ada@example.com", "x", ""]),
            transaction.leads_by("email", ["ö@example.com", "Ö@EXAMPLE.com"]),
            transaction.leads_by("phone", ["1", "aa", "Aa", "2", "1"]),
            transaction.leads_by("mobile", ["2", "1"]),
            transaction.leads_by("mobile", []),
        ]

    second, first, third, fourth, _ = alike
    assert store.write(work) == [
        {"Ada@Example.COM": first, "ada@example.com": first},
        {"ö@example.com": fourth, "Ö@EXAMPLE.com": third},
        {"1": first, "Aa": fourth, "2": third},
        {"2": second},
        {},
    ]


def test_users_of_ids_and_addresses(store: Store) -> None:
    """With their role: an administrator has a live key that is one."""
    boss = store.add_key(stores.key("boss", role=Role.ADMINISTRATOR))
    was = store.add_key(stores.key("was", role=Role.ADMINISTRATOR, user_is_active=False))
    store.revoke_key("was", now=NOW)
    reader = store.add_key(stores.key("reader"))
    write(
        store,
        opportunity(1, owner_id=owner(1), owner_email="BOSS@example.com"),
        opportunity(2, owner_id=owner(2)),
    )
    expected = {
        boss.user_id: User(id=boss.user_id, email="boss@example.com", is_administrator=True),
        was.user_id: User(id=was.user_id, email="was@example.com", is_active=False),
        reader.user_id: User(id=reader.user_id, email="reader@example.com"),
        owner(2): User(id=owner(2), email=None),
    }
    found = store.write(lambda transaction: transaction.users([*expected, guid(9)]))
    assert found == expected
    by_email = store.write(
        lambda transaction: transaction.users_by_email(
            ["Boss@Example.com", "was@example.com", "x", ""]
        )
    )
    lowest = min(boss.user_id, owner(1))
    assert {email: user.id for email, user in by_email.items()} == {
        "Boss@Example.com": lowest,
        "was@example.com": was.user_id,
    }
