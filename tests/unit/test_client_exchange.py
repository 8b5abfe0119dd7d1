"""The steps of a call, without a network and without a running clock."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from oppserver.client import errors
from oppserver.client.calls import Broken, HostAnswer, HostCall
from oppserver.client.core import Keys
from oppserver.client.exchange import Exchange, Retry, Send, Wait
from oppserver.client.rate_limiter import RateLimit, RateLimiter

READ = HostCall(name="Read", method="POST", path="/", read=bytes.decode)
WRITE = replace(READ, name="Write", writes=True)
KEYED = replace(WRITE, idempotency_key="one")
GOOD = HostAnswer(status=200, headers={}, body=b"good")
KNOWS = HostAnswer(status=200, headers={"idempotency-key-hours": "24"}, body=b"good")
BUSY = HostAnswer(status=503, headers={}, body=b"")
LATER = HostAnswer(status=503, headers={"retry-after": "7"}, body=b"")
LIMITED = HostAnswer(status=429, headers={}, body=b"")
BROKE = Broken(reason="it broke", was_sent=True)
UNSENT = Broken(reason="refused", was_sent=False)


class World:
    """Time, and replies in their order."""

    def __init__(
        self, *replies: HostAnswer | Broken, retry_for_s: float = 60, limit: RateLimit | None = None
    ) -> None:
        self.now = 1_000.0
        self.replies = list(replies)
        self.sent: list[float] = []
        self.waits: list[float] = []
        self.told: list[Retry] = []
        self.exchange = Exchange(
            rate_limiter=RateLimiter(limit, is_fixed=True),
            retry_for_s=retry_for_s,
            hide=Keys("access-key", "secret-key").hide,
            on_retry=self.told.append,
            clock=lambda: self.now,
            chance=lambda: 1.0,
        )

    def run(self, call: HostCall[str]) -> str:
        flow = self.exchange.flow(call)
        reply: HostAnswer | Broken | None = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as done:
                result: str = done.value
                return result
            if isinstance(step, Wait):
                assert step.seconds > 0
                self.waits.append(step.seconds)
                self.now += step.seconds
                reply = None
            else:
                assert isinstance(step, Send)
                self.sent.append(self.now)
                reply = self.replies.pop(0)


@pytest.mark.parametrize("problem", [BUSY, LIMITED, BROKE, UNSENT])
def test_a_read_is_tried_again(problem: HostAnswer | Broken) -> None:
    """After at most 0.5, 1, 2 … seconds; each wait is reported."""
    world = World(problem, problem, problem, GOOD)
    assert world.run(READ) == "good"
    assert [retry.wait_s for retry in world.told] == [0.5, 1.0, 2.0]
    assert [retry.attempt for retry in world.told] == [1, 2, 3]
    assert world.told[0].call == "Read"


def test_back_off_is_capped() -> None:
    """No wait is longer than 20 s, and the tries end after ``retry_for_s``."""
    world = World(*[BUSY] * 100, retry_for_s=300)
    with pytest.raises(errors.HostUnavailable):
        world.run(READ)
    assert max(world.waits) == 20.0
    assert 250 < world.now - 1_000 <= 300


def test_retry_after_is_kept() -> None:
    """At most half a second is added, so that clients do not return together."""
    world = World(LATER, GOOD)
    assert world.run(READ) == "good"
    assert world.waits == [7.5]


def test_a_retry_after_beyond_the_retry_time_is_an_error() -> None:
    """The error is raised at once."""
    world = World(replace_header(LATER, "3600"))
    with pytest.raises(errors.HostUnavailable):
        world.run(READ)
    assert world.waits == []


def replace_header(answer: HostAnswer, seconds: str) -> HostAnswer:
    return HostAnswer(status=answer.status, headers={"retry-after": seconds}, body=b"")


def test_zero_never_tries_again() -> None:
    """``retry_for_s=0``: one request."""
    world = World(BUSY, retry_for_s=0)
    with pytest.raises(errors.HostUnavailable):
        world.run(READ)
    assert len(world.sent) == 1


@pytest.mark.parametrize("problem", [BUSY, BROKE])
def test_a_write_that_may_have_happened_is_not_repeated(problem: HostAnswer | Broken) -> None:
    """Neither without a key, nor with a key if the host may not know keys."""
    for call in (WRITE, KEYED):
        world = World(problem)
        with pytest.raises(errors.WriteUnconfirmed, match="look before you send it again"):
            world.run(call)
        assert len(world.sent) == 1


@pytest.mark.parametrize("problem", [LIMITED, UNSENT])
def test_a_write_that_did_not_happen_is_repeated(problem: HostAnswer | Broken) -> None:
    """It was refused for its rate, or there was no connection."""
    world = World(problem, GOOD)
    assert world.run(WRITE) == "good"


@pytest.mark.parametrize("problem", [BUSY, BROKE])
def test_a_write_is_repeated_if_the_host_recognizes_it(problem: HostAnswer | Broken) -> None:
    """After any answer of the host said so, and only with a key."""
    world = World(KNOWS, problem, GOOD)
    world.run(READ)
    assert world.run(KEYED) == "good"
    world.replies = [problem]
    with pytest.raises(errors.WriteUnconfirmed):
        world.run(WRITE)


def test_a_repeated_write_that_never_got_an_answer_is_unconfirmed() -> None:
    """Its last error does not claim that nothing was done."""
    world = World(KNOWS, *[BROKE] * 100)
    world.run(READ)
    with pytest.raises(errors.WriteUnconfirmed):
        world.run(KEYED)


def test_an_empty_answer_to_a_read_is_retried() -> None:
    """It is an error if it stays empty."""
    empty = HostAnswer(status=200, headers={}, body=b"")
    assert World(empty, GOOD).run(READ) == "good"
    with pytest.raises(errors.UnexpectedAnswer):
        World(*[empty] * 100).run(READ)


def test_retries_take_slots_too() -> None:
    """A retry takes a slot like any call."""
    world = World(*[BUSY] * 3, GOOD, limit=RateLimit(1, 10))
    world.run(READ)
    assert all(
        after - before >= 10 for before, after in zip(world.sent, world.sent[1:], strict=False)
    )


def test_time_in_the_queue_is_not_time_of_tries() -> None:
    """A call that waited long for its slot is still retried."""
    world = World(GOOD, BUSY, GOOD, limit=RateLimit(1, 100), retry_for_s=110)
    world.run(READ)
    assert world.run(READ) == "good"


def hiding(message: str) -> Callable[[], HostAnswer]:
    body = b'{"ExceptionType":"X","ExceptionMessage":"' + message.encode() + b'"}'
    return lambda: HostAnswer(status=400, headers={}, body=body)


def test_keys_that_a_host_repeats_are_hidden() -> None:
    """In errors and in the report before a retry."""
    said = hiding("for /v2?accessKey=access-key&secretKey=secret-key")
    with pytest.raises(errors.RequestRefused) as caught:
        World(said()).run(READ)
    assert "access-key" not in str(caught.value)
    assert "secret-key" not in str(caught.value)
    world = World(Broken(reason="secret-key", was_sent=False), GOOD)
    world.run(READ)
    assert "secret-key" not in world.told[0].reason
