"""Faults that a test switches on, to see what its code makes of them."""

import threading
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import count
from typing import Final, Literal, NamedTuple, TypeAlias, TypedDict, Unpack

import msgspec

from oppserver.contract.errors import (
    ApiError,
    InternalFault,
    InvalidInput,
    RateLimited,
    Unavailable,
)
from oppserver.contract.limits import RATE_LIMIT_CALLS_DEFAULT, RATE_LIMIT_WINDOW_S_DEFAULT
from oppserver.contract.names import did_you_mean, quoted
from oppserver.testing.journal import ReceivedCall, call_names

On: TypeAlias = str | Callable[[ReceivedCall], bool]

CutWhen: TypeAlias = Literal["before", "after", "middle"]


class FaultOptions(TypedDict, total=False):
    """Which calls a fault meets. By default, the next one."""

    times: int | None
    """Number of calls that meet the fault; None: every call, until it is removed. Default 1."""
    every: int
    """Every which of the calls that it could meet: 3 is the third, the sixth and so on."""
    on: On
    """Which calls it could meet: a call's name (``Capture``), a path or its end
    (``/Bulk/Update/ByOpportunityId``), or a function of the call. By default, all."""


class Act(Enum):
    """The effect of a fault."""

    ANSWER = "answer"
    SLOW = "slow"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    CUT_MIDDLE = "cut in the middle"


class Fault:
    """A fault that is switched on. ``hits`` counts the calls that it has met.

    ``number`` is its place among all that were switched on, from 1.
    """

    def __init__(
        self,
        act: Act,
        name: str,
        options: FaultOptions,
        *,
        seconds: float = 0.0,
        answer: "PreparedAnswer | ApiError | None" = None,
    ) -> None:
        self.act: Final = act
        self.name: Final = name
        self.seconds: Final = seconds
        self.answer: Final = answer
        self.hits = 0
        self.number = 0
        self._times: Final = options.get("times", 1)
        self._every: Final = options.get("every", 1)
        self._on: Final = _condition(options.get("on", ""))
        self._could_meet = 0
        self._is_removed = False
        for what, number in (("times", self._times), ("every", self._every)):
            if number is not None and number < 1:
                raise InvalidInput(f"A fault's {what} is at least 1, not {number}")

    def __repr__(self) -> str:
        return f"<Fault {self.name}, {self.hits} hits>"

    @property
    def is_over(self) -> bool:
        """True when the fault meets no more calls."""
        return self._is_removed or (self._times is not None and self.hits >= self._times)

    def remove(self) -> None:
        """Switches it off."""
        self._is_removed = True

    def meets(self, call: ReceivedCall) -> bool:
        """Return true when the fault meets this call, and count the call."""
        if self.is_over or not self._on(call):
            return False
        self._could_meet += 1
        if self._could_meet % self._every:
            return False
        self.hits += 1
        return True


class PreparedAnswer(NamedTuple):
    """An answer that stands in for the server's own."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class Faults:
    """Switches faults on. A call meets the first that is there for it. Safe from threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = count(1)

    def rate_limited(self, *, retry_after_s: int = 1, **options: Unpack[FaultOptions]) -> Fault:
        """429 with ``Retry-After``, as the server itself answers it. The call is not done."""
        error = RateLimited(
            calls=RATE_LIMIT_CALLS_DEFAULT,
            window_s=RATE_LIMIT_WINDOW_S_DEFAULT,
            retry_after_s=retry_after_s,
        )
        return self._refuse(error, options)

    def unavailable(self, *, retry_after_s: int = 1, **options: Unpack[FaultOptions]) -> Fault:
        """503 with ``Retry-After``, as the server itself answers it. The call is not done."""
        error = Unavailable(
            "The server is busy: too many calls at once. Try again.", retry_after_s=retry_after_s
        )
        return self._refuse(error, options)

    def failure(self, **options: Unpack[FaultOptions]) -> Fault:
        """500, as the server itself answers it. The call is not done."""
        return self._refuse(InternalFault(), options)

    def answer(
        self,
        status: int,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Unpack[FaultOptions],
    ) -> Fault:
        """Any answer; the call is not done. ``body`` is bytes, or becomes JSON; None is empty."""
        data = b"" if body is None else body
        data = data if isinstance(data, bytes) else msgspec.json.encode(data)
        prepared = PreparedAnswer(status, data, headers or {})
        return self._add(Fault(Act.ANSWER, f"answer {status}", options, answer=prepared))

    def slow(self, seconds: float, **options: Unpack[FaultOptions]) -> Fault:
        """The call is done at once, and its answer comes seconds later, by the world's clock."""
        return self._add(Fault(Act.SLOW, f"slow, {seconds:g} s", options, seconds=seconds))

    def cut(self, when: CutWhen = "before", **options: Unpack[FaultOptions]) -> Fault:
        """The connection is cut: before the call is done, after it, or in the middle of its answer.

        After: it was done, and no byte of its answer is sent.
        """
        acts = {"before": Act.CUT_BEFORE, "after": Act.CUT_AFTER, "middle": Act.CUT_MIDDLE}
        if when not in acts:
            raise InvalidInput(f"A connection is cut before, after or middle, not {quoted(when)}")
        return self._add(Fault(acts[when], acts[when].value, options))

    def clear(self) -> None:
        """Switches all of them off."""
        with self._lock:
            self._faults.clear()

    def all(self) -> list[Fault]:
        """Return those that were switched on since the last ``clear()``."""
        with self._lock:
            return list(self._faults)

    @property
    def are_set(self) -> bool:
        """True when a call could meet a fault."""
        with self._lock:
            return any(not fault.is_over for fault in self._faults)

    def meeting(self, call: ReceivedCall) -> Fault | None:
        """The fault that a call meets now, which then counts."""
        with self._lock:
            return next((fault for fault in self._faults if fault.meets(call)), None)

    def _refuse(self, error: ApiError, options: FaultOptions) -> Fault:
        return self._add(Fault(Act.ANSWER, f"answer {error.status}", options, answer=error))

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            fault.number = next(self._numbers)
            self._faults.append(fault)
        return fault


def _condition(on: On) -> Callable[[ReceivedCall], bool]:
    if not isinstance(on, str):
        return on
    if not on:
        return lambda _: True
    wanted = on.lower()
    if "/" in on:
        return lambda call: call.path.lower().endswith(wanted)
    names = call_names()
    if wanted not in (name.lower() for name in names):
        raise InvalidInput(
            f"There is no call {quoted(on)}.{did_you_mean(on, names)} A path has a '/' in it."
        )
    return lambda call: call.name.lower() == wanted
