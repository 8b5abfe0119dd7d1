"""The limit that several servers share: exact, and what they do when its store is away."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import limited
from tests.support.limited import MESSAGE, health, nodes, statuses
from tests.support.running import Keys, Server, create_key, events, poll
from tests.support.valkeys import ValkeyServer, running_valkey

folder, valkey = limited.folder, limited.valkey

# --- shared ------------------------------------------------------------------------------------


def test_two_servers_share_one_limit(folder: Path, valkey: ValkeyServer) -> None:
    """Exactly 25 of 60 calls at once to two servers are answered; headers show the one limit."""
    keys, other = create_key(folder), create_key(folder)
    with nodes(folder, valkey.url) as servers:
        first, second = (server.post(MESSAGE, keys=other) for server in servers)
        for answer, remaining in ((first, 24), (second, 23)):
            assert answer.headers["ratelimit-policy"] == '"default";q=25;w=60'
            found = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
            assert found
            assert int(found[1]) == remaining
            assert 50 < int(found[2]) <= 60
        got = statuses(servers, keys, 60)
        assert (got.count(200), got.count(429)) == (25, 35)
        refused = servers[0].post(MESSAGE, keys=keys)
        assert refused.message == "API calls exceeded the limit of 25 in 60 second(s)"
        assert 50 < int(refused.headers["retry-after"]) <= 60
        assert [health(server) for server in servers] == [
            {"status": "ready", "rateLimitStore": "shared"}
        ] * 2


HAMMER = """
import sys, time
from oppserver.rate_limit.address import parse_rate_limit_store
from oppserver.rate_limit.redis import RedisWindow

window = RedisWindow(parse_rate_limit_store(sys.argv[1]), calls=25, window_s=1, connections=1)
window.count("warm")
print("ready", flush=True)
sys.stdin.readline()
free = 0
while free < 15:
    began = time.monotonic()
    counted = window.count("hammered")
    if not counted.is_exceeded:
        print(began, time.monotonic(), flush=True)
        free += 1
"""


def test_processes_that_hammer_never_get_more_than_the_limit(valkey: ValkeyServer) -> None:
    """Eight processes that do not wait: 120 free calls come, and no second has more than 25."""
    hammers = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, valkey.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for hammer in hammers:
        assert hammer.stdout is not None
        assert hammer.stdout.readline() == "ready\n"
    free: list[tuple[float, ...]] = []
    with ThreadPoolExecutor(8) as pool:
        for output, _ in pool.map(lambda hammer: hammer.communicate("go\n"), hammers):
            free += [tuple(map(float, line.split())) for line in output.splitlines()]
    assert len(free) == 120
    for began, _ in free:
        # each was counted between its two moments: these are surely in one second together
        assert sum(began <= other and ended < began + 1 for other, ended in free) <= 25


def test_what_is_stored_is_no_key_and_does_not_stay(folder: Path, valkey: ValkeyServer) -> None:
    """A key is stored as a hash, and expires with the window."""
    keys = create_key(folder)
    valkey.command("FLUSHALL")
    with nodes(folder, valkey.url, number=1) as [server]:
        assert server.post(MESSAGE, keys=keys).status == 200
        names = [name for name in valkey.command("KEYS", "*") if valkey.command("LLEN", name)]
        assert len(names) == 2  # and that of the trial at the start
        assert all(name.startswith(b"oppserver:rate:25/60:") for name in names)
        assert keys.access.encode() not in b"".join(names)
        assert all(0 < valkey.command("PTTL", name) <= 60_001 for name in names)


def test_a_store_whose_clock_was_set_back_locks_nobody_out(
    folder: Path, valkey: ValkeyServer
) -> None:
    """Moments that are in the store's future wait for one window, not for the clock."""
    keys = create_key(folder)
    valkey.command("FLUSHALL")
    with nodes(folder, valkey.url, limit="2/1", number=1) as [server]:
        server.post(MESSAGE, keys=keys)
        [name] = [name for name in valkey.command("KEYS", "*") if name_is_not_trial(valkey, name)]
        later_us = int((time.time() + 3_600) * 1_000_000)
        valkey.command("DEL", name)
        valkey.command("RPUSH", name, later_us, later_us)
        assert server.post(MESSAGE, keys=keys).status == 429
        poll(lambda: server.post(MESSAGE, keys=keys).status == 200 or None, what="a free call")


def name_is_not_trial(valkey: ValkeyServer, name: bytes) -> bool:
    return not name.endswith(b"e3b0c44298fc1c149afbf4c8996fb924")  # SHA-256 of nothing


# --- the store is away -------------------------------------------------------------------------


