"""The outermost layer of every request: its id, its log line, its metrics, its path's spelling."""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from oppserver import telemetry
from oppserver.contract.errors import ApiError

Scope = MutableMapping[str, Any]

Message = MutableMapping[str, Any]

Receive = Callable[[], Awaitable[Message]]

Send = Callable[[Message], Awaitable[None]]

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
"""ASGI 3.0 (asgi.readthedocs.io), in plain types that fit those of every framework."""

_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._:-]{1,64}")

_SLASHES: Final = re.compile("/{2,}")

_KEY_CHARACTERS_SHOWN: Final = 8

_CALLER_CHARACTERS_MAX: Final = 64
"""Characters of a logged address. Chosen: an IPv6 address with a zone has fewer."""

OBSERVED: Final = "oppserver.observed"

CALLER_LEFT: Final = 499
"""The status in log and metrics of a request whose connection ended before its answer began. No
caller sees it. Source: the number that nginx logs for the same."""


class CallerLeft(Exception):
    """The connection has ended before the request was whole."""


@dataclass(slots=True)
class Observed:
    """The facts of a request, as they become known. Owned by the one task that serves it.

    ``counts``: distinct ids asked for, found, missing. ``remaining``: calls that the key has left.
    """

    request_id: str
    method: str
    caller: str = ""
    call: str = "other"
    access_key: str = ""
    status: int = 0
    body_bytes: int = 0
    counts: tuple[int, int, int] | None = None
    remaining: int | None = None
    error: ApiError | None = None


def observed(scope: Any) -> Observed:
    """Return the facts known of the request of a scope."""
    known = scope[OBSERVED]
    assert isinstance(known, Observed)
    return known


class Observer:
    """The outermost ASGI layer.

    A caller's ``X-Request-Id`` is kept where it is sane, so that its log and ours can be joined.
    Paths are matched without regard to case and to doubled slashes, as callers write them
    (source: docs/fidelity.md). The query is never logged: it may hold keys.

    Answers to QUERY may be kept by the caller alone: they depend on keys that a shared cache does
    not look at.
    """

    def __init__(
        self,
        app: Application,
        *,
        metrics: telemetry.Metrics,
        canonical_paths: Mapping[str, str],
        path_prefix: str,
        new_request_id: Callable[[], str],
        on_served: Callable[[Scope, Observed, float], None] | None = None,
    ) -> None:
        self._path_prefix: Final = path_prefix.lower()
        self._app: Final = app
        self._metrics: Final = metrics
        self._canonical_paths: Final = canonical_paths
        self._new_request_id: Final = new_request_id
        self._on_served: Final = on_served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        method, path = scope["method"], scope["path"]
        known = Observed(
            request_id=_request_id(scope) or self._new_request_id(),
            method=method,
            caller=_caller(scope),
        )
        scope[OBSERVED] = known
        scope["path"] = self._canonical(path)
        structlog.contextvars.bind_contextvars(request_id=known.request_id)
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, _observing(send, known))
        finally:
            self._metrics.in_flight.dec()
            seconds = time.perf_counter() - started
            self._record(path, known, seconds)
            if self._on_served is not None:
                self._on_served(scope, known, seconds)
            structlog.contextvars.unbind_contextvars("request_id")

    def _canonical(self, path: str) -> str:
        name, prefix = folded(path), self._path_prefix
        if prefix and (name == prefix or name.startswith(f"{prefix}/")):
            name = name.removeprefix(prefix)
            path = _SLASHES.sub("/", path)[len(prefix) :]
        return self._canonical_paths.get(name, path)

    def _record(self, path: str, known: Observed, seconds: float) -> None:
        self._metrics.called(
            call=known.call, status=known.status, seconds=seconds, body_bytes=known.body_bytes
        )
        telemetry.logger().info(
            "call",
            call=known.call,
            method=known.method,
            path=telemetry.shorten(path, telemetry.LOGGED_PATH_CHARACTERS_MAX),
            status=known.status,
            ms=round(seconds * 1_000, 2),
            bytes=known.body_bytes,
            key=known.access_key[:_KEY_CHARACTERS_SHOWN],
            caller=known.caller,
        )


def folded(path: str) -> str:
    """Return a path as calls are matched by it: one slash each, none at the end, no capitals."""
    return _SLASHES.sub("/", path).rstrip("/").lower()


def _caller(scope: Scope) -> str:
    """The address of the caller, as the last proxy that is trusted knows it; empty if unknown."""
    client = scope.get("client")
    return str(client[0])[:_CALLER_CHARACTERS_MAX] if client else ""


def _request_id(scope: Scope) -> str | None:
    """The caller's own name of the request, where it is sane."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE_ID.fullmatch(value):
            return str(value, "ascii")
    return None


def _observing(send: Send, known: Observed) -> Send:
    async def observing(message: Message) -> None:
        if message["type"] == "http.response.start":
            known.status = message["status"]
            more = [(b"x-request-id", known.request_id.encode("ascii"))]
            if known.method == "QUERY":
                more.append((b"cache-control", b"private, no-cache"))
            message["headers"] = [*message["headers"], *more]
        elif message["type"] == "http.response.body":
            known.body_bytes += len(message.get("body", b""))
        await send(message)

    return observing
