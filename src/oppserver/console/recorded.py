"""One whole request: collected while it is answered, and cleaned of secrets before it is kept."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, Final

import msgspec

from oppserver.contract.secrets import HIDDEN, hide_secrets

BODY_SHOWN_BYTES_MAX: Final = 64 << 10
"""Bytes of a body, and of an answer, that are recorded. Chosen: 1,500 ids; more is cut, and said
to be."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SECRET_HEADERS: Final = frozenset({b"x-lsq-secretkey", b"authorization", b"cookie", b"set-cookie"})

_KEY_CHARACTERS_SHOWN: Final = 8


class Whole(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A whole request: headers without secrets, and the beginnings of body and answer."""

    request_headers: list[tuple[str, str]]
    body: bytes
    body_bytes: int
    answer_headers: list[tuple[str, str]]
    answer: bytes
    answer_bytes: int


class Recorded:
    """The parts of one request, collected while whole ones are recorded. Owned by its task."""

    __slots__ = ("answer", "answer_bytes", "answer_headers", "body", "body_bytes")

    def __init__(self) -> None:
        self.body = bytearray()
        self.body_bytes = 0
        self.answer = bytearray()
        self.answer_bytes = 0
        self.answer_headers: Sequence[tuple[bytes, bytes]] = ()

    def take_body(self, part: bytes) -> None:
        """Take a part of the body, up to the bound."""
        self.body_bytes += len(part)
        self.body += part[: BODY_SHOWN_BYTES_MAX - len(self.body)]

    def take_answer(self, part: bytes) -> None:
        """Take a part of the answer, up to the bound."""
        self.answer_bytes += len(part)
        self.answer += part[: BODY_SHOWN_BYTES_MAX - len(self.answer)]


def whole_of(headers: Iterable[tuple[bytes, bytes]], recorded: Recorded) -> bytes:
    """Return a whole request as it is kept: without the values of secrets."""
    return msgspec.msgpack.encode(
        Whole(
            request_headers=_clean_headers(headers),
            body=_clean(bytes(recorded.body)),
            body_bytes=recorded.body_bytes,
            answer_headers=_clean_headers(recorded.answer_headers),
            answer=_clean(bytes(recorded.answer)),
            answer_bytes=recorded.answer_bytes,
        )
    )


def _clean_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    cleaned = []
    for name, value in headers:
        lower = name.lower()
        text = value.decode("latin-1")
        if lower in _SECRET_HEADERS:
            text = HIDDEN
        elif lower == b"x-lsq-accesskey":
            text = f"{text[:_KEY_CHARACTERS_SHOWN]}…"
        else:
            text = hide_secrets(text)
        cleaned.append((name.decode("latin-1"), text))
    return cleaned


def _clean(body: bytes) -> bytes:
    """The bytes without secrets where they are text; others, such as packed ones, as they are."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    return hide_secrets(text).encode()


def collecting(receive: Receive, send: Send, recorded: Recorded) -> tuple[Receive, Send]:
    """Return the two directions of a request, which hand on what they collect."""

    async def receiving() -> MutableMapping[str, Any]:
        message = await receive()
        if message["type"] == "http.request":
            recorded.take_body(message.get("body", b""))
        return message

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            recorded.answer_headers = message["headers"]
        elif message["type"] == "http.response.body":
            recorded.take_answer(message.get("body", b""))
        await send(message)

    return receiving, sending
