"""The rate limit that the worker processes of one machine share: their parent counts.

Both ends of it: a worker asks with a datagram over a pair of sockets, the parent answers with one.
Nothing is shared but the sockets, so a worker that is killed at any point leaves nothing locked and
nothing half written (decision 0021).
"""

import socket
import struct
import threading
from typing import Final

from oppserver.contract.errors import Unavailable
from oppserver.rate_limit.window import KeyedRateLimiter, RateWindow, digest_of

MACHINE_WINDOW_TIMEOUT_S: Final = 1.0
"""Seconds that a worker waits for its parent to count a call; then 503. Ours: it takes 0.1 ms."""

_QUESTION: Final = struct.Struct("<Q16s")  # a number, and the key's digest

_ANSWER: Final = struct.Struct("<QIIII?")  # that number, and the members of a RateWindow

_NOT_COUNTED: Final = "The calls of this key cannot be counted now. Try again."


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
        answer = _ANSWER.pack(
            number,
            counted.calls,
            counted.window_s,
            counted.remaining,
            counted.reset_s,
            counted.is_exceeded,
        )
        try:
            parent_end.send(answer)
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
            number, calls, window_s, remaining, reset_s, is_exceeded = _ANSWER.unpack(answer)
            if number == self._number:
                return RateWindow(
                    calls=calls,
                    window_s=window_s,
                    remaining=remaining,
                    reset_s=reset_s,
                    is_exceeded=is_exceeded,
                )
