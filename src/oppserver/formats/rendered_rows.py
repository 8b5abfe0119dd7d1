"""Rows as the store has rendered them, told apart and put together by bytes: none is looked into.

They are a JSON array of objects that all begin with the same member, without blanks between its
parts. So where ``},{"`` stands with that member's name behind it, a row ends and the next begins:
the quote opens a name, or it ends a value, and then no letter follows; within a value it would be
escaped.
"""

from typing import Final

NO_ROWS: Final = b"[]"


def row_start(first: str) -> bytes:
    """What every row begins with. ``first`` is the name of its first member."""
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
