"""A moving-window rate limiter that never exceeds the host's window.

Invariant: in any window of the host, it counts at most ``calls`` calls of this client. The client
does not know when the host counts a call, only that it does so after the sending, before the
answer, and within ``_COUNTED_WITHIN_S``. So a call keeps its slot for one window after the latest
possible moment: its answer, or its sending plus ``_COUNTED_WITHIN_S``, whichever is sooner.

Time comes in as ``now``, in seconds of any monotonic clock. All methods are thread-safe.
"""

import re
import threading
from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Final, NamedTuple

from oppserver.contract.limits import RATE_LIMIT_CALLS_DEFAULT, RATE_LIMIT_WINDOW_S_DEFAULT

_COUNTED_WITHIN_S: Final = 1.0

_WINDOW_S_MAX: Final = 3_600.0
"""A policy with a longer window, such as calls per day, is ignored; a 429 enforces it."""

_MESSAGE: Final = re.compile(r"limit of (\d{1,9}) in (\d{1,5}) second", re.IGNORECASE)

_POLICY: Final = re.compile(r'("[^"]*"|[A-Za-z*][\w*.\-]*)\s*((?:;\s*[a-z]+\s*=\s*[^,;]+)*)')

_PARAMETER: Final = re.compile(r";\s*([a-z]+)\s*=\s*(\d{1,9})\b")


class RateLimit(NamedTuple):
    """``calls`` in any ``window_s`` seconds."""

    calls: int
    window_s: float


DEFAULT_RATE_LIMIT: Final = RateLimit(RATE_LIMIT_CALLS_DEFAULT, RATE_LIMIT_WINDOW_S_DEFAULT)


class Slot:
    """A call's slot in the window, from its sending. Owned by the RateLimiter that gave it.

    ``counted_by``: the latest moment at which the host counts the call.
    """

    __slots__ = ("counted_by",)

    def __init__(self, counted_by: float) -> None:
        self.counted_by = counted_by


class RateLimiter:
    """Decides when a call may be sent. ``limit`` None: always.

    ``is_fixed``: the caller chose the limit; a limit learned from the host can only lower it.
    """

    def __init__(self, limit: RateLimit | None, *, is_fixed: bool) -> None:
        self._limit = limit
        self._ceiling: Final = limit if is_fixed else None
        self._is_off: Final = limit is None
        self._lock: Final = threading.Lock()
        # owned by this class, under the lock: slots of calls without an answer, and a heap of the
        # moments by which the host has counted answered calls
        self._sent: Final[set[Slot]] = set()
        self._counted: Final[list[float]] = []
        self._held_until = 0.0

    @property
    def limit(self) -> RateLimit | None:
        """The current limit."""
        return self._limit

    def enter(self, now: float) -> Slot | float:
        """A slot for a call that is sent now, or the seconds to wait before the next attempt."""
        with self._lock:
            if self._held_until > now:
                return self._held_until - now
            if self._limit is None:
                return Slot(now)
            free_at = self._free_at(self._limit, now)
            if free_at > now:
                return free_at - now
            slot = Slot(now + _COUNTED_WITHIN_S)
            self._sent.add(slot)
            return slot

    def leave(self, slot: Slot, now: float) -> None:
        """Report that the call of a slot was answered, or that its connection failed."""
        with self._lock:
            if slot in self._sent:
                self._sent.remove(slot)
                heappush(self._counted, min(slot.counted_by, now))

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Learn limit and window from the headers of an answer (names in lower case).

        Source: draft-ietf-httpapi-ratelimit-headers-10. If the host counted more calls than this
        client sent, the others are of other programs; they take slots too.
        """
        state = _current_state(headers)
        limit = _policy(headers, state[0] if state else None)
        with self._lock:
            if limit is not None:
                self._adopt(limit)
            if limit is None or state is None or limit != self._limit:
                return
            self._drop_old(limit, now)
            of_others = limit.calls - state[1] - len(self._counted) - len(self._sent)
            for _ in range(min(of_others, limit.calls)):
                heappush(self._counted, now)

    def refused(self, message: str, *, hold_s: float, now: float) -> None:
        """Report a refusal for the rate: no call is sent for ``hold_s`` seconds."""
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
        """The moment of a free slot: ``now``, or the end of the oldest slot's window."""
        self._drop_old(limit, now)
        if len(self._counted) + len(self._sent) < limit.calls:
            return now
        ends = [slot.counted_by for slot in self._sent]
        ends += self._counted[:1]
        return min(ends) + limit.window_s

    def _drop_old(self, limit: RateLimit, now: float) -> None:
        while self._counted and self._counted[0] + limit.window_s <= now:
            heappop(self._counted)
        for slot in [one for one in self._sent if one.counted_by + limit.window_s <= now]:
            self._sent.remove(slot)


def _current_state(headers: Mapping[str, str]) -> tuple[str, int] | None:
    """The policy's name and the free calls in ``RateLimit: "default";r=24;t=5``."""
    for name, parameters in _items(headers.get("ratelimit", "")):
        if "r" in parameters:
            return name, parameters["r"]
    return None


def _policy(headers: Mapping[str, str], name: str | None) -> RateLimit | None:
    """The named or first policy in ``RateLimit-Policy: "default";q=25;w=5``."""
    policies = [
        (item, RateLimit(parameters["q"], parameters["w"]))
        for item, parameters in _items(headers.get("ratelimit-policy", ""))
        if {"q", "w"} <= parameters.keys()
    ]
    named = [limit for item, limit in policies if item == name]
    return next(iter(named or [limit for _, limit in policies]), None)


def _items(text: str) -> list[tuple[str, dict[str, int]]]:
    """The items of a list of structured fields, with their whole-number parameters."""
    return [
        (match[1], {name: int(number) for name, number in _PARAMETER.findall(match[2])})
        for match in _POLICY.finditer(text)
    ]
