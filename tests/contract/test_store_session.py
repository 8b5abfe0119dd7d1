"""What every engine promises of a session: one transaction that reads and writes."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from oppserver.contract.model import (
    Activity,
    KeptAnswer,
    Lead,
    Opportunity,
    OpportunityType,
    Role,
    Tombstone,
    User,
    Written,
)
from oppserver.store import Store
from oppserver.store.port import Session
from tests import stores
from tests.stores import LATER, NOW, guid, lead, opportunity, owner

database, store = stores.database, stores.store

EARLIER = "2024-02-28 00:00:00"
CALLS = 100


class Refused(Exception):
    """What work raises of itself."""


def a_lead(number: int, **values: Any) -> Lead:
    return Lead(**{"id": lead(number)} | values)


def written(number: int, **values: Any) -> Opportunity:
    """An opportunity as it is read back."""
    return opportunity(number, **{"created_on": NOW, "modified_on": NOW} | values)


def write(store: Store, *batch: Opportunity) -> None:
    store.write_opportunities(batch, now=NOW)


# --- the transaction


def test_what_the_work_returns_is_returned(store: Store) -> None:
    """A write gives back what its work gives."""
    assert store.write(lambda _: 42) == 42


def test_a_session_reads_what_it_has_written(store: Store) -> None:
    """Each kind of thing is there for the rest of the work as soon as it is written."""

    def work(session: Session) -> None:
        assert session.write_opportunities([opportunity(1)], now=NOW) == Written(
            created=1, replaced=0
        )
        assert session.opportunities([guid(1)]) == {guid(1): written(1)}
        assert session.opportunity_like(12_000, {"lead_id": lead(1)}) == guid(1)
        assert 12_000 in session.catalogue().types
        assert session.delete_opportunities([guid(1)], now=LATER, by="me") == 1
        assert session.opportunities([guid(1)]) == {}
        assert session.tombstones([guid(1)])[guid(1)].deleted_by == "me"
        two = a_lead(2, phone="2", owner_id=owner(2))
        session.write_leads([two])
        assert session.leads([lead(2)]) == {lead(2): two}
        assert session.leads_by("phone", ["2"]) == {"2": two}
        assert list(session.users([owner(2)])) == [owner(2)]

    store.write(work)


def test_what_was_written_is_there_afterwards(store: Store) -> None:
    """When the write has returned, other readers see all of it."""

    def work(session: Session) -> None:
        session.write_leads([a_lead(1, email="a@example.com")])
        session.write_opportunities([opportunity(1)], now=NOW)

    store.write(work)
    assert stores.everything(store) == [written(1, lead_email="a@example.com")]


def everything_at_once(session: Session) -> None:
    """Writes of every kind, on a store that has opportunities 1 and 2."""
    session.write_opportunities([opportunity(1, status="changed"), opportunity(3)], now=LATER)
    session.write_opportunities([opportunity(9, event_code=7, slots={"mx_custom_9": "x"})], now=NOW)
    session.delete_opportunities([guid(2)], now=LATER, by=None)
    session.write_leads([a_lead(1, email="new@example.com", owner_id=owner(5)), a_lead(8)])
    session.write_activities([activity(1)])
    session.keep_answer(kept("k"), not_before=NOW)


def activity(number: int, **values: Any) -> Activity:
    given: dict[str, Any] = {"id": guid(number, kind=4), "event_code": 33, "lead_id": lead(1)}
    return Activity(**given | {"created_on": NOW, "modified_on": NOW} | values)


def kept(key: str, **values: Any) -> KeptAnswer:
    given: dict[str, Any] = {"key_sha256": key, "request_sha256": "r", "body": b"{}"}
    return KeptAnswer(**given | {"created_on": NOW} | values)


def test_work_that_raises_undoes_everything(store: Store) -> None:
    """What the work raises is raised, and nothing that it did has happened."""
    write(store, opportunity(1), opportunity(2))
    catalogue = store.catalogue()

    def work(session: Session) -> None:
        everything_at_once(session)
        session.catalogue()
        raise Refused

    with pytest.raises(Refused):
        store.write(work)
    assert stores.everything(store) == [written(1), written(2)]
    assert store.catalogue() == catalogue

    def nothing_is_left(session: Session) -> None:
        assert session.catalogue() == catalogue
        assert session.tombstones([guid(2)]) == {}
        assert session.leads([lead(1), lead(8)]) == {lead(1): a_lead(1)}
        assert session.users([owner(5)]) == {}
        assert session.kept_answer("k", not_before=NOW) is None
        session.write_activities([activity(1)])  # its id is free

    store.write(nothing_is_left)


def test_a_write_after_one_that_failed(store: Store) -> None:
    """A store goes on after work that raised."""

    def work(session: Session) -> None:
        session.write_opportunities([opportunity(1)], now=NOW)
        raise Refused

    for _ in range(3):
        with pytest.raises(Refused):
            store.write(work)
    write(store, opportunity(2))
    assert stores.everything(store) == [written(2)]


def test_types_that_a_failed_write_made_are_gone(store: Store) -> None:
    """The catalogue that a session saw before it failed is nobody's."""

    def work(session: Session) -> None:
        session.write_opportunities([opportunity(1, event_code=7)], now=NOW)
        assert 7 in session.catalogue().types
        raise Refused

    with pytest.raises(Refused):
        store.write(work)
    store.put_types([OpportunityType(event_code=8, name="Eight")])
    assert list(store.catalogue().types) == [8]


