"""Content negotiation: the format of an answer, and its coding (zstd, gzip or none).

RFC 9110, 12.4.2, 12.5.1 and 12.5.3. Programs in use write weights that the RFC does not allow, so
more is accepted: ``.2`` (the default of old Java programs), ``0.``, more than three digits, an
upper-case ``Q``, blanks and tabs around every sign, a weight in quotes. A weight below 0 is 0, one
above 1 is 1. A weight that is no number is ignored: a caller who names something can take it.
"""

import re
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple

import isal
import zstandard
from isal import igzip, isal_zlib

from oppserver.contract.errors import Fault, NotAcceptable
from oppserver.contract.formats import ARROW_FORMATS, Format
from oppserver.contract.names import quoted
from oppserver.formats.arrow import has_arrow

# --- lists of names with weights ----------------------------------------------------------------

_QUOTED: Final = r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
"""A quoted text (RFC 9110, 5.6.4); an open one ends with the header. No repetition gives back,
so the time grows linearly."""

_ELEMENT: Final = re.compile(rf'(?:[^,"]++|{_QUOTED})++', re.DOTALL)

_PARAMETER: Final = re.compile(rf'(?:[^;"]++|{_QUOTED})++', re.DOTALL)

_WEIGHT: Final = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)

_WITHOUT_WEIGHT: Final = 1.0


class Preference(NamedTuple):
    """One element of a list: its name in lower case, and its weight from 0, "never", to 1."""

    name: str
    weight: float


def preferences_in(header: str) -> list[Preference]:
    """The elements of a list that have a name, in order; parameters beside the weight are left out.

    Several lines of one header are one list, joined by commas (RFC 9110, 5.3).
    """
    elements = (element.partition(";") for element in _ELEMENT.findall(header))
    return [
        Preference(name, _weight(parameters))
        for before, _, parameters in elements
        if (name := before.strip().lower())
    ]


def _weight(parameters: str) -> float:
    """The first weight among the parameters of an element."""
    for parameter in _PARAMETER.findall(parameters):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return _number(value.strip().strip('"'))
    return _WITHOUT_WEIGHT


def _number(text: str) -> float:
    if not _WEIGHT.fullmatch(text):
        return _WITHOUT_WEIGHT
    return min(max(float(text), 0.0), 1.0)


# --- the format ---------------------------------------------------------------------------------

_ANYTHING: Final = "*/*"

_ARROW_IS_MISSING: Final = (
    f" {' and '.join(ARROW_FORMATS)} need pyarrow where the server runs: pip install pyarrow"
)


class _Range(NamedTuple):
    """A media range. ``precision``: 0 for ``*/*``, 1 for ``text/*``, 2 for a media type."""

    pattern: str
    precision: int
    weight: float


def negotiate(accept: str, formats: Sequence[Format]) -> Format:
    """Choose the format of an answer. ``formats`` empty: JSON, whatever ``Accept`` says.

    Formats of Arrow are offered where pyarrow is installed. Raises NotAcceptable.
    """
    if not formats:
        return Format.JSON
    offered = [one for one in formats if one not in ARROW_FORMATS or has_arrow()]
    return choose_format(accept, offered, lacks_arrow=len(offered) < len(formats))


def choose_format(accept: str, offered: Sequence[Format], *, lacks_arrow: bool = False) -> Format:
    """The offered format with the highest weight; of equal ones, and without ``Accept``, the first.

    The most precise range that matches a format gives its weight. Parameters other than the weight
    are ignored. Raises NotAcceptable, with the list of formats.
    """
    ranges = [_range(one) for one in preferences_in(accept)]
    if not ranges:
        return offered[0]
    best = max(offered, key=lambda one: _weight_of(one, ranges))  # max keeps the first of equals
    if _weight_of(best, ranges) > 0:
        return best
    raise NotAcceptable(
        f"Accept is {quoted(accept)}; this call answers {', '.join(offered)}."
        f"{_ARROW_IS_MISSING if lacks_arrow else ''}",
        faults=[
            Fault(
                header="Accept",
                what=f"{quoted(accept)} names no format of this call",
                hint=f"Use {', '.join(offered)}.",
            )
        ],
    )


def _range(one: Preference) -> _Range:
    # a bare * is what old Java programs send for */*
    pattern = _ANYTHING if one.name == "*" else one.name
    precision = 0 if pattern == _ANYTHING else 1 if pattern.endswith("/*") else 2
    return _Range(pattern, precision, one.weight)


def _weight_of(offered: Format, ranges: Sequence[_Range]) -> float:
    main = f"{offered.partition('/')[0]}/*"
    matching = [one for one in ranges if one.pattern in (offered, main, _ANYTHING)]
    if not matching:
        return 0.0
    precision = max(one.precision for one in matching)
    return max(one.weight for one in matching if one.precision == precision)


# --- the coding ---------------------------------------------------------------------------------

_LEVEL: Final = 1
"""The level of both. Measured: an answer of 870 KB takes 1.6 ms with zstd and 1.5 ms with ISA-L's
gzip, less than it costs to send the saved bytes over most networks."""

_BODY_BYTES_MIN: Final = 1_024
"""Below this a body fits in one packet anyway."""

_GZIP_WINDOW: Final = 16 + 15
"""zlib's ``windowBits``: the largest window, with a header and trailer of gzip."""

_LOCAL: Final = threading.local()  # a zstd compressor is reused, but by one thread at a time


def choose_encoding(accept_encoding: str) -> str:
    """Return ``zstd``, ``gzip`` or ``identity``, as the caller prefers; zstd before gzip."""
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
    """Return the encoded body and its encoding; a short body is not encoded."""
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
        """Return the next part of the body, encoded; nothing for an empty part."""
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
