"""Several server processes on one port: they answer as one."""

import json
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import trustme

from tests.support.databases import environment_of, kept_in
from tests.support.many import (
    ANSWER,
    MESSAGE,
    children,
    fill,
    is_there,
    kill_all,
    post_until_all_have_answered,
    processes,
    workers,
)
from tests.support.running import (
    Keys,
    Server,
    clean_environment,
    create_key,
    events,
    poll,
    run_well,
    serving,
)

ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    return fill(kept_in(tmp_path_factory.mktemp("shared"), folder_engine))


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    return create_key(folder)


@pytest.fixture(scope="module")
def two(folder: Path, keys: Keys) -> Iterator[Server]:
    """Two workers, unlimited; for tests that leave both as they are."""
    with workers(folder, keys=keys) as server:
        yield server


def test_all_workers_answer_on_one_port_in_one_log(two: Server) -> None:
    """Each has its number in its lines; a line of one is never inside a line of another."""
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: two.post(MESSAGE), range(200)))
    assert [answer.json for answer in answers] == [ANSWER] * 200
    post_until_all_have_answered(two, 200)
    lines = two.log_file.read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == len(lines)
    [listening] = events(two, "listening")
    assert (listening["worker"], listening["workers"]) == (1, 2)
    assert processes(two).keys() == {1, 2}


def test_the_metrics_of_any_worker_are_those_of_all(two: Server) -> None:
    """Whichever worker is asked, it tells the sum of calls, seconds and bytes."""

    def counted(name: str) -> float:
        text = two.call("GET", "/metrics").body.decode()
        return sum(
            float(value)
            for value in re.findall(
                rf'^{name}\{{call="GetOpportunitiesById".*\}} (\S+)$', text, re.MULTILINE
            )
        )

    before = counted("oppserver_calls_total")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: two.post(MESSAGE), range(100)))
    post_until_all_have_answered(two, 200)
    calls = sum(line.get("call") == "GetOpportunitiesById" for line in two.log())
    poll(lambda: counted("oppserver_calls_total") == calls or None, what="the sum")
    assert calls >= before + 102
    for _ in range(10):  # of both workers
        assert counted("oppserver_calls_total") == calls
        assert counted("oppserver_call_seconds_count") == calls
        assert counted("oppserver_answer_bytes_total") > 100 * calls
    text = two.call("GET", "/metrics").body.decode()
    assert re.search(r"^oppserver_calls_in_flight 1.0$", text, re.MULTILINE), "the scrape itself"


def test_a_revoked_key_is_refused_by_all_workers(two: Server, folder: Path) -> None:
    """From the next call on, whichever worker gets it."""
    own = create_key(folder)
    asked = Server(two.process, two.url, two.log_file, own)
    post_until_all_have_answered(asked, 200)
    run_well("key", "revoke", own.access, folder=folder)
    post_until_all_have_answered(asked, 401)


def test_the_rate_limit_is_one_for_all_workers(folder: Path) -> None:
    """Exactly 25 of 60 calls at once are answered; headers show the one limit."""
    keys = create_key(folder)
    with workers(folder, "--rate-limit", "25/60", number=3, keys=keys) as server:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: server.post(MESSAGE), range(60)))
        assert Counter(answer.status for answer in answers) == {200: 25, 429: 35}
        told = [
            int(found[1])
            for answer in answers
            if (
                found := re.fullmatch(
                    r'"default";r=(\d+);t=(?:60|5\d)', answer.headers["ratelimit"]
                )
            )
        ]
        assert sorted(told, reverse=True) == [*range(24, -1, -1), *[0] * 35]
        assert len({line["worker"] for line in server.log() if line.get("status") == 200}) > 1


def test_workers_share_a_store_too(folder: Path, tmp_path: Path) -> None:
    """With a store that is away, the workers of a machine hold the limit together."""
    keys = create_key(folder)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        store = f"redis://127.0.0.1:{nobody.getsockname()[1]}"
        flags = ("--rate-limit", "25/60", "--rate-limit-store", store)
        with workers(folder, *flags, keys=keys) as server:
            with ThreadPoolExecutor(16) as pool:
                got = Counter(pool.map(lambda _: server.post(MESSAGE).status, range(60)))
            assert got == {200: 25, 429: 35}
            assert {line["worker"] for line in events(server, "rate_limit_store_lost")} == {1, 2}


def test_one_worker_is_one_process(folder: Path, keys: Keys) -> None:
    """Nothing is different from a server without the setting: no parent, no number, no child."""
    with serving(folder, "--workers", "1", keys=keys) as server:
        assert server.post(MESSAGE).json == ANSWER
        assert not psutil.Process(server.process.pid).children()
        assert not [line for line in server.log() if "worker" in line or "workers" in line]


def test_workers_speak_tls(folder: Path, keys: Keys, tmp_path: Path) -> None:
    """Each with the certificate that the server was given."""
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    certificate = ("--ssl-certfile", f"{tmp_path}/cert.pem", "--ssl-keyfile", f"{tmp_path}/key.pem")
    with workers(folder, *certificate, keys=keys) as server:
        assert server.url.startswith("https://")
        post_until_all_have_answered(server, 200)


SHARES_A_SOCKET = """
import sys
from oppserver.config import load_settings
from oppserver.processes.parent import serve_with_workers

flags = {"workers": "2", "port": "0", "rate_limit": "off"}
sys.exit(serve_with_workers(load_settings(flags), flags, balances_by_port=False))
"""


def test_workers_share_one_socket_where_ports_do_not_balance(folder: Path, keys: Keys) -> None:
    """The way of systems other than Linux: all answer, and all end in order."""
    log_file = folder / "shares-a-socket.log"
    with log_file.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-c", SHARES_A_SOCKET],
            cwd=folder,
            env=clean_environment() | environment_of(folder),
            stderr=lines,
        )
    server = Server(process, "", log_file, keys)
    try:
        poll(lambda: len(processes(server)) == 2 or None, what="both workers")
        server.url = str(events(server, "listening")[0]["url"])
        post_until_all_have_answered(server, 200)
        assert server.stop() == 0
    finally:
        if is_there(process.pid):
            family = psutil.Process(process.pid)
            kill_all([family, *children(family)])
