"""The client never exceeds the host's limit, counted at the host in every window."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oppserver.client import Client
from tests.support.both_clients import ACCESS, EITHER, SECRET, Either, Sync
from tests.support.running import SCALE, create_key, run_well, serving
from tests.support.scripted_host import Reply, ScriptedHost, error, scripted_host

EMPTY = Reply(body=b'[{"EventCode":"1","RecordCount":0,"Opportunities":[]}]')
WINDOW_S = 5.0
CALLS = 25
WINDOWS = max(2, round(24 * (SCALE / 10)))
"""Two windows in the short form; 24, which are two minutes, at ten times the length."""


def ids(calls: int) -> Iterator[str]:
    return (f"{n:08x}-0000-4000-8000-000000000000" for n in range(2_000 * calls))


@pytest.mark.slow
@EITHER
def test_25_in_5_seconds_at_the_host(client: Either) -> None:
    """No window of 5 s has 26 calls, no call is refused, and no time is wasted."""
    with scripted_host(answer=lambda _: EMPTY, limit=(CALLS, WINDOW_S)) as host:
        started = time.monotonic()
        client.read(host.url, ids(CALLS * WINDOWS + 1), rate_limit="learn")
        took_s = time.monotonic() - started
    assert len(host.requests) == CALLS * WINDOWS + 1
    assert host.refused == 0
    assert host.busiest(WINDOW_S) == CALLS
    assert took_s <= 1.15 * WINDOW_S * WINDOWS


@pytest.mark.slow
def test_a_limited_server_never_refuses(tmp_path: Path) -> None:
    """The client follows the headers of a real server with another limit."""
    run_well("type", "create", "12000", folder=tmp_path)
    keys = create_key(tmp_path)
    with (
        serving(tmp_path, "--rate-limit", "40/2", keys=keys) as server,
        Client(server.url, keys.access, keys.secret) as client,
    ):
        started = time.monotonic()
        rows = client.get_opportunities(ids(40 * WINDOWS + 1), event_code=12000, columns="Status")
        assert rows.all() == []
        took_s = time.monotonic() - started
        statuses = [line["status"] for line in server.log() if line["event"] == "call"]
    assert statuses == [200] * (40 * WINDOWS + 1)
    assert took_s <= 1.15 * 2 * WINDOWS + 2.0  # the first calls do not know the limit yet


def test_the_limit_of_a_message_is_kept() -> None:
    """A host without headers states its limit, 4 in 1 s, in its first 429."""
    refusal = error(429, "API calls exceeded the limit of 4 in 1 second(s)")
    with scripted_host(answer=lambda _: EMPTY, limit=(4, 1.0), refusal=refusal) as host:
        Sync().read(host.url, ids(12), rate_limit="learn", calls_in_flight=2)
    assert len(host.counted) == 12
    assert host.refused <= 3  # what was in flight when the first was refused, and one try


def test_threads_of_one_client_share_its_limit() -> None:
    """Four threads share one window."""
    with (
        scripted_host(answer=lambda _: EMPTY, limit=(CALLS, WINDOW_S)) as host,
        Client(host.url, ACCESS, SECRET) as client,
    ):

        def read() -> None:
            client.get_opportunities(ids(6), event_code=1, columns="Status").all()

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    _assert_never_refused(host, calls=24)


def _assert_never_refused(host: ScriptedHost, *, calls: int) -> None:
    assert len(host.requests) == calls
    assert host.refused == 0
