"""Keys: made, listed and revoked by command; proved on every call."""

import json
from pathlib import Path

import pytest

from oppserver.api.routes import ROUTES
from tests.support.databases import execute
from tests.support.running import (
    Keys,
    Server,
    asking,
    create_key,
    group,
    poll,
    run,
    run_well,
    serving,
)
from tests.support.world import WIDE_CODE, WIDE_ID

ENGINES = ["sqlite", "postgres"]

MESSAGE = asking(group([WIDE_ID], code=WIDE_CODE))


def test_create_prints_a_pair_once(tmp_path: Path) -> None:
    """``key create`` shows both parts; the secret is in no list and not in the database."""
    printed = run_well("key", "create", "--email", "a@example.com", folder=tmp_path)
    access, secret = (line.split()[1] for line in printed.splitlines())
    listed = run_well("key", "list", folder=tmp_path)
    assert access in listed
    assert secret not in listed
    assert len(secret) == 48
    for file in tmp_path.iterdir():
        assert secret.encode() not in file.read_bytes()


def test_json_forms(tmp_path: Path) -> None:
    """``--json`` prints one JSON value for programs."""
    made = json.loads(
        run_well(
            "key",
            "create",
            "--email",
            "a@example.com",
            "--role",
            "reader",
            "--json",
            folder=tmp_path,
        )
    )
    assert list(made) == ["accessKey", "secretKey"]
    [listed] = json.loads(run_well("key", "list", "--json", folder=tmp_path))
    assert listed["accessKey"] == made["accessKey"]
    assert (listed["email"], listed["role"], listed["revokedOn"]) == (
        "a@example.com",
        "reader",
        None,
    )


def test_a_role_that_is_none_and_an_address_that_is_none(tmp_path: Path) -> None:
    """Refused with what is allowed; no database is made."""
    wrong_role = run("key", "create", "--email", "a@b.c", "--role", "boss", folder=tmp_path)
    assert wrong_role.returncode == 2
    assert "administrator" in wrong_role.stderr
    wrong_email = run("key", "create", "--email", "nobody", folder=tmp_path)
    assert wrong_email.returncode == 1
    assert wrong_email.stderr.splitlines() == ["oppserver: --email: 'nobody' is no e-mail address"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", ["administrator", "user", "reader"])
def test_every_role_may_read(server: Server, filled_folder: Path, role: str) -> None:
    """A reader cannot write, but reads."""
    keys = create_key(filled_folder, role=role, email=f"{role}@example.com")
    assert server.post(MESSAGE, keys=keys).status == 200


@pytest.mark.parametrize("role", ["administrator", "user", "reader"])
def test_a_reader_may_make_every_call_but_those_that_write(
    server: Server, filled_folder: Path, role: str
) -> None:
    """By the table of calls: those that write are refused to a reader, and to nobody else."""
    keys = create_key(filled_folder, role=role, email=f"{role}@example.com")
    for route in ROUTES:
        headers = {"Content-Type": "application/json", **keys.headers}
        answer = server.call(route.method, route.path, b"{}", headers)
        writes = route.writes
        assert (answer.status == 403) == (writes and role == "reader"), (route, answer.body)
        assert answer.status != 401


def test_missing_wrong_revoked_and_inactive_get_the_same_401(
    server: Server, filled_folder: Path
) -> None:
    """The same body for all four, so that nobody learns which keys exist."""
    revoked = create_key(filled_folder, email="gone@example.com")
    run_well("key", "revoke", revoked.access, folder=filled_folder)
    inactive = create_key(filled_folder, email="inactive@example.com")
    execute(
        filled_folder,
        'UPDATE "user" SET is_active = :no WHERE email = :email',
        no=False,
        email="inactive@example.com",
    )
    answers = [
        server.post(MESSAGE, keys=keys)
        for keys in (
            Keys("", ""),
            Keys(server.keys.access, ""),
            Keys("", server.keys.secret),
            Keys(server.keys.access, "wrong"),
            Keys("opp_000000000000000000000000", server.keys.secret),
            Keys("\xe9", "\xff"),
            revoked,
            inactive,
        )
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].exception_type == "MXInvalidAccessDetailsException"


def test_credentials_come_before_the_body(server: Server) -> None:
    """A stranger's body is not decoded: 401, whatever is in it."""
    assert server.post(b"not json", keys=Keys("a", "b")).status == 401
    assert server.post(b"x" * (2 << 20), keys=Keys("a", "b")).status == 401


def test_revoking_takes_effect_within_a_second(tmp_path: Path) -> None:
    """A running server refuses a key as soon as the command has ended."""
    run_well("type", "create", "12003", folder=tmp_path)
    keys = create_key(tmp_path)
    message = asking(group([WIDE_ID]))
    with serving(tmp_path, keys=keys) as server:
        assert server.post(message).status == 200
        assert run_well("key", "revoke", keys.access, folder=tmp_path)
        poll(lambda: server.post(message).status == 401 or None, what="the refusal", timeout_s=1.0)
        another = create_key(tmp_path)
        assert server.post(message, keys=another).status == 200


def test_revoking_what_is_not_there(tmp_path: Path) -> None:
    """One line that says how to find the right one, exit status 1; twice is an error too."""
    keys = create_key(tmp_path)
    assert run("key", "revoke", keys.access, folder=tmp_path).returncode == 0
    for access in ("nothing", keys.access):
        done = run("key", "revoke", access, folder=tmp_path)
        assert done.returncode == 1
        assert "oppserver key list" in done.stderr
        assert len(done.stderr.splitlines()) == 1
