"""The ids that a server under test makes."""

import random
import threading
from collections import deque
from uuid import UUID, uuid4

from oppserver.contract.errors import InvalidInput
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.names import quoted


class Ids:
    """What the server names new opportunities, leads, activities and users by.

    They are random until a seed or a list is given. Safe from several threads; calls that come side
    by side get theirs in no fixed order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: deque[str] = deque()
        self._chance: random.Random | None = None
        self._requests = 0  # named so far, since there is a seed

    def seed(self, seed: int) -> None:
        """From now on, the same ids after the same seed; those of requests are numbers."""
        with self._lock:
            self._chance = random.Random(seed)  # noqa: S311 (nothing secret)
            self._requests = 0

    def then(self, *ids: str | UUID) -> None:
        """The next ids, in order, before any others. Raises InvalidInput when one is no GUID."""
        guids = []
        for one in ids:
            guid = canonical_guid(str(one))
            if guid is None:
                raise InvalidInput(f"{quoted(one)} is no GUID")
            guids.append(guid)
        with self._lock:
            self._next.extend(guids)

    def new_id(self) -> str:
        """The next id."""
        with self._lock:
            if self._next:
                return self._next.popleft()
            if self._chance is None:
                return str(uuid4())
            return str(UUID(int=self._chance.getrandbits(128), version=4))

    def new_request_id(self) -> str:
        """The name of the next request that comes without one."""
        with self._lock:
            if self._chance is None:
                return uuid4().hex
            self._requests += 1
            return f"request-{self._requests}"
