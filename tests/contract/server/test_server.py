"""The basics of a server: health, logs, encodings, limits, an orderly end."""

import gzip
import json
import signal
import socket
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import zstandard

import oppserver
from oppserver.store.sqlite.library import LIBRARY, Connection
from tests.support.running import (
    BULK_READ,
    Server,
    asking,
    create_key,
    group,
    make_certificate,
    poll,
    run,
    run_well,
    serving,
    start,
)
from tests.support.world import SPARSE_ID, WIDE_CODE, WIDE_ID

MESSAGE = asking(
    group([WIDE_ID, SPARSE_ID], ",".join(f"mx_Custom_{n}" for n in range(1, 251)), code=WIDE_CODE)
)
SMALL = asking(group([WIDE_ID], code=WIDE_CODE))


def test_health(server: Server) -> None:
    """Live says that the process answers, ready that the store does."""
    assert server.call("GET", "/health/live").json == {"status": "live"}
    assert server.call("GET", "/health/ready").json == {"status": "ready"}


def test_a_store_that_is_gone_is_503(tmp_path: Path) -> None:
    """Not ready, and calls get 503 with Retry-After and no internals; live goes on."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    keys = create_key(tmp_path)
    with serving(tmp_path, "--sqlite-mmap-bytes", "0", keys=keys) as server:
        assert server.post(SMALL).status == 200
        with (tmp_path / "oppserver.db").open("r+b") as file:
            file.truncate(100)
        (tmp_path / "oppserver.db-wal").write_bytes(b"")
        answer = poll(
            lambda: one if (one := server.call("GET", "/health/ready")).status != 200 else None,
            what="not ready",
        )
        called = server.post(SMALL)
        for refused in (answer, called):
            assert (refused.status, refused.exception_type) == (
                503,
                "MXServiceUnavailableException",
            )
            assert int(refused.headers["retry-after"]) >= 1
            assert "sqlite" not in refused.body.decode().lower()
            assert str(tmp_path) not in refused.body.decode()
        assert server.call("GET", "/health/live").status == 200


def test_metrics(server: Server) -> None:
    """Calls are counted by call and status, in the Prometheus text format."""
    server.post(SMALL)
    text = server.call("GET", "/metrics").body.decode()
    assert 'oppserver_calls_total{call="GetOpportunitiesById",status="200"}' in text
    assert "oppserver_call_seconds_bucket" in text


def metrics_of(server: Server) -> dict[str, float]:
    """The samples of the metrics, by name and labels; none while a worker does not answer yet."""
    answer = server.call("GET", "/metrics")
    if answer.status != 200:
        return {}
    text = answer.body.decode()
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@pytest.mark.parametrize("workers", [1, 2])
def test_o7_metrics_follow_the_conventions(tmp_path: Path, workers: int) -> None:
    """One charset; the build, the process or all workers, the store and the threads are there."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    flags = ("--workers", str(workers), "--worker-threads", "3")
    with serving(tmp_path, *flags, keys=create_key(tmp_path)) as server:
        content_type = server.call("GET", "/metrics").headers["content-type"]
        assert content_type == "text/plain; version=0.0.4; charset=utf-8"
        found = poll(
            lambda: (
                one
                if (one := metrics_of(server)).get("oppserver_worker_threads") == 3 * workers
                else None
            ),
            what="all workers",
        )
        [build] = [name for name in found if name.startswith("oppserver_build_info{")]
        assert f'version="{oppserver.__version__}"' in build
        assert 'python="3.' in build
        labels = f'library="{LIBRARY.name}",version="{LIBRARY.version}"'
        assert found[f"oppserver_store_library_info{{{labels}}}"] == 1
        assert found["process_resident_memory_bytes"] > workers * (20 << 20)
        assert found["process_cpu_seconds_total"] > 0
        assert 0 <= time.time() - found["process_start_time_seconds"] < 600
        assert found["process_open_fds"] > 3 * workers
        files = ("oppserver.db", "oppserver.db-wal")
        size = sum((tmp_path / name).stat().st_size for name in files)
        assert found["oppserver_store_bytes"] == size


def test_a_log_line_has_the_request_id_and_no_secret(server: Server) -> None:
    """The answer's X-Request-Id is in the log; no key from query, headers or body is."""
    answer = server.call(
        "POST",
        f"{BULK_READ}?{server.keys.query}",
        json.dumps(SMALL),
        {"Content-Type": "application/json"},
    )
    wrong = server.call("POST", f"/v2/x&secretKey=s3cr3t-in-path?{server.keys.query}", b"")
    lines = poll(
        lambda: (
            found
            if len(
                found := [
                    line
                    for line in server.log()
                    if line.get("request_id")
                    in (answer.headers["x-request-id"], wrong.headers["x-request-id"])
                ]
            )
            == 2
            else None
        ),
        what="the log lines",
    )
    assert lines[0]["status"] == 200
    assert lines[0]["call"] == "GetOpportunitiesById"
    assert lines[0]["ms"] > 0
    text = server.log_file.read_text()
    assert server.keys.secret not in text
    assert server.keys.access not in text
    assert "s3cr3t-in-path" not in text


def test_a_caller_s_request_id_is_kept_where_it_is_sane(server: Server) -> None:
    """So that both logs can be joined; what is not sane is replaced."""
    assert server.post(SMALL, X_Request_Id="my-id.1").headers["x-request-id"] == "my-id.1"
    for insane in ("a b", "x" * 65, "a\tb"):
        assert server.post(SMALL, X_Request_Id=insane).headers["x-request-id"] != insane


