"""The dispatcher: a request becomes a call, the call runs on a worker thread, errors end here.

Of a body no more is read than the limit.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oppserver import telemetry
from oppserver.api.observe import CALLER_LEFT, CallerLeft, observed
from oppserver.api.routes import Route
from oppserver.api.workers import WorkerThreads
from oppserver.calls.run import run
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.negotiate import choose_encoding
from oppserver.config import Settings
from oppserver.contract.errors import (
    ApiError,
    InternalFault,
    MethodNotAllowed,
    RequestTimeout,
    Unavailable,
)
from oppserver.contract.formats import IdFormat
from oppserver.contract.limits import BODY_DISCARDED_BYTES_MAX, IDEMPOTENCY_HOURS
from oppserver.contract.names import quoted
from oppserver.contract.problems import PROBLEM, ErrorWire, is_problem_path, problem_of

JSON: Final = "application/json"

_QUERY_FIELDS_MAX: Final = 100


class Dispatcher:
    """Answers calls. Owns the worker threads; its creator closes it."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.settings: Final = settings
        self.services: Final = services
        self._workers: Final = WorkerThreads(settings.worker_threads, name="oppserver-call")
        self._in_flight = 0  # owner: answer(), on the event loop's one thread

    def close(self) -> None:
        """Waits for the calls under way and ends the worker threads."""
        self._workers.close()

    async def answer(self, request: Request, route: Route) -> Response:
        """Answer one call; errors are answers too."""
        observed(request.scope).call = route.name
        if self._in_flight >= self.settings.calls_in_flight_max:
            return error_response(
                Unavailable("The server is busy: too many calls at once. Try again."),
                request.scope,
                headers={"Connection": "close"},  # the body has not been read
            )
        self._in_flight += 1
        try:
            return await self._answer(request, route)
        finally:
            self._in_flight -= 1

    async def _answer(self, request: Request, route: Route) -> Response:
        call: Call | None = None
        try:
            check_method(request, route)
            call = await take_in(
                request,
                route,
                body_bytes_max=self.settings.body_bytes_max,
                body_timeout_s=self.settings.body_timeout_s,
                path_prefix=self.settings.path_prefix or "",
                clock=self.services.sources.now,
            )
            answer, encoding = await self.on_worker(run, route.operation, call, self.services)
        except CallerLeft:
            return Response(b"", status_code=CALLER_LEFT)  # for log and metrics; nobody gets it
        except Exception as error:  # noqa: BLE001 (the one place where every error ends)
            refused = to_api_error(error)
            headers = self.headers(request, call)
            if isinstance(refused, MethodNotAllowed):
                headers |= method_headers(route)
            return error_response(refused, request.scope, headers=headers)
        headers = self.headers(request, call) | {"Vary": "Accept-Encoding"} | answer.headers
        if call.is_replayed:
            headers["Idempotent-Replayed"] = "true"
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        _note_counts(request, answer.headers)
        media_type = None if answer.status == HTTPStatus.NOT_MODIFIED else answer.media_type
        return Response(
            answer.body, status_code=answer.status, media_type=media_type, headers=headers
        )

    async def on_worker(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Runs work of the store on a worker thread."""
        return await self._workers.run(work, *arguments)

    def headers(self, request: Request, call: Call | None) -> dict[str, str]:
        """Return the headers of every answer: repeated writes, rate limit, connection.

        ``Idempotency-Key-Hours`` is ours: a client may repeat a write that has a key. Source of the
        two fields of the limit: draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4.
        """
        headers = {"Idempotency-Key-Hours": str(IDEMPOTENCY_HOURS)}
        limit = self.settings.rate_limit
        if limit is not None:
            headers["RateLimit-Policy"] = f'"default";q={limit.calls};w={limit.window_s}'
        if call is None or call.body is None:
            headers["Connection"] = "close"  # the rest of the body is not read
        if call is not None:
            if call.principal is not None:
                observed(request.scope).access_key = call.principal.access_key
            if (window := call.rate_window) is not None:
                observed(request.scope).remaining = window.remaining
                headers["RateLimit"] = f'"default";r={window.remaining};t={window.reset_s}'
        return headers


# --- intake -------------------------------------------------------------------------------------


async def take_in(
    request: Request,
    route: Route,
    *,
    body_bytes_max: int,
    body_timeout_s: float,
    path_prefix: str,
    clock: Callable[[], datetime],
) -> Call:
    """The call of a request. Raises RequestTimeout when its body is late, and CallerLeft.

    Keys in the headers outrank keys in the query (source: docs/fidelity.md); each of the two is
    looked for on its own.
    """
    try:
        async with asyncio.timeout(body_timeout_s):
            body = await _read_body(request, body_bytes_max)
    except TimeoutError:
        raise RequestTimeout(
            f"The body did not arrive within {body_timeout_s:g} seconds. Send it faster, or less."
        ) from None
    return call_of(request, route.name, body=body, path_prefix=path_prefix, now=clock())


def call_of(
    request: Request, name: str, *, body: bytes | None, path_prefix: str = "", now: datetime
) -> Call:
    """The call of a request's headers and query, and of a body that was read."""
    conditions = request.headers.getlist("if-none-match")
    query = _query(request.scope["query_string"])
    host = request.headers.get("host", "")
    in_query = query.pop("accesskey", ""), query.pop("secretkey", "")
    return Call(
        name=name,
        request_id=observed(request.scope).request_id,
        idempotency_key=request.headers.get("idempotency-key"),
        access_key=request.headers.get("x-lsq-accesskey") or in_query[0],
        secret_key=request.headers.get("x-lsq-secretkey") or in_query[1],
        content_type=request.headers.get("content-type", ""),
        body=body,
        host=f"{host}{path_prefix}" if host else "",
        accept=", ".join(request.headers.getlist("accept")),
        coding=choose_encoding(", ".join(request.headers.getlist("accept-encoding"))),
        content_encoding=request.headers.get("content-encoding", ""),
        if_none_match=", ".join(conditions) if conditions else None,
        query=query,
        now=now,
    )


async def _read_body(request: Request, body_bytes_max: int) -> bytes | None:
    """Read the body; None when it is longer than the limit. Raises CallerLeft.

    The rest of a long one is thrown away, up to a limit of its own: a connection that is closed
    while the caller still sends is reset, and the caller never sees why (RFC 9112, 9.6).
    """
    declared = request.headers.get("content-length", "")
    length = int(declared) if declared.isdecimal() else 0
    is_too_large = length > body_bytes_max
    waits_to_be_asked = "expect" in request.headers  # RFC 9110, 10.1.1
    if is_too_large and (waits_to_be_asked or length > BODY_DISCARDED_BYTES_MAX):
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in _chunks(request.receive):
        size += len(chunk)
        is_too_large = is_too_large or size > body_bytes_max
        if size > BODY_DISCARDED_BYTES_MAX:
            break
        if is_too_large:
            chunks.clear()
        else:
            chunks.append(chunk)
    return None if is_too_large else b"".join(chunks)


async def _chunks(receive: Callable[[], Awaitable[Any]]) -> AsyncIterator[bytes]:
    """The body as it comes. Raises CallerLeft when the connection ends before the body does."""
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        has_more = message.get("more_body", False)
        yield message.get("body", b"")


def _query(raw: bytes) -> dict[str, str]:
    """The query by lower-case name; the first of a name counts. Too many names: none is read."""
    try:
        pairs = parse_qsl(
            raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX
        )
    except ValueError:
        return {}
    return {name.lower(): value for name, value in reversed(pairs)}


def _note_counts(request: Request, headers: Mapping[str, str]) -> None:
    """Keep the numbers of ids of an answer that has them."""
    if (asked := headers.get("X-Opportunities-Requested")) is not None:
        found, missing = headers["X-Opportunities-Found"], headers["X-Opportunities-Missing"]
        observed(request.scope).counts = int(asked), int(found), int(missing)


# --- answers ------------------------------------------------------------------------------------


def check_method(request: Request, route: Route) -> None:
    """Check that the call takes the method. Raises MethodNotAllowed."""
    if request.method not in route.methods:
        raise MethodNotAllowed(
            f"{quoted(route.path)} does not take {quoted(request.method)}."
            f" Use {', '.join(route.methods)}."
        )


def method_headers(route: Route) -> dict[str, str]:
    """Return the headers that name the methods of a call, and the bodies that QUERY takes."""
    headers = {"Allow": ", ".join(route.methods)}
    if route.takes_query:
        headers["Accept-Query"] = ", ".join(IdFormat) if route.is_stream else JSON
    return headers


def to_api_error(error: Exception) -> ApiError:
    """Return the error as callers get it. An error that is not ours is a fault, logged whole."""
    if isinstance(error, ApiError):
        if isinstance(error, Unavailable):
            telemetry.logger().warning("unavailable", reason=str(error), cause=str(error.__cause__))
        return error
    telemetry.logger().error("fault", exc_info=error)
    return InternalFault()


def error_response(
    error: ApiError, scope: Any, *, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in the form of the path that was called."""
    observed(scope).error = error
    body, media_type = described_error(error, scope["path"], request_id=observed(scope).request_id)
    return Response(
        body,
        status_code=error.status,
        media_type=media_type,
        headers={**(headers or {}), **error.headers},
    )


def described_error(error: ApiError, path: str, *, request_id: str) -> tuple[bytes, str]:
    """Return the body that describes an error at a path, and its media type."""
    if is_problem_path(path):
        problem = problem_of(error, instance=instance_of(request_id))
        return msgspec.json.encode(problem), PROBLEM
    envelope = ErrorWire(
        Status="Error", ExceptionType=error.exception_type, ExceptionMessage=str(error)
    )
    return msgspec.json.encode(envelope), "application/json"


def instance_of(request_id: str) -> str | None:
    """Return the URI of one occurrence of a problem; None when the request id is not a UUID."""
    try:
        return UUID(request_id).urn
    except ValueError:
        return None
