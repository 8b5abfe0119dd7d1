"""Taking a call in: its keys, its body, and no more of the body than the limit."""

import asyncio
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

from litestar import Request

from oppserver.contract.errors import BodyTimeout
from oppserver.operations.call import Call

_QUERY_FIELDS_MAX: Final = 100

Headers = dict[str, str]


async def take_in(
    request: Request[None, None, object], *, body_bytes_max: int, body_timeout_s: float
) -> Call:
    """The call of a request. Raises BodyTimeout when its body does not arrive in time."""
    try:
        async with asyncio.timeout(body_timeout_s):
            body = await _read_body(request, body_bytes_max)
    except TimeoutError:
        raise BodyTimeout(
            f"The body did not arrive within {body_timeout_s:g} seconds. Send it faster, or less."
        ) from None
    access_key, secret_key = _keys(request)
    return Call(
        access_key=access_key,
        secret_key=secret_key,
        content_type=request.headers.get("content-type", ""),
        body=body,
        now=datetime.now(UTC),
    )


async def _read_body(request: Request[None, None, object], body_bytes_max: int) -> bytes | None:
    """The body, or None when it is longer than the limit; then its rest is not read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > body_bytes_max:
        return None
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > body_bytes_max:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _keys(request: Request[None, None, object]) -> tuple[str, str]:
    """The key pair: from the headers where they are, else from the query, names in any case."""
    query: dict[str, str] = {}
    raw_query: bytes = request.scope["query_string"]
    try:
        pairs = parse_qsl(raw_query.decode("latin-1"), max_num_fields=_QUERY_FIELDS_MAX)
    except ValueError:
        pairs = []
    for name, value in pairs:
        query.setdefault(name.lower(), value)
    return (
        request.headers.get("x-lsq-accesskey") or query.get("accesskey", ""),
        request.headers.get("x-lsq-secretkey") or query.get("secretkey", ""),
    )
