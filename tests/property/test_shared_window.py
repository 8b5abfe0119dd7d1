"""Laws of the window in Valkey, by a clock of the test's own instead of the server's."""

from collections.abc import Iterator
from contextlib import closing
from itertools import count

import pytest
import valkey
from hypothesis import given
from hypothesis import strategies as st

from oppserver.rate_limit import redis as rate_limit_redis
from oppserver.rate_limit.window import MovingWindow
from tests.property.laws import examples
from tests.support.valkeys import running_valkey

SECOND_US = 1_000_000
NOW_US = 1_800_000_000 * SECOND_US + 123_456
"""A moment of these years: so large that a number printed in short would lose its end."""

SCRIPT = rate_limit_redis._COUNT.replace("redis.call('TIME')", "{ARGV[3], ARGV[4]}").replace(
    "math.ceil(window / 1000) + 1", "600000"
)
"""The script with the test's clock. No key goes while an example runs."""

pauses_us = st.sampled_from([0, 0, 1, SECOND_US - 1, SECOND_US, SECOND_US + 1]) | st.integers(
    0, 3 * SECOND_US
)
histories = st.lists(st.tuples(pauses_us, st.sampled_from("ab")), max_size=60)
"""Calls: how long after the one before, and with which key."""

fresh = count()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator["valkey.Valkey"]:
    with (
        running_valkey(tmp_path_factory.mktemp("valkey")) as server,
        closing(valkey.Valkey(port=server.port)) as opened,
    ):
        yield opened


class Counted:
    """The script on fresh keys: (is free, how many are counted, microseconds to the next one)."""

    def __init__(self, client: "valkey.Valkey", *, calls: int, window_s: int) -> None:
        self._count = client.register_script(SCRIPT)
        self._limit = [calls, window_s * SECOND_US]
        self._example = next(fresh)

    def __call__(self, key: str, now_us: int) -> tuple[int, int, int]:
        at = divmod(now_us, SECOND_US)
        is_free, counted, free_in_us = self._count(
            keys=[f"{self._example}{key}"], args=[*self._limit, *at]
        )
        return is_free, counted, free_in_us


@given(history=histories, calls=st.integers(1, 6), window_s=st.integers(1, 4))
@examples(200)
def test_it_answers_what_the_window_of_a_process_answers(
    client: "valkey.Valkey", history: list[tuple[int, str]], calls: int, window_s: int
) -> None:
    """With the same calls at the same moments, to the last member."""
    now_us = NOW_US
    shared = Counted(client, calls=calls, window_s=window_s)
    own = MovingWindow(calls=calls, window_s=window_s, clock_ns=lambda: now_us * 1_000)
    for pause_us, key in history:
        now_us += pause_us
        is_free, counted, free_in_us = shared(key, now_us)
        answer = own.count(key)
        assert bool(is_free) != answer.is_exceeded
        assert calls - counted == answer.remaining
        assert -(-free_in_us // SECOND_US) == answer.reset_s


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 2 * SECOND_US), st.integers(-5 * SECOND_US, 0)), max_size=40
    ),
    calls=st.integers(1, 4),
)
@examples(200)
def test_a_clock_that_is_set_back_lets_nothing_through_and_locks_nobody_out(
    client: "valkey.Valkey", steps: list[tuple[int, int]], calls: int
) -> None:
    """By a true clock, no window of a second has more than the limit, and the wait is a second."""
    shared = Counted(client, calls=calls, window_s=1)
    true_us, set_back_us = 0, 0
    free: list[int] = []
    for pause_us, back_us in steps:
        true_us += pause_us
        set_back_us += back_us
        is_free, _, free_in_us = shared("key", NOW_US + true_us + set_back_us)
        assert 0 < free_in_us <= SECOND_US
        if is_free:
            free.append(true_us)
            assert sum(at > true_us - SECOND_US for at in free) <= calls
