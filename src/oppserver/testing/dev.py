"""``oppserver serve --dev``: a server with sample data, and faults, resets and calls over HTTP.

It is for development, and for tests in any language. A reset opens a new world, as the pytest
plug-in does for each test: a copy of the sample's database. A database that was named is kept.
"""

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from oppserver import telemetry
from oppserver.api.app import app_behind, console_of
from oppserver.api.dispatcher import JSON
from oppserver.api.observe import Application, Receive, Scope, Send
from oppserver.api.server import listen, serve
from oppserver.calls.shared.call import THE_WORLD
from oppserver.config import Settings
from oppserver.console.access import access_of, check_local_host, new_secret
from oppserver.console.app import Console, ConsoleShare
from oppserver.console.request_log import Seen
from oppserver.contract import example
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import AccessDenied, InvalidInput, InvalidValue, UnknownPath
from oppserver.contract.model import Role
from oppserver.contract.names import quoted
from oppserver.processes.serving import tell_listening
from oppserver.store import Store, open_store
from oppserver.store.sqlite.maintenance import copy_closed
from oppserver.testing.application import FaultyApplication
from oppserver.testing.faults import CutWhen, Fault, FaultOptions
from oppserver.testing.journal import Journal
from oppserver.testing.options import OppserverUser, add_user, chosen
from oppserver.testing.world import World
from oppserver.transfer.sample import put_sample

SAMPLE_OPPORTUNITIES: Final = 1_000
"""Generated opportunities of the sample. Chosen: they take a twentieth of a second."""

DEV_CALLS_KEPT_MAX: Final = 1_000
"""Calls that ``/dev/requests`` lists; the oldest is forgotten. Chosen: bounds the memory."""


_PAGES: Final = (
    "/dev/",
    "/docs",
    "/openapi.json",
    "/assets/",
    "/console",
    "/health/",
    "/metrics",
    "/problems",
)
"""Paths that are neither listed nor met by faults: those of pages and probes."""


class DevServer(NamedTuple):
    """The URL of the server and the keys of an administrator."""

    url: str
    user: OppserverUser
    is_temporary: bool


def serve_for_development(
    settings: Settings, *, is_named: bool, tell: Callable[[DevServer], None]
) -> None:
    """Serve until SIGINT or SIGTERM, then remove all that was made.

    ``is_named``: the database of the settings is used, filled if it is empty, and kept; else one in
    a temporary folder. Its key is revoked at the end. ``tell`` is called when calls are answered.
    """
    telemetry.start_logging(form=settings.log_format, level=settings.log_level)
    settings = replace(settings, console=settings.console or "full")
    with TemporaryDirectory(prefix="oppserver-dev-", ignore_cleanup_errors=True) as folder:
        base = Path(folder) / "sample.db"
        if not is_named:
            settings = replace(settings, database=f"sqlite:///{base}")
        with closing(open_store(settings.database)) as store:
            user = _fill(store)
        worlds = _Worlds(settings, Path(folder), base=None if is_named else base)
        try:

            def on_listening(url: str) -> None:
                tell_listening(settings, url, worlds.current.store)
                tell(DevServer(url, user, not is_named))

            _serve(settings, worlds, on_listening)
        finally:
            worlds.current.end()
            if is_named:
                with closing(open_store(settings.database)) as store:
                    store.revoke_key(user.access_key, now=now_stored(THE_WORLD.now()))


def _serve(settings: Settings, worlds: "_Worlds", on_listening: Callable[[str], None]) -> None:
    app = app_behind(
        lambda: worlds.current.dispatcher,
        settings,
        metrics=worlds.metrics,
        console=worlds.console,
        more_routes=_routes(worlds, settings),
    )
    prefix = (settings.path_prefix or "").lower()
    passed_on = [f"{start}{page}" for start in {"", prefix} for page in _PAGES]
    faulty = FaultyApplication(app, lambda: worlds.current, passed_on=passed_on)
    serve(settings, faulty, listen(settings), on_listening=on_listening)


def _fill(store: Store) -> OppserverUser:
    """Add a key, and the sample where there are no types yet."""
    now = now_stored(THE_WORLD.now())
    if not store.catalogue().types:
        put_sample(store, generated=SAMPLE_OPPORTUNITIES, now=now)
    return add_user(
        store,
        email=example.USER_EMAIL,
        role=Role.ADMINISTRATOR,
        created_on=now,
        user_id=THE_WORLD.new_id(),
        first_name="Ada",
        last_name="Lovelace",
    )


class _CurrentConsole(Console):
    """The console of the world that is served now."""

    def __init__(self, current: Callable[[], Console]) -> None:
        self._current: Final = current

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._current()(scope, receive, send)

    def layer(self, app: Application) -> Application:
        async def layered(scope: Scope, receive: Receive, send: Send) -> None:
            await self._current().layer(app)(scope, receive, send)

        return layered

    def record(self, scope: Mapping[str, Any], seen: Seen, seconds: float) -> None:
        self._current().record(scope, seen, seconds)


