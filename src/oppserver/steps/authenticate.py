"""From a presented key pair and the stored key to the one who calls."""

import hashlib
import hmac

from oppserver.contract.errors import InvalidCredentials
from oppserver.contract.model import Key, Principal

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
        access_key=stored.access_key,
        user_id=stored.user_id,
        email=stored.email,
        role=stored.role,
    )
