"""Files as the commands take them: which format, packed or not, read in bounded pieces.

A file that is read may be packed by gzip or zstd, whatever its name says. ``-`` is the standard
input. How files are written is in ``outputs.py``.
"""

import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, NamedTuple, TypeVar, cast

import zstandard

from oppserver.contract.errors import InvalidFile, InvalidInput, RejectedLine

_Named = TypeVar("_Named", bound=StrEnum)

IMPORT_LINE_BYTES_MAX: Final = 16 << 20
"""Bytes of one line of a file. Ours: 250 values of the largest size would not fit, and a file that
has no line ends at all must not be read whole."""

EXPORT_PAGE_ROWS: Final = 5_000
"""Rows that an export reads at once. Ours: flat memory, few statements."""

STANDARD: Final = Path("-")
"""The name of the standard input or output."""

_GZIP_MAGIC: Final = b"\x1f\x8b"

_ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"

_SKIPPABLE: Final = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18", re.DOTALL)
"""A skippable frame, as pzstd writes before the others. Source: RFC 8878, 3.1.2."""

_MAGIC_BYTES: Final = 16

_BINARY: Final = {
    b"PAR1": "a Parquet file. Give --format parquet where one is read.",
    b"ARROW1": "an Arrow file. Write it as Parquet, CSV or NDJSON.",
    b"\xff\xff\xff\xff": "an Arrow stream. Write it as Parquet, CSV or NDJSON.",
    b"PK\x03\x04": "a ZIP archive or an Excel workbook. Save it as CSV (UTF-8), or unzip it.",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook. Save it as CSV (UTF-8).",
    b"SQLite format 3\0": "an SQLite database. Name it with --database and export it.",
    b"BZh": "packed by bzip2. Unpack it, or pack it by gzip or zstd.",
    b"\xfd7zXZ\0": "packed by xz. Unpack it, or pack it by gzip or zstd.",
    b"\x04\x22\x4d\x18": "packed by lz4. Unpack it, or pack it by gzip or zstd.",
    b"\xff\xfe": "a text in UTF-16. Save it in UTF-8.",
    b"\xfe\xff": "a text in UTF-16. Save it in UTF-8.",
}
"""The first bytes of files that are no text of ours. Sources: their formats' descriptions."""

_BUFFER_BYTES: Final = 1 << 18

_ZSTD_PIECE_BYTES: Final = 1 << 14  # may become a thousand times as much


class Format(StrEnum):
    """The content of a file."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


class OutputFormat(StrEnum):
    """The content of a file of rows from a host."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"


_FORMATS: Final = {
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".csv": Format.CSV,
    ".parquet": Format.PARQUET,
}

_OUTPUT_FORMATS: Final = {
    ".csv": OutputFormat.CSV,
    ".ndjson": OutputFormat.NDJSON,
    ".jsonl": OutputFormat.NDJSON,
    ".parquet": OutputFormat.PARQUET,
    ".arrow": OutputFormat.ARROW,
}


class Line(NamedTuple):
    """One record of a file. ``number`` is its first line from 1 (in Parquet: its row).

    ``members`` are its values by name, or why it has none. ``raw`` is the record as it stands in
    the file, for its correction: text, or a mapping where the file is not text; None where it
    cannot be read. ``last`` is its last line, where it has several. ``records`` is how many it
    counts for: lines that are no record may be that many.
    """

    number: int
    members: dict[str, Any] | RejectedLine
    raw: Any
    last: int | None = None
    records: int = 1

    @property
    def place(self) -> str:
        """The lines of the file, as a message names them."""
        if self.last is None or self.last == self.number:
            return f"line {self.number}"
        return f"lines {self.number} to {self.last}"


def format_of(path: Path, given: Format | None) -> Format:
    """The format that was given, or the one that the file's name says; NDJSON for ``-``."""
    if given is None and path == STANDARD:
        return Format.NDJSON
    return given or _named(path, _FORMATS, "is in the file")


