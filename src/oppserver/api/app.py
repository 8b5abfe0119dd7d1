"""The application: the API's calls, health, metrics and the documents, put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import msgspec
from litestar import Litestar, Request, Response
from litestar.enums import HttpMethod
from litestar.exceptions import HTTPException
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler, get
from litestar.plugins import PluginProtocol

import oppserver
from oppserver import telemetry
from oppserver.api import encoding
from oppserver.api.dispatcher import JSON, Door, error_response, named
from oppserver.api.observe import Application, Observer, observed
from oppserver.api.openapi import document, reference_page
from oppserver.api.routes import ROUTES, STREAM_ROUTES, Route, StreamRoute
from oppserver.api.streams import Streams
from oppserver.calls.shared.call import THE_WORLD, Services, Sources
from oppserver.config import Settings
from oppserver.contract.errors import MalformedBody, MethodNotAllowed, UnknownPath
from oppserver.contract.names import quoted
from oppserver.contract.problems import all_problems, described_problem, kind_named
from oppserver.formats import arrow
from oppserver.rate_limit.shared import SharedWindow
from oppserver.rate_limit.window import RateLimiter
from oppserver.store import Store
from oppserver.store.row_cache import HotRows

_NO_STORE: Final = {"Cache-Control": "no-store"}

_QUERY_PATHS: Final = frozenset(
    route.path for route in (*ROUTES, *STREAM_ROUTES) if route.takes_query
)


class _Framework(Litestar):
    """The framework without plug-ins that nobody asked for.

    By default it imports pydantic wherever that is installed, a tenth of the whole start; no
    handler here takes or gives such a value.
    """

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return plugins


def create_app(
    settings: Settings,
    store: Store,
    *,
    rate_limiter: RateLimiter | None,
    metrics: telemetry.Metrics,
) -> Observer:
    """The ASGI application on an open store; store and limiter stay the caller's to close.

    It is to be run with its lifespan: at the end it waits for the calls under way.
    """
    services = services_of(settings, store, rate_limiter=rate_limiter, metrics=metrics)
    door = Door(settings, services)
    return app_behind(lambda: door, metrics=metrics)


def services_of(
    settings: Settings,
    store: Store,
    *,
    rate_limiter: RateLimiter | None,
    metrics: telemetry.Metrics,
    sources: Sources = THE_WORLD,
) -> Services:
    """What the operations of a server work with, as its settings say."""
    return Services(
        store=store,
        rate_limiter=rate_limiter,
        hot_rows=_hot_rows(settings, metrics),
        body_bytes_max=settings.body_bytes_max,
        made_by=f"oppserver {oppserver.__version__}, {encoding.made_by()}, {arrow.made_by()}",
        sources=sources,
    )


def app_behind(door: Callable[[], Door], *, metrics: telemetry.Metrics) -> Observer:
    """The ASGI application behind a door, which is asked for with every request.

    The door that is open when the lifespan ends is closed then; others are closed by who made them.
    """
    streams = Streams(door)

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        try:
            yield
        finally:
            door().close()

    def new_request_id() -> str:
        return door().services.sources.new_request_id()

    app = _Framework(
        route_handlers=[
            *(_call_handler(route, door) for route in ROUTES),
            *(_stream_handler(route, streams) for route in STREAM_ROUTES),
            *_health_handlers(door),
            *_document_handlers(metrics),
        ],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
        lifespan=[lifespan],
        openapi_config=None,  # ours says more: api/openapi.py
        logging_config=None,  # telemetry.py is the only writer of logs
        request_max_body_size=None,  # api/intake.py holds the limit, after credentials and count
        debug=False,
    )
    return Observer(
        cast("Application", app),
        metrics=metrics,
        canonical_paths={route.path.lower(): route.path for route in (*ROUTES, *STREAM_ROUTES)},
        query_paths=_QUERY_PATHS,
        new_request_id=new_request_id,
    )


def _hot_rows(settings: Settings, metrics: telemetry.Metrics) -> HotRows | None:
    if settings.hot_rows_bytes == 0:
        return None
    return HotRows(bytes_max=settings.hot_rows_bytes, on_read=metrics.rows_read)


def _call_handler(route: Route, door: Callable[[], Door]) -> HTTPRouteHandler:
    """The call's handler. Of one that takes QUERY it is for OPTIONS too.

    The framework's own answer to OPTIONS would not name all the methods.
    """
    methods = [HttpMethod(route.method), *([HttpMethod.OPTIONS] if route.takes_query else [])]

    async def handle(request: Request[Any, Any, Any]) -> Response[bytes]:
        if request.method == "OPTIONS":
            headers = {"Allow": f"OPTIONS, {route.method}, QUERY", "Accept-Query": JSON}
            return Response(b"", status_code=204, headers=headers)
        return await door().answer(request, route)

    return HTTPRouteHandler(route.path, http_method=methods, name=route.name, status_code=200)(
        handle
    )


def _stream_handler(route: StreamRoute, streams: Streams) -> ASGIRouteHandler:
    async def handle(scope: Any, receive: Any, send: Any) -> None:
        await streams.answer(scope, receive, send, route)

    return ASGIRouteHandler(route.path, name=route.name, copy_scope=False)(handle)


def _health_handlers(door: Callable[[], Door]) -> list[HTTPRouteHandler]:
    @get("/health/live", name="HealthLive")
    async def live(request: Request[Any, Any, Any]) -> Response[dict[str, str]]:
        observed(request.scope).call = "health"
        return Response({"status": "live"}, headers=_NO_STORE)

    @get("/health/ready", name="HealthReady")
    async def ready(request: Request[Any, Any, Any]) -> Response[Any]:
        observed(request.scope).call = "health"
        try:
            await door().on_worker(door().services.store.ping)
        except Exception as error:  # noqa: BLE001 (a probe gets an answer, whatever is wrong)
            return error_response(named(error), request.scope, headers=_NO_STORE)
        return Response(
            {
                "status": "ready",
                **_rate_limit_store(door().services.rate_limiter),
                **_store_servers(door().services.store),
            },
            headers=_NO_STORE,
        )

    return [live, ready]


def _rate_limit_store(limiter: RateLimiter | None) -> dict[str, str]:
    """What the ready say of a shared limit. They are ready also when its store is lost.

    Every machine loses it at once, and one that takes no calls for it would help nobody.
    """
    if not isinstance(limiter, SharedWindow):
        return {}
    return {"rateLimitStore": "lost" if limiter.is_lost else "shared"}


def _store_servers(store: Store) -> dict[str, Any]:
    """What the ready say of the servers of a store that reads standbys.

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


