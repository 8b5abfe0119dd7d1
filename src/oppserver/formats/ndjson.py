"""NDJSON: a row on each line, as the store has rendered it."""


def ndjson_lines(rows: bytes, *, first: str, before: bytes = b"") -> bytes:
    """The lines of a JSON array of objects that all begin with the member ``first``.

    ``before`` is put at the start of each object: members, each with a comma behind it. The array
    has no blanks between its parts, as the store renders it, so rows are told apart by bytes: the
    quote of ``},{"`` either opens a name, or it ends a value, and then no letter follows; within a
    value it would be escaped. No row is looked into.
    """
    if rows == b"[]":
        return b""
    starts = b'{"%b":' % first.encode()
    starts_line = b"{" + before + starts[1:]
    lines = rows[1:-1].removeprefix(starts).replace(b"}," + starts, b"}\n" + starts_line)
    return b"%b%b\n" % (starts_line, lines)
