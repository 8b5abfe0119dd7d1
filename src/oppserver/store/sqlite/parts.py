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
from oppserver.store.sqlite.read import one_snapshot, own_ids, read_entry

PART_IDS_MIN: Final = 250
"""Ids of a part at least. Measured: to wake another thread takes as long as reading 30 to 60 ids,
and a part of 250 saves most of its time."""

Idle: TypeAlias = Callable[[], AbstractContextManager[SqliteConnection] | None]
"""Lends a connection that nobody uses, for the time of a block; None when all are in use."""

_Part: TypeAlias = "Future[tuple[ChangeNumbers, list[RenderedRows]]]"


class PartReaders:
    """Reads entries in up to ``parts_max`` parts. Owns the threads of all parts but the first."""

    def __init__(self, *, parts_max: int, idle: Idle) -> None:
        self._parts_max: Final = parts_max
        self._idle: Final = idle
        self._threads: Final = ThreadPoolExecutor(max(1, parts_max - 1), "bulk-read-part")

    def close(self) -> None:
        """End the threads, after what they are reading."""
        self._threads.shutdown()

    def read(
        self, connection: SqliteConnection, entries: Sequence[PlannedEntry]
    ) -> list[RenderedRows]:
        """Read entries, as ``read_entry`` each; in parts where other connections are idle."""
        if len(entries) == 1 and len(entries[0].ids) < 2 * PART_IDS_MIN:
            return [read_entry(connection, entries[0])]
        with one_snapshot(connection):
            return self._read_parts(connection, own_ids(connection, entries))

    def _read_parts(
        self, connection: SqliteConnection, entries: Sequence[PlannedEntry]
    ) -> list[RenderedRows]:
        others = self._borrow(sum(len(entry.ids) for entry in entries))
        own, *rest = _split(entries, len(others) + 1)
        running = [
            (part, self._threads.submit(_read_part, other, part))
            for part, other in zip(rest, others, strict=True)
        ]
        numbers = select_change_numbers(connection) if running else None
        found = [_read_entries(connection, own)]
        for part, future in running:
            rows = _rows_of(future, numbers)
            found.append(_read_entries(connection, part) if rows is None else rows)
        return [_joined(parts) for parts in zip(*found, strict=True)]

    def _borrow(self, ids: int) -> list[AbstractContextManager[SqliteConnection]]:
        count = min(self._parts_max, ids // PART_IDS_MIN) - 1
        others: list[AbstractContextManager[SqliteConnection]] = []
        while len(others) < count and (other := self._idle()) is not None:
            others.append(other)
        return others


def _split(entries: Sequence[PlannedEntry], count: int) -> list[list[PlannedEntry]]:
    """Divide the ids of each entry over parts: the first ones of each, the next ones, ..."""
    if count == 1:
        return [list(entries)]
    return [
        [
            PlannedEntry(
                event_code=entry.event_code,
                ids=entry.ids[
                    part * len(entry.ids) // count : (part + 1) * len(entry.ids) // count
                ],
                columns=entry.columns,
            )
            for entry in entries
        ]
        for part in range(count)
    ]


def _read_entries(
    connection: SqliteConnection, entries: Sequence[PlannedEntry]
) -> list[RenderedRows]:
    return [read_entry(connection, entry) for entry in entries]


def _read_part(
    lent: AbstractContextManager[SqliteConnection], part: Sequence[PlannedEntry]
) -> tuple[ChangeNumbers, list[RenderedRows]]:
    with lent as connection, one_snapshot(connection):
        return select_change_numbers(connection), _read_entries(connection, part)


def _rows_of(part: _Part, numbers: ChangeNumbers | None) -> list[RenderedRows] | None:
    """Return the rows of a part; None where it could not be read, or is of another snapshot."""
    try:
        seen, rows = part.result()
    except Unavailable:
        return None
    return rows if seen == numbers else None


def _joined(parts: Sequence[RenderedRows]) -> RenderedRows:
    """Join the JSON arrays of parts."""
    if len(parts) == 1:
        return parts[0]
    pieces: list[bytes | memoryview] = []
    for part in parts:
        if part.count:
            pieces += (b"," if pieces else b"[", memoryview(part.json)[1:-1])
    json = b"".join((*pieces, b"]")) if pieces else b"[]"
    return RenderedRows(count=sum(part.count for part in parts), json=json)