def _document_handlers(metrics: telemetry.Metrics) -> list[HTTPRouteHandler]:
    @get("/metrics", name="Metrics")
    async def exposition() -> Response[bytes]:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @get("/openapi.json", name="OpenApi")
    async def openapi() -> Response[bytes]:
        return Response(document(), media_type="application/json")

    @get(["/", "/docs"], name="Reference")
    async def reference() -> Response[str]:
        return Response(reference_page(), media_type="text/html")

    @get("/problems", name="Problems")
    async def problems() -> Response[bytes]:
        return Response(msgspec.json.encode(all_problems()), media_type=JSON)

    @get("/problems/{name:str}", name="Problem")
    async def problem(request: Request[Any, Any, Any]) -> Response[bytes]:
        name = request.path_params["name"]
        kind = kind_named(name)
        if kind is None:
            unknown = UnknownPath(f"{quoted(name)} is no type of problem. /problems lists them.")
            return error_response(unknown, request.scope)
        return Response(msgspec.json.encode(described_problem(kind)), media_type=JSON)

    return [exposition, openapi, reference, problems, problem]


def _refuse(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses before a handler runs, in the form of the path."""
    path = request.scope["path"]
    if error.status_code == UnknownPath.status:
        return error_response(
            UnknownPath(f"There is no call at {quoted(path)}. /openapi.json lists the calls."),
            request.scope,
        )
    if error.status_code == MethodNotAllowed.status:
        allowed = (error.headers or {}).get("allow", "")
        if path in _QUERY_PATHS:
            allowed += ", QUERY"
        return error_response(
            MethodNotAllowed(
                f"{quoted(path)} does not take {quoted(request.method)}. Use {allowed}."
            ),
            request.scope,
            headers={"Allow": allowed},
        )
    if 400 <= error.status_code < 500:
        return error_response(
            MalformedBody(f"The request cannot be read: {error.detail}"), request.scope
        )
    return _fail(request, error)


def _fail(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return error_response(named(error), request.scope)