class _Worlds:
    """The world that is served now, and the next ones. Owner: a reset, one at a time."""

    def __init__(self, settings: Settings, folder: Path, *, base: Path | None) -> None:
        self._settings: Final = settings
        self._base: Final = base
        self._folder: Final = folder
        self._numbers: Final = count(1)
        self._lock: Final = threading.Lock()
        self._share: Final = ConsoleShare(new_secret(), lambda: folder)
        self.metrics: Final = telemetry.Metrics()
        self._current = self._made({})
        console = self._current[1]  # its settings are the same in each world
        self.console: Final = None if console is None else _CurrentConsole(self._console)

    def _console(self) -> Console:
        console = self._current[1]
        assert console is not None, "it is on in the first world"
        return console

    @property
    def current(self) -> World:
        """Return the world that is served now."""
        return self._current[0]

    def reset(self, options: Mapping[str, object]) -> str:
        """Go on in a new world; return what its data is. Raises InvalidInput."""
        with self._lock:
            ended, self._current = self._current[0], self._made(options)
            ended.end()
        return "kept" if self._base is None else "sample"

    def _made(self, options: Mapping[str, object]) -> tuple[World, Console | None]:
        file = None
        if self._base is not None:
            file = self._folder / f"{next(self._numbers)}.db"
            copy_closed(self._base, file)
        limit = str(self._settings.rate_limit or "off")
        picked = chosen({"rate_limit": limit, **options})
        world = World(self._settings, picked, self.metrics, file=file, calls_max=DEV_CALLS_KEPT_MAX)
        return world, console_of(self._settings, world.dispatcher, self._share)


# --- faults, calls and resets over HTTP ----------------------------------------------------------


class _FaultWire(msgspec.Struct, forbid_unknown_fields=True):
    """A fault to switch on: its kind, the kind's own options, and those of every fault."""

    fault: Literal["rate_limited", "unavailable", "failure", "answer", "slow", "cut"]
    times: int | None = 1
    every: int = 1
    on: str = ""
    retry_after_s: int = 1
    status: int = 500
    body: Any = None
    headers: dict[str, str] = {}
    seconds: float = 1.0
    when: CutWhen = "before"


class _ResetWire(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The options of the new world."""

    rate_limit: str = ""
    now: str = ""
    seed: int | None = None


def _routes(worlds: _Worlds, settings: Settings) -> list[BaseRoute]:
    def faults(request: Request, body: bytes) -> Response:
        known = worlds.current.faults
        if request.method == "POST":
            return _json(_described(_switch_on(worlds.current, _decoded(body, _FaultWire))), 201)
        if request.method == "DELETE":
            known.clear()
            return Response(status_code=204)
        return _json([_described(one) for one in known.all()])

    def fault(request: Request, _: bytes) -> Response:
        number = request.path_params["number"]
        found = [one for one in worlds.current.faults.all() if one.number == number]
        if not found:
            raise UnknownPath(f"There is no fault {number}. 'GET /dev/faults' lists them.")
        if request.method == "DELETE":
            found[0].remove()
            return Response(status_code=204)
        return _json(_described(found[0]))

    def requests(request: Request, _: bytes) -> Response:
        if request.method == "DELETE":
            worlds.current.arrivals.clear()
            return Response(status_code=204)
        return _json([msgspec.to_builtins(one) for one in _found(worlds.current, request)])

    def reset(_: Request, body: bytes) -> Response:
        options = _decoded(body or b"{}", _ResetWire)
        return _json({"data": worlds.reset(msgspec.to_builtins(options))})

    def route(path: str, answer: Callable[[Request, bytes], Response], *methods: str) -> Route:
        async def guarded(request: Request) -> Response:
            _refuse_other_sites(request, settings)
            body = await request.body()
            try:
                return await run_in_threadpool(answer, request, body)
            except InvalidInput as error:
                raise InvalidValue(str(error)) from None

        return Route(path, guarded, methods=list(methods), name=path)

    return [
        route("/dev/faults", faults, "GET", "POST", "DELETE"),
        route("/dev/faults/{number:int}", fault, "GET", "DELETE"),
        route("/dev/requests", requests, "GET", "DELETE"),
        route("/dev/reset", reset, "POST"),
    ]


def _refuse_other_sites(request: Request, settings: Settings) -> None:
    """Refuse what a page of another site sends: every page can send to this machine.

    Raises AccessDenied, unless the setting for origins (CORS) allows the page.
    """
    if not access_of(settings).needs_sign_in:
        check_local_host(request.headers.get("host", ""))
    origin, allowed = request.headers.get("origin"), settings.cors_origins or ()
    if origin is None or origin in allowed or "*" in allowed:
        return
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise AccessDenied(
            f"A page of {quoted(origin)} may not control this server. Allow it: --cors-origins"
        )


_T = TypeVar("_T", bound=msgspec.Struct)


def _decoded(body: bytes, message: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=message)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The body: {error}. docs/testing.md lists its members.") from None


def _switch_on(world: World, asked: _FaultWire) -> Fault:
    faults = world.faults
    options: FaultOptions = {"times": asked.times, "every": asked.every, "on": asked.on}
    match asked.fault:
        case "rate_limited":
            return faults.rate_limited(retry_after_s=asked.retry_after_s, **options)
        case "unavailable":
            return faults.unavailable(retry_after_s=asked.retry_after_s, **options)
        case "failure":
            return faults.failure(**options)
        case "answer":
            return faults.answer(asked.status, asked.body, headers=asked.headers, **options)
        case "slow":
            return faults.slow(asked.seconds, **options)
    return faults.cut(asked.when, **options)


def _described(fault: Fault) -> dict[str, Any]:
    return {"id": fault.number, "name": fault.name, "hits": fault.hits, "is_over": fault.is_over}


def _found(world: World, request: Request) -> Journal:
    """Return the calls that the query asks for. Raises InvalidInput."""
    asked = dict(request.query_params)
    status = asked.pop("status", None)
    unknown = set(asked) - {"name", "method", "path"}
    if unknown or (status is not None and not status.isdecimal()):
        raise InvalidInput(
            "The query takes name, method, path, and status, which is a number; not"
            f" {quoted(request.url.query)}"
        )
    return world.arrivals.journal().matching(
        **asked, status=None if status is None else int(status)
    )


def _json(message: object, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(message), status, headers, JSON)
