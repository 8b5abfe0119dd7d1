"""Callers that go away in mid-request: no fault of the server, and not counted as one."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.support.databases import kept_in
from tests.support.running import BULK_READ, Server, create_key, events, poll, serving
from tests.support.streaming import READ, streaming
from tests.support.world import WIDE_CODE, WIDE_ID, fill

CAPTURE = "/v2/OpportunityManagement.svc/Capture"
STREAM = f"{READ}?event_code={WIDE_CODE}"

BROKEN_OFF = {
    "declared": "Content-Length: 100\r\n\r\n12345678",
    "nothing of it": "Content-Length: 100\r\n\r\n",
    "one byte too few": "Content-Length: 9\r\n\r\n12345678",
    "more than is taken": f"Content-Length: {20 << 20}\r\n\r\n" + "x" * 2_000_000,
    "in a chunk": "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n5\r\nabc",
    "between chunks": "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n",
    "no chunk": "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\nzz\r\n",
}
"""Headers of a body, and as much of the body as is sent."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose log has the lines of these tests alone."""
    folder = kept_in(tmp_path_factory.mktemp("leaving"), "sqlite")
    fill(folder)
    with serving(folder, keys=create_key(folder, role="administrator")) as running:
        yield running


def lines_of(server: Server, request_id: str) -> list[dict[str, object]]:
    """All lines of a request, when its last one is there."""

    def look() -> list[dict[str, object]] | None:
        found = [one for one in server.log() if one.get("request_id") == request_id]
        return found if any(one["event"] == "call" for one in found) else None

    return poll(look, what=f"the line of {request_id}")


def is_under_way(server: Server) -> bool | None:
    """Return whether a call is under way beside the one that asks."""
    return b"oppserver_calls_in_flight 2.0" in server.call("GET", "/metrics").body or None


def leave(server: Server, head: str, rest: str, *, request_id: str, resets: bool) -> None:
    """Sends a part of a request and closes the connection: orderly, or by a reset."""
    parts = urlsplit(server.url)
    with closing(socket.create_connection((parts.hostname, parts.port), 30)) as connection:
        connection.sendall(f"{head}X-Request-Id: {request_id}\r\n{rest}".encode())
        if resets:
            poll(lambda: is_under_way(server), what="the request")
            linger = struct.pack("ii", 1, 0)  # socket(7), SO_LINGER: close() resets
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


@pytest.mark.parametrize("resets", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("has_key", [False, True], ids=["stranger", "with a key"])
@pytest.mark.parametrize("path", [BULK_READ, CAPTURE, STREAM])
def test_a_caller_that_leaves_in_mid_body_is_no_fault(
    server: Server, path: str, has_key: bool, resets: bool
) -> None:
    """It is a line of information with the status 499, and is counted under that."""
    keys = "".join(f"{name}: {one}\r\n" for name, one in server.keys.headers.items())
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    if path == STREAM:
        head = head.replace("application/json", "text/plain")
    for number, (name, rest) in enumerate(BROKEN_OFF.items()):
        if resets and name == "no chunk":
            continue  # the server ends that connection itself
        request_id = f"{path[4:9].strip('/')}-{has_key}-{resets}-{number}"
        leave(
            server,
            head + (keys if has_key else ""),
            rest,
            request_id=request_id,
            resets=resets,
        )
        lines = lines_of(server, request_id)
        assert {one["level"] for one in lines} == {"info"}, (name, lines)
        assert lines[-1]["status"] == 499, (name, lines)


def test_a_caller_that_leaves_a_stream_under_way_is_no_fault(server: Server) -> None:
    """The status is the one that was sent; a line says that the caller left."""
    with streaming(
        server, STREAM.partition("?")[2], Content_Type="text/plain", X_Request_Id="under-way"
    ) as one:
        one.send(f"{WIDE_ID}\n".encode())
        assert one.record()["ProspectActivityId"] == WIDE_ID
        one.response.close()
    lines = lines_of(server, "under-way")
    assert [(one["event"], one["level"]) for one in lines] == [
        ("stream_left", "info"),
        ("call", "info"),
    ]
    assert lines[-1]["status"] == 200


def test_nothing_of_it_is_counted_as_a_fault(server: Server) -> None:
    """Neither in the log nor in the metrics, with which operators are called."""
    leave(server, f"POST {CAPTURE} HTTP/1.1\r\nHost: x\r\n", BROKEN_OFF["declared"],
          request_id="last", resets=False)  # fmt: skip
    lines_of(server, "last")
    counted = server.call("GET", "/metrics").body.decode()
    assert 'oppserver_calls_total{call="Capture",status="499"}' in counted
    assert 'status="5' not in counted
    assert 'status="0"' not in counted
    assert not events(server, "fault")
