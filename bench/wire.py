"""A small HTTP/1.1 client: blocking, keep-alive, one buffer. It costs little beside the server.

A request is bytes that were put together before the clock starts; an answer is read into one
buffer by its ``Content-Length`` (or to its last chunk, for a peer that sends chunks) and is not
decoded.
"""

import socket
from collections.abc import Mapping, Sequence
from typing import Final, Self

import msgspec

from bench.options import COLUMNS

PATH: Final = "/v2/OpportunityManagement.svc/GetOpportunitiesById"
_BUFFER_BYTES: Final = 16 << 20
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"


class BadAnswer(Exception):
    """An answer that is not the expected one, or no answer."""


class Head(msgspec.Struct, frozen=True):
    """The head of an answer, about its body. ``body_bytes`` None: it comes in chunks."""

    status: int
    body_at: int
    body_bytes: int | None


def parse_head(received: bytes | bytearray | memoryview) -> Head | None:
    """The head of an answer, or None when it is not all there."""
    start = bytes(received[:8192])
    end = start.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = start[:end].lower().split(b"\r\n")
    status = int(lines[0][9:12])
    length = 0 if status == 304 else None  # it has no body, whatever its fields say
    for line in lines[1:]:
        if line.startswith(b"content-length:") and status != 304:
            length = int(line[15:])
    return Head(status, end + 4, length)


class Connection:
    """One connection to 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._socket.close()

    def call(self, request: bytes, *, status: int = 200) -> memoryview:
        """The body of the answer, in a buffer that the next call writes over.

        Raises BadAnswer when it has another status.
        """
        self._socket.sendall(request)
        buffer, got, head = self._buffer, 0, None
        while head is None:
            got += self._receive(got)
            head = parse_head(buffer[:got])
        if head.body_bytes is None:
            while bytes(buffer[got - 7 : got]) != _LAST_CHUNK:
                got += self._receive(got)
            body = buffer[head.body_at : got]
        else:
            end = head.body_at + head.body_bytes
            while got < end:
                got += self._receive(got)
            body = buffer[head.body_at : end]
        if head.status != status:
            raise BadAnswer(f"status {head.status}: {bytes(body[:300])!r}")
        return body

    def _receive(self, got: int) -> int:
        size = self._socket.recv_into(self._buffer[got:])
        if size == 0:
            raise BadAnswer("the server closed the connection")
        return size


def unchunked(body: bytes) -> bytes:
    """The content of a body in chunks."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2


def post(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """A POST of JSON, as bytes on the wire."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{lines}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A GET, as bytes on the wire."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()


def bulk_read_body(groups: Mapping[int, Sequence[str]]) -> bytes:
    """The body of ``GetOpportunitiesById``: ids by event code, the eight columns."""
    return msgspec.json.encode(
        {
            "SearchParameters": [
                {
                    "EventCode": str(code),
                    "ProspectActivityId": ids,
                    "Columns": {"Include_CSV": ",".join(COLUMNS)},
                }
                for code, ids in groups.items()
            ]
        }
    )
