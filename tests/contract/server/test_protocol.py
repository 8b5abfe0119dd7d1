"""The edges of HTTP: heads without bounds, wrong heads, other methods, HTTP/1.0, other paths."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import psutil
import pytest

from oppserver.contract.limits import HEAD_BYTES_MAX, HEAD_FIELDS_MAX, URL_BYTES_MAX
from tests.support.running import (
    BULK_READ,
    Answer,
    Server,
    asking,
    create_key,
    group,
    poll,
    run_well,
    serving,
)
from tests.support.world import WIDE_CODE, WIDE_ID

HEAD_TIMEOUT_S: Final = 0.5
LIVE: Final = "GET /health/live HTTP/1.1\r\nHost: x\r\n"
EXPORT: Final = f"/v1/opportunities?event_code={WIDE_CODE}"
BODY: Final = json.dumps(asking(group([WIDE_ID], code=WIDE_CODE)))


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that waits half a second for a head."""
    folder = tmp_path_factory.mktemp("strict")
    run_well("type", "create", str(WIDE_CODE), folder=folder)
    flags = ("--head-timeout-s", str(HEAD_TIMEOUT_S))
    with serving(folder, *flags, keys=create_key(folder)) as server:
        yield server


def sent(server: Server, data: str | bytes) -> bytes:
    """The bytes that a connection gets; sending may break off."""
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        with suppress(ConnectionError):  # the server reads so much and no more
            connection.sendall(data.encode() if isinstance(data, str) else data)
        got = b""
        with suppress(ConnectionError):
            while chunk := connection.recv(65_536):
                got += chunk
        return got


def answers(raw: bytes) -> list[Answer]:
    """The answers in the bytes of a connection, each with its length."""
    found = []
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", len(raw)))
        found.append(Answer(int(first.split(" ")[1]), headers, raw[:length]))
        raw = raw[length:]
    return found


def refused(server: Server, data: str | bytes) -> Answer:
    """The one answer of a connection, which is then closed; the log has its request id."""
    [answer] = answers(sent(server, data))
    assert answer.headers["connection"] == "close"
    request_id = answer.headers["x-request-id"]
    poll(
        lambda: [one for one in server.log() if one.get("request_id") == request_id] or None,
        what="the log line",
    )
    return answer


# --- bounds of heads -----------------------------------------------------------------------------

CHUNKED: Final = (
    f"POST {BULK_READ} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}"
)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(LIVE + "X-A: " + "a" * 40_000_000 + "\r\n\r\n", id="H4 one of 40 MB"),
        pytest.param(LIVE + "a: b\r\n" * 2_000_000 + "\r\n", id="H4 two million"),
        pytest.param(LIVE + "a: b\r\n" * HEAD_FIELDS_MAX + "\r\n", id="H4 one too many"),
        pytest.param(LIVE + "a: " + "b" * HEAD_BYTES_MAX + "\r\n\r\n", id="H4 a byte too long"),
        pytest.param(LIVE + "a" * 1_000_000, id="H4 a name without an end"),
        pytest.param(LIVE + f"a: {'b' * 1_000}\r\n" * 100, id="H4 no end"),
        pytest.param(CHUNKED + "\r\n0\r\n" + "a: b\r\n" * 100_000, id="H4 behind a body"),
        pytest.param(CHUNKED + "\r\n0\r\na: " + "b" * 5_000_000, id="H4 long behind a body"),
        pytest.param(CHUNKED + "\r\n2;" + "a" * 5_000_000, id="H4 a chunk's head"),
    ],
)
def test_h4_a_head_past_its_bounds_is_431(head: str, strict: Server) -> None:
    """At once, in the form of errors, and the memory of the server stays."""
    memory = psutil.Process(strict.process.pid).memory_info
    before = memory().rss
    answer = refused(strict, head)
    assert (answer.status, answer.exception_type) == (431, "MXRequestHeadersTooLargeException")
    assert memory().rss - before < 8 << 20


@pytest.mark.parametrize("path", ["/v2/x", "/v1/x"])
def test_h10_a_url_past_its_bound_is_414(path: str, strict: Server) -> None:
    """In the form of errors of its path; the longest URL that is taken is answered."""
    query = "a" * (URL_BYTES_MAX - len(path) - 1)
    end = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for more in ("a", "a" * 10_000, "a" * 2_000_000):
        answer = refused(strict, f"GET {path}?{query}{more}{end}")
        assert answer.status == 414
        assert ("type" in answer.json) == path.startswith("/v1")
    assert refused(strict, f"GET {path}?{'a' * 1_000_000}").status == 414
    assert refused(strict, f"GET {path}?{query}{end}").status == 404


