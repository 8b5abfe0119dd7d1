"""Users of a server under test, and their keys."""

import secrets
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from oppserver.contract.model import Key, Role
from oppserver.steps.authenticate import secret_sha256
from oppserver.store import Store

_ACCESS_BYTES: Final = 12
_SECRET_BYTES: Final = 24


class Names(NamedTuple):
    """A user's names, where they have any."""

    first: str | None = None
    last: str | None = None


NO_NAMES: Final = Names()


@dataclass(frozen=True, kw_only=True)
class OppserverUser:
    """A user with a key pair. The secret is in no text that is made of it."""

    id: str
    email: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers that carry the keys."""
        return {"x-LSQ-AccessKey": self.access_key, "x-LSQ-SecretKey": self.secret_key}


def add_user(
    store: Store, *, email: str, role: Role, created_on: str, user_id: str, names: Names = NO_NAMES
) -> OppserverUser:
    """Adds a key pair of a user, who is found by e-mail or created."""
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
    stored = store.add_key(key, first_name=names.first, last_name=names.last)
    return OppserverUser(
        id=stored.user_id, email=stored.email, access_key=stored.access_key, secret_key=secret
    )
