"""The way of one call, without I/O: when it is sent, what its answer means, whether it is repeated.

A flow is a generator. It yields what is to be done in the world (``Send``, ``Wait``) and is sent
what came of it; its return value is the call's result. The two clients differ only in how they do
these two things.
"""

import random
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Final, Generic, TypeVar

import msgspec

from oppserver.client.address import Keys
from oppserver.client.answers import Broken, HostAnswer, Problem, problem_of
from oppserver.client.calls import HostCall
from oppserver.client.errors import ClientError, RateLimitExceeded, WriteUnconfirmed
from oppserver.client.rate_limiter import RateLimiter, Slot

FIRST_WAIT_S: Final = 0.5

WAIT_S_MAX: Final = 20.0
"""Seconds of back-off at most; a host that asks for longer in Retry-After is obeyed."""

_JITTER_S: Final = 0.5


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """For how many seconds a call is tried again; 0: never."""

    retry_for_s: float


def wait_before_retry(
    problem: Problem, *, retries: Retries, attempt: int, elapsed_s: float, chance: float
) -> float | None:
    """Seconds until the next try; None when there is none.

    ``attempt`` counts the tries that have failed, from 1, and ``elapsed_s`` since the first one.
    The wait doubles with each try up to a bound, half of it by chance, so that clients that failed
    together do not come back together. A host's own ``Retry-After`` is kept, and a little more.
    """
    if not problem.is_temporary:
        return None
    if problem.retry_after_s is not None:
        wait_s = problem.retry_after_s + chance * _JITTER_S
    else:
        bound_s = min(WAIT_S_MAX, FIRST_WAIT_S * 2.0 ** min(attempt - 1, 30))
        wait_s = bound_s * (0.5 + 0.5 * chance)
    return wait_s if elapsed_s + wait_s <= retries.retry_for_s else None


T = TypeVar("T")

IDEMPOTENCY_HEADER: Final = "idempotency-key-hours"
"""A host that says for how many hours it knows a write again: then a write may be repeated."""


class Send(msgspec.Struct, frozen=True):
    """Send a call; its Answer, or Broken, is what comes back."""

    call: HostCall[Any]


class Wait(msgspec.Struct, frozen=True):
    """Wait; nothing comes back."""

    seconds: float


Step = Send | Wait

Reply = HostAnswer | Broken | None

Flow = Generator[Step, Reply, T]


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """What is told before a call is sent again. ``reason`` holds no key."""

    call: str
    attempt: int
    wait_s: float
    reason: str


class _Good(msgspec.Struct, Generic[T], frozen=True):
    """A call that has its result."""

    result: T


class Exchange:
    """What all calls of one client share: the pace, the retries, what is known of the host."""

    def __init__(
        self,
        *,
        rate_limiter: RateLimiter,
        retries: Retries,
        keys: Keys,
        on_retry: Callable[[Retry], None] | None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.rate_limiter: Final = rate_limiter
        self._retries: Final = retries
        self._keys: Final = keys
        self._on_retry: Final = on_retry
        self._clock: Final = clock
        self._chance: Final = chance
        self._knows_repeated_writes = threading.Event()  # set when the host has said so

    def flow(self, call: HostCall[T]) -> Flow[T]:
        """The way of a call to its result. Raises a ClientError when it has none."""
        attempt, since = 0, None
        while True:
            place = yield from self._entered()
            since = self._clock() if since is None else since
            outcome = self._outcome((yield Send(call)), call, place)
            if not isinstance(outcome, Problem):
                return outcome.result
            attempt += 1
            wait_s = self._wait(outcome, call, attempt=attempt, since=since)
            if wait_s is None:
                raise self._last_word(outcome, call)
            self._tell(outcome, call, attempt=attempt, wait_s=wait_s)
            yield Wait(wait_s)

    def _entered(self) -> Flow[Slot]:
        while True:
            place = self.rate_limiter.enter(self._clock())
            if isinstance(place, Slot):
                return place
            yield Wait(place)

    def _outcome(self, reply: Reply, call: HostCall[T], place: Slot) -> "_Good[T] | Problem":
        """What a reply comes to. No frame that raises holds the reply: a host may repeat keys."""
        assert reply is not None, "a Send is answered"
        now = self._clock()
        if isinstance(reply, HostAnswer):
            self.rate_limiter.learn(reply.headers, now)
            if reply.headers.get(IDEMPOTENCY_HEADER, "0").strip() != "0":
                self._knows_repeated_writes.set()
        self.rate_limiter.leave(place, now)
        problem = problem_of(reply, call)
        if problem is not None:
            return problem
        assert isinstance(reply, HostAnswer), "what is broken is a problem"
        try:
            return _Good(call.read(reply.body))
        except ClientError as error:
            error.__traceback__ = error.__context__ = None
            return Problem(error=error)

    def _wait(
        self, problem: Problem, call: HostCall[Any], *, attempt: int, since: float
    ) -> float | None:
        if problem.may_be_done and not self._may_repeat(call):
            return None
        now = self._clock()
        wait_s = wait_before_retry(
            problem,
            retries=self._retries,
            attempt=attempt,
            elapsed_s=now - since,
            chance=self._chance(),
        )
        if isinstance(problem.error, RateLimitExceeded):
            self.rate_limiter.refused(str(problem.error), hold_s=wait_s or 0.0, now=now)
        return wait_s

    def _may_repeat(self, call: HostCall[Any]) -> bool:
        """Whether doing a call twice is as good as once."""
        is_known_again = call.idempotency_key is not None and self._knows_repeated_writes.is_set()
        return not call.writes or is_known_again

    def _last_word(self, problem: Problem, call: HostCall[Any]) -> ClientError:
        """The error that a call ends with."""
        error = problem.error
        error.args = (self._keys.hide(str(error)),)
        if call.writes and problem.may_be_done and problem.is_temporary:
            return WriteUnconfirmed(
                f"{error} The write may have been done all the same: look before you send it again."
            )
        return error

    def _tell(self, problem: Problem, call: HostCall[Any], *, attempt: int, wait_s: float) -> None:
        if self._on_retry is not None:
            reason = self._keys.hide(str(problem.error))
            self._on_retry(Retry(call=call.name, attempt=attempt, wait_s=wait_s, reason=reason))
