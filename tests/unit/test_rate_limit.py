"""The moving window, by a clock of the test's own."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from oppserver.contract.errors import RateLimited
from oppserver.rate_limit.window import MovingWindow, RateWindow

SECOND_NS = 1_000_000_000


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now_ns = 12_345_678_901

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def counted(window: MovingWindow, number: int, key: str = "key") -> list[RateWindow]:
    """A number of calls, one after the other."""
    return [window.count(key) for _ in range(number)]


def test_so_many_calls_are_free_and_not_one_more(clock: Clock) -> None:
    """The limit itself is free; the call after it is not."""
    answers = counted(MovingWindow(calls=3, window_s=5, clock_ns=clock), 5)
    assert [one.is_exceeded for one in answers] == [False, False, False, True, True]
    assert [one.remaining for one in answers] == [2, 1, 0, 0, 0]


def test_a_limit_of_one(clock: Clock) -> None:
    """The smallest limit is one call in one second."""
    window = MovingWindow(calls=1, window_s=1, clock_ns=clock)
    assert [one.is_exceeded for one in counted(window, 2)] == [False, True]
    clock.now_ns += SECOND_NS
    assert [one.is_exceeded for one in counted(window, 2)] == [False, True]


def test_a_call_is_free_when_the_window_has_passed_and_not_before(clock: Clock) -> None:
    """A call leaves the window exactly its length after it came, not a nanosecond earlier."""
    window = MovingWindow(calls=2, window_s=5, clock_ns=clock)
    counted(window, 1)
    clock.now_ns += 2 * SECOND_NS
    counted(window, 1)
    clock.now_ns += 3 * SECOND_NS - 1
    assert window.count("key").is_exceeded
    clock.now_ns += 1
    answer = window.count("key")
    assert not answer.is_exceeded
    assert answer.remaining == 0
    assert window.count("key").is_exceeded


def test_the_window_moves_and_does_not_start_anew(clock: Clock) -> None:
    """A burst around the end of a fixed window is one burst: never twice the limit."""
    window = MovingWindow(calls=25, window_s=5, clock_ns=clock)
    clock.now_ns += 4 * SECOND_NS
    assert not any(one.is_exceeded for one in counted(window, 25))
    clock.now_ns += 2 * SECOND_NS
    assert all(one.is_exceeded for one in counted(window, 25))


def test_a_refused_call_does_not_count(clock: Clock) -> None:
    """A caller that goes on while refused is let in as early as one that waits."""
    window = MovingWindow(calls=1, window_s=2, clock_ns=clock)
    counted(window, 1)
    for _ in range(19):
        clock.now_ns += SECOND_NS // 10
        assert window.count("key").is_exceeded
    clock.now_ns += SECOND_NS // 10
    assert not window.count("key").is_exceeded


def test_keys_do_not_share(clock: Clock) -> None:
    """A key that is used up leaves others all their calls; names are compared to the letter."""
    window = MovingWindow(calls=2, window_s=5, clock_ns=clock)
    counted(window, 5, "key")
    for other in ("KEY", "key ", ""):
        assert [one.is_exceeded for one in counted(window, 3, other)] == [False, False, True]


@pytest.mark.parametrize(
    ("passed_ns", "reset_s"),
    [
        (0, 5),
        (1, 5),
        (SECOND_NS - 1, 5),
        (SECOND_NS, 4),
        (SECOND_NS + 1, 4),
        (4 * SECOND_NS, 1),
        (5 * SECOND_NS - 1, 1),
    ],
)
def test_the_wait_is_told_in_whole_seconds_rounded_up(
    clock: Clock, passed_ns: int, reset_s: int
) -> None:
    """A caller that waits as long as the answer says is let in; that is never 0 seconds."""
    window = MovingWindow(calls=1, window_s=5, clock_ns=clock)
    assert window.count("key").reset_s == 5
    clock.now_ns += passed_ns
    refused = window.count("key")
    assert refused.is_exceeded
    assert refused.reset_s == reset_s
    clock.now_ns += reset_s * SECOND_NS
    assert not window.count("key").is_exceeded


def test_what_is_exceeded_is_raised(clock: Clock) -> None:
    """A free call raises nothing; a refused one raises the documented message and the wait."""
    window = MovingWindow(calls=25, window_s=5, clock_ns=clock)
    for one in counted(window, 25):
        one.raise_if_exceeded()
    clock.now_ns += 3 * SECOND_NS
    with pytest.raises(RateLimited) as refused:
        window.count("key").raise_if_exceeded()
    assert str(refused.value) == "API calls exceeded the limit of 25 in 5 second(s)"
    assert refused.value.headers == {"Retry-After": "2"}


@pytest.mark.usefixtures("often")
def test_threads_that_call_at_once_get_each_place_once(clock: Clock) -> None:
    """Exactly the limit of 800 calls by eight threads at once gets in, each to a place."""
    window = MovingWindow(calls=250, window_s=5, clock_ns=clock)
    together = threading.Barrier(8)

    def call(_: int) -> list[RateWindow]:
        together.wait(timeout=30)
        return counted(window, 100)

    with ThreadPoolExecutor(8) as pool:
        answers = [one for part in pool.map(call, range(8)) for one in part]
    places = sorted(one.remaining for one in answers if not one.is_exceeded)
    assert places == list(range(250))
    assert len(answers) == 800


@pytest.mark.usefixtures("often")
def test_threads_get_as_many_calls_as_one_thread_would_while_time_goes_on() -> None:
    """The clock is read in the order of the calls: eight threads together are as one."""

    def ticking() -> MovingWindow:
        ticks = count(0, SECOND_NS // 100)
        return MovingWindow(calls=7, window_s=1, clock_ns=lambda: next(ticks))

    alone = [one.is_exceeded for one in counted(ticking(), 1_600)]
    shared = ticking()
    with ThreadPoolExecutor(8) as pool:
        parts = pool.map(lambda _: counted(shared, 200), range(8))
        together = [one.is_exceeded for part in parts for one in part]
    assert together.count(False) == alone.count(False) == 16 * 7
