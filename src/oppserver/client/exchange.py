"""The steps of one call, without I/O: wait for the rate limit, send, read the answer, retry.

A flow is a generator. It yields steps (``Send``, ``Wait``), receives the reply to each ``Send``,
and returns the call's result. The two clients differ only in how they carry out these steps.
"""

import random
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeVar

import msgspec

from oppserver.client.calls import Broken, HostAnswer, HostCall, Problem, is_cut, problem_of
from oppserver.client.errors import ClientError, HostFailed, RateLimitExceeded, WriteUnconfirmed
from oppserver.client.rate_limiter import RateLimiter, Slot

T = TypeVar("T")

FIRST_WAIT_S: Final = 0.5

WAIT_S_MAX: Final = 20.0
"""Longest back-off in seconds; a longer ``Retry-After`` of the host has priority."""

_FAILED_TRIES_MAX: Final = 4
"""Tries of a call at which the host fails (500). Chosen: a fault may be of this call alone, and
nobody wants to wait for that for minutes."""

_JITTER_S: Final = 0.5

IDEMPOTENCY_HEADER: Final = "idempotency-key-hours"
"""A host that sends this header recognizes a repeated write for that many hours."""


class Send(msgspec.Struct, frozen=True):
    """The step that sends a call; its reply is a HostAnswer or Broken."""

    call: HostCall[Any]


class Wait(msgspec.Struct, frozen=True):
    """The step that waits; nobody replies to it."""

    seconds: float


Step = Send | Wait

Reply = HostAnswer | Broken | None

Flow = Generator[Step, Reply, T]


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """The report to ``on_retry`` before a call is sent again. ``reason`` contains no key."""

    call: str
    attempt: int
    wait_s: float
    reason: str


class _Good(msgspec.Struct, Generic[T], frozen=True):
    """The result of a call, wrapped: it may be None."""

    result: T


def wait_before_retry(
    problem: Problem, *, retry_for_s: float, attempt: int, elapsed_s: float, chance: float
) -> float | None:
    """Seconds until the next try; None if there is no further try.

    ``attempt`` is the number of failed tries, ``elapsed_s`` the time since the first one. The wait
    doubles with each try up to a bound, and half of it is random: clients that failed together
    do not return together. A ``Retry-After`` of the host is kept, plus a short random time.
    """
    is_failing = isinstance(problem.error, HostFailed) and attempt >= _FAILED_TRIES_MAX
    if not problem.is_temporary or is_failing:
        return None
    if problem.retry_after_s is not None:
        wait_s = problem.retry_after_s + chance * _JITTER_S
    else:
        bound_s = min(WAIT_S_MAX, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30))
        wait_s = bound_s * (0.5 + 0.5 * chance)
    return wait_s if elapsed_s + wait_s <= retry_for_s else None


class Exchange:
    """The state that all calls of a client share: rate limit, retries, what the host supports."""

    def __init__(
        self,
        *,
        rate_limiter: RateLimiter,
        retry_for_s: float,
        hide: Callable[[str], str],
        on_retry: Callable[[Retry], None] | None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``hide`` removes the keys from a text, for errors and for ``on_retry``."""
        self._rate_limiter: Final = rate_limiter
        self._retry_for_s: Final = retry_for_s
        self._hide: Final = hide
        self._on_retry: Final = on_retry
        self._clock: Final = clock
        self._chance: Final = chance
        self._recognizes_repeated_writes = threading.Event()  # set once the host said so

    def flow(self, call: HostCall[T]) -> Flow[T]:
        """Run a call to its result. Raises a ClientError if all tries fail."""
        attempt, since = 0, None
        while True:
            slot = yield from self._enter()
            since = self._clock() if since is None else since
            outcome = self._outcome((yield Send(call)), call, slot)
            if not isinstance(outcome, Problem):
                return outcome.result
            attempt += 1
            wait_s = self._wait_s(outcome, call, attempt=attempt, since=since)
            if wait_s is None:
                raise self._final_error(outcome, call)
            if self._on_retry is not None:
                reason = self._hide(str(outcome.error))
                self._on_retry(Retry(call=call.name, attempt=attempt, wait_s=wait_s, reason=reason))
            yield Wait(wait_s)

    def _enter(self) -> Flow[Slot]:
        while True:
            slot = self._rate_limiter.enter(self._clock())
            if isinstance(slot, Slot):
                return slot
            yield Wait(slot)

    def _outcome(self, reply: Reply, call: HostCall[T], slot: Slot) -> "_Good[T] | Problem":
        """The result or the problem in a reply.

        No frame that raises holds the reply: a host may repeat the keys in it.
        """
        assert reply is not None, "a Send has a reply"
        now = self._clock()
        if isinstance(reply, HostAnswer):
            self._rate_limiter.learn(reply.headers, now)
            if reply.headers.get(IDEMPOTENCY_HEADER, "0").strip() != "0":
                self._recognizes_repeated_writes.set()
        self._rate_limiter.leave(slot, now)
        problem = problem_of(reply, call)
        if problem is not None:
            return problem
        assert isinstance(reply, HostAnswer), "a broken connection is a problem"
        try:
            return _Good(call.read(reply.body))
        except ClientError as error:
            error.__traceback__ = error.__context__ = None
            was_cut = is_cut(reply, error)
            return Problem(error=error, is_temporary=was_cut, may_be_done=was_cut)

    def _wait_s(
        self, problem: Problem, call: HostCall[Any], *, attempt: int, since: float
    ) -> float | None:
        if problem.may_be_done and not self._may_repeat(call):
            return None
        now = self._clock()
        wait_s = wait_before_retry(
            problem,
            retry_for_s=self._retry_for_s,
            attempt=attempt,
            elapsed_s=now - since,
            chance=self._chance(),
        )
        if isinstance(problem.error, RateLimitExceeded):
            self._rate_limiter.refused(str(problem.error), hold_s=wait_s or 0.0, now=now)
        return wait_s

    def _may_repeat(self, call: HostCall[Any]) -> bool:
        """Tell whether the call can be sent twice without being done twice."""
        is_recognized = (
            call.idempotency_key is not None and self._recognizes_repeated_writes.is_set()
        )
        return not call.writes or is_recognized

    def _final_error(self, problem: Problem, call: HostCall[Any]) -> ClientError:
        error = problem.error
        text = self._hide(str(error))
        if problem.retry_after_s is not None and problem.is_temporary and self._retry_for_s:
            text += (
                f" It asked for a call in {problem.retry_after_s:,.0f} s; this one is tried for"
                f" {self._retry_for_s:,.0f} s."
            )
        error.args = (text,)
        is_open = problem.may_be_done and problem.is_temporary and not isinstance(error, HostFailed)
        if call.writes and is_open:
            return WriteUnconfirmed(
                f"{error} The write may have been done: look before you send it again."
            )
        return error