def test_a_store_that_is_killed_and_comes_back_under_load(folder: Path, tmp_path: Path) -> None:
    """No call fails meanwhile: each machine holds the limit alone, and says so; then together."""
    keys, other, third = (create_key(folder) for _ in range(3))
    with running_valkey(tmp_path) as valkey, nodes(folder, valkey.url) as servers:
        with load(servers, keys) as got:
            poll(lambda: got.count(429) > 20 or None, what="load")
            valkey.kill()
            poll(
                lambda: all(events(one, "rate_limit_store_lost") for one in servers) or None,
                what="loss",
            )
            # until then together, from then on each alone
            poll(lambda: got.count(200) == 75 or None, what="the limit of each")
            assert [health(one) for one in servers] == [
                {"status": "ready", "rateLimitStore": "lost"}
            ] * 2
            assert statuses(servers, other, 80).count(200) == 50
            valkey.start()
            for server in servers:
                poll(lambda: events(server, "rate_limit_store_back") or None, what="the way back")  # noqa: B023 (called in this turn of the loop)
        assert set(got) == {200, 429}
        assert statuses(servers, third, 60).count(200) == 25
        for server in servers:
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}
            assert len(events(server, "rate_limit_store_lost")) == 1
            assert counted_alone(server) >= 25


@contextmanager
def load(servers: Sequence[Server], keys: Keys) -> Iterator[list[int]]:
    """Threads that call the servers all the time; the statuses that they got so far."""
    got: list[int] = []
    ended = threading.Event()

    def calling(server: Server) -> None:
        while not ended.is_set():
            got.append(server.post(MESSAGE, keys=keys).status)

    with ThreadPoolExecutor() as pool:
        threads = [pool.submit(calling, server) for server in [*servers, *servers]]
        try:
            yield got
        finally:
            ended.set()
        for thread in threads:
            thread.result()


def counted_alone(server: Server) -> float:
    text = server.call("GET", "/metrics").body.decode()
    found = re.search(r"^oppserver_calls_counted_alone_total ([\d.]+)$", text, re.MULTILINE)
    assert found
    return float(found[1])


def test_a_store_that_answers_nothing_holds_no_call(folder: Path, tmp_path: Path) -> None:
    """A store that is frozen is left after a moment, and taken again when it goes on."""
    keys = create_key(folder)
    with running_valkey(tmp_path) as valkey, nodes(folder, valkey.url, number=1) as [server]:
        assert server.post(MESSAGE, keys=keys).status == 200
        valkey.freeze()
        assert statuses([server], keys, 30).count(200) == 25
        assert events(server, "rate_limit_store_lost")
        valkey.thaw()
        poll(lambda: events(server, "rate_limit_store_back") or None, what="the way back")


@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "SET", "maxmemory", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("ACL", "SETUSER", "default", "-eval", "-evalsha"),
    ],
    ids=["it is full", "it is a replica", "it forbids"],
)
def test_a_store_that_answers_and_does_not_count_is_lost(
    folder: Path, tmp_path: Path, command: Sequence[str]
) -> None:
    """Whatever the reason, the machine holds the limit alone; a failed trial is logged once."""
    keys = create_key(folder)
    with running_valkey(tmp_path) as valkey, nodes(folder, valkey.url, number=1) as [server]:
        valkey.command(*command)
        assert statuses([server], keys, 30).count(200) == 25
        assert health(server) == {"status": "ready", "rateLimitStore": "lost"}
        assert len(events(server, "rate_limit_store_lost")) == 1


def test_scripts_that_the_store_has_forgotten_are_sent_again(
    folder: Path, valkey: ValkeyServer
) -> None:
    """A store that was emptied counts on."""
    keys = create_key(folder)
    with nodes(folder, valkey.url, number=1) as [server]:
        server.post(MESSAGE, keys=keys)
        valkey.command("SCRIPT", "FLUSH")
        assert statuses([server], keys, 30).count(200) == 24
        assert not events(server, "rate_limit_store_lost")


def test_a_store_that_is_away_at_the_start(folder: Path, tmp_path: Path) -> None:
    """The server serves alone and says so; it shares when the store comes."""
    keys = create_key(folder)
    with running_valkey(tmp_path) as valkey:
        valkey.kill()
        with nodes(folder, valkey.url, number=1) as [server]:
            [line] = events(server, "rate_limit_store_lost")
            assert f"127.0.0.1:{valkey.port}" in str(line["cause"])
            assert "alone" in str(line["hint"])
            assert server.post(MESSAGE, keys=keys).status == 200
            valkey.start()
            poll(lambda: events(server, "rate_limit_store_back") or None, what="the store")
            assert statuses([server], keys, 30).count(200) == 25
            valkey.kill()
            server.post(MESSAGE, keys=keys)
            assert server.stop() == 0
