"""Rows of a stream, whatever their ids come from: read batch by batch, and written as they come.

Whoever holds a stream, ``api/stream.py``, calls it on worker threads: ``fetch`` of several batches
side by side, all else one after another, in the order of the batches.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Final

import msgspec

from oppserver.calls.bulk_read.plan import with_event_codes
from oppserver.calls.shared.admission import identify
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.tables import table_of_plan, table_rows, table_writer
from oppserver.calls.streams.batches import (
    IdBatch,
    StreamMissingWire,
    missing_lines,
    missing_of_batch,
    missing_rows,
)
from oppserver.contract.errors import ApiError
from oppserver.contract.formats import Format, Table, Wanted
from oppserver.contract.model import Catalogue
from oppserver.contract.problems import problem_of
from oppserver.formats.ndjson import ndjson_lines
from oppserver.store.port import Snapshot
from oppserver.store.queries import Plan, PlannedEntry, RenderedColumns

END_NOTE: Final = "End"

ERROR_NOTE: Final = "Error"


class StreamFound(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a batch: as JSON, or by column where the format is a table."""

    count: int
    versions: bytes
    json: bytes = b"[]"
    columns: Sequence[RenderedColumns] = ()
    missing: Sequence[StreamMissingWire] = ()


class StreamEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What is told when a stream has ended well.

    Each line that came was requested, repeated or skipped; what was requested was found or is
    missing. ``Digest``: SHA-256, hexadecimal, over a line ``ID VERSION`` of each row, in order,
    each ended by LF.
    """

    Requested: int
    Found: int
    Missing: int
    Repeated: int
    Skipped: int
    Digest: str


class RowStream:
    """What every stream of rows does with batches. See the module for who may call what, and when.

    Memory: the rows of the batches under way.
    """

    headers: Mapping[str, str] = {}
    """Headers of the answer that are the stream's own."""

    def __init__(
        self,
        call: Call,
        services: Services,
        *,
        wanted: Wanted,
        has_end_record: bool,
        entry: PlannedEntry,
        table: Table | None,
    ) -> None:
        self.wanted: Final = wanted
        self._call: Final = call
        self._services: Final = services
        self._has_end_record: Final = has_end_record
        self._entry: Final = entry
        self._table: Final = table
        self._writer: Final = None if table is None else table_writer(wanted, table)
        self._units_counted = 1
        self._digest: Final = sha256()
        self._lines = self._requested = self._found = self._skipped = 0

    def wait_s(self, batch: IdBatch) -> int:
        """Seconds to wait before the unit of a batch can be counted; 0: it is counted.

        Raises Unavailable when it cannot be counted.
        """
        limiter = self._services.rate_limiter
        if limiter is None or batch.unit < self._units_counted:
            return 0
        window = limiter.count(self._call.access_key)
        if window.is_exceeded:
            return max(1, window.reset_s)
        self._units_counted += 1
        return 0

    # --- what is answered

    def fetch(self, batch: IdBatch) -> StreamFound:
        """What there is of a batch, of one moment, as the caller may still have it.

        Raises what the batch refuses, InvalidCredentials when the key was revoked, Unavailable.
        """
        if batch.refusal is not None:
            raise batch.refusal
        identify(self._call, self._services)
        plan = Plan(
            entries=(msgspec.structs.replace(self._entry, ids=batch.ids),), asked=(batch.ids,)
        )
        work = partial(
            find_in,
            plan=plan,
            batch=batch,
            is_table=self._table is not None,
            with_missing=self.wanted.missing,
        )
        return self._services.store.read(work)

    def begin(self) -> bytes:
        """What comes before all rows."""
        return b"" if self._writer is None else self._writer.begin()

    def render(self, batch: IdBatch, found: StreamFound) -> bytes:
        """The rows of a batch, and what is told of ids that have none.

        Raises InvalidFieldValue when a value is not of its column's type.
        """
        body = self._rows(found)
        self._lines += batch.lines
        self._requested += len(batch.ids)
        self._skipped += len(batch.bad)
        self._found += found.count
        self._digest.update(found.versions)
        return body

    def end(self) -> bytes:
        """What comes after all rows: how many there were, and what stands for them."""
        return self.ended(msgspec.json.encode(self.told()))

    def ended(self, told: bytes) -> bytes:
        """What comes after all rows, with what is told of them, a JSON object."""
        if self._writer is None:
            return b'{"%b":%b}\n' % (END_NOTE.encode(), told)
        return self._note(END_NOTE, told) + self._writer.end()

    def told(self) -> StreamEnd:
        """The counts so far."""
        return StreamEnd(
            Requested=self._requested,
            Found=self._found,
            Missing=self._requested - self._found,
            Repeated=self._lines - self._requested - self._skipped,
            Skipped=self._skipped,
            Digest=self._digest.hexdigest(),
        )

    def failed(self, error: ApiError, *, instance: str | None) -> tuple[bytes, bool]:
        """What tells of an error behind rows, and whether the answer is whole with it.

        Where it is not, the connection has to be cut: the rows could be taken for all there are.
        """
        told = msgspec.json.encode(problem_of(error, instance=instance))
        if self._writer is None:
            return b'{"%b":%b}\n' % (ERROR_NOTE.encode(), told), True
        if self.wanted.format is Format.PARQUET:  # without its footer it is no file at all
            return b"", False
        return self._note(ERROR_NOTE, told), False

    def _rows(self, found: StreamFound) -> bytes:
        if self._writer is None:
            first = self._entry.columns[0].name
            return ndjson_lines(found.json, first=first) + missing_lines(found.missing)
        rows = table_rows(Plan(entries=(self._entry,)), found.columns)
        parts = [*map(self._writer.rows, rows)]
        if found.missing:
            parts.append(self._writer.rows(missing_rows(found.missing)))
        return b"".join(parts)

    def _note(self, name: str, told: bytes) -> bytes:
        assert self._writer is not None, "a table is written by a writer"
        if self.wanted.format is Format.CSV:
            has_record = self._has_end_record
            return self._writer.note(name, told.decode()) if has_record else b""
        return self._writer.note(f"oppserver.{name}", told.decode())


def shape_rows(
    entry: PlannedEntry, wanted: Wanted, catalogue: Catalogue
) -> tuple[PlannedEntry, Table | None]:
    """The entry of a stream's rows, which begin with their type, and the table that they are.

    The table is None where rows are answered as objects.
    """
    plan = with_event_codes(Plan(entries=(entry,)))
    table = None
    if wanted.format.is_table:
        table = table_of_plan(plan, catalogue, types_are_text=wanted.types_are_text)
    return plan.entries[0], table


def find_in(
    snapshot: Snapshot, *, plan: Plan, batch: IdBatch, is_table: bool, with_missing: bool
) -> StreamFound:
    """Read the rows of a batch. ``with_missing``: also why the other ids have none."""
    columns = snapshot.bulk_read_columns(plan) if is_table else []
    rows = [] if is_table else snapshot.bulk_read(plan)
    [found] = columns or rows
    [versions] = snapshot.versions(plan)
    missing: list[StreamMissingWire] = []
    if with_missing:
        is_all = found.count == len(batch.ids)
        where = None if is_all else snapshot.id_statuses(batch.ids)
        code = plan.entries[0].event_code
        missing = missing_of_batch(batch.ids, batch.bad, event_code=code, where=where)
    return StreamFound(
        count=found.count,
        versions=versions,
        json=rows[0].json if rows else b"[]",
        columns=columns,
        missing=missing,
    )