def output_format_of(path: Path, given: OutputFormat | None) -> OutputFormat:
    """The format that was given, or the one that the file's name says. Raises InvalidInput."""
    found = given or _named(path, _OUTPUT_FORMATS, "is to be in the file")
    is_text = found in (OutputFormat.CSV, OutputFormat.NDJSON)
    if not is_text and _bare_name(path) != path.name.lower():
        raise InvalidInput(f"A file of {found} is packed inside. Give a name without .gz or .zst.")
    return found


def _named(path: Path, formats: Mapping[str, _Named], what: str) -> _Named:
    """The format that the end of a file's name says. Raises InvalidInput."""
    found = formats.get(Path(_bare_name(path)).suffix)
    if found is None:
        raise InvalidInput(
            f"The name {path.name} does not say what {what}. Give --format"
            f" {', '.join(dict.fromkeys(formats.values()))}, or a name that ends in"
            f" {', '.join(formats)}."
        )
    return found


def _bare_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").removesuffix(".zst")


# --- reading -----------------------------------------------------------------------------------


class Source(NamedTuple):
    """An open file: its bytes, unpacked; how many of the file's own were read, of how many.

    ``size`` None: nobody knows, as with the standard input.
    """

    bytes: BinaryIO
    position: Callable[[], int]
    size: int | None


@contextmanager
def opened(path: Path, *, is_text: bool = True) -> Iterator[Source]:
    """A file, open for reading. Raises InvalidFile when it cannot be read, also in mid-reading.

    ``is_text``: a file that begins as another one does is refused by what it is.
    """
    try:
        with _raw(path) as raw:
            counted = _Counted(raw)
            packed = io.BufferedReader(counted, _BUFFER_BYTES)
            size = os.fstat(raw.fileno()).st_size if path != STANDARD else None
            with _unpacked(packed) as unpacked:
                if is_text:
                    _refuse_binary(unpacked.peek(_MAGIC_BYTES), path)
                yield Source(cast("BinaryIO", unpacked), lambda: counted.position, size or None)
    except (gzip.BadGzipFile, zlib.error, zstandard.ZstdError, EOFError) as error:
        raise InvalidFile(f"{path} is packed, and cannot be unpacked: {error}") from None
    except IsADirectoryError:
        raise InvalidFile(f"{path} is a folder, not a file") from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror or error}") from None


@contextmanager
def _raw(path: Path) -> Iterator[IO[bytes]]:
    if path == STANDARD:
        if sys.stdin is None:
            raise InvalidFile("The standard input is closed. Name a file, or send its content.")
        yield sys.stdin.buffer
        return
    with path.open("rb", buffering=0) as file:
        yield file


class _Counted(io.RawIOBase):
    """A raw file that knows how much of it was read, also when it cannot seek."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._raw.read(len(buffer)) or b""
        buffer[: len(data)] = data
        self.position += len(data)
        return len(data)


class _Zstd(io.RawIOBase):
    """Yield the content of a zstd file, frame after frame.

    The library's own reader takes a file that was cut off for one that has ended.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._is_in_frame = False
        self._unpacked = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._unpacked:
            piece = self._frame.unused_data if self._frame.eof else b""
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._is_in_frame = False
            piece = piece or self._packed.read(_ZSTD_PIECE_BYTES)
            if not piece:
                if self._is_in_frame:
                    raise EOFError("it was cut off")
                return 0
            self._is_in_frame = True
            self._unpacked = self._frame.decompress(piece)
        data, self._unpacked = self._unpacked[: len(buffer)], self._unpacked[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def _unpacked(packed: "io.BufferedReader[Any]") -> Iterator["io.BufferedReader[Any]"]:
    magic = packed.peek(_MAGIC_BYTES)[:_MAGIC_BYTES]
    if magic.startswith(_GZIP_MAGIC):
        yield io.BufferedReader(cast("Any", gzip.GzipFile(fileobj=packed)), _BUFFER_BYTES)
    elif magic[:4] == _ZSTD_MAGIC or _SKIPPABLE.match(magic):
        yield io.BufferedReader(_Zstd(cast("BinaryIO", packed)), _BUFFER_BYTES)
    else:
        yield packed


def _refuse_binary(first: bytes, path: Path) -> None:
    for magic, what in _BINARY.items():
        if first.startswith(magic):
            raise InvalidFile(f"{path} is {what}")
