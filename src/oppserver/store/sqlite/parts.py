"""One bulk read on several connections at once, as long as nobody else reads.

The problem. A statement runs on one core, and a call alone leaves the other cores idle. A busy
server gains nothing from parts: its cores are taken by other calls.

The invariant. All rows of an answer are of one snapshot, in the order that was asked for.

Why it holds. The connection of the call keeps its snapshot until the end. A part that another
connection has read counts only when both saw the same change numbers, of which every write that a
row can show takes one (``store/sql/changes.py``). All other parts are read again, in the snapshot.

What breaks it. A program that writes to the tables without taking numbers.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final, TypeAlias

from oppserver.contract.errors import Unavailable
from oppserver.store.queries import ChangeNumbers, PlannedEntry, RenderedRows
from oppserver.store.sql.changes import select_change_numbers
from oppserver.store.sqlite.connection import SqliteConnection
from oppserver.store.sqlite.read import one_snapshot, read_entry

PART_IDS_MIN: Final = 250
"""Ids of a part at least. Measured: to wake another thread takes as long as reading 30 to 60 ids,
and a part of 250 saves most of its time."""

Idle: TypeAlias = Callable[[], AbstractContextManager[SqliteConnection] | None]
"""Lends a connection that nobody uses, for the time of a block; None when all are in use."""

_Part: TypeAlias = "Future[tuple[ChangeNumbers, RenderedRows]]"


class PartReaders:
    """Reads an entry in up to ``parts_max`` parts. Owns the threads of all parts but the first."""

    def __init__(self, *, parts_max: int, idle: Idle) -> None:
        self._parts_max: Final = parts_max
        self._idle: Final = idle
        self._threads: Final = ThreadPoolExecutor(max(1, parts_max - 1), "bulk-read-part")

    def close(self) -> None:
        """End the threads, after what they are reading."""
        self._threads.shutdown()

    def read(self, connection: SqliteConnection, entry: PlannedEntry) -> RenderedRows:
        """Read an entry, as ``read_entry``; in parts where other connections are idle."""
        others = self._borrow(min(self._parts_max, len(entry.ids) // PART_IDS_MIN) - 1)
        if not others:
            return read_entry(connection, entry)
        own, *rest = _split(entry, len(others) + 1)
        running = [
            (part, self._threads.submit(_read_part, other, part))
            for part, other in zip(rest, others, strict=True)
        ]
        with one_snapshot(connection):
            numbers = select_change_numbers(connection)
            found = [read_entry(connection, own)]
            for part, future in running:
                rows = _rows_of(future, numbers)
                found.append(read_entry(connection, part) if rows is None else rows)
        return _joined(found)

    def _borrow(self, count: int) -> list[AbstractContextManager[SqliteConnection]]:
        others: list[AbstractContextManager[SqliteConnection]] = []
        while len(others) < count and (other := self._idle()) is not None:
            others.append(other)
        return others


def _split(entry: PlannedEntry, count: int) -> list[PlannedEntry]:
    ids, size = entry.ids, -(-len(entry.ids) // count)
    return [
        PlannedEntry(
            event_code=entry.event_code, ids=ids[start : start + size], columns=entry.columns
        )
        for start in range(0, len(ids), size)
    ]


def _read_part(
    lent: AbstractContextManager[SqliteConnection], part: PlannedEntry
) -> tuple[ChangeNumbers, RenderedRows]:
    with lent as connection, one_snapshot(connection):
        return select_change_numbers(connection), read_entry(connection, part)


def _rows_of(part: _Part, numbers: ChangeNumbers) -> RenderedRows | None:
    """Return the rows of a part; None where it could not be read, or is of another snapshot."""
    try:
        seen, rows = part.result()
    except Unavailable:
        return None
    return rows if seen == numbers else None


def _joined(parts: Sequence[RenderedRows]) -> RenderedRows:
    """Join the JSON arrays of parts."""
    pieces: list[bytes | memoryview] = []
    for part in parts:
        if part.count:
            pieces += (b"," if pieces else b"[", memoryview(part.json)[1:-1])
    json = b"".join((*pieces, b"]")) if pieces else b"[]"
    return RenderedRows(count=sum(part.count for part in parts), json=json)
