"""The options that a test may set for its server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypedDict, cast

from oppserver.calls.shared.admission import new_key
from oppserver.config import RateLimit, parse_rate_limit
from oppserver.contract.errors import InvalidInput
from oppserver.contract.model import Role
from oppserver.contract.names import did_you_mean, quoted
from oppserver.store import Store


class OppserverOptions(TypedDict, total=False):
    """The options of the marker, of the ini file and of ``oppserver_factory``."""

    rate_limit: str
    """Calls in any window of seconds per key, as ``25/5``, or ``off``, the default."""
    now: str | datetime
    """When it is: the clock stands still there. By default it runs, and is the world's."""
    seed: int
    """The ids that the server makes come from it. By default they are random."""


class Chosen(NamedTuple):
    """Options, read and checked."""

    rate_limit: RateLimit | None = None
    now: str | datetime | None = None
    seed: int | None = None


_NAMES: Final = ("rate_limit", "now", "seed")


def chosen(options: Mapping[str, object]) -> Chosen:
    """Options as they were given; text is taken for numbers. Raises InvalidInput."""
    for name in options:
        if name not in _NAMES:
            raise InvalidInput(
                f"{quoted(name)} is no option of the test server.{did_you_mean(name, _NAMES)}"
                f" It takes {', '.join(_NAMES)}."
            )
    given = {name: value for name, value in options.items() if value not in ("", None)}
    return Chosen(
        rate_limit=_rate_limit(str(given.get("rate_limit", "off"))),
        now=cast("str | datetime | None", given.get("now")),
        seed=_seed(str(given["seed"])) if "seed" in given else None,
    )


def _rate_limit(text: str) -> RateLimit | None:
    try:
        return parse_rate_limit(text)
    except ValueError as error:
        raise InvalidInput(f"The test server's rate_limit {quoted(text)}: {error}") from None


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"The test server's seed {quoted(text)} is no whole number") from None


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
    store: Store,
    *,
    email: str,
    role: Role,
    created_on: str,
    user_id: str,
    first_name: str | None = None,
    last_name: str | None = None,
) -> OppserverUser:
    """Adds a key pair of a user, who is found by e-mail or created."""
    key, secret = new_key(email=email, role=role, user_id=user_id, created_on=created_on)
    stored = store.add_key(key, first_name=first_name, last_name=last_name)
    return OppserverUser(
        id=stored.user_id, email=stored.email, access_key=stored.access_key, secret_key=secret
    )
