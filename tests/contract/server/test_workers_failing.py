"""Workers that are killed, frozen, or cannot start again: what callers get meanwhile."""

import json
import re
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest
import trustme

from tests.support.many import (
    ANSWER,
    MESSAGE,
    calling,
    fill,
    kill_all,
    post_until_all_have_answered,
    processes,
    workers,
)
from tests.support.running import (
    BULK_READ,
    Keys,
    Server,
    create_key,
    events,
    poll,
    run_well,
)
from tests.support.writing import CAPTURE, DEAL, capturing, define, fresh, store_of, well


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    return create_key(folder)


@pytest.fixture(scope="module")
def two(folder: Path, keys: Keys) -> Iterator[Server]:
    """Two workers, unlimited; for tests that leave both as they are."""
    with workers(folder, keys=keys) as server:
        yield server


def test_a_worker_that_is_killed_under_load(folder: Path) -> None:
    """Every answer is right; some calls of its own connections fail; it is started again.

    What it had counted is still in the metrics and in the rate limit.
    """
    keys = create_key(folder)
    with workers(folder, "--rate-limit", "999999/60", keys=keys) as server:
        with calling(server) as (answers, failures):
            poll(lambda: len(answers) > 200 or None, what="load")
            for _ in range(3):
                before = processes(server)
                victim = min(before)
                psutil.Process(before[victim]).kill()
                poll(lambda: processes(server) != before or None, what="the next one")  # noqa: B023 (called in this turn of the loop)
                seen = len(answers)
                poll(lambda: len(answers) > seen + 200 or None, what="answers")  # noqa: B023 (called in this turn of the loop)
        assert set(answers) == {(200, json.dumps(ANSWER))}
        assert len(failures) <= 8 * 3 * 2, failures  # a connection of each thread, cut and refused
        ended = events(server, "worker_ended")
        assert [(line["worker"], line["how"]) for line in ended] == [(1, "SIGKILL")] * 3
        post_until_all_have_answered(server, 200)
        remaining = int(server.post(MESSAGE).headers["ratelimit"].split(";")[1][2:])
        assert 999_999 - remaining > len(answers)
        text = server.call("GET", "/metrics").body.decode()
        found = re.search(r'oppserver_calls_total\{.*status="200"\} (\S+)', text)
        assert found
        assert float(found[1]) >= len(answers) - 8 * 3


def test_writes_under_workers_that_are_killed(tmp_path: Path) -> None:
    """Acknowledged writes are there, once, also if they were sent again to another worker."""
    store = store_of(tmp_path)
    define(store)
    store.close()
    keys = create_key(tmp_path)
    stored: dict[str, str] = {}
    ended = threading.Event()

    def write(server: Server) -> None:
        while not ended.is_set():
            name, key = fresh(), str(uuid4())
            message = capturing(values={"c1": name})
            while name not in stored:
                with suppress(OSError, HTTPException):
                    answer = server.post(message, path=CAPTURE, Idempotency_Key=key)
                    stored[name] = well(answer)["CreatedOpportunityId"]

    with workers(tmp_path, keys=keys) as server, ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write, server) for _ in range(4)]
        try:
            for number in (1, 2, 1):
                seen = len(stored)
                poll(lambda: len(stored) > seen + 20 or None, what="writes")  # noqa: B023 (called in this turn of the loop)
                before = processes(server)[number]
                psutil.Process(before).kill()
                poll(lambda: processes(server)[number] != before or None, what="the next")  # noqa: B023 (called in this turn of the loop)
        finally:
            ended.set()
        for writer in writers:
            writer.result()
    store = store_of(tmp_path)
    found = store.read_opportunities(event_code=DEAL, after_id="", limit=100_000)
    store.close()
    assert sorted((one.slots["mx_custom_1"], one.id) for one in found) == sorted(stored.items())