@pytest.mark.parametrize("pieces", [1, 7])
def test_h4_a_head_within_its_bounds_is_taken(pieces: int, strict: Server) -> None:
    """Whole or in pieces: as many headers, and as long ones, as the bounds allow."""
    many = LIVE + "a: b\r\n" * (HEAD_FIELDS_MAX - 2) + "Connection: close\r\n\r\n"
    long = LIVE + "a: " + "b" * (HEAD_BYTES_MAX - 100) + "\r\nConnection: close\r\n\r\n"
    parts = urlsplit(strict.url)
    for head in (many, long):
        with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
            size = -(-len(head) // pieces)
            for start in range(0, len(head), size):
                connection.sendall(head[start : start + size].encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("begun", ["", "\r\n", f"{LIVE}\r\n", f"{LIVE}\r\n\r\n"])
def test_h4_a_connection_without_a_head_is_closed(begun: str, strict: Server) -> None:
    """After nothing, after blank lines, and after a whole call."""
    started = time.monotonic()
    got = sent(strict, begun)
    assert len(answers(got)) == (1 if "Host" in begun else 0)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("begun", "number"),
    [
        ("G", 1),
        ("GET /v1/chan", 1),
        (LIVE, 1),
        (LIVE + "X-A: ", 1),
        (f"{LIVE}\r\n{LIVE}", 2),
    ],
)
def test_h4_a_head_that_does_not_end_is_408(begun: str, number: int, strict: Server) -> None:
    """In time, and behind the answers to what came before it."""
    found = answers(sent(strict, begun))
    assert [answer.status for answer in found] == [200, 408][-number:]
    assert "0.5 seconds" in found[-1].body.decode()


def test_h4_a_head_that_drips_is_408(strict: Server) -> None:
    """Bytes that go on coming do not put the end off."""
    parts = urlsplit(strict.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.settimeout(0.05)
        got = b""
        for number in range(200):
            connection.sendall((LIVE + "a" * 200)[number : number + 1].encode())
            try:
                got = connection.recv(65_536)
                break
            except TimeoutError:
                continue
    assert got.startswith(b"HTTP/1.1 408 ")


# --- heads that are not HTTP ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("GET /v2/x HTTP/1.1\r\n\r\n", id="H10 no host"),
        pytest.param("GET /v2/x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", id="H10 two hosts"),
        pytest.param("GET /v2/x HTTP/1.1\r\nHost: a/b c\r\n\r\n", id="H10 not a host"),
        pytest.param("GET / HTTP/3.7\r\nHost: x\r\n\r\n", id="H10 version"),
        pytest.param("\x16\x03\x01\x02\x00\r\n\r\n", id="H10 TLS"),
        pytest.param("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="H10 HTTP/2"),
        pytest.param("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", id="H10 CONNECT"),
        pytest.param(CHUNKED + "zz\r\n", id="H10 no chunk"),
    ],
)
def test_h10_a_head_that_is_not_http_is_400(head: str, strict: Server) -> None:
    """In the form of errors, with a request id that the log has too."""
    answer = refused(strict, head)
    assert (answer.status, answer.exception_type) == (400, "MXMalformedHeadException")


def test_h10_a_wrong_head_waits_for_the_answers_before_it(strict: Server) -> None:
    """A connection's answers come in order, also when its last request is refused."""
    for wrong in ("GET / HTTP/1.1\r\n\r\n", "\x16\x03\r\n\r\n", LIVE + "a: b\r\n" * 999 + "\r\n"):
        found = answers(sent(strict, f"{LIVE}\r\n{LIVE}\r\n{wrong}"))
        assert [answer.status for answer in found[:2]] == [200, 200]
        assert [answer.status for answer in found[2:]] in ([400], [431])


def test_h10_http_1_0_needs_no_host(strict: Server) -> None:
    """RFC 9112, 3.2."""
    assert refused(strict, "GET /health/live HTTP/1.0\r\n\r\n").status == 200


@pytest.mark.parametrize("path", ["*", "/health/live", "/docs", "/problems/rate-limited", EXPORT])
def test_h10_options_name_the_methods(path: str, strict: Server) -> None:
    """The server has a list of methods, and each path has one."""
    answer = refused(strict, f"OPTIONS {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (answer.status, answer.body) == (204, b"")
    assert {"GET", "HEAD", "OPTIONS"} <= {*answer.headers["allow"].split(", ")}


# --- a call that ends before it is whole ---------------------------------------------------------


@pytest.mark.parametrize("path", [BULK_READ, "/v1/opportunities/read?event_code=1", "/health/live"])
def test_h2_a_caller_that_leaves_is_no_fault(path: str, strict: Server) -> None:
    """It is an information line with 499, with keys and without."""
    before = len(strict.log())
    parts = urlsplit(strict.url)
    for keys in ("", "x-LSQ-AccessKey: a\r\n"):
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\n{keys}Content-Length: 100\r\n\r\n12345678"
            connection.sendall(head.encode())
    lines = poll(
        lambda: found if len(found := strict.log()[before:]) >= 2 else None, what="the lines"
    )
    assert {line["level"] for line in lines} == {"info"}
    assert all(line.get("status") in (499, 401, 405, None) for line in lines)


# --- HTTP/1.0 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/x-ndjson", "text/csv", "application/json"])
@pytest.mark.parametrize("coding", ["identity", "gzip"])
def test_h8_a_stream_over_http_1_0_has_no_chunks(accept: str, coding: str, strict: Server) -> None:
    """It ends with the connection, and is what HTTP/1.1 gets."""
    headers = {"Accept": accept, "Accept-Encoding": coding, **strict.keys.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    [answer] = answers(sent(strict, f"GET {EXPORT} HTTP/1.0\r\n{lines}\r\n"))
    assert "transfer-encoding" not in answer.headers
    assert answer.headers["connection"] == "close"
    assert answer.body == strict.call("GET", EXPORT, headers=headers).body


def test_h8_ids_over_http_1_0(strict: Server) -> None:
    """A stream of ids and a plain call work too; HEAD has no body."""
    keys = "".join(f"{name}: {value}\r\n" for name, value in strict.keys.headers.items())
    more = f"{keys}Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
    [answer] = answers(sent(strict, f"POST {BULK_READ} HTTP/1.0\r\n{more}"))
    assert (answer.status, len(answer.json)) == (200, 1)
    ids = f"{keys}Content-Type: text/plain\r\nContent-Length: 36\r\n\r\n{WIDE_ID}"
    path = f"/v1/opportunities/read?event_code={WIDE_CODE}"
    [stream] = answers(sent(strict, f"POST {path} HTTP/1.0\r\n{ids}"))
    assert json.loads(stream.body)["End"]["Missing"] == 1
    assert answers(sent(strict, "HEAD /docs HTTP/1.0\r\n\r\n"))[0].body == b""


# --- paths and methods ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/v2/opportunitymanagement.svc/getopportunitytypes/",
        "/V2//OpportunityManagement.svc//GetOpportunityTypes//",
        "/V1/Changes/",
        "/health/live/",
        "/HEALTH/Ready",
        "//metrics/",
        "/OpenAPI.json/",
        "/docs/",
        "/Problems/",
        "/problems/Rate-Limited/",
        "//CONSOLE//",
    ],
)
def test_h9_one_rule_for_case_and_slashes(path: str, strict: Server) -> None:
    """Calls and documents alike."""
    assert strict.get(path).status == (302 if path == "//" else 200)  # to the console


@pytest.mark.parametrize(
    "path",
    [
        "/health/live",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/problems",
        "/v1/changes",
        EXPORT,
        "/v2/OpportunityManagement.svc/GetOpportunityTypes",
    ],
)
def test_h6_head_is_answered_for_reads(path: str, strict: Server) -> None:
    """The answer is that of GET, without the body."""
    answer = strict.call("HEAD", path, headers=strict.keys.headers)
    got = strict.get(path)
    assert (answer.status, answer.body) == (got.status, b"")
    assert answer.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", ["Delete?OpportunityId=x", "Capture", "GetOpportunitiesById"])
def test_h6_head_is_never_answered_for_a_write(path: str, strict: Server) -> None:
    """Nor for a POST."""
    path = f"/v2/OpportunityManagement.svc/{path}"
    assert strict.call("HEAD", path, headers=strict.keys.headers).status == 405


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            id="as Java's HttpClient and curl --http2 send it",
        ),
        pytest.param("upgrade:\twebsocket\r\nconnection: upgrade\r\n", id="lower case"),
        pytest.param("UPGRADE:TLS/1.2\r\nConnection: keep-alive, UPGRADE\r\n", id="upper case"),
        pytest.param("Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n", id="two"),
    ],
)
def test_a_call_that_asks_for_another_protocol_keeps_its_body(head: str, strict: Server) -> None:
    """It is answered in this one (RFC 9110, 7.8), as is the next call of the connection."""
    keys = "".join(f"{name}: {value}\r\n" for name, value in strict.keys.headers.items())
    call = (
        f"POST {BULK_READ} HTTP/1.1\r\nHost: x\r\n{keys}{head}"
        f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
    )
    first, second = answers(sent(strict, f"{call}{LIVE}Connection: close\r\n\r\n"))
    assert (first.status, first.json[0]["RecordCount"]) == (200, 0)
    assert second.json == {"status": "live"}
