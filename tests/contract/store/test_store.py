"""The promises of every engine about opportunities: written, replaced, deleted, read back."""

import pytest

from oppserver.contract.model import Written
from oppserver.store import Store
from tests.support import stores
from tests.support.stores import LATER, NOW, guid, ids_read, lead, opportunity, owner, value

database, store = stores.database, stores.store

FULL = opportunity(
    1,
    lead_email="lead@example.com",
    owner_id=owner(1),
    owner_email="owner@example.com",
    status="Open",
    note="a note",
    created_on="2023-04-06 15:23:34",
    modified_on="2023-05-01 00:00:00",
    created_by="creator",
    modified_by="modifier",
    slots={"mx_custom_1": "one", "mx_custom_250": "last"},
)


def test_an_empty_store_has_nothing(store: Store) -> None:
    """A fresh store reads as empty."""
    assert stores.everything(store) == []
    assert store.count_opportunities(event_code=None) == 0
    assert store.count_opportunities(event_code=12_000) == 0


def test_what_is_written_is_read_back(store: Store) -> None:
    """An opportunity comes out as it went in, every value of it."""
    store.write_opportunities([FULL], now=NOW)
    assert stores.everything(store) == [FULL]


def test_what_is_not_set_is_read_back_as_not_set(store: Store) -> None:
    """An opportunity with nothing but its identity comes out with its dates, and None elsewhere."""
    store.write_opportunities([opportunity(1)], now=NOW)
    assert stores.everything(store) == [opportunity(1, created_on=NOW, modified_on=NOW)]


def test_a_write_says_how_many_were_new(store: Store) -> None:
    """``Written`` counts the new and the replaced; together they are the batch."""
    batch = [opportunity(1), opportunity(2), opportunity(1)]
    assert store.write_opportunities(batch, now=NOW) == Written(created=2, replaced=1)
    assert store.write_opportunities(batch, now=NOW) == Written(created=0, replaced=3)


def test_a_batch_written_again_changes_nothing(store: Store) -> None:
    """A retry is harmless: the second write of a batch leaves what the first left."""
    batch = [FULL, opportunity(2), opportunity(3, lead_email="c@example.com")]
    store.write_opportunities(batch, now=NOW)
    first = stores.everything(store)
    store.write_opportunities(batch, now=LATER)
    assert stores.everything(store) == first


def test_the_last_of_two_with_one_id_counts(store: Store) -> None:
    """The last of two opportunities with one id in a batch is stored."""
    batch = [opportunity(1, status="first"), opportunity(2), opportunity(1, status="last")]
    store.write_opportunities(batch, now=NOW)
    assert value(store, 1, "Status") == "last"
    assert store.count_opportunities(event_code=None) == 2


def test_a_replaced_opportunity_keeps_nothing_that_it_does_not_bring(store: Store) -> None:
    """To replace is not to merge: values that the new one lacks are gone. The dates stay."""
    store.write_opportunities([FULL], now=NOW)
    store.write_opportunities([opportunity(1, slots={"mx_custom_2": "two"})], now=LATER)
    [one] = stores.everything(store)
    assert one == opportunity(
        1,
        lead_email="lead@example.com",
        created_on=FULL.created_on,
        modified_on=FULL.modified_on,
        slots={"mx_custom_2": "two"},
    )


def test_an_opportunity_may_change_its_type(store: Store) -> None:
    """A replaced opportunity is of the type that it was last written with."""
    store.write_opportunities([opportunity(1)], now=NOW)
    store.write_opportunities([opportunity(1, event_code=12_001)], now=NOW)
    assert ids_read(store, [guid(1)], event_code=12_000) == []
    assert ids_read(store, [guid(1)], event_code=12_001) == [guid(1)]
    assert store.count_opportunities(event_code=12_000) == 0
    assert store.count_opportunities(event_code=12_001) == 1


