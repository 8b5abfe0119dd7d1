"""Several server processes on one port: they answer as one, and are started and ended as one."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import trustme

from tests.running import (
    BULK_READ,
    OPPSERVER,
    Keys,
    Server,
    asking,
    clean_environment,
    create_key,
    group,
    poll,
    run,
    run_well,
    serving,
    start,
)

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("shared")
    (made / "one.ndjson").write_text(json.dumps(LINE))
    run_well("import", "one.ndjson", folder=made)
    return made


@pytest.fixture(scope="module")
def keys(folder: Path) -> Keys:
    return create_key(folder)


@pytest.fixture(scope="module")
def two(folder: Path, keys: Keys) -> Iterator[Server]:
    """Two workers, unlimited; for tests that leave both as they are."""
    with workers(folder, keys=keys) as server:
        yield server


@contextmanager
def workers(
    folder: Path, *flags: str, number: int = 2, keys: Keys | None = None
) -> Iterator[Server]:
    """A server with workers that all serve; what is left of it at the end is killed."""
    with serving(folder, "--workers", str(number), *flags, keys=keys) as server:
        family = psutil.Process(server.process.pid)
        try:
            poll(lambda: len(processes(server)) == number or None, what="all workers")
            yield server
        finally:
            kill_all([family, *children(family)])


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


def events(server: Server, name: str) -> list[dict[str, object]]:
    return [line for line in server.log() if line["event"] == name]


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


# --- as one ------------------------------------------------------------------------------------


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
    """Of 60 calls at once exactly 25 are answered; headers tell of the one limit."""
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
            env=clean_environment(),
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


# --- what goes wrong ---------------------------------------------------------------------------


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
                poll(lambda: processes(server) != before or None, what="the next one")  # noqa: B023
                seen = len(answers)
                poll(lambda: len(answers) > seen + 200 or None, what="answers")  # noqa: B023
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
                lambda: all(processes(server)[n] != before[n] for n in before) or None,  # noqa: B023
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
    """It says why each time, the others go on, and it serves when what was wrong is mended."""
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


# --- the start and the end ---------------------------------------------------------------------


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
    """As with one process."""
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


def test_a_parent_that_is_killed_while_workers_start(folder: Path) -> None:
    """They end too, wherever they are."""
    for _ in range(3):
        server = subprocess.Popen(
            [OPPSERVER, "serve", "--workers", "2", "--port", "0"],
            cwd=folder,
            env=clean_environment(),
            stderr=subprocess.DEVNULL,
        )
        parent = psutil.Process(server.pid)
        [child] = poll(lambda: parent.children() or None, what="the first worker")  # noqa: B023
        server.kill()
        server.wait()
        poll(lambda: not is_there(child.pid) or None, what="its end")  # noqa: B023


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
    done = run(*arguments, folder=folder)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"oppserver: {reason}")


def test_no_password_is_in_the_list_of_processes(folder: Path, keys: Keys) -> None:
    """A worker is told its settings in private, also those that were typed."""
    store = "redis://:s3cret@127.0.0.1:1"
    with workers(folder, "--rate-limit", "5/5", "--rate-limit-store", store, keys=keys) as server:
        lines = [psutil.Process(one).cmdline() for one in processes(server).values()]
        assert sorted(line[-2:] for line in lines) == [
            ["oppserver.processes.worker", number] for number in "12"
        ]
