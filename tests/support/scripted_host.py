"""A small real HTTP server that answers what a test tells it: the dialects of other hosts.

It keeps a journal of every request with the moment of its arrival. Without a script it answers bulk
reads with a row for every id that is not in ``absent``.
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ERROR_TYPE = "MXInvalidInputException"


def guid(number: int) -> str:
    """The id of the opportunity of a number."""
    return f"{number:08x}-0000-4000-8000-000000000000"


IDS = [guid(n) for n in range(5_000)]
"""Ids for three calls."""


@dataclass(frozen=True)
class Request:
    """One request, as it came; names of headers in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    moment: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def ids(self) -> list[str]:
        """The ids of a bulk read."""
        return [
            one for group in self.json["SearchParameters"] for one in group["ProspectActivityId"]
        ]


@dataclass(frozen=True)
class Reply:
    """An answer. ``cut``: the connection is closed after that many bytes of the body.

    ``has_length`` False: the end of the connection is the end of the body.
    """

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut: int | None = None
    has_length: bool = True

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def error(status: int, message: str = "wrong", *, kind: str = ERROR_TYPE, **headers: str) -> Reply:
    """An error in the API's envelope."""
    return Reply(
        status,
        {"Status": "Error", "ExceptionType": kind, "ExceptionMessage": message},
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


CUT_BEFORE_ANY_ANSWER = Reply(cut=-1)


@dataclass
class ScriptedHost:
    """A running host. ``script`` is answered first, one reply a request; then ``answer`` is asked.

    ``limit``: calls, and seconds of a moving window; what comes above it gets 429.
    """

    url: str = ""
    script: deque[Reply] = field(default_factory=deque)
    answer: Callable[[Request], Reply] | None = None
    absent: frozenset[str] = frozenset()
    limit: tuple[int, float] | None = None
    refusal: Reply = field(
        default_factory=lambda: error(
            429,
            "API calls exceeded the limit of 25 in 5 second(s)",
            kind="MXAPIRateLimitExceededException",
        )
    )
    delay_s: float = 0.0
    requests: list[Request] = field(default_factory=list)
    counted: list[float] = field(default_factory=list)
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reply_to(self, request: Request) -> Reply:
        with self.lock:
            self.requests.append(request)
            scripted = self.script.popleft() if self.script else None
            if scripted is None and self.limit is not None:
                scripted = self._refuse(request.moment)
        if scripted is not None:
            return scripted
        reply = self.answer(request) if self.answer else self.rows(request)
        return Reply(
            reply.status, reply.body, reply.headers, reply.delay_s or self.delay_s, reply.cut
        )

    def _refuse(self, now: float) -> Reply | None:
        assert self.limit is not None
        calls, window_s = self.limit
        if sum(moment > now - window_s for moment in self.counted[-calls:]) >= calls:
            self.refused += 1
            return self.refusal
        self.counted.append(now)
        return None

    def rows(self, request: Request) -> Reply:
        """The answer to a bulk read: for each id a row with the columns asked for."""
        answer = []
        for group in request.json["SearchParameters"]:
            names = group["Columns"]["Include_CSV"].split(",")
            rows = [
                row(one, names) for one in group["ProspectActivityId"] if one not in self.absent
            ]
            answer.append(
                {
                    "EventCode": str(group["EventCode"]),
                    "RecordCount": len(rows),
                    "Opportunities": rows,
                }
            )
        return Reply(body=answer)

    def busiest(self, window_s: float) -> int:
        """The most requests that arrived in any window of a number of seconds."""
        moments = sorted(request.moment for request in self.requests)
        most, first = 0, 0
        for last, moment in enumerate(moments):
            while moments[first] <= moment - window_s:
                first += 1
            most = max(most, last - first + 1)
        return most


def row(one: str, names: list[str]) -> dict[str, str | None]:
    """A row in the documented form."""
    values: dict[str, str | None] = {
        "CreatedOn": "4/6/2023 3:23:34 PM",
        "ModifiedOn": "5/4/2022 7:26:35 PM",
        "Owner": "d5d08e32-5ca9-11ea-8dd7-029e1407a868",
        "Status": "Open",
    }
    return {
        "ProspectId": "a368678f-1e81-4fb8-af0a-4b896f6330e1",
        "EmailAddress": "jane@example.com",
        "ProspectActivityId": one,
        **{name: values.get(name, f"{name} of {one}") for name in names},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: ScriptedHost

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (its name there)
        del format, arguments

    def _serve(self) -> None:
        moment = time.monotonic()
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        reply = self.host.reply_to(
            Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=body,
                moment=moment,
            )
        )
        if reply.delay_s:
            time.sleep(reply.delay_s)
        if reply.cut is not None and reply.cut < 0:
            self._cut()
            return
        self.send_response(reply.status)
        if reply.has_length:
            self.send_header("Content-Length", str(len(reply.data)))
        else:
            self.send_header("Connection", "close")  # and closes it behind the body
        for name, value in reply.headers.items():
            for one in value.split("\n"):
                self.send_header(name, one)
        self.end_headers()
        if reply.cut is not None:
            self.wfile.write(reply.data[: reply.cut])
            self.wfile.flush()
            self._cut()
            return
        self.wfile.write(reply.data)

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_POST = _serve


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no error of a test."""


@contextmanager
def scripted_host(*replies: Reply, **settings: Any) -> Iterator[ScriptedHost]:
    """A host that answers these replies first; stopped when the block ends."""
    host = ScriptedHost(script=deque(replies), **settings)
    handler = type("Handler", (_Handler,), {"host": host})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    host.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