# --- dates -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, (NOW, NOW)),
        ({"created_on": LATER}, (LATER, LATER)),
        ({"modified_on": LATER}, (NOW, LATER)),
        ({"created_on": "2020-01-01 00:00:00", "modified_on": LATER}, (None, LATER)),
    ],
)
def test_a_new_opportunity_gets_the_dates_it_lacks(
    given: dict[str, str], expected: tuple[str | None, str], store: Store
) -> None:
    """New without a date: created now; modified when it was created."""
    store.write_opportunities([opportunity(1, **given)], now=NOW)
    [one] = stores.everything(store)
    assert (one.created_on, one.modified_on) == (expected[0] or given["created_on"], expected[1])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("2020-01-01 00:00:00", "2021-01-01 00:00:00")),
        ({"created_on": LATER}, (LATER, "2021-01-01 00:00:00")),
        ({"modified_on": LATER}, ("2020-01-01 00:00:00", LATER)),
        ({"created_on": NOW, "modified_on": LATER}, (NOW, LATER)),
    ],
)
def test_a_replaced_opportunity_keeps_the_dates_it_lacks(
    given: dict[str, str], expected: tuple[str, str], store: Store
) -> None:
    """Replaced without a date: the stored one stays, each of the two by itself."""
    stored = opportunity(1, created_on="2020-01-01 00:00:00", modified_on="2021-01-01 00:00:00")
    store.write_opportunities([stored], now=NOW)
    # in one batch with others, so that one statement does not do for all
    store.write_opportunities(
        [opportunity(1, **given), opportunity(2, created_on=NOW), opportunity(3)], now=LATER
    )
    one = stores.everything(store)[0]
    assert (one.created_on, one.modified_on) == expected


# --- leads -------------------------------------------------------------------------------------


def test_a_changed_address_is_changed_on_all_opportunities_of_the_lead(store: Store) -> None:
    """One lead has one address, also on opportunities that the batch does not name."""
    store.write_opportunities(
        [opportunity(n, lead_id=lead(1), lead_email="old@example.com") for n in (1, 2)]
        + [opportunity(3, lead_email="other@example.com")],
        now=NOW,
    )
    changed = opportunity(1, lead_id=lead(1), lead_email="new@example.com")
    store.write_opportunities([changed], now=LATER)
    assert [value(store, n, "EmailAddress") for n in (1, 2, 3)] == [
        "new@example.com",
        "new@example.com",
        "other@example.com",
    ]
    assert {one.lead_email for one in stores.everything(store)} == {
        "new@example.com",
        "other@example.com",
    }
    assert store.check() == []


def test_an_opportunity_without_an_address_leaves_the_leads(store: Store) -> None:
    """``lead_email`` None changes nothing, before and after the address is known."""
    store.write_opportunities([opportunity(1, lead_id=lead(1))], now=NOW)
    assert value(store, 1, "EmailAddress") is None
    known = opportunity(2, lead_id=lead(1), lead_email="a@example.com")
    store.write_opportunities([known, opportunity(3, lead_id=lead(1))], now=NOW)
    store.write_opportunities([opportunity(4, lead_id=lead(1))], now=NOW)
    assert {value(store, n, "EmailAddress") for n in (1, 2, 3, 4)} == {"a@example.com"}


def test_the_last_address_of_a_lead_in_a_batch_counts(store: Store) -> None:
    """Two addresses of one lead in a batch: the last stands everywhere."""
    addresses = ["first@example.com", "last@example.com", None]
    store.write_opportunities(
        [opportunity(n, lead_id=lead(1), lead_email=e) for n, e in enumerate(addresses)], now=NOW
    )
    assert {value(store, n, "EmailAddress") for n in (0, 1, 2)} == {"last@example.com"}


def test_an_opportunity_that_moves_takes_its_new_leads_address(store: Store) -> None:
    """An opportunity has the address of the lead that it has now."""
    store.write_opportunities(
        [opportunity(n, lead_email=f"{n}@example.com") for n in (1, 2)], now=NOW
    )
    store.write_opportunities([opportunity(1, lead_id=lead(2))], now=NOW)
    assert value(store, 1, "EmailAddress") == "2@example.com"
    assert value(store, 1, "ProspectId") == lead(2)


# --- owners ------------------------------------------------------------------------------------


def test_owners_are_created_and_found_by_id(store: Store) -> None:
    """An owner is there with the address that came last, on every opportunity of theirs."""
    store.write_opportunities(
        [opportunity(n, owner_id=owner(1), owner_email="old@example.com") for n in (1, 2)], now=NOW
    )
    changed = opportunity(3, owner_id=owner(1), owner_email="new@example.com")
    store.write_opportunities([changed, opportunity(4, owner_id=owner(1))], now=NOW)
    assert {value(store, n, "OwnerEmailAddress") for n in (1, 2, 3, 4)} == {"new@example.com"}
    assert {one.owner_email for one in stores.everything(store)} == {"new@example.com"}


