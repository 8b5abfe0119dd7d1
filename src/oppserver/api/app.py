"""The application: the API's calls, health, metrics and documents."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.routing import Route as StarletteRoute

import oppserver
from oppserver import telemetry
from oppserver.api.dispatcher import JSON, Dispatcher, error_response, method_headers, to_api_error
from oppserver.api.observe import Application, Observer, Receive, Scope, Send, folded, observed
from oppserver.api.openapi import document
from oppserver.api.protocol import refusal_of
from oppserver.api.routes import ROUTES, Route
from oppserver.api.streams import Streams
from oppserver.calls.shared import negotiate
from oppserver.calls.shared.call import THE_WORLD, Services, Sources, Stream
from oppserver.calls.shared.repeats import AnswerCache
from oppserver.config import Settings
from oppserver.console.access import access_of
from oppserver.console.app import CallRoute, Console, ConsoleShare
from oppserver.console.assets import Document, asset_route
from oppserver.console.docs import HTML, PAGE_HEADERS, docs_page
from oppserver.contract.errors import (
    HTTP_ERRORS,
    ApiError,
    MalformedHead,
    MethodNotAllowed,
    Unavailable,
    UnknownPath,
)
from oppserver.contract.names import quoted
from oppserver.contract.problems import (
    PROBLEMS_PATH,
    all_problems,
    described_problem,
    kind_named,
    name_of,
)
from oppserver.formats import arrow
from oppserver.rate_limit.shared import SharedWindow
from oppserver.rate_limit.window import KeyedRateLimiter
from oppserver.store import Store
from oppserver.store.row_cache import RowCache

_METHODS: Final = "GET, HEAD, POST, QUERY, OPTIONS"

_EXPOSED_HEADERS: Final = (
    "Accept-Query",
    "ETag",
    "Idempotency-Key-Hours",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Cursor",
    "X-Ignored-Columns",
    "X-Opportunities-Found",
    "X-Opportunities-Missing",
    "X-Opportunities-Requested",
    "X-Request-Id",
)
"""Headers of answers that a page may read beside those that every page may."""

_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"

_NO_STORE: Final = {"Cache-Control": "no-store"}


def create_app(
    settings: Settings,
    store: Store,
    *,
    rate_limiter: KeyedRateLimiter | None,
    metrics: telemetry.Metrics,
    share: ConsoleShare | None = None,
) -> Observer:
    """The ASGI application on an open store; store and limiter stay the caller's to close.

    It is to be run with its lifespan: at the end it waits for the calls under way. ``share``: what
    the console shares with those of other workers; None: there is no console.
    """
    services = services_of(settings, store, rate_limiter=rate_limiter, metrics=metrics)
    dispatcher = Dispatcher(settings, services)
    metrics.has_threads(settings.worker_threads)
    library = store.library()
    if library:
        metrics.has_library(library)
    console = None if share is None else console_of(settings, dispatcher, share)
    return app_behind(lambda: dispatcher, settings, metrics=metrics, console=console)


def console_of(settings: Settings, dispatcher: Dispatcher, share: ConsoleShare) -> Console | None:
    """Return the console of a dispatcher's server; None when the settings turn it off."""
    if access_of(settings).mode == "off":
        return None
    routes = [_described_call(route) for route in ROUTES]
    services, on_worker = dispatcher.services, dispatcher.on_worker
    return Console(settings, services, share, routes=routes, on_worker=on_worker)


def services_of(
    settings: Settings,
    store: Store,
    *,
    rate_limiter: KeyedRateLimiter | None,
    metrics: telemetry.Metrics,
    sources: Sources = THE_WORLD,
) -> Services:
    """Return the services of a server, as its settings say. The two caches have half each."""
    each_bytes, on_read = settings.row_cache_bytes // 2, metrics.rows_read
    return Services(
        store=store,
        rate_limiter=rate_limiter,
        row_cache=RowCache(bytes_max=each_bytes, on_read=on_read) if each_bytes else None,
        answer_cache=AnswerCache(bytes_max=each_bytes, on_read=on_read) if each_bytes else None,
        body_bytes_max=settings.body_bytes_max,
        made_by=f"oppserver {oppserver.__version__}, {negotiate.made_by()}, {arrow.made_by()}",
        sources=sources,
    )


