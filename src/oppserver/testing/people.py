"""Users of a server under test, and their keys."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from oppserver.contract.model import Role
from oppserver.operations.key_pairs import new_key
from oppserver.store import Store


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
    key, secret = new_key(email=email, role=role, user_id=user_id, created_on=created_on)
    stored = store.add_key(key, first_name=names.first, last_name=names.last)
    return OppserverUser(
        id=stored.user_id, email=stored.email, access_key=stored.access_key, secret_key=secret
    )
