"""NDJSON: a row on each line, as the store has rendered it, or out of mappings."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_ENCODER: Final = msgspec.json.Encoder()


def ndjson_rows(rows: Sequence[Mapping[str, str | int]]) -> bytes:
    """The lines of rows that are mappings."""
    return _ENCODER.encode_lines(rows)


def ndjson_lines(rows: bytes, *, first: str, before: bytes = b"") -> bytes:
    """The lines of a JSON array of objects that all begin with the member ``first``.

    ``before`` is put at the start of each object: members, each with a comma behind it.
    """
    if rows == NO_ROWS:
        return b""
    start = row_start(first)
    starts_line = b"{" + before + start[1:]
    lines = rows[1:-1].removeprefix(start).replace(b"}," + start, b"}\n" + starts_line)
    return b"%b%b\n" % (starts_line, lines)


NO_ROWS: Final = b"[]"


def row_start(first: str) -> bytes:
    """Return the first bytes of every row. ``first`` is the name of its first member."""
    return b'{"%b":' % first.encode()


def pieces_of(rows: bytes, *, first: str) -> list[bytes]:
    """The rows, each without its start and its closing brace."""
    start = row_start(first)
    return [] if rows == NO_ROWS else rows[1 + len(start) : -2].split(b"}," + start)


def rows_of(pieces: list[bytes], *, first: str) -> bytes:
    """The array of rows whose pieces these are. The list is used up."""
    if not pieces:
        return NO_ROWS
    start = row_start(first)
    pieces[0] = b"[" + start + pieces[0]  # a small copy, in place of one of all rows
    pieces[-1] += b"}]"
    return (b"}," + start).join(pieces)