def app_behind(
    dispatcher: Callable[[], Dispatcher],
    settings: Settings,
    *,
    metrics: telemetry.Metrics,
    console: Console | None = None,
    more_routes: Sequence[BaseRoute] = (),
) -> Observer:
    """Return the ASGI application behind a dispatcher, which is asked for with every request.

    The dispatcher of the lifespan's end is closed then; others are closed by who made them.
    ``more_routes`` are those of development (``testing/dev.py``).
    """
    streams = Streams(dispatcher)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if console is not None:
                console.close()
            dispatcher().close()

    def new_request_id() -> str:
        return dispatcher().services.sources.new_request_id()

    app = Starlette(
        routes=[
            *(_call_route(route, dispatcher, streams) for route in ROUTES),
            *_health_routes(dispatcher),
            *_document_routes(dispatcher, metrics, path_prefix=settings.path_prefix or ""),
            asset_route(),
            *_console_routes(console, path_prefix=settings.path_prefix or ""),
            *more_routes,
        ],
        exception_handlers={HTTPException: _refuse, ApiError: _fail, Exception: _fail},
        lifespan=lifespan,
    )
    app.state.is_for_development = bool(more_routes)
    app.router.redirect_slashes = False  # paths are matched by one rule: api/observe.py
    paths = [route.path for route in app.routes if isinstance(route, StarletteRoute)]
    paths += [f"{PROBLEMS_PATH}/{name_of(kind)}" for kind in HTTP_ERRORS]
    app_open = _open_to_pages(app, settings.cors_origins)
    return Observer(
        _entrance(app_open if console is None else console.layer(app_open)),
        metrics=metrics,
        canonical_paths={folded(path): path for path in paths},
        path_prefix=settings.path_prefix or "",
        new_request_id=new_request_id,
        on_served=None if console is None else console.record,
    )


def _open_to_pages(app: Application, origins: Sequence[str] | None) -> Application:
    """Return the application with the headers by which pages of some origins may call it (CORS).

    Keys are sent by scripts in headers or the query, never by the browser itself: no credentials.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS.split(", "),
        allow_headers=["*"],
        expose_headers=_EXPOSED_HEADERS,
        allow_private_network=True,
    )


def _entrance(app: Application) -> Application:
    """Return the application behind the answers that depend on no path."""

    async def enter(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
        elif (refusal := refusal_of(scope)) is not None:
            await error_response(refusal, scope)(scope, receive, send)
        elif (scope["method"], scope["path"]) == ("OPTIONS", "*"):  # RFC 9110, 9.3.7
            await Response(status_code=204, headers={"Allow": _METHODS})(scope, receive, send)
        else:
            await app(scope, receive, send)

    return enter


class _Endpoint:
    """One path of the API, as a plain ASGI application that answers every method."""

    def __init__(self, answer: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._answer: Final = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)


def _call_route(route: Route, dispatcher: Callable[[], Dispatcher], streams: Streams) -> BaseRoute:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            response = Response(status_code=204, headers=method_headers(route))
        elif route.is_stream:
            await streams.answer(scope, receive, send, route)
            return
        else:
            response = await dispatcher().answer(Request(scope, receive), route)
        await response(scope, receive, send)

    return StarletteRoute(route.path, _Endpoint(answer), name=route.name)


def _described_call(route: Route) -> CallRoute:
    operation = None if isinstance(route.operation, Stream) else route.operation
    return CallRoute(route.name, route.method, route.path, operation, route.writes)


def _console_routes(console: Console | None, *, path_prefix: str) -> list[BaseRoute]:
    """The routes of the console, and of ``/``, which leads to it; where it is off, to ``/docs``."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        observed(scope).call = "console"
        if console is not None:
            await console(scope, receive, send)
            return
        off = UnknownPath(
            "The console is off here. Start the server with '--console read' or '--console full'."
        )
        await error_response(off, scope)(scope, receive, send)

    async def root(_: Request) -> Response:
        there = "/docs" if console is None else "/console"
        return Response(status_code=302, headers={"Location": path_prefix + there})

    return [
        StarletteRoute("/", root, methods=["GET"], name="Root"),
        StarletteRoute("/console", _Endpoint(answer), name="Console"),
        StarletteRoute("/console/{path:path}", _Endpoint(answer), name="ConsolePage"),
    ]