def test_an_owner_may_have_no_address(store: Store) -> None:
    """An owner without an address and an opportunity without an owner answer null."""
    store.write_opportunities([opportunity(1, owner_id=owner(1)), opportunity(2)], now=NOW)
    assert value(store, 1, "Owner") == owner(1)
    assert value(store, 1, "OwnerEmailAddress") is None
    assert value(store, 2, "Owner") is None
    assert value(store, 2, "OwnerEmailAddress") is None
    assert store.check() == []


def test_a_thousand_owners_come_with_one_batch(store: Store) -> None:
    """The number of owners in a batch has no bound of its own."""
    batch = [
        opportunity(n, owner_id=owner(n), owner_email=f"{n}@example.com") for n in range(1_200)
    ]
    store.write_opportunities(batch, now=NOW)
    store.write_opportunities(batch, now=NOW)
    assert [one.owner_email for one in stores.everything(store)] == [
        one.owner_email for one in batch
    ]


# --- deletion ----------------------------------------------------------------------------------


def test_a_deleted_opportunity_is_gone_from_every_read(store: Store) -> None:
    """A deletion says how many were there, and no read finds them afterwards."""
    store.write_opportunities([opportunity(n) for n in (1, 2, 3)], now=NOW)
    gone = [guid(1), guid(3), guid(1), guid(9)]
    assert store.delete_opportunities(gone, now=LATER, by="me") == 2
    assert ids_read(store, [guid(n) for n in (1, 2, 3)]) == [guid(2)]
    assert [one.id for one in stores.everything(store)] == [guid(2)]
    assert store.count_opportunities(event_code=12_000) == 1


def test_an_opportunity_is_deleted_once(store: Store) -> None:
    """A second deletion of the same id finds nothing."""
    store.write_opportunities([opportunity(1)], now=NOW)
    assert store.delete_opportunities([guid(1)], now=NOW, by=None) == 1
    assert store.delete_opportunities([guid(1)], now=NOW, by=None) == 0


def test_a_deleted_id_that_is_written_is_no_longer_deleted(store: Store) -> None:
    """A deleted id can be written, as a new opportunity, and deleted, any number of times."""
    store.write_opportunities([FULL], now=NOW)
    for _ in range(3):
        assert store.delete_opportunities([guid(1)], now=NOW, by=None) == 1
        written = store.write_opportunities([opportunity(1)], now=LATER)
        assert written == Written(created=1, replaced=0)
        [one] = stores.everything(store)
        assert (one.created_on, one.modified_on) == (LATER, LATER)
        assert store.check() == []


# --- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " blanks around ",
        "it's \"quoted\" \\ and 'escaped'",
        "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
        "line\r\nend\u2028\u2029",
        "{}", "}{", "[]", '{"a":"}"}',
        "ünïcödé ไทย 漢字 \N{GRINNING FACE} e\N{COMBINING ACUTE ACCENT}",
        "\ufeff\ufffe\uffff\U0010ffff",
        "null", "true", "12", "1e3", "?", ":x", "%s %(a)s", "--", ";",
        "x" * 32_000,
    ],
    ids=ascii,
)  # fmt: skip
def test_text_is_kept_exactly(text: str, store: Store) -> None:
    """Every text that is not U+0000 comes out of both reads as it went in."""
    written = opportunity(
        1,
        lead_email=text,
        owner_id=owner(1),
        owner_email=text,
        status=text,
        note=text,
        created_by=text,
        modified_by=text,
        created_on=NOW,
        modified_on=NOW,
        slots={"mx_custom_1": text, "mx_custom_100": text},
    )
    store.write_opportunities([written], now=NOW)
    assert stores.everything(store) == [written]
    names = ["EmailAddress", "OwnerEmailAddress", "Status", "OpportunityNote", "CreatedBy"]
    names += ["ModifiedBy", "mx_Custom_1", "mx_Custom_100"]
    [[row]] = stores.rows(store, stores.entry([guid(1)], *names))
    assert row == dict.fromkeys(names, text)
    assert store.check() == []
