"""The console behind its door: the table of its sections, and the way of every request to a page.

    admit → who → form's token → right → handler → template

Everything here runs in one job on a worker thread; it is loaded with the first request.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from starlette.routing import compile_path

import oppserver
from oppserver import telemetry
from oppserver.console import access
from oppserver.console.access import Right, Session
from oppserver.console.assets import asset_url
from oppserver.console.render import rendered
from oppserver.console.sections import (
    bulk_read,
    changes,
    home,
    keys,
    opportunities,
    requests,
    sign_in,
    store,
)
from oppserver.console.visit import (
    ConsoleServer,
    Live,
    Moved,
    Page,
    Reply,
    Section,
    Sent,
    Shown,
    Values,
    Visit,
)
from oppserver.contract.errors import (
    ApiError,
    InternalFault,
    MethodNotAllowed,
    OppserverError,
    Unavailable,
    UnknownPath,
)
from oppserver.contract.model import Principal
from oppserver.contract.names import quoted
from oppserver.contract.problems import kind_of, problem_path

SECTIONS: Final[tuple[Section, ...]] = (
    home.SECTION,
    bulk_read.SECTION,
    opportunities.SECTION,
    requests.SECTION,
    changes.SECTION,
    keys.SECTION,
    store.SECTION,
)
"""The sections, in the order of the navigation. A section is added here."""

_OUTSIDE: Final = sign_in.PAGES
"""The pages that need no sign-in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request to the console as it came in. ``headers`` have lower-case names.

    ``path`` is what follows ``/console``. ``body`` is empty where a file was sent; that is
    ``upload``.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    body: bytes
    upload: Path | None
    caller: str
    scheme: str
    request_id: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Response:
    """A reply, ready to be sent: bytes, or the polling of a stream of events.

    ``live`` renders what is new, as ``Live.poll`` does.
    """

    body: bytes = b""
    status: int = 200
    media_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str | None] = field(default_factory=dict)
    live: Callable[[str], tuple[bytes, str]] | None = None
    place: str = ""


class _Matched(NamedTuple):
    page: Page
    parts: Mapping[str, str]
    is_outside: bool


def takes_file(method: str, path: str) -> bool:
    """Return true when the body of a request to a path is a file."""
    try:
        return _matched(method, path).page.takes_file
    except ApiError:
        return False


def serve(server: ConsoleServer, request: Request) -> Response:
    """Answer a request; errors are pages too."""
    visit = _visit(server, request)
    try:
        visit, matched = _admit(server, request, visit)
        reply, visit = _reply(visit, matched)
        return _respond(reply, visit, request)
    except _SignInFirst:
        there = "" if request.path == "/" else request.path
        sign_in_path = "/sign-in" + (f"?next={quote(there)}" if there else "")
        return _respond(Moved(sign_in_path), visit, request)
    except Exception as error:  # noqa: BLE001 (the one place where every error of a page ends)
        return _respond(_error_page(error), visit, request)


def refused(server: ConsoleServer, request: Request) -> Response | None:
    """Return the refusal of a request whose body is not read yet; None when it is admitted."""
    visit = _visit(server, request)
    try:
        _admit(server, request, visit)
    except _SignInFirst:
        return _respond(Moved("/sign-in"), visit, request)
    except Exception as error:  # noqa: BLE001 (errors of a page end here too, before its file is read)
        return _respond(_error_page(error), visit, request)
    return None


class _SignInFirst(Exception):
    """The visitor has to sign in."""


# --- who ----------------------------------------------------------------------------------------


