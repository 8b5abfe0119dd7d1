"""The client's rate limiter: the moving window, and limits learned from answers."""

import random
from collections.abc import Mapping

import pytest

from oppserver.client.rate_limiter import RateLimit, RateLimiter, Slot

LIMIT = RateLimit(25, 5)


def rate_limiter(limit: RateLimit | None = LIMIT, *, is_fixed: bool = False) -> RateLimiter:
    return RateLimiter(limit, is_fixed=is_fixed)


def entered(one: RateLimiter, now: float) -> Slot:
    slot = one.enter(now)
    assert isinstance(slot, Slot), f"has to wait {slot} s"
    return slot


def waits(one: RateLimiter, now: float) -> float:
    wait_s = one.enter(now)
    assert not isinstance(wait_s, Slot), "may be sent"
    return wait_s


def headers(calls: int, window_s: int, remaining: int, reset_s: int = 1) -> Mapping[str, str]:
    return {
        "ratelimit-policy": f'"default";q={calls};w={window_s}',
        "ratelimit": f'"default";r={remaining};t={reset_s}',
    }


@pytest.mark.parametrize("answer_s", [0.01, 0.4, 2.0, 9.0])
@pytest.mark.parametrize("in_flight", [1, 8, 40])
def test_the_host_s_window_is_never_passed(answer_s: float, in_flight: int) -> None:
    """No window of 5 s has 26 calls, whenever the host counts a call within a second."""
    chance = random.Random(f"{answer_s} {in_flight}")
    one, now = rate_limiter(), 100.0
    under_way: list[tuple[float, Slot]] = []
    counted: list[float] = []
    while len(counted) < 200:
        if under_way and (len(under_way) == in_flight or under_way[0][0] <= now):
            ended, slot = under_way.pop(0)
            now = max(now, ended)
            one.leave(slot, now)
            continue
        slot_or_wait = one.enter(now)
        if isinstance(slot_or_wait, Slot):
            took = answer_s * chance.uniform(0.5, 1.5)
            counted.append(now + chance.uniform(0, min(took, 1.0)))
            under_way.append((now + took, slot_or_wait))
            under_way.sort(key=lambda item: item[0])
        else:
            now += min([slot_or_wait, *(ended - now for ended, _ in under_way if ended > now)])
    counted.sort()
    assert all(after - before > 5 for before, after in zip(counted, counted[25:], strict=False))


def test_a_full_window_is_waited_for_no_longer_than_needed() -> None:
    """25 calls at once, then none until 5 s after the first answer."""
    one = rate_limiter()
    slots = [entered(one, 10.0) for _ in range(25)]
    for slot in slots:
        one.leave(slot, 10.1)
    assert waits(one, 10.2) == pytest.approx(4.9)
    entered(one, 15.11)


def test_a_slow_host_has_counted_a_call_long_before_its_answer() -> None:
    """A slot is free 6 s after the sending, though the answer takes a minute."""
    one = rate_limiter(RateLimit(1, 5))
    slot = entered(one, 0.0)
    assert waits(one, 1.0) == pytest.approx(5.0)
    entered(one, 6.1)
    one.leave(slot, 60.0)
    entered(one, 61.0)


def test_the_policy_of_headers_is_learned_up_and_down() -> None:
    """A host that says 100 in 5 s gets 100; one that says 2 in 10 s gets 2."""
    one = rate_limiter()
    one.learn(headers(100, 5, 99), 0.0)
    assert one.limit == RateLimit(100, 5)
    one.learn(headers(2, 10, 1), 0.0)
    assert one.limit == RateLimit(2, 10)


def test_a_fixed_limit_is_never_exceeded() -> None:
    """A learned limit can lower it, but not raise it."""
    one = rate_limiter(RateLimit(10, 5), is_fixed=True)
    one.learn(headers(100, 5, 99), 0.0)
    assert one.limit == RateLimit(10, 5)
    one.refused("API calls exceeded the limit of 4 in 5 second(s)", hold_s=0, now=0.0)
    assert one.limit == RateLimit(4, 5)


def test_calls_of_other_programs_take_slots() -> None:
    """If the host counted 20 calls and this client sent one, 5 are left, not 24."""
    one = rate_limiter()
    slot = entered(one, 0.0)
    one.learn(headers(25, 5, 5), 0.1)
    one.leave(slot, 0.1)
    for _ in range(5):
        entered(one, 0.2)
    assert waits(one, 0.2) > 4


def test_a_refusal_stops_all_calls_and_its_message_is_the_limit() -> None:
    """No call is sent until the wait is over; the numbers in the message are the new limit."""
    one = rate_limiter()
    entered(one, 0.0)
    one.refused("API calls exceeded the limit of 20 in 5 second(s)", hold_s=3.0, now=1.0)
    assert one.limit == RateLimit(20, 5)
    assert waits(one, 1.0) == pytest.approx(3.0)
    entered(one, 4.0)


def test_off_keeps_no_window_and_learns_none() -> None:
    """A refusal still stops all calls."""
    one = rate_limiter(None)
    one.learn(headers(1, 60, 0), 0.0)
    for _ in range(1_000):
        entered(one, 0.0)
    one.refused("API calls exceeded the limit of 20 in 5 second(s)", hold_s=2.0, now=0.0)
    assert waits(one, 0.0) == 2.0
    assert one.limit is None


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"ratelimit-policy": "", "ratelimit": ""},
        {"ratelimit-policy": "nonsense", "ratelimit": ";;;r"},
        {"ratelimit-policy": '"default";q=0;w=5'},
        {"ratelimit-policy": '"day";q=10000;w=86400', "ratelimit": '"day";r=0;t=60000'},
        {"ratelimit-policy": '"default";q=x;w=5', "ratelimit": '"default";r=-4'},
    ],
)
def test_invalid_policies_are_ignored(told: Mapping[str, str]) -> None:
    """Empty, malformed, or for a whole day."""
    one = rate_limiter()
    one.learn(told, 0.0)
    assert one.limit == LIMIT
    entered(one, 0.0)


def test_ratelimit_chooses_among_several_policies() -> None:
    """``RateLimit`` names its policy."""
    one = rate_limiter()
    told = {"ratelimit-policy": '"day";q=9;w=86400, "burst";q=7;w=3', "ratelimit": '"burst";r=6'}
    one.learn(told, 0.0)
    assert one.limit == RateLimit(7, 3)
