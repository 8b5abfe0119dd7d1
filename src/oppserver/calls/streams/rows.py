"""The rows of a stream: read and written batch by batch, wherever their ids come from.

``api/streams.py`` calls a stream on worker threads: ``fetch`` of several batches side by side, all
other methods one after another, in the order of the batches.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Final

import msgspec

from oppserver.calls.shared.admission import identify
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.tables import table_rows, table_writer
from oppserver.calls.streams.batches import (
    IdBatch,
    StreamMissingWire,
    missing_lines,
    missing_of_batch,
    missing_rows,
)
from oppserver.calls.streams.parse import StreamPlan
from oppserver.contract.errors import ApiError
from oppserver.contract.formats import Format
from oppserver.contract.problems import problem_of
from oppserver.formats.ndjson import ndjson_lines
from oppserver.store.port import Snapshot
from oppserver.store.queries import Plan, RenderedColumns

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
    """The end of a whole stream.

    Each line that came was requested, repeated or skipped; each requested id was found or is
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
    """A stream of rows. Memory: the rows of the batches under way."""

    headers: Mapping[str, str] = {}
    """Headers of the answer that are the stream's own."""

    def __init__(self, call: Call, services: Services, plan: StreamPlan) -> None:
        self.wanted: Final = plan.wanted
        self._call: Final = call
        self._services: Final = services
        self._plan: Final = plan
        self._writer: Final = None if plan.table is None else table_writer(plan.wanted, plan.table)
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

    def fetch(self, batch: IdBatch) -> StreamFound:
        """Read a batch in one snapshot, if the key is still good.

        Raises the refusal of the batch, InvalidCredentials when the key was revoked, Unavailable.
        """
        if batch.refusal is not None:
            raise batch.refusal
        identify(self._call, self._services)
        plan = Plan(
            entries=(msgspec.structs.replace(self._plan.entry, ids=batch.ids),), asked=(batch.ids,)
        )
        work = partial(
            _find_in,
            plan=plan,
            batch=batch,
            is_table=self._plan.table is not None,
            with_missing=self.wanted.missing,
        )
        return self._services.store.read(work)

    def begin(self) -> bytes:
        """The bytes before all rows."""
        return b"" if self._writer is None else self._writer.begin()

    def render(self, batch: IdBatch, found: StreamFound) -> bytes:
        """The bytes of the rows of a batch, and of its missing ids.

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
        """The bytes after all rows, with their number and their digest."""
        return self.ended(self.counts())

    def ended(self, summary: msgspec.Struct) -> bytes:
        """The bytes after all rows, with a summary of them."""
        json = msgspec.json.encode(summary)
        if self._writer is None:
            return b'{"%b":%b}\n' % (END_NOTE.encode(), json)
        return self._note(END_NOTE, json) + self._writer.end()

    def counts(self) -> StreamEnd:
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
        """The bytes that report an error behind rows, and whether they make the answer whole.

        Where they do not, cut the connection: the rows could be taken for all there are.
        """
        problem = msgspec.json.encode(problem_of(error, instance=instance))
        if self._writer is None:
            return b'{"%b":%b}\n' % (ERROR_NOTE.encode(), problem), True
        if self.wanted.format is Format.PARQUET:  # a file without its footer cannot be read
            return b"", False
        return self._note(ERROR_NOTE, problem), False

    def _rows(self, found: StreamFound) -> bytes:
        if self._writer is None:
            first = self._plan.entry.columns[0].name
            return ndjson_lines(found.json, first=first) + missing_lines(found.missing)
        rows = table_rows(Plan(entries=(self._plan.entry,)), found.columns)
        parts = [*map(self._writer.rows, rows)]
        if found.missing:
            parts.append(self._writer.rows(missing_rows(found.missing)))
        return b"".join(parts)

    def _note(self, name: str, json: bytes) -> bytes:
        assert self._writer is not None, "a table is written by a writer"
        if self.wanted.format is Format.CSV:
            has_record = self._plan.has_end_record
            return self._writer.note(name, json.decode()) if has_record else b""
        return self._writer.note(f"oppserver.{name}", json.decode())


def _find_in(
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
