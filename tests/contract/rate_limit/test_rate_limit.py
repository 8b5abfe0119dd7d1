"""The rate limit over a socket: exact, per key, told on every answer."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support import limited
from tests.support.limited import MESSAGE
from tests.support.running import Keys, Server, create_key, poll, run, serving

folder = limited.folder


def test_25_in_5_seconds_by_default(folder: Path) -> None:
    """Exactly 25 of 60 calls at once are answered, whatever the threads do; another key is free."""
    keys, other = create_key(folder), create_key(folder)
    with serving(folder, "--rate-limit", "25/5", keys=keys) as server:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: server.post(MESSAGE), range(60)))
        statuses = [answer.status for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (25, 35)
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.json == {
            "Status": "Error",
            "ExceptionType": "MXAPIRateLimitExceededException",
            "ExceptionMessage": "API calls exceeded the limit of 25 in 5 second(s)",
        }
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert server.post(MESSAGE, keys=other).status == 200


def test_the_default_is_the_documented_limit(folder: Path) -> None:
    """With no setting at all, the policy is 25 in 5 seconds."""
    done = run("serve", "--help", folder=folder)
    assert "default: 25/5" in done.stdout


def test_headers_tell_where_the_caller_stands(folder: Path) -> None:
    """RateLimit-Policy and RateLimit on good answers, bad ones and refused ones."""
    keys = create_key(folder)
    with serving(folder, "--rate-limit", "3/2", keys=keys) as server:
        good, bad, third, refused = (
            server.post(message) for message in (MESSAGE, b"{", MESSAGE, MESSAGE)
        )
        assert [one.status for one in (good, bad, third, refused)] == [200, 400, 200, 429]
        for answer, remaining in ((good, 2), (bad, 1), (third, 0), (refused, 0)):
            assert answer.headers["ratelimit-policy"] == '"default";q=3;w=2'
            found = re.fullmatch(r'"default";r=(\d+);t=([12])', answer.headers["ratelimit"])
            assert found
            assert int(found[1]) == remaining
        assert "retry-after" not in good.headers
        poll(lambda: server.post(MESSAGE).status == 200 or None, what="a free call", timeout_s=5)


def test_malformed_calls_count_and_strangers_do_not(folder: Path) -> None:
    """A body that is refused counts against its owner; a wrong secret counts against nobody."""
    keys = create_key(folder)
    with serving(folder, "--rate-limit", "5/60", keys=keys) as server:
        for _ in range(10):
            assert server.post(MESSAGE, keys=Keys(keys.access, "wrong")).status == 401
        assert [server.post(b"{").status for _ in range(4)] == [400] * 4
        assert [server.post(MESSAGE).status for _ in range(2)] == [200, 429]


def test_off(folder: Path, server: Server) -> None:
    """With the limit off, no answer has headers about one."""
    answer = server.post(MESSAGE)
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)


@pytest.mark.parametrize("value", ["", "25", "0/5", "25/0", "-1/5", "x/y", "25/5/1"])
def test_a_setting_that_is_none(folder: Path, value: str) -> None:
    """One line that names the flag and what was expected."""
    done = run("serve", "--rate-limit", value, folder=folder)
    assert done.returncode == 1
    assert done.stderr.startswith("oppserver: --rate-limit: ")
    assert "25/5" in done.stderr
    assert len(done.stderr.splitlines()) == 1
