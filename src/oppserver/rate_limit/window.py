"""The rate limit: at most N calls in any window of S seconds, per key, exact.

A ``KeyedRateLimiter`` counts calls. This module has the limiter of a single process, and that of
the worker processes of a machine; ``shared.py`` has that of machines (decision 0004).
"""

import hashlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from oppserver.contract.errors import RateLimited, Unavailable

MACHINE_WINDOW_TIMEOUT_S: Final = 1.0
"""Seconds that a worker waits for its parent to count a call; then 503. Ours: it takes 0.1 ms."""

_QUESTION: Final = struct.Struct("<Q16s")  # a number, and the key's digest

_ANSWER: Final = struct.Struct("<QIIII?")  # that number, and a RateWindow

_NOT_COUNTED: Final = "The calls of this key cannot be counted now. Try again."


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


# --- the worker processes of one machine ---------------------------------------------------------
#
# Their parent counts: a worker asks with a datagram over a pair of sockets, the parent answers with
# one. Nothing is shared but the sockets, so a worker that is killed at any point leaves nothing
# locked and nothing half written (decision 0021).


def answer_questions(parent_end: socket.socket, window: KeyedRateLimiter) -> None:
    """Counts the calls that a worker has asked about, as far as they are there.

    ``parent_end`` does not block. An answer that the worker has no room for is dropped: whoever
    asked has given up.
    """
    while True:
        try:
            question = parent_end.recv(_QUESTION.size)
        except (BlockingIOError, ConnectionError):
            return
        if len(question) != _QUESTION.size:
            return  # the worker has closed its end
        number, digest = _QUESTION.unpack(question)
        counted = window.count(digest.hex())
        try:
            parent_end.send(_ANSWER.pack(number, *msgspec.structs.astuple(counted)))
        except OSError:
            return


class MachineWindow:
    """A worker's end: counts a call by asking the parent. One question is under way at a time."""

    def __init__(
        self, worker_end: socket.socket, *, timeout_s: float = MACHINE_WINDOW_TIMEOUT_S
    ) -> None:
        self._socket: Final = worker_end
        self._socket.settimeout(timeout_s)
        self._timeout_s: Final = timeout_s
        self._lock: Final = threading.Lock()
        self._number = 0  # owner: count(); of the question under way

    def count(self, key: str) -> RateWindow:
        """Counts a call that comes now. Raises Unavailable when the parent does not answer."""
        if not self._lock.acquire(timeout=self._timeout_s):
            raise Unavailable(_NOT_COUNTED)
        try:
            self._number += 1
            self._socket.send(_QUESTION.pack(self._number, digest_of(key)))
            return self._answer()
        except OSError as error:
            raise Unavailable(_NOT_COUNTED) from error
        finally:
            self._lock.release()

    def _answer(self) -> RateWindow:
        """The answer to the question under way; those to questions given up are read over."""
        while True:
            answer = self._socket.recv(_ANSWER.size)
            if len(answer) != _ANSWER.size:
                raise ConnectionResetError("the parent has closed its end")
            number, *members = _ANSWER.unpack(answer)
            if number == self._number:
                return RateWindow(**dict(zip(RateWindow.__struct_fields__, members, strict=True)))