def _visit(server: ConsoleServer, request: Request) -> Visit:
    """Return the visit of a stranger, as it is before anything is checked."""
    now_s = int(request.now.timestamp())
    cookie = request.cookies.get(cookie_name(request), "")
    session = access.session_of(cookie, server.secret, now_s=now_s)
    if session is None:
        session = access.new_session("", now_s=now_s)
    is_form = request.headers.get("content-type", "").startswith(
        "application/x-www-form-urlencoded"
    )
    return Visit(
        server=server,
        principal=access.local_principal(server.access),
        rights=frozenset(),
        session=session,
        is_local=False,
        base=f"{server.settings.path_prefix or ''}/console",
        host=request.headers.get("host", ""),
        scheme=request.scheme,
        caller=request.caller,
        request_id=request.request_id,
        path=request.path,
        query=Values(request.query),
        form=Values(request.body.decode("utf-8", "replace") if is_form else ""),
        body=request.body,
        upload=request.upload,
        token=access.token_of(session, server.secret),
        now=request.now,
        is_fragment="hx-request" in request.headers,
        place=request.headers.get("last-event-id") or Values(request.query).one("after"),
    )


def cookie_name(request: Request) -> str:
    """Return the name of the cookie: browsers do not tell the ports of a host apart."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"oppserver_console_{port if port.isdecimal() else ''}"


def _admit(server: ConsoleServer, request: Request, visit: Visit) -> tuple[Visit, _Matched]:
    """Return the visit with its visitor and rights. Raises an ApiError, or _SignInFirst."""
    is_local = not server.access.needs_sign_in and not access.is_proxied(frozenset(request.headers))
    if is_local:
        access.check_local_host(visit.host)
    matched = _matched(request.method, request.path)
    if not is_local and not matched.is_outside:
        principal = _signed_in(server, visit.session)
        rights = access.rights_of(principal, server.access, is_local=False)
        visit = replace(visit, principal=principal, rights=rights)
    elif is_local:
        rights = access.rights_of(visit.principal, server.access, is_local=True)
        visit = replace(visit, rights=rights, is_local=True)
    access.check_origin(request.headers, is_form=request.method == "POST")
    if request.method == "POST":
        given = request.headers.get("x-csrf-token") or visit.form.one("_token")
        access.check_token(given, visit.session, server.secret)
    if not matched.is_outside:
        visit.check(matched.page.needs)
    return replace(visit, parts=matched.parts), matched


def _signed_in(server: ConsoleServer, session: Session) -> Principal:
    """Return the principal of a session, as of now: a revoked key ends it."""
    if not session.access_key:
        raise _SignInFirst
    stored = server.services.store.key(session.access_key)
    if stored is None or stored.revoked_on is not None or not stored.user_is_active:
        raise _SignInFirst
    return Principal(
        access_key=stored.access_key, user_id=stored.user_id, email=stored.email, role=stored.role
    )


# --- pages --------------------------------------------------------------------------------------


@cache
def _table() -> list[tuple[Any, Page, bool]]:
    """The pattern of each page; those that name more come before those that take parameters."""
    pages = [(page, False) for section in SECTIONS for page in section.pages]
    pages += [(page, True) for page in _OUTSIDE]
    pages.sort(key=lambda one: one[0].path.count("{"))
    return [(compile_path(page.path)[0], page, is_outside) for page, is_outside in pages]


def _matched(method: str, path: str) -> _Matched:
    methods = []
    for pattern, page, is_outside in _table():
        if found := pattern.match(path):
            if page.method == ("GET" if method == "HEAD" else method):
                return _Matched(page, found.groupdict(), is_outside)
            methods.append(page.method)
    if methods:
        raise MethodNotAllowed(f"This page does not take {quoted(method)}.")
    raise UnknownPath(f"The console has no page {quoted(path)}. The navigation has all sections.")


def _reply(visit: Visit, matched: _Matched) -> tuple[Reply, Visit]:
    """Return the reply of a page; when its form was refused, that of the form with the error."""
    page = matched.page
    try:
        return page.handler(visit), visit
    except OppserverError as error:
        if page.form is None:
            raise
        visit = replace(visit, error=error)
        shown = page.form(visit)
        status = error.status if isinstance(error, ApiError) else HTTPStatus.BAD_REQUEST
        return (replace(shown, status=status) if isinstance(shown, Shown) else shown), visit


def _error_page(error: Exception) -> Shown:
    """Return the page of an error. An error that is not ours is a fault, logged whole."""
    if not isinstance(error, ApiError):
        telemetry.logger().error("fault", exc_info=error)
        error = InternalFault()
    elif isinstance(error, Unavailable):
        telemetry.logger().warning("unavailable", reason=str(error), cause=str(error.__cause__))
    return Shown("error.html", {"error": error}, error.status)


def _respond(reply: Reply, visit: Visit, request: Request) -> Response:
    cookies = _cookies(reply, visit, request)
    if isinstance(reply, Moved):
        there = visit.base + reply.path
        if visit.is_fragment:
            return Response(status=204, headers={"HX-Redirect": there}, cookies=cookies)
        return Response(status=303, headers={"Location": there}, cookies=cookies)
    if isinstance(reply, Sent):
        headers = {}
        if reply.file_name:
            headers["Content-Disposition"] = (
                f"attachment; filename*=UTF-8''{quote(reply.file_name)}"
            )
        return Response(reply.body, 200, reply.media_type, headers, cookies)
    if isinstance(reply, Live):
        return Response(live=_rendering(reply, visit), place=visit.place, cookies=cookies)
    body = page_of(reply.template, reply.values, visit, note=_note(request))
    headers = dict(reply.values["error"].headers) if reply.template == "error.html" else {}
    return Response(body, reply.status, headers=headers, cookies=cookies)


def page_of(template: str, values: Mapping[str, Any], visit: Visit, *, note: str = "") -> bytes:
    """Render a template with its values and those that every page has."""
    sections = [one for one in SECTIONS if one.needs in visit.rights]
    return rendered(
        template,
        {
            "visit": visit,
            "can_write": visit.can(Right.WRITE),
            "can_administer": visit.can(Right.ADMINISTER),
            "url": visit.url,
            "token": visit.token,
            "error": visit.error,
            "note": note,
            "sections": sections,
            "version": oppserver.__version__,
            "problem_url": lambda error: _problem_url(error, visit),
            "problem_path": problem_path,
            "asset": lambda name: _asset_url(name, visit.server.settings.path_prefix or ""),
            **values,
        },
    )


def _asset_url(name: str, path_prefix: str) -> str:
    """The URL of a file of pages, also of one that this installation lacks: pages do without it."""
    with suppress(UnknownPath):
        return asset_url(name, path_prefix)
    return f"{path_prefix}/assets/{name}"


def _problem_url(error: OppserverError, visit: Visit) -> str:
    """The address of the document about an error; empty for an error of a command."""
    if not isinstance(error, ApiError):
        return ""
    return (visit.server.settings.path_prefix or "") + problem_path(kind_of(error))


def _rendering(live: Live, visit: Visit) -> Callable[[str], tuple[bytes, str]]:
    def poll(place: str) -> tuple[bytes, str]:
        found, after = live.poll(place)
        return (b"" if found is None else page_of(found[0], found[1], visit)), after

    return poll


# --- cookies ------------------------------------------------------------------------------------

_NOTE: Final = "_note"


def _cookies(reply: Reply, visit: Visit, request: Request) -> dict[str, str | None]:
    """The cookies to set; None takes one away."""
    name = cookie_name(request)
    secret = visit.server.secret
    cookies: dict[str, str | None] = {}
    if isinstance(reply, Moved) and reply.session is not None:
        cookies[name] = access.cookie_of(reply.session, secret)
    elif isinstance(reply, Moved) and reply.ends_session:
        cookies[name] = None
    elif request.cookies.get(name, "") != access.cookie_of(visit.session, secret):
        cookies[name] = access.cookie_of(visit.session, secret)
    if isinstance(reply, Moved) and reply.note:
        cookies[name + _NOTE] = quote(reply.note[:500])
    elif isinstance(reply, Shown) and _note(request) and not visit.is_fragment:
        cookies[name + _NOTE] = None
    return cookies


def _note(request: Request) -> str:
    return unquote(request.cookies.get(cookie_name(request) + _NOTE, ""))
