"""Content negotiation of the answer's encoding: zstd, gzip or none (RFC 9110, 12.5.3).

Level 1 of both: an answer of 870 KB takes 1.6 ms with zstd and 1.5 ms with ISA-L's gzip, which is
less than it costs to send the bytes that it saves over most networks.
"""

import threading
from typing import Final

import isal
import zstandard
from isal import igzip, isal_zlib

from oppserver.calls.shared.negotiate import preferences_in

_LEVEL: Final = 1

_BODY_BYTES_MIN: Final = 1_024
"""Below this a body fits in one packet anyway."""

_GZIP_WINDOW: Final = 16 + 15
"""zlib's ``windowBits``: the largest window, with a header and trailer of gzip."""

_LOCAL: Final = threading.local()  # a zstd compressor is reused, but by one thread at a time


def choose_encoding(accept_encoding: str) -> str:
    """``zstd``, ``gzip`` or ``identity``: the one that the caller likes best, zstd before gzip."""
    if not accept_encoding:
        return "identity"
    weights = dict(preferences_in(accept_encoding))
    anything = weights.get("*", 0.0)
    zstd, gzip = weights.get("zstd", anything), weights.get("gzip", anything)
    identity = weights.get("identity", 0.0)
    if max(zstd, gzip) <= 0 or max(zstd, gzip) < identity:
        return "identity"
    return "zstd" if zstd >= gzip else "gzip"


def made_by() -> str:
    """The versions of the encoders: other versions may encode the same body in other bytes."""
    return f"isal {isal.__version__}, zstandard {zstandard.__version__}"


def encode(body: bytes, encoding: str) -> tuple[bytes, str]:
    """The body as it is sent, and its encoding: a short one stays as it is."""
    if len(body) < _BODY_BYTES_MIN:
        return body, "identity"
    return _encoded(body, encoding), encoding


class StreamEncoder:
    """A body that is sent part by part: the caller can read each part at once."""

    def __init__(self, encoding: str) -> None:
        self._zstd = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
        self._gzip = isal_zlib.compressobj(_LEVEL, wbits=_GZIP_WINDOW)
        self._encoding: Final = encoding

    def part(self, body: bytes) -> bytes:
        """The next part of the body as it is sent; an empty one is left out."""
        if not body:  # ISA-L would flush a block before its header
            return b""
        if self._encoding == "zstd":
            packed = self._zstd.compress(body)
            return bytes(packed + self._zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
        if self._encoding == "gzip":
            return bytes(self._gzip.compress(body) + self._gzip.flush(isal_zlib.Z_SYNC_FLUSH))
        return body

    def end(self) -> bytes:
        """The bytes after all parts."""
        if self._encoding == "zstd":
            return bytes(self._zstd.flush())
        if self._encoding == "gzip":
            return bytes(self._gzip.flush())
        return b""


def _encoded(body: bytes, encoding: str) -> bytes:
    if encoding == "zstd":
        compressor = getattr(_LOCAL, "zstd", None)
        if compressor is None:
            compressor = _LOCAL.zstd = zstandard.ZstdCompressor(level=_LEVEL)
        return bytes(compressor.compress(body))
    if encoding == "gzip":
        return bytes(igzip.compress(body, _LEVEL, mtime=0))
    return body
