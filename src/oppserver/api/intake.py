"""Taking a call in: its keys, its query, its body, and no more of the body than the limit."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar import Request

from oppserver.contract.errors import BodyTimeout
from oppserver.operations.call import Call

_QUERY_FIELDS_MAX: Final = 100


async def take_in(
    request: Request[Any, Any, Any], *, body_bytes_max: int, body_timeout_s: float
) -> Call:
    """The call of a request. Raises BodyTimeout when its body does not arrive in time.

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
    query = _query(request.scope["query_string"])
    in_query = query.pop("accesskey", ""), query.pop("secretkey", "")
    return Call(
        access_key=request.headers.get("x-lsq-accesskey") or in_query[0],
        secret_key=request.headers.get("x-lsq-secretkey") or in_query[1],
        content_type=request.headers.get("content-type", ""),
        body=body,
        query=query,
        now=datetime.now(UTC),
    )


async def _read_body(request: Request[Any, Any, Any], body_bytes_max: int) -> bytes | None:
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


def _query(raw: bytes) -> dict[str, str]:
    """The query by lower-case name; the first of a name counts. Too many names: none is read."""
    try:
        pairs = parse_qsl(
            raw.decode("latin-1"), keep_blank_values=True, max_num_fields=_QUERY_FIELDS_MAX
        )
    except ValueError:
        return {}
    return {name.lower(): value for name, value in reversed(pairs)}
