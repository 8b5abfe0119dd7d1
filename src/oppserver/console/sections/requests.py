"""Requests: the calls that the server has answered, as they come; one call whole, and again."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import zstandard

from oppserver.console.access import Right
from oppserver.console.app import CallRoute
from oppserver.console.recorded import Whole
from oppserver.console.render import pretty
from oppserver.console.request_log import RECORDING_S, Served
from oppserver.console.snippets import CopiedCall, snippets_of
from oppserver.console.visit import Live, Moved, Page, Reply, Section, Shown, Visit
from oppserver.contract.errors import HTTP_ERRORS, ApiError, InvalidValue, UnknownPath
from oppserver.contract.limits import WORKERS_MAX
from oppserver.contract.secrets import HIDDEN, hide_secrets

_UNPACKED_BYTES_MAX: Final = 1 << 20

SHOWN_MAX: Final = 200
"""Rows of the table. Chosen: a person scrolls no further; the filter finds the others."""

_COPIED_HEADERS: Final = ("content-type", "accept", "if-none-match", "idempotency-key")


def _requests(visit: Visit) -> Reply:
    place = _place_of(visit.server.requests.numbers())
    rows = _filtered(visit, visit.server.requests.recent())
    values = {
        "rows": rows[:SHOWN_MAX],
        "found": len(rows),
        "recording_until": visit.server.requests.recording_until,
        "recording_minutes": RECORDING_S // 60,
        "calls": sorted(route.name for route in visit.server.routes.values()),
        "sees_all": visit.can(Right.SEE_ALL),
        "place": place,
    }
    return Shown("requests/table.html" if visit.is_fragment else "requests/requests.html", values)


def _filtered(visit: Visit, rows: Sequence[Served]) -> list[Served]:
    """The calls that the visitor may see and has asked for."""
    text = visit.query.one("text").casefold()
    call = visit.query.one("call")
    status = visit.query.one("status")
    if not visit.can(Right.SEE_ALL):
        rows = [one for one in rows if one.access_key == visit.principal.access_key]
    return [
        one
        for one in rows
        if (not call or one.call == call)
        and (not status or str(one.status).startswith(status.rstrip("x")))
        and (not text or text in _text_of(one))
    ]


def _text_of(one: Served) -> str:
    parts = (one.path, one.request_id, one.access_key, one.error_type, one.error, one.query)
    return " ".join(parts).casefold()


def _live(visit: Visit) -> Reply:
    requests = visit.server.requests

    def poll(place: str) -> tuple[tuple[str, Mapping[str, Any]] | None, str]:
        numbers = requests.numbers()
        if not place or place == _place_of(numbers):
            return None, _place_of(numbers)
        rows = _filtered(visit, requests.recent(after=_numbers_of(place)))
        values = {"rows": rows[:SHOWN_MAX], "sees_all": visit.can(Right.SEE_ALL)}
        return (("requests/rows.html", values) if rows else None), _place_of(numbers)

    return Live(poll)


def _place_of(numbers: Mapping[int, int]) -> str:
    """A place in the calls of all workers as text: ``1-55.2-13``."""
    return ".".join(f"{worker}-{number}" for worker, number in sorted(numbers.items()))


def _numbers_of(place: str) -> dict[int, int]:
    pairs = (one.partition("-") for one in place.split(".", WORKERS_MAX))
    return {
        int(worker): int(number)
        for worker, _, number in pairs
        if worker.isdecimal() and number.isdecimal() and len(number) < 19
    }


# --- one request --------------------------------------------------------------------------------


def _found(visit: Visit) -> tuple[Served, Whole | None]:
    worker, number = visit.parts["worker"], visit.parts["number"]
    found = None
    if worker.isdecimal() and number.isdecimal() and len(number) < 16:
        found = visit.server.requests.one(int(worker), int(number))
    may_see = visit.can(Right.SEE_ALL) or (
        found is not None and found[0].access_key == visit.principal.access_key
    )
    if found is None or not may_see:
        raise UnknownPath(
            "This call is not remembered any more. Only the last 1,000 of each worker are."
        )
    return found


def _by_request_id(visit: Visit) -> Reply:
    """Go to the call with an ``X-Request-Id``."""
    wanted = visit.query.one("id")
    for one in _filtered(visit, visit.server.requests.recent()):
        if one.request_id == wanted:
            return Moved(f"/requests/{one.worker}/{one.number}")
    raise UnknownPath(
        "No remembered call has this X-Request-Id. Only the last 1,000 of each worker are there."
    )


def _request(visit: Visit) -> Reply:
    served, whole = _found(visit)
    return Shown("requests/request.html", _values(visit, served, whole))


def _values(visit: Visit, served: Served, whole: Whole | None) -> dict[str, Any]:
    route = visit.server.routes.get(served.path)
    refusal = _replay_refusal(visit, served, whole, route)
    return {
        "served": served,
        "whole": whole,
        "body": "" if whole is None else _readable(whole.request_headers, whole.body),
        "answer": "" if whole is None else _readable(whole.answer_headers, whole.answer),
        "route": route,
        "problem": _problem_of(served),
        "snippets": snippets_of(_copied(visit, served, whole)),
        "replay_refusal": refusal,
        "recording_until": visit.server.requests.recording_until,
        "replayed": None,
    }


def _readable(headers: Sequence[tuple[str, str]], data: bytes) -> str:
    """The text of a body, unpacked if need be, as far as it was recorded."""
    coding = {name.lower(): value for name, value in headers}.get("content-encoding", "identity")
    try:
        if coding == "gzip":
            data = zlib.decompressobj(wbits=31).decompress(data, _UNPACKED_BYTES_MAX)
        elif coding == "zstd":
            data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        text = data.decode("utf-8")
    except (zlib.error, zstandard.ZstdError):
        return f"{coding}, {len(data):,} bytes that cannot be unpacked"
    except UnicodeDecodeError as error:
        if len(data) - error.start > 3:  # else a letter was cut off
            return f"Binary, {len(data):,} bytes: not shown."
        text = data[: error.start].decode()
    return hide_secrets(pretty(text))


def _problem_of(served: Served) -> type[ApiError] | None:
    return next((one for one in HTTP_ERRORS if one.exception_type == served.error_type), None)


def _copied(visit: Visit, served: Served, whole: Whole | None) -> CopiedCall:
    headers = {}
    if whole is not None:
        headers = {
            name: value
            for name, value in whole.request_headers
            if name.lower() in _COPIED_HEADERS and HIDDEN not in value
        }
    elif served.method in ("POST", "QUERY"):
        headers = {"content-type": "application/json"}
    pairs = [
        (name, value)
        for name, value in parse_qsl(served.query, keep_blank_values=True)
        if name.lower() not in ("accesskey", "secretkey")
    ]
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return CopiedCall(
        url=visit.api_url,
        method=served.method,
        path=served.path + (f"?{query}" if query else ""),
        headers=headers,
        body=b"" if whole is None else whole.body,
        status=served.status,
    )


def _replay_refusal(
    visit: Visit, served: Served, whole: Whole | None, route: CallRoute | None
) -> str:
    """Why a call cannot be made again from here; empty when it can."""
    if route is None or route.operation is None:
        return "Streams and unknown paths are not made again from here: copy the call."
    if route.writes and not visit.can(Right.WRITE):
        return "The call writes, and you may not."
    if served.method in ("POST", "QUERY") and whole is None:
        return "Its body was not recorded. Record bodies, and let the program call again."
    if whole is not None and whole.body_bytes > len(whole.body):
        return "Its body is longer than what was recorded."
    return ""


def _replay(visit: Visit) -> Reply:
    served, whole = _found(visit)
    values = _values(visit, served, whole)
    route: CallRoute | None = values["route"]
    if values["replay_refusal"] or route is None or route.operation is None:
        raise InvalidValue(values["replay_refusal"])
    query = {name.lower(): value for name, value in parse_qsl(served.query, keep_blank_values=True)}
    query = {name: value for name, value in query.items() if name not in ("accesskey", "secretkey")}
    headers = {} if whole is None else {n.lower(): v for n, v in whole.request_headers}
    try:
        answer = visit.call(
            route.operation,
            name=route.name,
            query=query,
            body=None if whole is None else whole.body,
            accept=headers.get("accept", "application/json"),
        )
        values["replayed"] = {"status": answer.status, "body": answer.body}
    except ApiError as error:
        values["replayed"] = {"status": error.status, "body": str(error).encode(), "error": error}
    return Shown("requests/request.html", values)


def _record(visit: Visit) -> Reply:
    seconds = RECORDING_S if visit.form.one("on") == "yes" else 0
    visit.server.requests.record_until(visit.now.timestamp() + seconds if seconds else 0.0)
    note = (
        f"Headers and bodies are recorded for {seconds // 60} minutes."
        if seconds
        else "Headers and bodies are not recorded any more."
    )
    return Moved("/requests", note=note)


SECTION: Final = Section(
    title="Requests",
    path="/requests",
    pages=(
        Page("GET", "/requests", _requests),
        Page("GET", "/requests/live", _live),
        Page("GET", "/requests/find", _by_request_id),
        Page("POST", "/requests/record", _record, needs=Right.ADMINISTER),
        Page("GET", "/requests/{worker}/{number}", _request),
        Page("POST", "/requests/{worker}/{number}", _replay, form=_request),
    ),
)
