"""The intake of a call: its keys, its query, and no more of its body than the limit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from oppserver.api.observe import CallerLeft, observed
from oppserver.api.routes import Route
from oppserver.calls.shared.call import Call
from oppserver.calls.shared.coding import choose_encoding
from oppserver.contract.errors import BodyTimeout
from oppserver.contract.limits import BODY_DISCARDED_BYTES_MAX

_QUERY_FIELDS_MAX: Final = 100


async def take_in(
    request: Request,
    route: Route,
    *,
    body_bytes_max: int,
    body_timeout_s: float,
    clock: Callable[[], datetime],
) -> Call:
    """The call of a request. Raises BodyTimeout when its body does not arrive in time, CallerLeft.

    Keys in the headers outrank keys in the query (source: docs/fidelity.md); each of the two is
    looked for on its own.
    """
    try:
        async with asyncio.timeout(body_timeout_s):
            body = await _read_body(request, body_bytes_max)
    except TimeoutError:
        raise BodyTimeout(
            f"The body did not arrive within {body_timeout_s:g} seconds. Send it faster, or less."
        ) from None
    return call_of(request, route.name, body=body, now=clock())


def call_of(
    request: Request,
    name: str,
    *,
    body: bytes | None,
    now: datetime,
) -> Call:
    """The call of a request's headers and query, and of a body that was read."""
    conditions = request.headers.getlist("if-none-match")
    query = _query(request.scope["query_string"])
    in_query = query.pop("accesskey", ""), query.pop("secretkey", "")
    return Call(
        name=name,
        request_id=observed(request.scope).request_id,
        idempotency_key=request.headers.get("idempotency-key"),
        access_key=request.headers.get("x-lsq-accesskey") or in_query[0],
        secret_key=request.headers.get("x-lsq-secretkey") or in_query[1],
        content_type=request.headers.get("content-type", ""),
        body=body,
        host=request.headers.get("host", ""),
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