def test_answers_do_not_name_the_software(server: Server) -> None:
    """No Server header."""
    assert "server" not in server.post(SMALL).headers


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("zstd", "zstd"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("*", "zstd"),
        ("gzip;q=0", None),
        ("identity", None),
        ("br", None),
        ("", None),
        ("nonsense;;q=x,,", None),
    ],
)
def test_encodings(server: Server, accepted: str, encoding: str | None) -> None:
    """Gzip and zstd by Accept-Encoding, and the same bytes inside."""
    plain = server.post(MESSAGE)
    answer = server.post(MESSAGE, Accept_Encoding=accepted)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    body = answer.body
    if encoding == "gzip":
        body = gzip.decompress(body)
    elif encoding == "zstd":
        body = zstandard.ZstdDecompressor().decompress(body)
    assert body == plain.body
    if encoding:
        assert len(answer.body) < len(plain.body) / 2


def test_a_small_answer_is_not_compressed(server: Server) -> None:
    """Below a kilobyte it would cost more than it saves."""
    assert "content-encoding" not in server.post(SMALL, Accept_Encoding="gzip").headers


def test_sigterm_finishes_calls_under_way(tmp_path: Path) -> None:
    """A call whose body is still coming when the server is told to stop is answered; exit 0."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    keys = create_key(tmp_path)
    server = start(tmp_path, "--rate-limit", "off")
    body = json.dumps(SMALL).encode()
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        head = f"POST {BULK_READ}?{keys.query} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 ")  # the call is under way
        connection.sendall(body[:10])
        server.process.send_signal(signal.SIGTERM)
        poll(lambda: any(line["event"] == "stopping" for line in server.log()) or None, what="stop")
        connection.sendall(body[10:])
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert server.stop() == 0
    assert server.log()[-1]["event"] == "stopped"
    assert not list(tmp_path.glob("*-wal"))


def test_tls(tmp_path: Path) -> None:
    """With --ssl-certfile and --ssl-keyfile the server speaks HTTPS."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    make_certificate(tmp_path)
    keys = create_key(tmp_path)
    flags = ("--ssl-certfile", "cert.pem", "--ssl-keyfile", "key.pem")
    with serving(tmp_path, *flags, keys=keys) as server:
        assert server.url.startswith("https://")
        assert server.post(SMALL).status == 200


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    """Half a pair, or a file that is no certificate: one line that says so."""
    (tmp_path / "cert.pem").write_text("nonsense")
    half = run("serve", "--ssl-certfile", "cert.pem", folder=tmp_path)
    assert (half.returncode, len(half.stderr.splitlines())) == (1, 1)
    assert "--ssl-keyfile" in half.stderr
    none = run(
        "serve",
        "--ssl-certfile",
        "cert.pem",
        "--ssl-keyfile",
        "cert.pem",
        "--port",
        "0",
        folder=tmp_path,
    )
    assert none.returncode == 1
    assert "certificate" in none.stderr.splitlines()[-1]


def test_a_port_that_is_taken(server: Server, tmp_path: Path) -> None:
    """One line that names the port and the way out."""
    port = str(urlsplit(server.url).port)
    done = run("serve", "--port", port, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(
        f"oppserver: Cannot listen on 127.0.0.1 port {port}"
    )
    assert "--port" in done.stderr


def test_a_server_without_keys_says_so(tmp_path: Path) -> None:
    """The log tells how to make a key."""
    with serving(tmp_path) as server:
        lines = poll(
            lambda: [line for line in server.log() if line["event"] == "no_keys"] or None,
            what="the hint",
        )
        assert "oppserver key create" in lines[0]["hint"]


def test_another_process_s_writes_are_served_at_once(tmp_path: Path) -> None:
    """An import, a type and a field made while the server runs are in its very next answer."""
    run_well("type", "create", "12003", folder=tmp_path)
    keys = create_key(tmp_path)
    with serving(tmp_path, keys=keys) as server:
        asked = asking(group([WIDE_ID], "Status,mx_Custom_4", code=12777))
        assert server.post(asked).status == 400
        line = {
            "ProspectActivityId": WIDE_ID,
            "EventCode": 12777,
            "ProspectId": WIDE_ID,
            "Status": "Open",
            "mx_Custom_4": "4",
        }
        for status in ("Open", "Won"):
            file = tmp_path / "new.ndjson"
            file.write_text(json.dumps({**line, "Status": status}))
            run_well("import", "new.ndjson", folder=tmp_path)
            answer = server.post(asked)
            assert answer.status == 200
            [row] = answer.json[0]["Opportunities"]
            assert (row["Status"], row["mx_Custom_4"]) == (status, "4")
        later = asking(group([WIDE_ID], "mx_Custom_9", code=12777))
        assert server.post(later).status == 400
        run_well("field", "add", "12777", "mx_Custom_9", folder=tmp_path)
        assert server.post(later).status == 200


def test_a_fault_of_ours_is_500_without_internals(tmp_path: Path) -> None:
    """An unexpected error is logged whole under its request id; the caller sees none of it."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    keys = create_key(tmp_path)
    with serving(tmp_path, keys=keys) as server:
        with closing(Connection(tmp_path / "oppserver.db")) as connection:
            connection.execute("ALTER TABLE opportunity RENAME TO hidden")
        answer = server.post(SMALL)
        assert (answer.status, answer.exception_type) == (500, "MXInternalException")
        assert "hidden" not in answer.body.decode()
        assert "opportunity" not in answer.body.decode()
        [line] = [line for line in server.log() if line["event"] == "fault"]
        assert line["request_id"] == answer.headers["x-request-id"]
        assert "no such table" in line["exception"]


def test_ctrl_c_ends_the_server_in_order(tmp_path: Path) -> None:
    """SIGINT is an orderly end too, without a traceback."""
    server = start(tmp_path)
    assert server.stop(signal.SIGINT) == 0
    assert "Traceback" not in server.log_file.read_text()
