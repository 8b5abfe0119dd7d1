"""The console's door: requests in, pages and live events out, and the log of the API's calls.

It is light, because it is loaded with the server. Jinja2, templates and sections are loaded with
the first page.
"""

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from oppserver.calls.shared.call import Operation, Services
from oppserver.config import Settings
from oppserver.console.access import SignIns, access_of
from oppserver.console.recorded import Receive, Recorded, Send, collecting, whole_of
from oppserver.console.request_log import RequestLogs, Seen, open_log

if TYPE_CHECKING:
    from oppserver.console.site import Request, Response
    from oppserver.console.visit import ConsoleServer

PAGES_AT_ONCE_MAX: Final = 64
"""Requests to the console that are under way in a worker; above that 503. Chosen: bounds memory."""

LIVE_MAX: Final = 16
"""Pages that follow events at once, in each worker. Chosen: each asks once a second."""

LIVE_PERIOD_S: Final = 1.0
"""Seconds between two looks for news. Chosen: a person reads no faster."""

FORM_BYTES_MAX: Final = 2 << 20
"""Bytes of a form. Chosen: 50,000 ids of a bulk read."""

UPLOAD_BYTES_MAX: Final = 4 << 30
"""Bytes of a file that is sent to be imported. Chosen: 10,000,000 opportunities; larger ones are
imported by the command."""

UPLOAD_TIMEOUT_S: Final = 60.0
"""Seconds in which the next part of a form or a file has to come."""

LIVE_CALL: Final = "oppserver.live"
"""In the extensions of a scope: the answer has no end, and is cut when the server stops."""

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_NOT_LOGGED: Final = frozenset({"console", "health"})
"""The names of requests that are no calls of the API. "other" are documents, and unknown paths."""

Scope = MutableMapping[str, Any]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class CallRoute(NamedTuple):
    """A call of the API, for replays and copies: ``operation`` None for a stream."""

    name: str
    method: str
    path: str
    operation: Operation | None
    writes: bool


class ConsoleShare(NamedTuple):
    """The parts that the consoles of a server's workers share.

    ``secret`` signs sessions. ``folder`` has the output of jobs. ``log_folder`` has the maps of the
    workers' requests; None: there is one worker, ``worker`` is its number.
    """

    secret: bytes
    folder: Callable[[], Path]
    log_folder: Path | None = None
    worker: int = 1


