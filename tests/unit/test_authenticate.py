"""From a presented key pair to the one who calls."""

import hashlib

import msgspec
import pytest

from oppserver.calls.shared.admission import authenticate, secret_sha256
from oppserver.contract.errors import InvalidCredentials
from oppserver.contract.model import Key, Principal, Role
from tests.support import stores

SECRET = "s3cret-Ü"


def stored(**values: object) -> Key:
    """A live key with the secret, and changes."""
    return msgspec.structs.replace(
        stores.key("access", secret_sha256=secret_sha256(SECRET), role=Role.USER), **values
    )


def test_the_right_secret_of_a_live_key_is_its_user() -> None:
    """The principal is the user of the key, with the key's role."""
    key = stored()
    assert authenticate(key, secret_key=SECRET) == Principal(
        access_key="access", user_id=key.user_id, email="access@example.com", role=Role.USER
    )


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        (None, SECRET),
        (None, ""),
        (None, "no such key"),
        (stored(), ""),
        (stored(), SECRET.upper()),
        (stored(), SECRET + " "),
        (stored(), SECRET[:-1]),
        (stored(), secret_sha256(SECRET)),
        (stored(), "\ud800"),
        (stored(), "x" * 1_000_000),
        (stored(revoked_on="2024-01-01 00:00:00"), SECRET),
        (stored(user_is_active=False), SECRET),
        (stored(revoked_on="2024-01-01 00:00:00", user_is_active=False), SECRET),
    ],
)
def test_anything_else_is_one_and_the_same_refusal(key: Key | None, secret: str) -> None:
    """Unknown, wrong, revoked, inactive: the caller cannot tell one from the other."""
    with pytest.raises(InvalidCredentials) as refused:
        authenticate(key, secret_key=secret)
    assert str(refused.value) == str(InvalidCredentials())
    assert refused.value.__cause__ is None


def test_the_stored_form_of_a_secret_is_its_sha_256() -> None:
    """The hash as any other program would make it."""
    assert secret_sha256(SECRET) == hashlib.sha256(SECRET.encode()).hexdigest()
