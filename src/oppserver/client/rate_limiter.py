"""The pace of calls: a moving window on the client's side, kept so that the host's is never passed.

The host counts a call at a moment that the client does not know: after it was sent, and before it
was answered. A call's place is therefore taken until a window's length after its answer, or after
it was sent and ``_COUNTED_WITHIN_S`` have gone, whichever is sooner: a host that takes long to
answer has counted the call long before.

Time comes in as ``now``, in seconds of any monotonic clock. All methods may be called from several
threads.
"""

import re
import threading
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Final, NamedTuple

from oppserver.contract.limits import RATE_LIMIT_CALLS_DEFAULT, RATE_LIMIT_WINDOW_S_DEFAULT

_COUNTED_WITHIN_S: Final = 1.0

_WINDOW_S_MAX: Final = 3_600.0
"""A policy of a longer window, such as calls in a day, is no pace; its end is told by a 429."""

_MESSAGE: Final = re.compile(r"limit of (\d{1,9}) in (\d{1,5}) second", re.IGNORECASE)

_POLICY: Final = re.compile(r'("[^"]*"|[A-Za-z*][\w*.\-]*)\s*((?:;\s*[a-z]+\s*=\s*[^,;]+)*)')

_PARAMETER: Final = re.compile(r";\s*([a-z]+)\s*=\s*(\d{1,9})\b")


class RateLimit(NamedTuple):
    """``calls`` in any ``window_s`` seconds."""

    calls: int
    window_s: float


DEFAULT_RATE_LIMIT: Final = RateLimit(RATE_LIMIT_CALLS_DEFAULT, RATE_LIMIT_WINDOW_S_DEFAULT)


class Slot:
    """A call's place in the window, from when it is sent. Owner: the RateLimiter that gave it."""

    __slots__ = ("counted_by",)

    def __init__(self, counted_by: float) -> None:
        self.counted_by = counted_by


class RateLimiter:
    """Says when a call may be sent. ``limit`` None: always.

    ``is_fixed``: the limit was given by the caller; one that is learned may only lower it.
    """

    def __init__(self, limit: RateLimit | None, *, is_fixed: bool) -> None:
        self._limit = limit
        self._ceiling: Final = limit if is_fixed else None
        self._is_off: Final = limit is None
        self._lock: Final = threading.Lock()
        self._sent: Final[set[Slot]] = set()  # not answered yet; owner: this class, under the lock
        self._counted: Final[list[float]] = []  # a heap: by when the host has counted; as above
        self._held_until = 0.0

    @property
    def limit(self) -> RateLimit | None:
        """The limit that is kept now."""
        return self._limit

    def enter(self, now: float) -> Slot | float:
        """A place for a call that is sent now, or the seconds to wait before asking again."""
        with self._lock:
            if self._held_until > now:
                return self._held_until - now
            if self._limit is None:
                return Slot(now)
            free_at = self._free_at(self._limit, now)
            if free_at > now:
                return free_at - now
            place = Slot(now + _COUNTED_WITHIN_S)
            self._sent.add(place)
            return place

    def leave(self, place: Slot, now: float) -> None:
        """The call of a place was answered, or its connection has failed."""
        with self._lock:
            if place in self._sent:
                self._sent.remove(place)
                heappush(self._counted, min(place.counted_by, now))

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Takes over what an answer's headers tell (names in lower case) of limit and window.

        Source: draft-ietf-httpapi-ratelimit-headers-10. Calls that the host has counted and this
        client has not sent are of others; they take places too.
        """
        replication_state = _replication_state(headers)
        limit = _policy(headers, replication_state[0] if replication_state else None)
        with self._lock:
            if limit is not None:
                self._adopt(limit)
            if limit is None or replication_state is None or limit != self._limit:
                return
            self._drop_old(limit, now)
            of_others = limit.calls - replication_state[1] - len(self._counted) - len(self._sent)
            for _ in range(min(of_others, limit.calls)):
                heappush(self._counted, now)

    def refused(self, message: str, *, hold_s: float, now: float) -> None:
        """The host refused a call for its rate: nothing is sent for ``hold_s`` seconds."""
        match = _MESSAGE.search(message)
        with self._lock:
            if match and int(match[1]) and int(match[2]):
                self._adopt(RateLimit(int(match[1]), int(match[2])))
            self._held_until = max(self._held_until, now + hold_s)

    def _adopt(self, limit: RateLimit) -> None:
        if self._is_off or limit.calls < 1 or not 0 < limit.window_s <= _WINDOW_S_MAX:
            return
        ceiling = self._ceiling
        if ceiling and limit.calls / limit.window_s > ceiling.calls / ceiling.window_s:
            limit = ceiling
        self._limit = limit

    def _free_at(self, limit: RateLimit, now: float) -> float:
        """When a place is free, or may be: ``now``, or the end of the oldest one's window."""
        self._drop_old(limit, now)
        if len(self._counted) + len(self._sent) < limit.calls:
            return now
        ends = [place.counted_by for place in self._sent]
        ends += self._counted[:1]
        return min(ends) + limit.window_s

    def _drop_old(self, limit: RateLimit, now: float) -> None:
        while self._counted and self._counted[0] + limit.window_s <= now:
            heappop(self._counted)
        for place in [one for one in self._sent if one.counted_by + limit.window_s <= now]:
            self._sent.remove(place)


def _replication_state(headers: Mapping[str, str]) -> tuple[str, int] | None:
    """The policy and the calls that are free, of ``RateLimit: "default";r=24;t=5``."""
    for name, parameters in _items(headers.get("ratelimit", "")):
        if "r" in parameters:
            return name, parameters["r"]
    return None


def _policy(headers: Mapping[str, str], name: str | None) -> RateLimit | None:
    """The policy of a name, or the first, of ``RateLimit-Policy: "default";q=25;w=5``."""
    policies = [
        (item, RateLimit(parameters["q"], parameters["w"]))
        for item, parameters in _items(headers.get("ratelimit-policy", ""))
        if {"q", "w"} <= parameters.keys()
    ]
    named = [limit for item, limit in policies if item == name]
    return next(iter(named or [limit for _, limit in policies]), None)


def _items(text: str) -> list[tuple[str, dict[str, int]]]:
    """The items of a list of structured fields, with those parameters that are whole numbers."""
    return [
        (match[1], {name: int(number) for name, number in _PARAMETER.findall(match[2])})
        for match in _POLICY.finditer(text)
    ]
