"""A server of several workers for tests: its processes, its lines, calls on all of them."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import psutil

from tests.support.running import BULK_READ, Keys, Server, asking, group, poll, run_well, serving

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
MESSAGE = asking(group([ID], "Status"))
LINE = {"ProspectActivityId": ID, "EventCode": 12003, "ProspectId": ID, "Status": "Open"}
ANSWER = [
    {
        "EventCode": "12003",
        "RecordCount": 1,
        "Opportunities": [
            {"ProspectId": ID, "EmailAddress": None, "ProspectActivityId": ID, "Status": "Open"}
        ],
    }
]


def fill(folder: Path) -> Path:
    """The folder, whose database has the one opportunity that is asked for."""
    (folder / "one.ndjson").write_text(json.dumps(LINE))
    run_well("import", "one.ndjson", folder=folder)
    return folder


@contextmanager
def workers(
    folder: Path,
    *flags: str,
    number: int = 2,
    keys: Keys | None = None,
    environment: Mapping[str, str] = {},
) -> Iterator[Server]:
    """A server with workers that all serve; at the end it is stopped, or killed."""
    flags = ("--workers", str(number), *flags)
    with serving(folder, *flags, keys=keys, environment=environment) as server:
        family = psutil.Process(server.process.pid)
        try:
            poll(lambda: len(processes(server)) == number or None, what="all workers")
            yield server
        finally:
            left = [family, *children(family)]
            with suppress(subprocess.TimeoutExpired):
                server.stop(timeout_s=10)  # in order, so that its files go too
            kill_all(left)


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill_all(all_of_them: Sequence[psutil.Process]) -> None:
    for process in all_of_them:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def processes(server: Server) -> dict[int, int]:
    """The process of each worker that has served, by its number; the last one counts."""
    return {
        line["worker"]: line["process"] for line in server.log() if line["event"] == "worker_ready"
    }


def is_there(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def post_until_all_have_answered(server: Server, status: int, *, number: int = 2) -> None:
    """Calls on connections of their own until each worker has answered one, all with a status."""
    since = len(server.log())

    def answered() -> bool | None:
        assert server.post(MESSAGE).status == status
        calls = [
            line for line in server.log()[since:] if line.get("call") == "GetOpportunitiesById"
        ]
        assert {line["status"] for line in calls} <= {status}
        return len({line["worker"] for line in calls}) == number or None

    poll(answered, what="answers of all workers")


@contextmanager
def calling(server: Server) -> Iterator[tuple[list[tuple[int, str]], list[str]]]:
    """Eight threads that call all the time over kept connections: the answers, the failures."""
    answers: list[tuple[int, str]] = []
    failures: list[str] = []
    ended = threading.Event()
    headers = {"Content-Type": "application/json", **server.keys.headers}

    def call() -> None:
        connection = server.connect()
        while not ended.is_set():
            try:
                connection.request("POST", BULK_READ, json.dumps(MESSAGE), headers)
                response = connection.getresponse()
                answers.append((response.status, json.dumps(json.loads(response.read()))))
            except (OSError, HTTPException) as error:
                failures.append(repr(error))
                connection.close()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        threads = [pool.submit(call) for _ in range(8)]
        try:
            yield answers, failures
        finally:
            ended.set()
        for thread in threads:
            thread.result()
