"""Users over a socket: all of them, and the one behind a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import typed
from tests.support.databases import kept_in
from tests.support.running import Keys, Server, create_key, run_well, serving

ENGINES = ["sqlite", "postgres"]

USERS = "/v2/UserManagement.svc/Users.Get"
BY_ID = "/v2/UserManagement.svc/User/Retrieve/ByUserId"
BY_KEY = "/v2/Authentication.svc/UserByAccessKey.Get"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with an owner, a reader, and an administrator who has a name."""
    made = kept_in(tmp_path_factory.mktemp("users"), folder_engine)
    typed.define(made)
    return made


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    """The administrator's."""
    named = ("--first-name", "Ada", "--last-name", "Lovelace")
    run_well("key", "create", "--email", "ada@example.com", *named, folder=folder)
    return create_key(folder, role="administrator", email="ADA@example.com")


@pytest.fixture(scope="module")
def users_server(folder: Path, keys: Keys) -> Iterator[Server]:
    """A server over that folder."""
    with serving(folder, keys=keys) as running:
        yield running


def test_all_users(users_server: Server, folder: Path) -> None:
    """Owners and those behind keys, by id; null where nothing is known."""
    reader = create_key(folder, role="reader", email="reader@example.com")
    answer = users_server.get(USERS, keys=reader)
    assert answer.status == 200
    assert [one["ID"] for one in answer.json] == sorted(one["ID"] for one in answer.json)
    by_email = {one["EmailAddress"]: one for one in answer.json}
    assert set(by_email) == {f"{name}@example.com" for name in ("owner", "ada", "ann", "reader")}
    owner = by_email["owner@example.com"]
    assert list(owner.items()) == [
        ("ID", typed.OWNER_ID),
        ("FirstName", None),
        ("LastName", None),
        ("EmailAddress", "owner@example.com"),
        ("Role", "Sales_User"),
        ("StatusCode", 0),
        ("Tag", None),
        ("IsPhoneCallAgent", False),
    ]
    ada = by_email["ada@example.com"]
    assert (ada["FirstName"], ada["LastName"]) == ("Ada", "Lovelace")
    assert ada["Role"] == "Administrator"
    assert by_email["reader@example.com"]["Role"] == "Sales_User"


def test_the_user_behind_a_key(users_server: Server) -> None:
    """Every documented member is there: the user, the host to go on with, null for the rest."""
    answer = users_server.get(BY_KEY)
    assert answer.status == 200
    found = answer.json
    assert list(found)[:4] == ["Class", "Group", "SubRegionId", "Id"]
    assert found["Name"] == "Ada Lovelace"
    assert found["EmailAddress"] == "ada@example.com"
    assert (found["Role"], found["TimeZone"]) == ("Administrator", "UTC")
    [listed] = [one for one in users_server.get(USERS).json if one["ID"] == found["Id"]]
    assert listed["EmailAddress"] == found["EmailAddress"]
    for name in ("OrgId", "OrgShortCode", "Plan", "RestrictedFeatures", "Zip"):
        assert found[name] is None
    assert set(found["MobileServiceURLs"].values()) == {None}
    host = users_server.url.removeprefix("http://")
    assert found["LSQCommonServiceURLs"] == {"api": host, "app": host, "tracking": None}


def test_the_role_is_that_of_the_key(users_server: Server, folder: Path) -> None:
    """An administrator who calls with another key gets the role of that key."""
    keys = create_key(folder, role="reader", email="ada@example.com")
    assert users_server.get(BY_KEY, keys=keys).json["Role"] == "Sales_User"


def test_no_secret_is_told(users_server: Server, keys: Keys) -> None:
    """The members that hold secrets elsewhere are null, and the keys are in no answer."""
    found = users_server.get(BY_KEY)
    for name in ("PassPhrase", "SessionId", "TokenId"):
        assert found.json[name] is None
    for body in (found.body, users_server.get(USERS).body):
        assert keys.secret.encode() not in body
        assert keys.access.encode() not in body


def test_keys_in_the_query_are_enough(users_server: Server, keys: Keys) -> None:
    """The way programs find their host: keys in the query, right or wrong."""
    assert users_server.call("GET", f"{BY_KEY}?{keys.query}").status == 200
    refused = users_server.call("GET", f"{BY_KEY}?accessKey={keys.access}&secretKey=x")
    assert refused.status == 401
    assert users_server.call("GET", USERS).status == 401


def test_a_user_by_id(users_server: Server) -> None:
    """An array of one with the documented members, empty where nothing is known; else none."""
    users = {one["EmailAddress"]: one["ID"] for one in users_server.get(USERS).json}
    for email, role, name in (
        ("ada@example.com", "Administrator", "Ada"),
        ("owner@example.com", "Sales_User", ""),
    ):
        [user] = users_server.get(f"{BY_ID}?userId={users[email].upper()}").json
        assert user["UserId"] == users[email]
        assert (user["EmailAddress"], user["Role"], user["FirstName"]) == (email, role, name)
        assert (user["mx_Custom_10"], user["Groups"], user["IsCheckedIn"]) == ("", [], False)
        assert list(user)[:4] == ["UserId", "FirstName", "LastName", "EmailAddress"]
    for unknown in ("eeeeeeee-0000-4000-8000-00000000000e", "7", "%20x"):
        assert users_server.get(f"{BY_ID}?UserID={unknown}").json == []
    answer = users_server.get(BY_ID)
    assert (answer.status, answer.exception_type) == (400, "MXMandatoryAttributeMissingException")
