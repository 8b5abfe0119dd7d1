"""Streams over a socket: a body that is sent piece by piece, an answer that is read likewise."""

import io
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from tests.support.running import Answer, Keys, Server

READ = "/v1/opportunities/read"
JSON_LINES = "application/x-ndjson"
PLAIN = "text/plain"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
PROBLEM = "application/problem+json"


class Duplex:
    """A request under way."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._response: HTTPResponse | None = None

    def send(self, data: bytes) -> None:
        """Sends a chunk of the body."""
        self.socket.sendall(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """Ends the body."""
        self.socket.sendall(b"0\r\n\r\n")

    @property
    def response(self) -> HTTPResponse:
        """The answer, when its head is there."""
        if self._response is None:
            self._response = HTTPResponse(self.socket, method="POST")
            self._response.begin()
        return self._response

    def record(self) -> Any:
        """The next line of an answer in NDJSON."""
        return json.loads(self.response.readline())

    def rest(self) -> list[Any]:
        """All other lines."""
        return [json.loads(line) for line in self.response.read().splitlines()]


@contextmanager
def streaming(
    server: Server,
    query: str,
    *,
    keys: Keys | None = None,
    receive_bytes: int | None = None,
    **headers: str,
) -> Iterator[Duplex]:
    """A read of a stream of ids that is sent while the block runs."""
    head = [
        f"POST {READ}?{query} HTTP/1.1",
        "Host: x",
        "Transfer-Encoding: chunked",
        *(f"{name}: {value}" for name, value in (keys or server.keys).headers.items()),
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    parts = urlsplit(server.url)
    with socket.socket() as connection:
        connection.settimeout(30)
        if receive_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        connection.connect((parts.hostname, parts.port))
        connection.sendall("\r\n".join([*head, "", ""]).encode())
        yield Duplex(connection)


def read_stream(
    server: Server, query: str, body: bytes, *, keys: Keys | None = None, **headers: str
) -> Answer:
    """The whole answer to a body that is sent at once."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.call("POST", f"{READ}?{query}", body, {**(keys or server.keys).headers, **sent})


def records(answer: Answer) -> list[dict[str, Any]]:
    """The lines of an answer in NDJSON."""
    assert answer.status == 200, answer.body
    return [json.loads(line) for line in answer.body.splitlines()]


def rows_of(found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The lines that are rows."""
    return [one for one in found if "ProspectActivityId" in one]


def end_of(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The last line, about the whole."""
    end: dict[str, Any] = found[-1]["End"]
    return end


def digest_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The digest of rows that have their Version."""
    lines = [f"{row['ProspectActivityId']} {row['Version']}\n" for row in rows]
    return sha256("".join(lines).encode()).hexdigest()


def plain(ids: Sequence[str]) -> bytes:
    """Ids as plain lines."""
    return "".join(f"{one}\n" for one in ids).encode()


def arrow_of(columns: Mapping[str, Any], *, batch_rows: int = 1_000) -> bytes:
    """An Arrow stream of columns."""
    table = pa.table(dict(columns))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table, max_chunksize=batch_rows)
    return sink.getvalue()
