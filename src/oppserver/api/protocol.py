"""HTTP on one connection: uvicorn's protocol, with bounds for all that is not a body.

The problem. The HTTP parser takes a head of any size in any time, before anything of ours knows of
the request. A stranger without a key could fill the memory, or hold connections for ever.

The invariant. A connection holds at most a head within its bounds and one piece that the socket
gave. It is closed when no request is under way and no whole head has come in time.

Why it holds. The parser hands on whole fields, which are counted one by one. What it holds back of
an unfinished field (or of a chunk's head, or of fields behind a body) is counted by the pieces that
had no part of a body and began no request. A timer runs until a head is whole.

A request that is refused here becomes a request like any other: the application answers it, so it
has a request id, a log line and the form of errors, and it waits for answers that come before it.
"""

import asyncio
import re
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oppserver.api.observe import Application, Scope
from oppserver.console.app import LIVE_CALL
from oppserver.contract.errors import (
    ApiError,
    HeadTooLarge,
    MalformedHead,
    RequestTimeout,
    UrlTooLong,
)
from oppserver.contract.limits import (
    BODY_DISCARDED_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEAD_FIELDS_MAX,
    URL_BYTES_MAX,
)

_CONNECTION: Final = "oppserver.connection"

_REFUSAL: Final = "oppserver.refusal"

_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*")
"""Characters of a host and a port (RFC 3986, 3.2.2 and 3.2.3)."""

_UPGRADE: Final = re.compile(rb"(?<=\n)upgrade(?=[ \t]*:)", re.IGNORECASE)

_PATH_BYTES_KEPT: Final = 2_000
"""Bytes of the path that a refused request keeps, for its log line. Chosen: more than is logged."""

_REFUSED_PAUSE_S: Final = 0.5
"""Seconds in which the rest of a refused head is thrown away before it is answered. Chosen: a
caller that is answered while it sends may never see the answer (RFC 9112, 9.6)."""


class ServerConfig(uvicorn.Config):
    """Uvicorn's settings and ours: the seconds in which the head of a request has to arrive."""

    def __init__(self, application: Application, *, head_timeout_s: float, **options: Any) -> None:
        super().__init__(application, http=BoundedProtocol, **options)
        self.head_timeout_s: Final = head_timeout_s


def connection_of(scope: Any) -> asyncio.Transport:
    """The connection on which the request of a scope came, to be cut."""
    transport: asyncio.Transport = scope["extensions"][_CONNECTION]["transport"]
    return transport


def refusal_of(scope: Scope) -> ApiError | None:
    """The error with which a request is refused whose head is too large, too late or not HTTP."""
    refusal: ApiError | None = scope["extensions"].get(_REFUSAL)
    return refusal