def _health_routes(dispatcher: Callable[[], Dispatcher]) -> list[BaseRoute]:
    async def live(request: Request) -> Response:
        observed(request.scope).call = "health"
        return _json({"status": "live"}, headers=_NO_STORE)

    async def ready(request: Request) -> Response:
        observed(request.scope).call = "health"
        try:
            await dispatcher().on_worker(dispatcher().services.store.ping)
        except Exception as error:  # noqa: BLE001 (a probe always gets an answer)
            return error_response(to_api_error(error), request.scope, headers=_NO_STORE)
        return _json(
            {
                "status": "ready",
                **_rate_limit_store(dispatcher().services.rate_limiter),
                **_store_servers(dispatcher().services.store),
            },
            headers=_NO_STORE,
        )

    return [
        StarletteRoute("/health/live", live, methods=["GET"], name="HealthLive"),
        StarletteRoute("/health/ready", ready, methods=["GET"], name="HealthReady"),
    ]


def _json(message: object, *, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(message), media_type=JSON, headers=headers)


def _rate_limit_store(limiter: KeyedRateLimiter | None) -> dict[str, str]:
    """Return the members of ready answers that describe a shared limit.

    Every machine loses it at once, and one that takes no calls for it would help nobody.
    """
    if not isinstance(limiter, SharedWindow):
        return {}
    return {"rateLimitStore": "lost" if limiter.is_lost else "shared"}


def _store_servers(store: Store) -> dict[str, Any]:
    """Return the members of ready answers that describe servers with standbys.

    They are ready while reads are answered, also when nothing can be written.
    """
    servers = [
        {
            "server": server.address,
            "role": "primary" if server.is_primary else "standby",
            "state": server.state.value,
            **({} if server.bytes_behind is None else {"bytesBehind": server.bytes_behind}),
        }
        for server in store.servers()
    ]
    return {"storeServers": servers} if servers else {}


def _document_routes(
    dispatcher: Callable[[], Dispatcher], metrics: telemetry.Metrics, *, path_prefix: str
) -> list[BaseRoute]:
    async def exposition(_: Request) -> Response:
        with suppress(Unavailable):  # the other metrics say more then
            metrics.store_takes(
                await dispatcher().on_worker(dispatcher().services.store.size_bytes)
            )
        return Response(metrics.exposition(), media_type=_PROMETHEUS)

    def page(path: str, name: str, body: Callable[[], bytes], media_type: str) -> BaseRoute:
        @cache
        def made() -> Document:
            return Document(body(), media_type)

        def answer(request: Request) -> Response:  # on a thread: the first makes and packs it
            headers = PAGE_HEADERS if media_type == HTML else {}
            return made().answer(request, headers=headers)

        return StarletteRoute(path, answer, methods=["GET"], name=name)

    async def problem(request: Request) -> Response:
        name = request.path_params["name"]
        kind = kind_named(name)
        if kind is None:
            unknown = UnknownPath(f"{quoted(name)} is no type of problem. /problems lists them.")
            return error_response(unknown, request.scope)
        return _json(described_problem(kind))

    return [
        StarletteRoute("/metrics", exposition, methods=["GET"], name="Metrics"),
        page("/openapi.json", "OpenApi", lambda: document(path_prefix), JSON),
        page("/docs", "Docs", lambda: docs_page(path_prefix), HTML),
        page("/problems", "Problems", lambda: msgspec.json.encode(all_problems()), JSON),
        StarletteRoute("/problems/{name}", problem, methods=["GET"], name="Problem"),
    ]


async def _refuse(request: Request, error: Exception) -> Response:
    """Answer what the router refuses, in the form of the path."""
    assert isinstance(error, HTTPException), "the router raises nothing else"
    path = request.scope["path"]
    if error.status_code == UnknownPath.status:
        hint = "/openapi.json lists the calls."
        if folded(path).startswith("/dev/") and not request.app.state.is_for_development:
            hint = "Faults and resets are in a server for development: oppserver serve --dev"
        unknown = UnknownPath(f"There is no call at {quoted(path)}. {hint}")
        return error_response(unknown, request.scope)
    if error.status_code == MethodNotAllowed.status:
        methods = {*(error.headers or {}).get("Allow", "").split(", "), "OPTIONS"}
        allowed = ", ".join(sorted(methods))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": allowed})
        return error_response(
            MethodNotAllowed(
                f"{quoted(path)} does not take {quoted(request.method)}. Use {allowed}."
            ),
            request.scope,
            headers={"Allow": allowed},
        )
    if 400 <= error.status_code < 500:
        return error_response(
            MalformedHead(f"The request cannot be read: {error.detail}"), request.scope
        )
    return await _fail(request, error)


async def _fail(request: Request, error: Exception) -> Response:
    return error_response(to_api_error(error), request.scope)
