"""Several server processes are started as one and end as one."""

import json
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.support.many import (
    MESSAGE,
    fill,
    is_there,
    post_until_all_have_answered,
    processes,
    workers,
)
from tests.support.running import (
    BULK_READ,
    OPPSERVER,
    Keys,
    Server,
    clean_environment,
    create_key,
    events,
    one_line,
    poll,
    run,
    run_python,
    run_well,
    start,
)


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


def test_a_new_store_is_made_once(tmp_path: Path) -> None:
    """Four workers on a database that is not there yet: all serve it."""
    with workers(tmp_path, number=4) as server:
        [hint] = events(server, "no_keys")
        assert hint["worker"] == 1
        server.keys = create_key(tmp_path)
        run_well("type", "create", "12003", folder=tmp_path)
        post_until_all_have_answered(server, 200, number=4)
        assert run_well("db", "check", folder=tmp_path) == "ok\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_end_is_orderly(folder: Path, keys: Keys, how: signal.Signals) -> None:
    """Calls under way are finished, all workers end, the exit status is 0, nothing is left."""
    with workers(folder, keys=keys) as server:
        before = [*processes(server).values()]
        folders = metrics_folders(before[0])
        body = json.dumps(MESSAGE).encode()
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            head = f"POST {BULK_READ}?{keys.query} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
            connection.sendall(body[:10])
            server.process.send_signal(how)
            poll(lambda: len(events(server, "stopping")) == 2 or None, what="stop")
            connection.sendall(body[10:])
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0
        assert {line["worker"] for line in events(server, "stopped")} == {1, 2}
        assert "Traceback" not in server.log_file.read_text()
        assert not any(map(is_there, before))
        assert folders
        assert not any(one.exists() for one in folders)


def metrics_folders(process: int) -> set[Path]:
    """Where a worker counts."""
    files = {Path(one.path) for one in psutil.Process(process).open_files()}
    return {file.parent for file in files if file.parent.name.startswith("oppserver-metrics-")}


def test_ctrl_c_twice_does_not_wait(folder: Path, keys: Keys) -> None:
    """A second SIGINT leaves a call that does not end."""
    with workers(folder, keys=keys) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            head = f"POST {BULK_READ} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
            server.process.send_signal(signal.SIGINT)
            poll(lambda: len(events(server, "stopping")) == 2 or None, what="stop")
            assert server.process.poll() is None
            server.stop(signal.SIGINT, timeout_s=10)
        assert not any(map(is_there, processes(server).values()))


def test_a_call_that_does_not_end_is_left_after_the_time_to_stop(folder: Path, keys: Keys) -> None:
    """Several workers end as one process does."""
    with workers(folder, "--shutdown-timeout-s", "0", keys=keys) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            head = f"POST {BULK_READ} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n".encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")
            assert server.stop() == 0


def test_workers_end_with_a_parent_that_is_killed(folder: Path, keys: Keys) -> None:
    """No process and no file is left, and the port is free again."""
    with workers(folder, keys=keys) as server:
        before = [*processes(server).values()]
        folders = metrics_folders(before[0])
        assert folders
        server.process.kill()
        server.process.wait()
        poll(lambda: not any(map(is_there, before)) or None, what="the end of the workers")
        poll(lambda: not any(one.exists() for one in folders) or None, what="no files")
        assert {line["worker"] for line in events(server, "stopped")} == {1, 2}
        port = str(urlsplit(server.url).port)
        again = start(folder, "--port", port)
        try:
            assert urlsplit(again.url).port == int(port)
        finally:
            again.process.kill()
            again.process.wait()


def test_a_parent_that_is_killed_while_workers_start(folder: Path, tmp_path: Path) -> None:
    """They end too, wherever they are, and leave no file."""
    for _ in range(3):
        server = subprocess.Popen(
            [OPPSERVER, "serve", "--workers", "2", "--port", "0"],
            cwd=folder,
            env=clean_environment() | {"TMPDIR": str(tmp_path)},
            stderr=subprocess.DEVNULL,
        )
        parent = psutil.Process(server.pid)
        [child] = poll(lambda: parent.children() or None, what="the first worker")  # noqa: B023 (called in this turn of the loop)
        server.kill()
        server.wait()
        poll(lambda: not is_there(child.pid) or None, what="its end")  # noqa: B023 (called in this turn of the loop)
        assert not list(tmp_path.glob("oppserver-metrics-*"))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (("--database", "sqlite:///no/folder.db"), "The folder no of the database does not exist"),
        (("--database", "mysql://x"), "No engine for the database URL"),
        (("--rate-limit-store", "redis://127.0.0.1:{http}"), "The rate limit cannot be kept in"),
        (("--ssl-certfile", "bad.pem", "--ssl-keyfile", "bad.pem"), "The certificate and key"),
        (("--port", "{taken}"), "Cannot listen on 127.0.0.1 port"),
        (("--workers", "65"), "--workers: '65' is refused"),
    ],
)
def test_workers_that_cannot_start(
    folder: Path, two: Server, flags: Sequence[str], reason: str
) -> None:
    """One line that says why, status 1, and no process is left."""
    (folder / "bad.pem").write_text("nonsense")
    port = urlsplit(two.url).port
    taken = [flag.format(taken=port, http=port) for flag in flags]
    arguments = ["serve", "--port", "0", "--workers", "2", *taken]
    line = one_line(run(*arguments, folder=folder))
    assert line.startswith(f"oppserver: {reason}")


def test_no_password_is_in_the_list_of_processes(folder: Path, keys: Keys) -> None:
    """A worker gets its settings in private, also those that were typed."""
    store = "redis://:s3cret@127.0.0.1:1"
    with workers(folder, "--rate-limit", "5/5", "--rate-limit-store", store, keys=keys) as server:
        lines = [psutil.Process(one).cmdline() for one in processes(server).values()]
        assert sorted(line[-2:] for line in lines) == [
            ["oppserver.processes.worker", number] for number in "12"
        ]


WITHOUT_ROOM = """
import sys, tempfile
from oppserver.cli.main import main

tempfile.tempdir = "/no/such/folder"
sys.argv = ["oppserver", "serve", "--workers", "2", "--port", "0"]
main()
"""


def test_workers_need_a_temporary_folder(folder: Path) -> None:
    """Where there is none, one line says so."""
    line = one_line(run_python(WITHOUT_ROOM, folder=folder))
    assert line.startswith("oppserver: The workers need a temporary folder to count in: ")


def test_a_first_worker_that_is_killed_before_it_serves(folder: Path) -> None:
    """The server does not start, and one line says how its worker ended."""
    server = subprocess.Popen(
        [OPPSERVER, "serve", "--workers", "2", "--port", "0"],
        cwd=folder,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    parent = psutil.Process(server.pid)
    [child] = poll(lambda: parent.children() or None, what="the first worker")
    child.kill()
    _, errors = server.communicate(timeout=30)
    assert server.returncode == 1
    assert errors == "oppserver: The first worker could not serve: SIGKILL.\n"