# --- opportunities


def test_opportunities_of_ids(store: Store) -> None:
    """Those that are there, by id, whole, with the addresses of lead and owner."""
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
    found = store.write(lambda session: session.opportunities([guid(1), guid(2), guid(3)]))
    assert found == {guid(1): one, guid(2): written(2, event_code=7)}
    assert store.write(lambda session: session.opportunities([])) == {}


def test_tombstones_of_ids(store: Store) -> None:
    """What is left of those that are deleted: when, by whom, of which type."""
    write(store, opportunity(1), opportunity(2, event_code=7), opportunity(3))
    store.delete_opportunities([guid(1)], now=LATER, by=None)
    store.write(lambda session: session.delete_opportunities([guid(2)], now=NOW, by=owner(1)))
    found = store.write(lambda session: session.tombstones([guid(n) for n in range(5)]))
    assert found == {
        guid(1): Tombstone(id=guid(1), event_code=12_000, deleted_on=LATER, deleted_by=None),
        guid(2): Tombstone(id=guid(2), event_code=7, deleted_on=NOW, deleted_by=owner(1)),
    }


def test_the_oldest_like(store: Store) -> None:
    """Of one type, with all the values; the oldest, and of those of one moment the lowest id."""
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
        return store.write(lambda session: session.opportunity_like(12_000, values))

    assert found(mx_custom_1="x") == guid(2)
    assert found(mx_custom_1="x", lead_id=lead(1)) == guid(2)
    assert found(mx_custom_1="x", status="Open") == guid(3)
    assert found(mx_custom_1="X") == guid(5)
    assert found(lead_id=lead(1)) == guid(5)
    assert found(note="n", lead_email="a@example.com") == guid(6)
    assert found(mx_custom_1="x", lead_id=lead(2)) is None
    assert found(mx_custom_2="x") is None


# --- leads


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

    def work(session: Session) -> None:
        session.write_leads([FULL_LEAD, a_lead(2)])
        assert session.leads([lead(1), lead(2), lead(3)]) == {
            lead(1): FULL_LEAD,
            lead(2): a_lead(2),
        }
        session.write_leads([a_lead(1, first_name="x")])
        assert session.leads([lead(1)]) == {lead(1): a_lead(1, first_name="x")}

    store.write(work)


