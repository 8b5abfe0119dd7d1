"""The promises of every engine about keys and their users."""

import msgspec
import pytest

from oppserver.contract.model import Role, User
from oppserver.store import Store
from tests.support import stores
from tests.support.stores import LATER, NOW, guid, key, opportunity

database, store = stores.database, stores.store


def test_a_key_is_found_by_its_access_key(store: Store) -> None:
    """A key comes out as it went in; one that is not there is None."""
    added = store.add_key(key("AK1", role=Role.ADMINISTRATOR))
    assert added == key("AK1", role=Role.ADMINISTRATOR)
    assert store.key("AK1") == added
    assert store.key("ak1") is None
    assert store.key("") is None


@pytest.mark.parametrize("access_key", ["\ud800", "\0", "AK1\0", "'", "%", "x" * 100_000])
def test_no_access_key_is_too_strange_to_ask_for(access_key: str, store: Store) -> None:
    """Whatever a stranger sends as a key: there is none of that name, and none to revoke."""
    store.add_key(key("AK1"))
    assert store.key(access_key) is None
    assert store.revoke_key(access_key, now=NOW) is False


def test_keys_are_listed_oldest_first(store: Store) -> None:
    """All keys, revoked ones too, by the time of their creation."""
    assert store.keys() == []
    added = [
        store.add_key(key("AK2", created_on=NOW)),
        store.add_key(key("AK1", created_on=LATER)),
        store.add_key(key("AK3", created_on=LATER)),
    ]
    assert store.keys() == added
    store.revoke_key("AK2", now=LATER)
    listed = store.keys()
    assert [one.access_key for one in listed] == ["AK2", "AK1", "AK3"]


@pytest.mark.parametrize(
    ("first", "second"),
    [("jane@example.com", "Jane@Example.COM"), ("JÜRGEN@example.com", "jürgen@example.com")],
)
def test_one_address_is_one_user_in_any_case(first: str, second: str, store: Store) -> None:
    """A second key of the same address is the same user's; the address stays as it was."""
    one = store.add_key(key("AK1", email=first, user_id=guid(1)))
    same = store.add_key(key("AK2", email=first, user_id=guid(2)))
    folded = store.add_key(key("AK3", email=second, user_id=guid(3)))
    other = store.add_key(key("AK4", email="other@example.com", user_id=guid(4)))
    assert one.user_id == same.user_id == folded.user_id == guid(1)
    assert one.email == same.email == folded.email == first
    assert other.user_id == guid(4)
    assert store.keys() == [one, same, folded, other]


def test_an_owner_may_get_a_key(store: Store) -> None:
    """A user that came as an owner is found by address; a new address shows on the key."""
    owned = opportunity(1, owner_id=stores.owner(1), owner_email="owner@example.com")
    store.write_opportunities([owned], now=NOW)
    added = store.add_key(key("AK1", email="Owner@example.com"))
    assert (added.user_id, added.email) == (stores.owner(1), "owner@example.com")
    changed = msgspec.structs.replace(owned, owner_email="new@example.com")
    store.write_opportunities([changed], now=NOW)
    assert store.key("AK1") == msgspec.structs.replace(added, email="new@example.com")


def test_a_key_is_revoked_once(store: Store) -> None:
    """The first revocation counts; another, or one of no key, says that there was nothing."""
    store.add_key(key("AK1"))
    store.add_key(key("AK2"))
    assert store.revoke_key("AK1", now=LATER) is True
    assert store.revoke_key("AK1", now="2030-01-01 00:00:00") is False
    assert store.revoke_key("AK9", now=LATER) is False
    assert store.key("AK1") == key("AK1", revoked_on=LATER)
    assert store.key("AK2") == key("AK2")


def test_another_store_sees_a_revocation_at_once(database: stores.Database) -> None:
    """A key that was revoked is revoked for every process when the call has returned."""
    store, other = database.open(), database.open()
    store.add_key(key("AK1"))
    found = other.key("AK1")
    assert found is not None
    assert found.revoked_on is None
    store.revoke_key("AK1", now=LATER)
    assert other.key("AK1") == key("AK1", revoked_on=LATER)
    store.close()
    other.close()


def test_an_inactive_users_second_key_is_as_inactive(store: Store) -> None:
    """The key that ``add_key`` returns is the one that ``key`` finds, the user's state included."""
    store.add_key(key("AK1", email="gone@example.com", user_is_active=False))
    added = store.add_key(key("AK2", email="gone@example.com", user_is_active=True))
    assert added == store.key("AK2")
    assert added.user_is_active is False


def test_all_users_are_listed_by_id(store: Store) -> None:
    """Owners and those behind keys, with all that is known of them."""
    assert store.users() == []
    store.add_key(key("AK1", email="b@example.com", user_id=guid(2), user_is_active=False))
    store.write_opportunities(
        [
            opportunity(1, owner_id=guid(3)),
            opportunity(2, owner_id=guid(1), owner_email="a@example.com"),
        ],
        now=NOW,
    )
    assert store.users() == [
        User(id=guid(1), email="a@example.com"),
        User(id=guid(2), email="b@example.com", is_active=False),
        User(id=guid(3), email=None),
    ]


def test_users_of_ids(store: Store) -> None:
    """The users that are stored, once each and by id; unknown ids are left out."""
    for number in (3, 1, 2):
        store.add_key(key(f"AK{number}", email=f"{number}@example.com", user_id=guid(number)))
    assert [one.id for one in store.users([guid(3), guid(9), guid(1), guid(3)])] == [
        guid(1),
        guid(3),
    ]
    assert store.users([]) == []
    assert store.users(["no id"]) == []


def test_a_key_can_name_its_user(store: Store) -> None:
    """Names that come with a key are the user's from then on; those that do not come stay."""
    store.add_key(key("AK1", email="a@example.com", user_id=guid(1)), first_name="Ada")
    store.add_key(key("AK2", email="A@example.com"), last_name="Lovelace")
    store.add_key(key("AK3", email="a@example.com"))
    [user] = store.users()
    assert (user.first_name, user.last_name, user.name) == ("Ada", "Lovelace", "Ada Lovelace")
    store.add_key(key("AK4", email="a@example.com"), first_name="Augusta Ada", last_name="")
    [user] = store.users()
    assert (user.first_name, user.last_name, user.name) == ("Augusta Ada", "", "Augusta Ada")


def test_an_administrator_has_a_live_key_of_that_role(store: Store) -> None:
    """One live key with the role makes an administrator, until it is revoked."""
    for number, role in enumerate([Role.READER, Role.ADMINISTRATOR, Role.USER]):
        store.add_key(key(f"AK{number}", role=role, email="a@example.com", user_id=guid(1)))
    store.add_key(key("AK9", role=Role.USER, email="b@example.com", user_id=guid(2)))
    assert [user.is_administrator for user in store.users()] == [True, False]
    store.revoke_key("AK1", now=LATER)
    assert [user.is_administrator for user in store.users()] == [False, False]
