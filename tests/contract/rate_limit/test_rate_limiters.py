"""The promises of every rate limiter: that of a process, of a machine, and of several machines."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import pytest

from oppserver.rate_limit.address import parse_rate_limit_store
from oppserver.rate_limit.redis import RedisWindow
from oppserver.rate_limit.window import (
    KeyedRateLimiter,
    MachineWindow,
    MovingWindow,
    RateWindow,
    answer_questions,
)
from tests.support.running import poll
from tests.support.valkeys import ValkeyServer, running_valkey

Opened = Callable[[int, int], KeyedRateLimiter]
"""A fresh limiter of ``calls`` in ``window_s``."""


@contextmanager
def of_a_process(_: ValkeyServer) -> Iterator[Opened]:
    """The window in the memory of the process."""
    yield lambda calls, window_s: MovingWindow(calls=calls, window_s=window_s)


@contextmanager
def of_a_machine(_: ValkeyServer) -> Iterator[Opened]:
    """Both ends of the window that a parent holds; the parent is a thread."""
    with ExitStack() as stack:

        def opened(calls: int, window_s: int) -> KeyedRateLimiter:
            parent_end, worker_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            window = MovingWindow(calls=calls, window_s=window_s)
            ended = threading.Event()

            def parent() -> None:
                parent_end.setblocking(False)
                while not ended.is_set():
                    if select.select([parent_end], [], [], 0.01)[0]:
                        answer_questions(parent_end, window)

            thread = threading.Thread(target=parent)
            thread.start()
            stack.callback(parent_end.close)
            stack.callback(thread.join)
            stack.callback(ended.set)
            stack.callback(worker_end.close)
            return MachineWindow(worker_end)

        yield opened


@contextmanager
def of_several_machines(server: ValkeyServer) -> Iterator[Opened]:
    """The window in a Valkey."""
    server.command("FLUSHALL")
    where = parse_rate_limit_store(server.url)
    with ExitStack() as stack:

        def opened(calls: int, window_s: int) -> KeyedRateLimiter:
            window = RedisWindow(where, calls=calls, window_s=window_s, connections=8)
            return stack.enter_context(closing(window))

        yield opened


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(params=[of_a_process, of_a_machine, of_several_machines])
def open_limiter(request: pytest.FixtureRequest, valkey: ValkeyServer) -> Iterator[Opened]:
    with request.param(valkey) as opened:
        yield opened


def counted(limiter: KeyedRateLimiter, number: int, key: str = "key") -> list[RateWindow]:
    """A number of calls, one after the other."""
    return [limiter.count(key) for _ in range(number)]


def test_so_many_calls_are_free_and_not_one_more(open_limiter: Opened) -> None:
    """The limit itself is free, the call after it is not; each answer has numbers for headers."""
    answers = counted(open_limiter(25, 60), 27)
    assert [one.is_exceeded for one in answers] == [False] * 25 + [True] * 2
    assert [one.remaining for one in answers] == [*range(24, -1, -1), 0, 0]
    assert {(one.calls, one.window_s) for one in answers} == {(25, 60)}
    assert all(1 <= one.reset_s <= 60 for one in answers)


def test_a_call_is_free_again_when_the_window_has_passed(open_limiter: Opened) -> None:
    """No earlier, and also if calls went on meanwhile: refused calls do not count."""
    limiter = open_limiter(2, 1)
    started = time.monotonic()
    assert [one.is_exceeded for one in counted(limiter, 3)] == [False, False, True]
    poll(lambda: None if limiter.count("key").is_exceeded else True, what="a free call")
    assert time.monotonic() - started >= 1.0


def test_keys_do_not_share(open_limiter: Opened) -> None:
    """A key that is used up leaves others all their calls; names are compared to the letter."""
    limiter = open_limiter(2, 60)
    counted(limiter, 5, "key")
    for other in ("KEY", "key ", "\N{SNOWMAN}"):
        assert [one.is_exceeded for one in counted(limiter, 3, other)] == [False, False, True]


def test_threads_that_call_at_once_get_each_place_once(open_limiter: Opened) -> None:
    """Exactly the limit of 400 calls by eight threads gets in, each to a place of its own."""
    limiter = open_limiter(100, 60)
    together = threading.Barrier(8)

    def call(_: int) -> list[RateWindow]:
        together.wait(timeout=30)
        return counted(limiter, 50)

    with ThreadPoolExecutor(8) as pool:
        answers = [one for part in pool.map(call, range(8)) for one in part]
    places = sorted(one.remaining for one in answers if not one.is_exceeded)
    assert places == list(range(100))
    assert len(answers) == 400
