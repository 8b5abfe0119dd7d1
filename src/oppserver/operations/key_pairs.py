"""New key pairs. Their secrets are chance, and nobody but their makers ever has them."""

import secrets
from typing import Final

from oppserver.contract.model import Key, Role
from oppserver.steps.authenticate import secret_sha256

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
