"""Bodies that come packed: gzip, deflate and zstd, unpacked within bounds.

The problem. A few bytes can unpack to gigabytes. So a body is unpacked piece by piece, and whoever
takes the pieces says when it is enough. zlib stops at a number of bytes. zstd does not, but one
block of it has at most 128 KiB, and at least 4 bytes when it is packed: it gets a few bytes at a
time. RFC 9110, 8.4; RFC 8878, 3.1.1.2.
"""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

import zstandard

from oppserver.contract.errors import BodyTooLarge, Fault, MalformedBody, UnsupportedCoding
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal

_PIECE_BYTES: Final = 64 << 10
"""Bytes that zlib unpacks at once. Chosen: what a socket gives at once."""

_ZSTD_GIVEN_BYTES: Final = 64
"""Bytes that zstd gets at once. Chosen: at most 2 MiB come of them."""

_ZSTD_WINDOW_BYTES: Final = 8 << 20
"""Memory of zstd. Source: what every decoder has to support (RFC 8878, 3.1.1.1.2)."""

_RATIO_MAX: Final = 100
"""Unpacked bytes for each packed one, of a body without a limit. Chosen: ids of a file have 2."""

_RATIO_FREE_BYTES: Final = 16 << 20
"""Unpacked bytes from which on the ratio counts. Chosen: what any stream may hold anyway."""

_CODINGS_MAX: Final = 2
"""Codings of one body, one around the other. Chosen: nobody means more."""

_KNOWN: Final = ("gzip", "deflate", "zstd")

_GZIP: Final = 16 + zlib.MAX_WBITS  # windowBits of zlib.h: with the header of gzip

_RAW: Final = -zlib.MAX_WBITS


def unpacked_body(body: bytes, content_encoding: str, *, body_bytes_max: int) -> bytes:
    """Return the body without its content codings.

    Raises UnsupportedCoding, MalformedBody for a damaged body, and BodyTooLarge as soon as more
    than ``body_bytes_max`` bytes come of it.
    """
    for coding in _codings(content_encoding):
        inflater = Inflater(coding)
        pieces: list[bytes] = []
        size = 0
        for piece in inflater.feed(body):
            size += len(piece)
            if size > body_bytes_max:
                raise BodyTooLarge(
                    f"The body is larger than {body_bytes_max} bytes when it is unpacked. Send or"
                    " ask for less per call."
                )
            pieces.append(piece)
        inflater.end()
        body = b"".join(pieces)
    return body


def inflater_of(content_encoding: str) -> "Inflater":
    """Return what unpacks a body that comes in pieces. Raises UnsupportedCoding."""
    codings = _codings(content_encoding)
    if len(codings) > 1:
        raise _unknown(content_encoding)
    return Inflater(codings[0] if codings else "identity")


class Inflater:
    """Unpacks one body. An empty body needs no header."""

    def __init__(self, coding: str) -> None:
        self._coding: Final = coding
        self._unpacker: _Unpacker | None = None
        self._packed_bytes = 0
        self._unpacked_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Return what comes of the next bytes, in bounded pieces. Take all before the next call.

        Raises MalformedBody, also when a long body unpacks to more than any honest one.
        """
        self._packed_bytes += len(data)
        if self._coding == "identity":
            yield data
            return
        left = memoryview(data)  # what is left is not copied with every piece
        while left:
            if self._unpacker is None:
                self._unpacker = _Zstd() if self._coding == "zstd" else _Zlib(self._coding, left[0])
            try:
                piece, left = self._unpacker.unpack(left)
            except (zlib.error, zstandard.ZstdError) as error:
                raise MalformedBody(f"The body is not {self._coding}: {error}") from None
            self._count(piece)
            for start in range(0, len(piece), _PIECE_BYTES):
                yield piece[start : start + _PIECE_BYTES]
            if self._unpacker.is_whole and left:  # one more member (RFC 1952, 2.2)
                self._unpacker = None

    def end(self) -> None:
        """Check that the body was whole. Raises MalformedBody."""
        if self._unpacker is not None and not self._unpacker.is_whole:
            raise MalformedBody(f"The body ends before its {self._coding} does. Send all of it.")

    def _count(self, piece: bytes) -> None:
        self._unpacked_bytes += len(piece)
        if self._unpacked_bytes > max(_RATIO_FREE_BYTES, _RATIO_MAX * self._packed_bytes):
            raise MalformedBody(
                f"The body unpacks to more than {_RATIO_MAX} times its bytes. Send it unpacked."
            )


class _Unpacker(Protocol):
    """``unpack`` returns a bounded piece, and the bytes that it has not used."""

    is_whole: bool

    def unpack(self, data: memoryview) -> tuple[bytes, memoryview]: ...


class _Zlib:
    def __init__(self, coding: str, first: int) -> None:
        is_raw = first & 0x0F != zlib.DEFLATED  # programs send deflate without zlib's header, too
        window = _GZIP if coding == "gzip" else _RAW if is_raw else zlib.MAX_WBITS
        self._zlib: Final = zlib.decompressobj(window)
        self.is_whole = False

    def unpack(self, data: memoryview) -> tuple[bytes, memoryview]:
        piece = self._zlib.decompress(data, _PIECE_BYTES)
        self.is_whole = self._zlib.eof
        left = self._zlib.unused_data if self.is_whole else self._zlib.unconsumed_tail
        return piece, data[len(data) - len(left) :]


class _Zstd:
    def __init__(self) -> None:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._zstd: Final = unpacker.decompressobj()
        self.is_whole = False

    def unpack(self, data: memoryview) -> tuple[bytes, memoryview]:
        given = data[:_ZSTD_GIVEN_BYTES]
        piece = self._zstd.decompress(given)
        self.is_whole = self._zstd.eof
        return piece, data[len(given) - len(self._zstd.unused_data) :]


def _codings(content_encoding: str) -> list[str]:
    """The codings of a header, the outermost first."""
    names = [name.strip().lower().removeprefix("x-") for name in content_encoding.split(",")]
    codings = [name for name in reversed(names) if name not in ("", "identity")]
    if len(codings) > _CODINGS_MAX or any(name not in _KNOWN for name in codings):
        raise _unknown(content_encoding)
    return codings


def _unknown(content_encoding: str) -> UnsupportedCoding:
    fault = Fault(
        header="Content-Encoding",
        what=f"{quoted(content_encoding)} is not unpacked here",
        hint=f"Use {', '.join(_KNOWN)}, or send the body as it is.",
    )
    return refusal(UnsupportedCoding, [fault])