class _Refused(Exception):
    """Stops the parser: nothing more of this connection is read."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. It hands a request the connection, so that a stream can cut it.

    An answer that only ends could be taken for a whole one.
    """

    config: ServerConfig
    url = b""

    _is_in_head = False
    _is_in_body = False
    _is_refused = False
    _has_progress = False
    _refusal: ApiError | None = None
    _head_bytes = 0
    _held_bytes = 0  # pieces without a part of a body or the begin of a request
    _dropped_bytes = 0  # of a refused request
    _dropped_end = b""
    _timer: asyncio.TimerHandle | None = None
    _extensions: dict[Any, Any] | None = None

    # --- the connection

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn narrows it
    ) -> None:
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._start_timer(self.config.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End all waiting."""
        super().connection_lost(exc)
        self._stop_timer()

    def shutdown(self) -> None:
        """Let a call end when the server stops. An answer without an end is cut."""
        if self._extensions is not None and LIVE_CALL in self._extensions:
            self.transport.close()
        else:
            super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Parse a piece, unless the request is refused already."""
        if self._is_refused:
            return
        if self._refusal is not None:
            self._drop(data)
            return
        self._has_progress = False
        if self._is_in_head or self._is_idle():
            data = _without_upgrade(data)
        super().data_received(data)
        self._after(data)

    def _after(self, data: bytes) -> None:
        """Look at what a piece has left behind in the parser."""
        if self._is_refused:
            return
        if not self._has_progress:
            self._held_bytes += len(data)
            if self._held_bytes > URL_BYTES_MAX + HEAD_BYTES_MAX:
                self._refuse_held()
        if self._refusal is not None and not self._is_refused:
            self._stop_timer()
            self._start_timer(_REFUSED_PAUSE_S)
            self._drop(data)
        elif self._timer is None and (self._is_in_head or self._is_idle()):
            self._start_timer(self.config.head_timeout_s)

    def _is_idle(self) -> bool:
        # uvicorn declares that there always is a cycle; before the first request there is none
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]

    def _refuse_held(self) -> None:
        if self._is_in_body:
            self._break(_head_too_large())
        else:
            self._refusal = _head_too_large()

    def _drop(self, data: bytes) -> None:
        """Throw away the rest of a refused head; answer at its end, or when it is too much."""
        self._dropped_bytes += len(data)
        end = self._dropped_end + data
        self._dropped_end = end[-3:]
        if b"\r\n\r\n" in end or self._dropped_bytes > BODY_DISCARDED_BYTES_MAX:
            self._answer_refused()

    # --- the parser's events

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.access_log = False  # a test that captures logs has a handler for it, and it shows keys
        self._extensions = self.scope["extensions"] = {_CONNECTION: {"transport": self.transport}}
        self._is_in_head = self._has_progress = True
        self._head_bytes = self._held_bytes = 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        if self._refusal is None:
            super().on_url(url)
            if len(self.url) > URL_BYTES_MAX:
                self._refusal = _url_too_long()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take one field. Fields behind a body are counted, and are no part of the head.

        Nothing here reads them, and they must not be taken for those of the head (RFC 9110, 6.5.1).
        """
        self._head_bytes += len(name) + len(value) + 4  # a colon, a blank and the line's end
        is_above = self._head_bytes > HEAD_BYTES_MAX or len(self.headers) >= HEAD_FIELDS_MAX
        if not self._is_in_head:
            if is_above:
                self._break(_head_too_large())
                raise _Refused
        elif is_above:
            self._refusal = self._refusal or _head_too_large()
        elif self._refusal is None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the call, or its refusal."""
        self._is_in_head = False
        self._stop_timer()
        self._refusal = self._refusal or self._wrong_host()
        if self._refusal is not None:
            self._answer_refused()
            raise _Refused
        super().on_headers_complete()
        self._is_in_body = True
        if self.scope["http_version"] == "1.0":
            self._send_without_chunks()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._has_progress = True
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the body."""
        self._is_in_body = False
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (uvicorn's text is not sent)
        """Refuse a request that the parser cannot read. Uvicorn calls it."""
        if self._is_refused:
            return
        error = MalformedHead(
            "The request is not HTTP/1.1. Look at its first line, its headers and its chunks."
        )
        if self._is_in_body:
            self._break(error)
            return
        if not self._is_in_head:
            self.url = b""
        self._refusal = self._refusal or error
        self._answer_refused()

    # --- refusing

    def _wrong_host(self) -> ApiError | None:
        """The refusal of a head that does not name one host (RFC 9112, 3.2)."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) == 1 and _HOST.fullmatch(hosts[0]):
            return None
        if not hosts and self.parser.get_http_version() == "1.0":
            return None
        number = {0: "no", 1: "an invalid"}.get(len(hosts), "more than one")
        return MalformedHead(
            f"The request has {number} 'Host' header. Send one, with the host and port of the URL."
        )

    def _break(self, error: ApiError) -> None:
        """Refuse the rest of a request that is under way: its body can never end.

        Nothing is added to an answer that has begun.
        """
        broken = self.cycle
        self._is_in_body = False
        if broken.response_started:
            self._is_refused = True
            self.transport.close()
            return
        broken.disconnected = True
        broken.message_event.set()
        self.cycle = None  # type: ignore[assignment]  # as before the first request
        self._refusal = error
        self._answer_refused()

    def _answer_refused(self) -> None:
        """Have the application answer the refusal, after the answers that come before it."""
        assert self._refusal is not None, "a refusal has a reason"
        self._is_refused = True
        self._is_in_head = False
        self._stop_timer()
        path = self.url.partition(b"?")[0][:_PATH_BYTES_KEPT]
        is_path = path.startswith(b"/")
        self.on_message_begin()
        self._is_in_head = False
        self.url = path if is_path else b"/"
        assert self._extensions is not None, "the request has begun"
        self._extensions[_REFUSAL] = self._refusal
        super().on_headers_complete()
        if not is_path:
            self.scope["method"] = ""  # the parser may not have seen it
        self.cycle.keep_alive = False
        super().on_message_complete()

    # --- time

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._is_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_late(self) -> None:
        self._timer = None
        if self.transport.is_closing():
            return
        if self._is_in_head:
            self._refusal = self._refusal or RequestTimeout(
                "The head of the request did not arrive within"
                f" {self.config.head_timeout_s:g} seconds. Send it faster."
            )
            self._answer_refused()
        else:
            self.transport.close()

    # --- HTTP/1.0

    def _send_without_chunks(self) -> None:
        """Have the answer end with the connection, where its length is not known.

        HTTP/1.0 has no chunks (RFC 9112, 7.1). Uvicorn adds them where it does not know the length.
        """
        cycle = self.cycle
        cycle.chunked_encoding = False
        send = cycle.send

        async def send_plain(message: Any) -> None:
            cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        cycle.send = send_plain  # type: ignore[method-assign]  # uvicorn makes the cycle itself


def _without_upgrade(data: bytes) -> bytes:
    """Return a piece of a head in which nobody asks for another protocol (RFC 9110, 7.8).

    The parser takes what follows an ``Upgrade`` for that protocol, and drops the body. Java's
    HttpClient asks for HTTP/2 with each request.
    """
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    if _UPGRADE.search(head) is None:
        return data
    return _UPGRADE.sub(b"ignored", head) + data[len(head) :]


def _url_too_long() -> ApiError:
    return UrlTooLong(f"The URL is longer than {URL_BYTES_MAX} bytes. Send what is long as a body.")


def _head_too_large() -> ApiError:
    return HeadTooLarge(
        f"The head of the request has more than {HEAD_BYTES_MAX} bytes or {HEAD_FIELDS_MAX}"
        " headers. Send fewer or shorter ones."
    )
