"""Bounds of the real server: bodies, calls at once, statements. Above each there is an answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.running import (
    BULK_READ,
    Server,
    asking,
    create_key,
    group,
    poll,
    run_well,
    serving,
)
from tests.support.world import WIDE_CODE, WIDE_ID

SMALL = asking(group([WIDE_ID], code=WIDE_CODE))


def test_a_body_above_the_limit_is_413_before_it_is_read_whole(server: Server) -> None:
    """A declared length above the limit is refused with not one byte of the body sent."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"POST {BULK_READ}?{server.keys.query} HTTP/1.1\r\nHost: x\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 9000000000\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"MXRequestTooLargeException" in answer
    assert b"1048576 bytes" in answer


def test_a_body_of_unknown_length_above_the_limit_is_413(server: Server) -> None:
    """A chunked body is not kept past the limit, and the caller who sends it all is answered."""

    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    connection = server.connect()
    with closing(connection):
        headers = {"Content-Type": "application/json", **server.keys.headers}
        connection.request("POST", BULK_READ, chunks(), headers, encode_chunked=True)
        assert connection.getresponse().status == 413


def test_a_body_that_is_not_asked_for_is_not_awaited(server: Server) -> None:
    """A caller that waits for ``100 Continue`` is refused without it."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        head = f"POST {BULK_READ}?{server.keys.query} HTTP/1.1\r\nHost: x\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 2000000\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_arrive_is_408(tmp_path: Path) -> None:
    """A caller that sends half and stops gets a 408, and its connection is closed."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    keys = create_key(tmp_path)
    with serving(tmp_path, "--body-timeout-s", "0.2", keys=keys) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
            head = f"POST {BULK_READ}?{keys.query} HTTP/1.1\r\nHost: x\r\n"
            head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
            connection.sendall(head.encode())
            answer = b""
            while chunk := connection.recv(65_536):
                answer += chunk
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"MXRequestTimeoutException" in answer


def test_too_many_calls_at_once_are_503(tmp_path: Path) -> None:
    """Above the limit of calls in flight: 503 with Retry-After, at once."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    keys = create_key(tmp_path)
    with serving(tmp_path, "--calls-in-flight-max", "1", keys=keys) as server:
        parts = urlsplit(server.url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as waiting:
            head = f"POST {BULK_READ} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{"
            waiting.sendall(head.encode())
            refused = poll(
                lambda: one if (one := server.post(SMALL)).status == 503 else None, what="503"
            )
            assert int(refused.headers["retry-after"]) >= 1
        poll(lambda: server.post(SMALL).status == 200 or None, what="a free place")


def test_a_statement_that_takes_too_long_is_503(tmp_path: Path) -> None:
    """The time limit of the store ends the statement, not the server."""
    run_well("type", "create", str(WIDE_CODE), folder=tmp_path)
    keys = create_key(tmp_path)
    ended_soon = ("--query-timeout-s", "0.000001", "--row-cache-bytes", "0")
    in_one = ("--sqlite-read-parts", "1")  # a part is too short for SQLite to look at the clock
    with serving(tmp_path, *ended_soon, *in_one, keys=keys) as server:
        big = asking(
            group([f"{n:08x}-0000-4000-8000-000000000000" for n in range(2_000)], code=WIDE_CODE)
        )
        answers = [server.post(big) for _ in range(20)]
        assert {answer.status for answer in answers} <= {200, 503}
        assert any(answer.status == 503 for answer in answers)
        assert server.call("GET", "/health/live").status == 200


def test_many_connections_at_once(server: Server) -> None:
    """Sixteen threads with a connection each get their own answers."""
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(
            one.status for one in (server.post(SMALL) for _ in range(10)) if one.status != 200
        )

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
