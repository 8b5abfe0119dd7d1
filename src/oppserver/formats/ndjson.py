"""NDJSON: a row on each line, as the store has rendered it."""

from oppserver.formats.rendered_rows import NO_ROWS, row_start


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
