"""NDJSON: one JSON object per line, in UTF-8. Blank lines are nothing; CRLF and a BOM are read."""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final

import msgspec

from oppserver.contract.errors import InvalidFile, RejectedLine
from oppserver.contract.limits import IN_ERROR_VALUE_CHARACTERS_MAX
from oppserver.transfer.files import IMPORT_LINE_BYTES_MAX, Line

# a number with a fraction is kept as it is written: 0.10 is not 0.1
_DECODER: Final = msgspec.json.Decoder(dict[str, Any], float_hook=str)

_ENCODER: Final = msgspec.json.Encoder()


def read_ndjson(file: BinaryIO, name: str) -> Iterator[Line]:
    """The lines of a file. Raises InvalidFile when the file is something else altogether."""
    number = 0
    while raw := file.readline(IMPORT_LINE_BYTES_MAX + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            _refuse_other_forms(raw, name)
        if len(raw) > IMPORT_LINE_BYTES_MAX:
            _skip_rest(file, raw)
            yield Line(number, _too_long(), _excerpt(raw))
        elif not raw.isspace():
            yield Line(number, _members(raw), raw)


def write_ndjson(file: BinaryIO, rows: Sequence[Mapping[str, str | int]]) -> None:
    """Appends rows to a file, a line each."""
    file.write(_ENCODER.encode_lines(rows))


def _members(raw: bytes) -> dict[str, Any] | RejectedLine:
    try:
        return _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        return RejectedLine(f"a JSON object is expected: {error}")
    except msgspec.DecodeError as error:
        return RejectedLine(f"not JSON: {error}")
    except UnicodeDecodeError:
        return RejectedLine("not UTF-8")
    except RecursionError:
        return RejectedLine("nested too deeply")


def _refuse_other_forms(first: bytes, name: str) -> None:
    if first.lstrip().startswith(b"["):
        raise InvalidFile(
            f"{name} is a JSON array. NDJSON has one object per line:"
            f" jq -c '.[]' {name} > lines.ndjson"
        )
    if first.startswith(b"PAR1"):
        raise InvalidFile(f"{name} is a Parquet file. Give --format parquet.")
    if b"\0" in first and not first.lstrip().startswith(b"{"):  # else it is one damaged line
        raise InvalidFile(f"{name} is not a text file: its first line has zero bytes in it")


def _skip_rest(file: BinaryIO, piece: bytes) -> None:
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(IMPORT_LINE_BYTES_MAX)


def _too_long() -> RejectedLine:
    return RejectedLine(f"longer than {IMPORT_LINE_BYTES_MAX >> 20} MiB")


def _excerpt(raw: bytes) -> bytes:
    return raw[:IN_ERROR_VALUE_CHARACTERS_MAX] + "…".encode()