class Console:
    """The ASGI application below ``/console``. ``on_worker`` runs work on a thread of calls.

    At most half of these threads work for the console at once: the others are there for calls.
    """

    def __init__(
        self,
        settings: Settings,
        services: Services,
        share: ConsoleShare,
        *,
        routes: Sequence[CallRoute],
        on_worker: Callable[..., Awaitable[Any]],
    ) -> None:
        self._settings: Final = settings
        self._services: Final = services
        self._share: Final = share
        self._routes: Final = routes
        self._on_worker: Final = on_worker
        self._started_on: Final = services.sources.now()
        self._log: Final = open_log(share.log_folder, worker=share.worker)
        self._threads: Final = asyncio.Semaphore(max(1, settings.worker_threads // 2))
        self._server: ConsoleServer | None = None
        self._under_way = 0  # owner: __call__(), on the event loop's one thread
        self._live = 0  # as above

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = HttpRequest(scope, receive)
        path = scope["path"].removeprefix("/console") or "/"
        response: HttpResponse | None
        if self._under_way >= PAGES_AT_ONCE_MAX:
            response = HttpResponse("The console is busy. Load the page again.", 503)
        else:
            self._under_way += 1
            try:
                response = await self._answer(request, path, send)
            finally:
                self._under_way -= 1
        if response is not None:
            await response(scope, receive, send)

    async def _answer(self, request: HttpRequest, path: str, send: Send) -> HttpResponse | None:
        if self._server is None:
            self._server = await self._on_worker(self._load)
        server = self._server
        from oppserver.console.site import refused, serve, takes_file  # noqa: PLC0415 (no start loads it)

        upload: Path | None = None
        body = b""
        try:
            if takes_file(request.method, path):
                made = _made(request, path, body, None)
                if (answered := await self._on_thread(refused, server, made)) is not None:
                    return _response(answered, made, server, {"Connection": "close"})
                upload = await self._on_thread(_new_file, server.folder())
                await _receive(request, upload)
            else:
                body = await _body(request)
        except (TimeoutError, ClientDisconnect):
            return HttpResponse("The request did not arrive whole. Send it again.", 408)
        except _TooLarge as error:
            return HttpResponse(str(error), 413, {"Connection": "close"})
        try:
            made = _made(request, path, body, upload)
            answered = await self._on_thread(serve, server, made)
            if answered.live is not None:
                await self._follow(request, answered.live, answered.place, send)
                return None
            return _response(answered, made, server)
        finally:
            if upload is not None:
                await self._on_thread(_remove, upload)

    def _load(self) -> "ConsoleServer":
        """Load pages and templates, on a worker thread: a start does without them."""
        from oppserver.console import site  # noqa: F401, PLC0415 (the first page loads them)
        from oppserver.console.visit import ConsoleServer  # noqa: PLC0415 (the first page loads it)

        return ConsoleServer(
            settings=self._settings,
            access=access_of(self._settings),
            services=self._services,
            requests=RequestLogs(self._log, self._share.log_folder),
            routes={route.path: route for route in self._routes},
            secret=self._share.secret,
            folder=self._share.folder,
            sign_ins=SignIns(),
            started_on=self._started_on,
        )

    async def _on_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        async with self._threads:
            return await self._on_worker(work, *arguments)

    def close(self) -> None:
        """End the job that runs."""
        if self._server is not None:
            from oppserver.console.jobs import stop_job  # noqa: PLC0415 (no start loads it)

            stop_job(self._server.folder())

    # --- the log of calls

    def layer(self, app: Application) -> Application:
        """Return the application behind a layer that collects whole requests, when that is on."""

        async def collect(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and self._log.is_recording:
                recorded = scope["oppserver.recorded"] = Recorded()
                receive, send = collecting(receive, send, recorded)
            await app(scope, receive, send)

        return collect

    def record(self, scope: Mapping[str, Any], seen: Seen, seconds: float) -> None:
        """Keep a request that was answered, if it was a call. For the event loop."""
        if seen.call in _NOT_LOGGED or (seen.call == "other" and seen.status < 400):
            return
        recorded: Recorded | None = scope.get("oppserver.recorded")
        whole = None if recorded is None else whole_of(scope["headers"], recorded)
        self._log.record(scope["path"], scope["query_string"], seen, seconds, whole)

    # --- events

    async def _follow(
        self, request: HttpRequest, poll: Callable[[str], tuple[bytes, str]], place: str, send: Send
    ) -> None:
        """Send events until the browser goes or the server stops."""
        if self._live >= LIVE_MAX:
            busy = HttpResponse("Too many pages follow events. Close some.", 503)
            await busy(request.scope, request.receive, send)
            return
        self._live += 1
        request.scope.get("extensions", {})[LIVE_CALL] = True
        gone = asyncio.create_task(_gone(request))
        try:
            await send(_start_of_events())
            while not gone.done():
                news, place = await self._on_thread(poll, place)
                event = _event(news, place)
                await send({"type": "http.response.body", "body": event, "more_body": True})
                await asyncio.wait({gone}, timeout=LIVE_PERIOD_S)
        finally:
            self._live -= 1
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone


async def _gone(request: HttpRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _start_of_events() -> MutableMapping[str, Any]:
    headers = {**_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
    return {
        "type": "http.response.start",
        "status": 200,
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }


def _event(news: bytes, place: str) -> bytes:
    """An event with a part of a page. Without news it has its place alone, and is not shown.

    A place has no line breaks. By writing, a browser that has gone is noticed.
    """
    lines = [b"data: %b\n" % line for line in news.splitlines() if line.strip()]
    return b"id: %b\n%b\n" % (place.encode(), b"".join(lines))


# --- in and out ---------------------------------------------------------------------------------


class _TooLarge(Exception):
    """The body is larger than the page takes."""


def _new_file(folder: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=folder, prefix="upload-")
    os.close(handle)
    return Path(name)


def _remove(file: Path) -> None:
    file.unlink(missing_ok=True)


async def _receive(request: HttpRequest, file: Path) -> None:
    """Write the body to a file. Raises _TooLarge."""
    size = 0
    with file.open("wb") as opened:
        async for part in _parts(request):
            size += len(part)
            if size > UPLOAD_BYTES_MAX:
                raise _TooLarge(
                    f"The file has more than {UPLOAD_BYTES_MAX >> 30} GiB. Import it with"
                    " 'oppserver import FILE'."
                )
            await asyncio.to_thread(opened.write, part)


async def _body(request: HttpRequest) -> bytes:
    parts: list[bytes] = []
    async for part in _parts(request):
        parts.append(part)
        if sum(map(len, parts)) > FORM_BYTES_MAX:
            raise _TooLarge(
                f"The form has more than {FORM_BYTES_MAX >> 20} MiB. Send less at once."
            )
    return b"".join(parts)


async def _parts(request: HttpRequest) -> Any:
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(UPLOAD_TIMEOUT_S):
                yield await anext(stream)
        except StopAsyncIteration:
            return


def _made(request: HttpRequest, path: str, body: bytes, upload: Path | None) -> "Request":
    from oppserver.console.site import Request  # noqa: PLC0415 (no start loads it)

    known = request.scope["oppserver.observed"]
    return Request(
        method=request.method,
        path=path.rstrip("/") or "/",
        query=request.scope["query_string"].decode("latin-1"),
        headers={name.lower(): value for name, value in request.headers.items()},
        cookies=request.cookies,
        body=body,
        upload=upload,
        caller=known.caller,
        scheme=request.scope["scheme"],
        request_id=known.request_id,
        now=datetime.now(UTC),
    )


def _response(
    answered: "Response",
    made: "Request",
    server: "ConsoleServer",
    headers: Mapping[str, str] = {},
) -> HttpResponse:
    response = HttpResponse(
        answered.body,
        answered.status,
        {**_HEADERS, **answered.headers, **headers},
        answered.media_type if answered.status != 204 else None,
    )
    path = f"{server.settings.path_prefix or ''}/console"
    for name, value in answered.cookies.items():
        response.set_cookie(
            name,
            value or "",
            max_age=None if value else 0,
            path=path,
            secure=made.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return response
