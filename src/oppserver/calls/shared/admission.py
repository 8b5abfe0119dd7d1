"""Credentials, the count against the rate limit, and rights: the first steps of every call."""

import hashlib
import hmac
import secrets
from typing import Final

from oppserver.calls.shared.call import Call, Services
from oppserver.contract.errors import AccessDenied, InvalidCredentials, InvalidInput
from oppserver.contract.model import Key, Principal, Role
from oppserver.contract.names import quoted


def identify(call: Call, services: Services) -> Principal:
    """Return the user of the call's keys, as of now. Raises InvalidCredentials."""
    stored = services.store.key(call.access_key)
    return authenticate(stored, secret_key=call.secret_key)


def count(call: Call, services: Services) -> None:
    """Count the call against the limit of its key.

    Raises RateLimited when the limit is exceeded, Unavailable when it cannot be counted.
    """
    if services.rate_limiter is None:
        return
    call.rate_window = services.rate_limiter.count(call.access_key)
    call.rate_window.raise_if_exceeded()


def authorise(call: Call, *, writes: bool) -> None:
    """Check that the role of the key allows the call.

    Raises AccessDenied when a reader's key would write.
    """
    assert call.principal is not None, "a call is identified before it is authorised"
    if writes and call.principal.role is Role.READER:
        raise AccessDenied(
            f"{call.name} writes, and this key is a reader's."
            " 'oppserver key create --role user' makes one that may write."
        )


_NO_KEY_SHA256 = hashlib.sha256(b"no such key").hexdigest()


def secret_sha256(secret_key: str) -> str:
    """The form in which a secret is stored: SHA-256, hexadecimal.

    A secret has 192 random bits, so no list of guesses can hold it and a slow hash protects
    nothing; it would cost each call 50 ms (docs/decisions/0003-secrets-are-stored-as-sha-256.md).
    """
    return hashlib.sha256(secret_key.encode("utf-8", "surrogatepass")).hexdigest()


def authenticate(stored: Key | None, *, secret_key: str) -> Principal:
    """The principal of a key whose secret is right.

    Missing, wrong, revoked and inactive take the same path to the same error: one hash and one
    comparison in constant time, whether the key is known or not.
    Raises InvalidCredentials.
    """
    expected = stored.secret_sha256 if stored else _NO_KEY_SHA256
    secret_is_right = hmac.compare_digest(secret_sha256(secret_key), expected)
    key_is_live = stored is not None and stored.revoked_on is None and stored.user_is_active
    if stored is None or not (secret_is_right and key_is_live):
        raise InvalidCredentials
    return Principal(
        access_key=stored.access_key, user_id=stored.user_id, email=stored.email, role=stored.role
    )


def checked_email(text: str, *, place: str) -> str:
    """Return an address without blanks around it. Raises InvalidInput that names the place."""
    email = text.strip()
    if "@" not in email or any(not c.isprintable() or c == " " for c in email):
        raise InvalidInput(f"{place}: {quoted(text)} is no e-mail address")
    return email


_ACCESS_BYTES: Final = 12

_SECRET_BYTES: Final = 24  # 192 random bits: why a quick hash is enough, see decision 0003


def new_key(*, email: str, role: Role, user_id: str, created_on: str) -> tuple[Key, str]:
    """A key to store, and its secret. ``user_id`` is for a user who is not there yet."""
    secret = secrets.token_hex(_SECRET_BYTES)
    key = Key(
        access_key="opp_" + secrets.token_hex(_ACCESS_BYTES),
        secret_sha256=secret_sha256(secret),
        user_id=user_id,
        email=email,
        role=role,
        user_is_active=True,
        created_on=created_on,
        revoked_on=None,
    )
    return key, secret