def test_the_rate_limit_survives_workers_that_are_killed(folder: Path) -> None:
    """However often workers are killed while they count: never more than the limit, no dead end."""
    keys = create_key(folder)
    with workers(folder, "--rate-limit", "20/60", keys=keys) as server:
        free = 0
        for _ in range(3):
            with ThreadPoolExecutor(8) as pool:
                calls = [pool.submit(server.post, MESSAGE) for _ in range(12)]
                before = processes(server)
                kill_all([psutil.Process(one) for one in before.values()])
                for call in calls:
                    with suppress(OSError, HTTPException):
                        free += call.result().status == 200
            poll(
                lambda: all(processes(server)[n] != before[n] for n in before) or None,  # noqa: B023 (called in this turn of the loop)
                what="the next two",
            )
        assert free <= 20
        assert free + sum(server.post(MESSAGE).status == 200 for _ in range(30)) <= 20
        assert server.post(MESSAGE).status == 429
        assert server.post(MESSAGE, keys=create_key(folder)).status == 200


def test_clients_that_say_nothing_hold_nobody_up(two: Server) -> None:
    """Frozen clients in the middle of a call, on every worker: others are answered."""
    parts = urlsplit(two.url)
    head = f"POST {BULK_READ} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{"
    frozen = []
    for _ in range(20):
        connection = socket.create_connection((parts.hostname, parts.port), timeout=10)
        connection.sendall(head.encode())
        frozen.append(connection)
    post_until_all_have_answered(two, 200)
    for connection in frozen:
        connection.close()


def test_a_parent_that_is_frozen_holds_no_call(folder: Path) -> None:
    """Calls that cannot be counted are 503 with Retry-After; when it goes on, so do they."""
    keys = create_key(folder)
    with workers(folder, "--rate-limit", "25/60", keys=keys) as server:
        assert server.post(MESSAGE).status == 200
        server.process.send_signal(signal.SIGSTOP)
        refused = server.post(MESSAGE)
        assert (refused.status, refused.exception_type) == (503, "MXServiceUnavailableException")
        assert int(refused.headers["retry-after"]) >= 1
        server.process.send_signal(signal.SIGCONT)
        poll(lambda: server.post(MESSAGE).status == 200 or None, what="an answer")
        assert server.call("GET", "/health/ready").status == 200


def test_a_worker_that_cannot_start_again_is_tried_in_longer_pauses(tmp_path: Path) -> None:
    """It says why each time, the others go on, and it serves when the fault is corrected."""
    run_well("type", "create", "12003", folder=tmp_path)
    keys = create_key(tmp_path)
    ca = tmp_path / "cert.pem"
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(str(ca))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    flags = ("--ssl-certfile", "cert.pem", "--ssl-keyfile", "key.pem")
    with workers(tmp_path, *flags, keys=keys) as server:
        shutil.move(ca, tmp_path / "away.pem")
        ca.write_text("nonsense")
        psutil.Process(processes(server)[2]).kill()
        poll(lambda: len(events(server, "worker_ended")) >= 4 or None, what="four ends")
        ended = events(server, "worker_ended")[:4]
        assert [line["started_again_in_s"] for line in ended] == [0.1, 0.2, 0.4, 0.8]
        assert [line["how"] for line in ended] == ["SIGKILL", *["exit status 1"] * 3]
        assert "oppserver: The certificate and key cannot be used" in server.log_file.read_text()
        assert server.post(MESSAGE).status == 200
        shutil.move(tmp_path / "away.pem", ca)
        before = processes(server)[2]
        poll(lambda: processes(server)[2] != before or None, what="the second worker")


def test_a_worker_that_is_told_to_end_is_replaced(folder: Path, keys: Keys) -> None:
    """SIGTERM to one worker ends it in order; another one takes its place."""
    with workers(folder, keys=keys) as server:
        before = processes(server)[2]
        psutil.Process(before).terminate()
        poll(lambda: processes(server)[2] != before or None, what="the next one")
        [line] = events(server, "worker_ended")
        assert (line["worker"], line["how"]) == (2, "exit status 0")
