"""The rate limit: at most N calls in any window of S seconds, per key, exact.

A ``KeyedRateLimiter`` counts calls. This module has the limiter of a single process; ``machine.py``
and ``shared.py`` have those that processes and machines share (decision 0004).
"""

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from oppserver.contract.errors import RateLimited


class RateWindow(msgspec.Struct, frozen=True, kw_only=True):
    """Where a key stands after a call was counted.

    ``remaining`` calls are free now; ``reset_s`` is the whole number of seconds, rounded up, until
    the oldest call counted leaves the window and one more is free.
    """

    calls: int
    window_s: int
    remaining: int
    reset_s: int
    is_exceeded: bool

    def raise_if_exceeded(self) -> None:
        """Raises RateLimited when the call that was counted is one too many."""
        if self.is_exceeded:
            raise RateLimited(
                calls=self.calls, window_s=self.window_s, retry_after_s=max(1, self.reset_s)
            )


class KeyedRateLimiter(Protocol):
    """Counts calls by key. A call that is refused does not count."""

    def count(self, key: str) -> RateWindow:
        """Counts a call that comes now; safe from several threads, and waits for bounded time.

        Raises Unavailable when it cannot be counted.
        """
        ...


class MovingWindow:
    """The calls of one process.

    Memory: at most ``calls`` moments for each key, and only keys that were proved are counted.
    """

    def __init__(
        self, *, calls: int, window_s: int, clock_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._calls: Final = calls
        self._window_s: Final = window_s
        self._window_ns: Final = window_s * 1_000_000_000
        self._clock_ns: Final = clock_ns
        self._lock: Final = threading.Lock()
        self._moments: Final[dict[str, deque[int]]] = {}  # oldest first; owner: count()

    def count(self, key: str) -> RateWindow:
        """Counts a call that comes now."""
        with self._lock:
            now = self._clock_ns()
            moments = self._moments.setdefault(key, deque())
            while moments and moments[0] <= now - self._window_ns:
                moments.popleft()
            is_exceeded = len(moments) >= self._calls
            if not is_exceeded:
                moments.append(now)
            return RateWindow(
                calls=self._calls,
                window_s=self._window_s,
                remaining=self._calls - len(moments),
                reset_s=-((now - moments[0] - self._window_ns) // 1_000_000_000),
                is_exceeded=is_exceeded,
            )


def digest_of(key: str) -> bytes:
    """Return the name of a key outside of the process: 16 bytes of its SHA-256, never the key."""
    return hashlib.sha256(key.encode()).digest()[:16]
