"""The dispatcher: a request becomes a call, the call runs on a worker thread, errors end here."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from oppserver import telemetry
from oppserver.api.intake import take_in
from oppserver.api.observe import CALLER_LEFT, CallerLeft, observed
from oppserver.api.routes import Route, StreamRoute
from oppserver.calls.run import run
from oppserver.calls.shared.call import Call, Services
from oppserver.config import Settings
from oppserver.contract.errors import ApiError, InternalFault, MethodNotAllowed, Unavailable
from oppserver.contract.formats import IdFormat
from oppserver.contract.limits import IDEMPOTENCY_HOURS
from oppserver.contract.names import quoted
from oppserver.contract.problems import PROBLEM, ErrorWire, is_problem_path, problem_of

JSON: Final = "application/json"


class Dispatcher:
    """Answers calls. Owns the worker threads; closed by whoever made it."""

    def __init__(self, settings: Settings, services: Services) -> None:
        self.settings: Final = settings
        self.services: Final = services
        self._workers: Final = ThreadPoolExecutor(
            settings.worker_threads, thread_name_prefix="oppserver-call"
        )
        self._in_flight = 0  # owner: answer(), on the event loop's one thread

    def close(self) -> None:
        """Waits for the calls under way and ends the worker threads."""
        self._workers.shutdown(wait=True)

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
        media_type = None if answer.status == HTTPStatus.NOT_MODIFIED else answer.media_type
        return Response(
            answer.body, status_code=answer.status, media_type=media_type, headers=headers
        )

    async def on_worker(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Runs work of the store on a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workers, work, *arguments)

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
                headers["RateLimit"] = f'"default";r={window.remaining};t={window.reset_s}'
        return headers


def check_method(request: Request, route: Route | StreamRoute) -> None:
    """Check that the call takes the method. Raises MethodNotAllowed."""
    if request.method not in route.methods:
        raise MethodNotAllowed(
            f"{quoted(route.path)} does not take {quoted(request.method)}."
            f" Use {', '.join(route.methods)}."
        )


def method_headers(route: Route | StreamRoute) -> dict[str, str]:
    """Return the headers that name the methods of a call, and the bodies that QUERY takes."""
    headers = {"Allow": ", ".join(route.methods)}
    if route.takes_query:
        is_stream = isinstance(route, StreamRoute)
        headers["Accept-Query"] = ", ".join(IdFormat) if is_stream else JSON
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
    """The URI of one occurrence: that of its request id, where that is a UUID, as ours are."""
    try:
        return UUID(request_id).urn
    except ValueError:
        return None
