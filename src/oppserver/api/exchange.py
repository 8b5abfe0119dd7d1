"""The two directions of one streamed request: its body as it arrives, its answer part by part."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request

from oppserver.api.dispatcher import error_response
from oppserver.api.observe import CallerLeft, Receive, Scope, Send
from oppserver.api.protocol import connection_of
from oppserver.contract.errors import ApiError
from oppserver.contract.limits import BODY_DISCARDED_BYTES_MAX

STREAM_SENT_BYTES: Final = 128 << 10
"""Bytes of rows that are handed to a connection at once; a caller has ``timeout_s`` for each.
Ours: a caller that takes less than 4 KB/s is cut off; no working network is as slow."""


class Stalled(Exception):
    """The caller has taken no rows for too long."""


class Exchange:
    """The two directions of one request. Each is used by one task at a time."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, timeout_s: float) -> None:
        self.scope: Final = scope
        self.request: Final[Request] = Request(scope)
        self.timeout_s: Final = timeout_s
        self.has_started = False
        self.is_ending = False
        self.has_asked_for_body = False
        self.has_body_ended = False
        self._receive: Final = receive
        self._send: Final = send

    async def received(self) -> bytes:
        """The next bytes of the body; empty when it has ended. Raises CallerLeft."""
        self.has_asked_for_body = True
        while not self.has_body_ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerLeft
            self.has_body_ended = not message.get("more_body", False)
            if data := message.get("body", b""):
                return bytes(data)
        return b""

    async def until_gone(self) -> None:
        """Returns when the caller has gone; the body has ended before."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def start(self, headers: Sequence[tuple[str, str]]) -> None:
        """Sends the status 200 and headers."""
        self.has_started = True
        await self._sent(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
            }
        )

    async def send(self, body: bytes, *, is_last: bool = False) -> None:
        """Sends a part of the answer. Raises Stalled when the caller does not take it in time."""
        for start in range(0, len(body), STREAM_SENT_BYTES):
            part = body[start : start + STREAM_SENT_BYTES]
            await self._sent({"type": "http.response.body", "body": part, "more_body": True})
        if is_last:
            self.is_ending = True
            await self._sent({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, error: ApiError, headers: dict[str, str]) -> None:
        """Answers with an error, after the rest of the body if that ends soon.

        A caller whose connection is closed while it sends may never see the answer (RFC 9112, 9.6).
        """
        waits_to_be_asked = "expect" in self.request.headers and not self.has_asked_for_body
        if waits_to_be_asked or not await self.discard():
            headers["Connection"] = "close"
        response = error_response(error, self.scope, headers=headers)
        await response(self.scope, self._receive, self._send)

    async def discard(self) -> bool:
        """Skip the rest of the body; return true if it ends within bounds of size and time."""
        size = 0
        try:
            async with asyncio.timeout(self.timeout_s):
                while size <= BODY_DISCARDED_BYTES_MAX:
                    data = await self.received()
                    if not data:
                        return True
                    size += len(data)
        except TimeoutError:
            pass
        return False

    async def cut(self, *, at_once: bool) -> None:
        """Cut the connection, so that nobody takes the answer for a complete one.

        ``at_once``: bytes that the caller has not taken yet are dropped.
        """
        transport = connection_of(self.scope)
        try:
            async with asyncio.timeout(self.timeout_s):
                transport.abort() if at_once else transport.close()
                await self.until_gone()
        except TimeoutError:
            transport.abort()

    async def _sent(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(self.timeout_s):
                await self._send(message)
        except TimeoutError:
            raise Stalled from None