def test_the_last_of_two_leads_with_one_id_counts(store: Store) -> None:
    """Leads of one batch are written one after the other."""

    def work(session: Session) -> dict[str, Lead]:
        session.write_leads([a_lead(1, phone="1"), a_lead(1, email="a@example.com")])
        return session.leads([lead(1)])

    assert store.write(work) == {lead(1): a_lead(1, email="a@example.com")}


def test_no_leads_are_written(store: Store) -> None:
    """An empty batch is fine."""

    def work(session: Session) -> None:
        session.write_leads([])
        session.write_activities([])

    store.write(work)


def test_a_lead_that_opportunities_brought(store: Store) -> None:
    """It has its address and nothing else."""
    write(store, opportunity(1, lead_email="a@example.com"))
    found = store.write(lambda session: session.leads([lead(1)]))
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

    def work(session: Session) -> list[str | None]:
        session.write_leads([a_lead(1, email=address), a_lead(3, email="c@example.com")])
        found = session.opportunities([guid(1), guid(2), guid(3)])
        return [found[guid(number)].lead_email for number in (1, 2, 3)]

    assert store.write(work) == [address, address, "c@example.com"]
    assert stores.value(store, 2, "EmailAddress") == address
    assert store.check() == []


def test_a_lead_brings_its_owner(store: Store) -> None:
    """An owner that is not there is created, without an address; one that is there stays."""
    write(store, opportunity(1, owner_id=owner(1), owner_email="o@example.com"))

    def work(session: Session) -> dict[str, User]:
        session.write_leads([a_lead(1, owner_id=owner(1)), a_lead(2, owner_id=owner(2))])
        return session.users([owner(1), owner(2)])

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

    def work(session: Session) -> list[dict[str, Lead]]:
        session.write_leads(alike)
        return [
            session.leads_by("email", ["Ada@Example.COM", "ada@example.com", "x", ""]),
            session.leads_by("email", ["ö@example.com", "Ö@EXAMPLE.com"]),
            session.leads_by("phone", ["1", "aa", "Aa", "2", "1"]),
            session.leads_by("mobile", ["2", "1"]),
            session.leads_by("mobile", []),
        ]

    second, first, third, fourth, _ = alike
    assert store.write(work) == [
        {"Ada@Example.COM": first, "ada@example.com": first},
        {"ö@example.com": fourth, "Ö@EXAMPLE.com": third},
        {"1": first, "Aa": fourth, "2": third},
        {"2": second},
        {},
    ]


# --- users


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
    found = store.write(lambda session: session.users([*expected, guid(9)]))
    assert found == expected
    by_email = store.write(
        lambda session: session.users_by_email(["Boss@Example.com", "was@example.com", "x", ""])
    )
    lowest = min(boss.user_id, owner(1))
    assert {email: user.id for email, user in by_email.items()} == {
        "Boss@Example.com": lowest,
        "was@example.com": was.user_id,
    }


# --- kept answers


def test_an_answer_is_kept_until_it_is_too_old(store: Store) -> None:
    """It is there from the moment it was kept on, and is thrown away by a later one."""

    def keep(answer: KeptAnswer, not_before: str) -> None:
        store.write(lambda session: session.keep_answer(answer, not_before=not_before))

    def found(key: str, not_before: str) -> KeptAnswer | None:
        return store.write(lambda session: session.kept_answer(key, not_before=not_before))

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

    def work(session: Session) -> KeptAnswer | None:
        session.keep_answer(kept("key"), not_before=NOW)
        session.keep_answer(kept("key", body=b"new", created_on=LATER), not_before=LATER)
        return session.kept_answer("key", not_before=LATER)

    assert store.write(work) == kept("key", body=b"new", created_on=LATER)


# --- races


def capture(number: int) -> Callable[[Session], str]:
    """Work that writes an opportunity unless there is one like it; the id of the one there is."""

    def work(session: Session) -> str:
        there = session.opportunity_like(12_000, {"mx_custom_1": "the same"})
        if there is None:
            session.write_opportunities(
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
