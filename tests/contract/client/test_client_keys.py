"""Keys appear in no repr, log, error, traceback or pickle."""

import asyncio
import copy
import logging
import pickle
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from oppserver.client import AsyncClient, Client, ClientError
from tests.support.both_clients import ACCESS, EITHER, SECRET, Either
from tests.support.scripted_host import CUT_BEFORE_ANY_ANSWER, Reply, error, scripted_host

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
EITHER_WAY = pytest.mark.parametrize("keys_in", ["headers", "query"])


def assert_hidden(*texts: str) -> None:
    for text in texts:
        assert ACCESS not in text
        assert SECRET not in text


def told_of(caught: BaseException) -> str:
    """The text of an error report: message, and variables of every frame outside the tests."""
    told = [repr(caught), repr(vars(caught))]
    for frame, _ in traceback.walk_tb(caught.__traceback__):
        if not frame.f_code.co_filename.startswith(str(Path(__file__).parents[2])):
            told += [f"{name} = {value!r}" for name, value in frame.f_locals.items()]
    assert caught.__cause__ is None
    assert caught.__context__ is None
    return "\n".join(told)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """The output of all loggers at their lowest level."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    return lambda: caplog.text + "".join(repr(vars(record)) for record in caplog.records)


def closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


ECHO = f"You sent ?accessKey={ACCESS}&secretKey={SECRET}"

PROBLEMS = {
    "401": error(401, ECHO, kind="MXInvalidAccessDetailsException"),
    "400 that repeats the query": error(400, ECHO),
    "429": error(429, ECHO, kind="MXAPIRateLimitExceededException"),
    "500": error(500, ECHO),
    "503": Reply(503, ECHO.encode()),
    "a redirect": Reply(302, headers={"Location": f"http://127.0.0.1:1/?{ECHO}"}),
    "not JSON": Reply(200, ECHO.encode()),
    "a cut": CUT_BEFORE_ANY_ANSWER,
    "half an answer": Reply(200, b" " * 5_000, cut=100),
    "no answer in time": Reply(200, b"[]", delay_s=0.5),
    "wrong encoding": Reply(200, b"[]", {"Content-Encoding": "gzip"}),
}


@EITHER
@EITHER_WAY
@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_no_error_shows_keys(
    client: Either, keys_in: str, problem: Reply, logged: Callable[[], str]
) -> None:
    """Message, repr, chained errors, traceback with variables, pickle and log have no key."""
    with scripted_host(problem) as host, pytest.raises(ClientError) as caught:
        client.read(host.url, [ID], keys_in=keys_in, retry_for_s=0, timeout_s=0.2)
    [request] = host.requests
    assert SECRET in (request.query if keys_in == "query" else request.headers).values()
    assert_hidden(told_of(caught.value), str(pickle.dumps(caught.value)), logged())


@EITHER
@EITHER_WAY
def test_a_missing_host_shows_no_keys(
    client: Either, keys_in: str, logged: Callable[[], str]
) -> None:
    """A connection error has no key either."""
    told: list[Any] = []
    with pytest.raises(ClientError, match="no connection") as caught:
        client.read(closed_port(), [ID], keys_in=keys_in, retry_for_s=0.6, on_retry=told.append)
    assert told
    assert_hidden(told_of(caught.value), repr(told), logged())


@EITHER
@EITHER_WAY
def test_a_good_call_logs_no_keys(client: Either, keys_in: str, logged: Callable[[], str]) -> None:
    """Not even at the debug level of every library."""
    with scripted_host() as host:
        client.read(host.url, [ID], keys_in=keys_in)
    assert_hidden(logged())
    assert host.requests[0].headers["user-agent"].startswith("oppserver-client/")


def everything_in(one: object) -> str:
    """The reprs of a value and of all values inside it."""
    seen: dict[int, object] = {}

    def walk(value: object) -> None:
        if id(value) in seen or type(value).__module__.startswith(("httpx", "httpcore", "ssl")):
            return
        seen[id(value)] = value
        with suppress(TypeError):
            for inner in vars(value).values():
                walk(inner)

    walk(one)
    return "".join(repr(value) for value in seen.values())


def test_clients_show_and_give_away_no_keys() -> None:
    """No repr has a key, also of the values inside; pickles and copies are refused."""
    for kind in (Client, AsyncClient):
        one = kind("127.0.0.1", ACCESS, SECRET)
        assert_hidden(repr(one), everything_in(one))
        for take in (pickle.dumps, copy.deepcopy):
            with pytest.raises(TypeError, match=r"[Mm]ake (one|a client) in each process"):
                take(one)


def test_a_task_that_is_cancelled_shows_no_keys() -> None:
    """An asyncio report of it has no key."""

    async def cancelled() -> BaseException:
        with scripted_host(Reply(200, b"[]", delay_s=5)) as host:
            async with AsyncClient(host.url, ACCESS, SECRET, keys_in="query") as client:
                rows = client.get_opportunities([ID], event_code=1, columns="Status")
                task = asyncio.ensure_future(rows.all())
                await asyncio.sleep(0.1)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError as error:
                    assert_hidden(repr(task))
                    return error
        raise AssertionError("it was not cancelled")

    assert_hidden("".join(traceback.format_exception(asyncio.run(cancelled()))))
