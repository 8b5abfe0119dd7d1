"""The moving window against an oracle that remembers every call."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from oppserver.rate_limit.window import MovingWindow, RateWindow
from tests.property.laws import examples

SECOND_NS = 1_000_000_000

pauses_ns = st.sampled_from([0, 0, 1, SECOND_NS - 1, SECOND_NS, SECOND_NS + 1]) | st.integers(
    0, 3 * SECOND_NS
)
histories = st.lists(st.tuples(pauses_ns, st.sampled_from("ab")), max_size=60)
"""Calls: how long after the one before, and with which key."""


def answered(history: Sequence[tuple[int, str]], *, calls: int, window_s: int) -> list[RateWindow]:
    """The answers of the window to the calls of a history."""
    now_ns = 0
    window = MovingWindow(calls=calls, window_s=window_s, clock_ns=lambda: now_ns)
    answers = []
    for pause_ns, key in history:
        now_ns += pause_ns
        answers.append(window.count(key))
    return answers


@given(histories, st.integers(1, 6), st.integers(1, 4))
@examples(300)
def test_each_answer_follows_from_all_calls_before(
    history: list[tuple[int, str]], calls: int, window_s: int
) -> None:
    """A call is free when fewer than the limit were free in the window that ends with it."""
    now_ns = 0
    free: list[tuple[int, str]] = []
    answers = answered(history, calls=calls, window_s=window_s)
    for (pause_ns, key), answer in zip(history, answers, strict=True):
        now_ns += pause_ns
        begins_ns = now_ns - window_s * SECOND_NS
        in_window = [at for at, of in free if of == key and at > begins_ns]
        assert answer.is_exceeded == (len(in_window) >= calls)
        if not answer.is_exceeded:
            free.append((now_ns, key))
            in_window.append(now_ns)
        assert answer.remaining == calls - len(in_window)
        # the first whole second after which the oldest call is in the window no more
        assert answer.reset_s == next(
            wait_s
            for wait_s in range(1, window_s + 1)
            if min(in_window) <= begins_ns + wait_s * SECOND_NS
        )


@given(histories, st.integers(1, 6), st.integers(1, 4))
@examples(300)
def test_no_window_anywhere_has_more_calls_than_the_limit(
    history: list[tuple[int, str]], calls: int, window_s: int
) -> None:
    """Wherever a window is laid over the free calls of a key, it covers at most the limit."""
    answers = answered(history, calls=calls, window_s=window_s)
    for key in "ab":
        now_ns, free = 0, []
        for (pause_ns, of), answer in zip(history, answers, strict=True):
            now_ns += pause_ns
            if of == key and not answer.is_exceeded:
                free.append(now_ns)
        for begins_ns in free:
            ends_ns = begins_ns + window_s * SECOND_NS
            assert sum(begins_ns <= at < ends_ns for at in free) <= calls


@given(histories, st.integers(1, 6), st.integers(1, 4))
@examples(200)
def test_keys_do_not_touch_each_other(
    history: list[tuple[int, str]], calls: int, window_s: int
) -> None:
    """The answer to a key does not depend on the calls of others."""
    together = answered(history, calls=calls, window_s=window_s)
    for key in "ab":
        alone: list[tuple[int, str]] = []
        skipped_ns = 0
        for pause_ns, of in history:
            skipped_ns += pause_ns
            if of == key:
                alone.append((skipped_ns, key))
                skipped_ns = 0
        expected = [answer for answer, (_, of) in zip(together, history, strict=True) if of == key]
        assert answered(alone, calls=calls, window_s=window_s) == expected
