"""Streams that go wrong, over a socket: refused, broken off, left, stalled, limited, stopped."""

import http.client
import io
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from oppserver.api.streams import STREAMS_MAX
from oppserver.contract.limits import ID_LINE_BYTES_MAX
from oppserver.store import open_store
from tests.support.databases import database_of, kept_in
from tests.support.running import Keys, Server, create_key, poll, serving
from tests.support.stores import NOW
from tests.support.streaming import (
    ARROW,
    CSV,
    JSON_LINES,
    PARQUET,
    PLAIN,
    PROBLEM,
    READ,
    arrow_of,
    end_of,
    plain,
    read_stream,
    records,
    streaming,
)
from tests.support.world import SPARSE_ID, WIDE_CODE, WIDE_ID, fill

ENGINES = ["sqlite", "postgres"]

QUERY = f"event_code={WIDE_CODE}&columns=Status,mx_Custom_1"
WIDE_QUERY = f"event_code={WIDE_CODE}"
UNIT = 2_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A filled folder whose keys may be revoked."""
    filled = kept_in(tmp_path_factory.mktemp("streams"), folder_engine)
    fill(filled)
    return filled


@pytest.fixture(scope="module")
def hasty(folder: Path) -> Iterator[Server]:
    """A server that waits for the caller of a stream for a second."""
    with serving(folder, "--stream-timeout-s", "1", keys=create_key(folder)) as server:
        yield server


def events(server: Server, name: str) -> int:
    return sum(line["event"] == name for line in server.log())


def is_idle(server: Server) -> bool | None:
    """Return whether no call is under way but the one that asks."""
    return b"oppserver_calls_in_flight 1.0" in server.get("/metrics").body or None


# --- before the first byte ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "headers", "status", "name", "place"),
    [
        ("", {}, 400, "missing-attribute", {"parameter": "event_code"}),
        ("event_code=77", {}, 400, "unknown-event-code", {"parameter": "event_code"}),
        (f"{QUERY}&missing=x", {}, 400, "invalid-value", {"parameter": "missing"}),
        (f"{QUERY}&on_error=x", {}, 400, "invalid-value", {"parameter": "on_error"}),
        (f"{QUERY}&on_eror=skip", {}, 400, "invalid-value", {"parameter": "on_eror"}),
        (f"{QUERY},Stats,zzz", {}, 400, "unknown-column", {"parameter": "columns"}),
        (QUERY, {"Accept": "application/json"}, 406, "not-acceptable", {"header": "Accept"}),
        (
            QUERY,
            {"Content-Type": "application/json"},
            415,
            "unsupported-media-type",
            {"header": "Content-Type"},
        ),
        (
            QUERY,
            {"Content-Encoding": "br"},
            415,
            "unsupported-media-type",
            {"header": "Content-Encoding"},
        ),
    ],
)
def test_a_call_that_is_wrong_is_a_problem(
    server: Server,
    query: str,
    headers: dict[str, str],
    status: int,
    name: str,
    place: dict[str, str],
) -> None:
    """It names the place, and what can be sent instead; what the body holds does not matter."""
    answer = server.call("POST", f"{READ}?{query}", b"x" * 100_000, server.keys.headers | headers)
    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json["type"] == f"/problems/{name}"
    assert place.items() <= answer.json["errors"][0].items()
    if status in (406, 415) and "Content-Encoding" not in headers:
        assert JSON_LINES in answer.json["detail"]
        assert ARROW in answer.json["detail"]
    if name == "unknown-column":
        assert len(answer.json["errors"]) == 2


def test_wrong_keys_and_methods_are_problems(server: Server) -> None:
    """The errors are those of all calls of /v1; the path may be spelled in any case."""
    answer = read_stream(server, QUERY, b"", keys=Keys("x", "y"))
    assert (answer.status, answer.json["type"]) == (401, "/problems/invalid-credentials")
    answer = server.get(f"{READ.upper()}?{QUERY}")
    assert (answer.status, answer.headers["allow"]) == (405, "POST, QUERY, OPTIONS")
    assert answer.json["type"] == "/problems/method-not-allowed"


BAD_BODIES = {
    "no guid": (PLAIN, f"{WIDE_ID}\nnonsense\n".encode(), [2], "'nonsense' is not a GUID"),
    "no json": (JSON_LINES, f'"{WIDE_ID}"\n\n{{\n[]\n'.encode(), [3, 4], "it is not JSON"),
    "no member": (JSON_LINES, b'{"Id":"x"}\n7\nnull\n', [1, 2, 3], "neither a JSON string"),
    "no utf-8": (PLAIN, b"\xff\xfe\n", [1], "byte 0 of it is not UTF-8"),
    "no utf-8 in json": (JSON_LINES, b'"\xff"\n', [1], "it is not JSON"),
    "nul": (PLAIN, b"\0\n", [1], "is not a GUID"),
    "too long": (PLAIN, b"x" * (ID_LINE_BYTES_MAX + 1), [1], "longer than"),
    "too long among others": (
        PLAIN,
        f"{WIDE_ID}\n".encode() + b" " * (ID_LINE_BYTES_MAX + 1) + b"\nx\n",
        [2, 3],
        "longer than",
    ),
    "csv cell": (CSV, f"ProspectActivityId\n{WIDE_ID}\n\nx,{WIDE_ID}\n".encode(), [4], "'x' is"),
    "csv without the cell": (CSV, b"a,ProspectActivityId\nb\n", [2], "'' is not a GUID"),
    "csv quote": (CSV, b'a\n"' + b"x\n" * ID_LINE_BYTES_MAX, [2], "longer than"),
    "arrow null": (ARROW, arrow_of({"id": [WIDE_ID, None, "x"]}), [2, 3], "it is null"),
    "arrow names": (ARROW, arrow_of({"a": [WIDE_ID], "b": [WIDE_ID]}), [1], "no column"),
    "arrow numbers": (ARROW, arrow_of({"a": [1]}), [1], "not text"),
    "arrow cut": (ARROW, arrow_of({"a": [WIDE_ID]})[:-30], [1], "ends before its end"),
    "arrow nothing": (ARROW, b"", [1], "ends before its end"),
    "arrow file": (ARROW, b"ARROW1\0\0" * 9, [1], "no message of an Arrow stream"),
    "arrow huge": (ARROW, b"\xff\xff\xff\xff\0\0\0\x7f", [1], "bytes; "),
    "arrow damage": (ARROW, b"\xff\xff\xff\xff\x10\0\0\0" + b"\xee" * 16, [1], "damaged"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_wrong_is_a_problem(server: Server, name: str) -> None:
    """Until something was sent, each bad line is named, with what is wrong with it."""
    content_type, body, lines, what = BAD_BODIES[name]
    answer = read_stream(server, QUERY, body, Content_Type=content_type)
    assert (answer.status, answer.headers["content-type"]) == (400, PROBLEM), answer.body
    assert [fault["line"] for fault in answer.json["errors"]] == lines
    assert what in answer.json["errors"][0]["what"]
    assert answer.json["errors"][0]["hint"]


def test_compressed_arrow_is_refused(server: Server) -> None:
    """A few bytes could be gigabytes."""
    sink = io.BytesIO()
    table = pa.table({"id": [WIDE_ID] * 1_000})
    with pa.ipc.new_stream(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
    ) as stream:
        stream.write_table(table)
    answer = read_stream(server, QUERY, sink.getvalue(), Content_Type=ARROW)
    assert (answer.status, "compressed" in answer.json["detail"]) == (400, True)


def test_bad_lines_are_passed_over_when_asked_to(server: Server) -> None:
    """They are counted; a line that is too long is one of them."""
    long = b"y" * (3 * ID_LINE_BYTES_MAX)
    body = b"x\n%b\n%b\n%b" % (WIDE_ID.encode(), long, SPARSE_ID.encode())
    found = records(read_stream(server, f"{QUERY}&on_error=skip&missing=true", body))
    assert [one["Missing"]["Line"] for one in found if "Missing" in one] == [1, 3]
    assert [end_of(found)[name] for name in ("Requested", "Found", "Skipped")] == [2, 2, 2]


# --- behind rows -------------------------------------------------------------------------------


def test_a_bad_line_behind_rows_is_the_last_record(server: Server) -> None:
    """Rows of the ids before it come first; the rest of the body is read over."""
    with streaming(server, QUERY) as stream:
        stream.send(plain([WIDE_ID]))
        assert stream.record()["ProspectActivityId"] == WIDE_ID
        stream.send(f"{SPARSE_ID}\nx\n{WIDE_ID}\n".encode())
        assert stream.record()["ProspectActivityId"] == SPARSE_ID
        error = stream.record()["Error"]
        assert (error["status"], error["errors"][0]["line"]) == (400, 3)
        stream.send(plain([WIDE_ID] * 100))
        stream.end()
        assert stream.rest() == []


@pytest.mark.parametrize("accept", [CSV, ARROW])
def test_an_error_behind_rows_cuts_the_connection(server: Server, accept: str) -> None:
    """A table that only ends could be taken for a whole one; what is wrong stands at its end."""
    with streaming(server, f"{QUERY}&csv_end=record", Accept=accept) as stream:
        stream.send(plain([WIDE_ID]))
        received = stream.response.read1(65_536)
        while WIDE_ID.encode() not in received:
            received += stream.response.read1(65_536)
        stream.send(b"x\n")
        with pytest.raises(http.client.IncompleteRead) as caught:
            stream.response.read()
        assert b"line 2" in received + caught.value.partial


def test_an_error_cuts_parquet_without_a_footer(server: Server) -> None:
    """So it is no file at all."""
    with streaming(server, QUERY, Accept=PARQUET) as stream:
        stream.send(plain([WIDE_ID]))
        assert stream.response.read1(4) == b"PAR1"
        stream.send(b"x\n")
        with pytest.raises(http.client.IncompleteRead):
            stream.response.read()


def test_a_revoked_key_ends_its_stream(folder: Path) -> None:
    """With the next ids, however late they come: nothing here races a time limit."""
    keys = create_key(folder, email="leaver@example.com")
    with serving(folder, keys=keys) as server, streaming(server, QUERY) as stream:
        stream.send(plain([WIDE_ID]))
        assert stream.record()["ProspectActivityId"] == WIDE_ID
        with closing(open_store(database_of(folder))) as store:  # a command would take too long
            store.revoke_key(keys.access, now=NOW)
        stream.send(plain([SPARSE_ID]))
        stream.end()
        [error] = stream.rest()
        assert error["Error"]["status"] == 401


# --- callers that stop, or go ------------------------------------------------------------------


def test_a_caller_that_stops_sending_is_told_and_let_go(hasty: Server) -> None:
    """Behind rows as the last record, before them as a problem."""
    with streaming(hasty, QUERY) as stream:
        stream.send(plain([WIDE_ID]))
        assert stream.record()["ProspectActivityId"] == WIDE_ID
        assert stream.record()["Error"]["status"] == 408
        stream.end()
    with streaming(hasty, QUERY) as stream:
        assert stream.response.status == 408
    poll(lambda: is_idle(hasty), what="the end of the streams")


def test_a_caller_that_stops_reading_is_dropped(hasty: Server) -> None:
    """After the time that is set; its connection is reset, and nothing of it is left."""
    before = events(hasty, "stream_stalled")
    with streaming(hasty, WIDE_QUERY, receive_bytes=4_096) as stream:
        with pytest.raises(OSError, match=r"reset|Broken pipe|timed out"):
            send_for_ever(stream.socket)
        poll(lambda: events(hasty, "stream_stalled") > before or None, what="the drop")
    poll(lambda: is_idle(hasty), what="the end of the stream")


def send_for_ever(connection: socket.socket) -> None:
    """Sends ids and reads nothing. Ends with an OSError."""
    body = plain([WIDE_ID, SPARSE_ID] * 1_000)
    while True:
        connection.sendall(b"%x\r\n%b\r\n" % (len(body), body))


def test_a_caller_that_goes_frees_everything(server: Server) -> None:
    """Everything is freed, whether the caller has sent all ids or not."""
    before = events(server, "stream_left")
    for ends in (False, True):
        with streaming(server, WIDE_QUERY, receive_bytes=4_096) as stream:
            stream.send(plain([WIDE_ID] * 2_001 * 50) if ends else plain([WIDE_ID]))
            if ends:
                stream.end()
            assert stream.response.status == 200
            stream.response.close()
    poll(lambda: events(server, "stream_left") == before + 2 or None, what="the end")
    poll(lambda: is_idle(server), what="the end of the streams")


def test_a_worker_serves_so_many_streams(server: Server) -> None:
    """The next one is told to come again; one that ends makes room."""
    opened = [streaming(server, QUERY) for _ in range(STREAMS_MAX)]
    for one in opened:
        stream = one.__enter__()
        stream.send(plain([WIDE_ID]))
        assert stream.record()["ProspectActivityId"] == WIDE_ID
    answer = read_stream(server, QUERY, b"")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    for one in opened:
        one.__exit__(None, None, None)
    poll(lambda: read_stream(server, QUERY, b"").status == 200 or None, what="room")


# --- limits and ends ---------------------------------------------------------------------------


def test_a_stream_counts_as_a_call_for_every_2000_lines(folder: Path) -> None:
    """The first is counted before anything is answered; the others wait for the window."""
    keys = create_key(folder)
    with serving(folder, "--rate-limit", "3/1", keys=keys) as server:
        answer = read_stream(server, QUERY, plain([WIDE_ID] * (5 * UNIT)))
        assert answer.headers["ratelimit"] == '"default";r=2;t=1'
        assert end_of(records(answer))["Repeated"] == 5 * UNIT - 5
    with serving(folder, "--rate-limit", "1/60", keys=keys) as server:
        assert records(read_stream(server, QUERY, plain([WIDE_ID] * UNIT)))
        answer = read_stream(server, QUERY, b"")
        assert (answer.status, answer.json["type"]) == (429, "/problems/rate-limited")
        assert int(answer.headers["retry-after"]) > 1


def test_a_stream_is_finished_when_the_server_stops(folder: Path) -> None:
    """A server that is told to stop waits for it."""
    with serving(folder, keys=create_key(folder)) as server, streaming(server, QUERY) as stream:
        stream.send(plain([WIDE_ID]))
        assert stream.record()["ProspectActivityId"] == WIDE_ID
        server.process.send_signal(signal.SIGTERM)
        poll(lambda: events(server, "stopping") or None, what="the stop")
        stream.send(plain([SPARSE_ID]))
        stream.end()
        assert stream.rest()[-1]["End"]["Found"] == 2
        assert server.stop() == 0


def test_a_stream_that_does_not_end_is_cut_when_the_server_stops(folder: Path) -> None:
    """After the time that calls get; the caller sees that the answer is not whole."""
    flags = ("--shutdown-timeout-s", "1")
    with serving(folder, *flags, keys=create_key(folder)) as server:
        with streaming(server, QUERY) as stream:
            stream.send(plain([WIDE_ID]))
            assert json.loads(stream.response.readline())["ProspectActivityId"] == WIDE_ID
            assert server.stop(timeout_s=10) == 0
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                stream.response.read()
        assert events(server, "stream_cut") == 1
        assert "Traceback" not in server.log_file.read_text()
