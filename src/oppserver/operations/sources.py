"""Where a server takes the time and new ids from: the only place in which it looks at either."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import uuid4


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return str(uuid4())


def _new_request_id() -> str:
    return uuid4().hex


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The world's clock and chance, unless whoever makes a server has others (decision 0029).

    ``now`` is an aware moment. ``new_id`` is a GUID in the stored form that nothing has yet,
    ``new_request_id`` is the name of a request that came without one. All are safe from several
    threads.
    """

    now: Callable[[], datetime] = _now
    new_id: Callable[[], str] = _new_id
    new_request_id: Callable[[], str] = _new_request_id


THE_WORLD: Final = Sources()
"""Those of every server in production."""
