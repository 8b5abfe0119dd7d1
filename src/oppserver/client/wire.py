"""From a call to an HTTP request, and back: what the two transports share.

They stand on httpx's transports, below its client: nothing on the way logs a URL, follows a
redirect with keys in it, or keeps a request that an error could show.
"""

import logging
import re
import ssl
from typing import Final

import httpx
import msgspec

import oppserver
from oppserver.client.address import Keys
from oppserver.client.answers import Answer, Broken
from oppserver.client.calls import Call

_HEADERS: Final = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "zstd, gzip"),
    ("User-Agent", f"oppserver-client/{oppserver.__version__}"),
)
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.ProxyError,
)


_KEYS: Final = re.compile(r"((?:access|secret)_?key(?:=|%3D))[^&\s'\"]+", re.IGNORECASE)


class _HidesKeys(logging.Filter):
    """Hides keys in what the library below logs of answers: a redirect may repeat a query."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record through."""
        record.msg = _KEYS.sub(r"\1[hidden]", str(record.msg))
        return True


logging.getLogger("httpcore.http11").addFilter(_HidesKeys())


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """How a host is spoken to."""

    base_url: str
    keys: Keys
    are_keys_in_query: bool
    timeout_s: float
    connect_timeout_s: float
    connections_max: int
    proxy: str | None
    verify: bool | ssl.SSLContext

    def request(self, call: Call[object]) -> httpx.Request:
        """The request of a call, with the keys. Keep it in no variable: its repr has the URL."""
        headers = list(_HEADERS)
        query = list(call.query)
        if self.are_keys_in_query:
            query += self.keys.query()
        else:
            headers += self.keys.headers()
        if call.method == "POST":
            headers.append(("Content-Type", "application/json"))
        if call.writes and call.idempotency_key is not None:
            headers.append(("Idempotency-Key", call.idempotency_key))
        return httpx.Request(
            call.method,
            self.base_url + call.path,
            params=httpx.QueryParams(tuple(query)),
            headers=headers,
            content=call.body,
            extensions={"timeout": self._timeouts()},
        )

    def _timeouts(self) -> dict[str, float | None]:
        return {
            "connect": self.connect_timeout_s,
            "read": self.timeout_s,
            "write": self.timeout_s,
            "pool": None,  # the clients bound the calls in flight themselves
        }

    def limits(self) -> httpx.Limits:
        """Connections of a transport."""
        return httpx.Limits(
            max_connections=self.connections_max,
            max_keepalive_connections=self.connections_max,
            keepalive_expiry=4.0,  # below the 5 s after which usual servers close an idle one
        )


def answer_of(response: httpx.Response, body: bytes) -> Answer:
    """An answer that was read whole."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=body)


def broken_by(error: Exception, wire: Wire) -> Broken:
    """What a failure of the transport comes to; its text has no key and no URL in it."""
    if isinstance(error, httpx.TimeoutException):
        reason = (
            f"no connection within {wire.connect_timeout_s:g} s"
            if isinstance(error, httpx.ConnectTimeout)
            else f"no answer within {wire.timeout_s:g} s"
        )
    elif isinstance(error, _NOT_SENT):
        reason = f"no connection ({wire.keys.hide(str(error)) or type(error).__name__})"
    else:
        reason = f"the connection broke ({wire.keys.hide(str(error)) or type(error).__name__})"
    return Broken(reason=reason, was_sent=not isinstance(error, _NOT_SENT))
