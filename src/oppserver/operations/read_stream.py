"""``POST /v1/opportunities/read``: any number of ids in, their rows out while ids still come.

What a call does in one go, a stream does piece by piece: ``open_stream`` once, then for what
arrives ``feed``, ``fetch`` and ``render``, in the end ``end``. Whoever holds it, ``api/stream.py``,
calls each of them on a worker thread: ``fetch`` of several batches side by side, all others one
after another, in the order of the batches.
"""

from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import Final

import msgspec

from oppserver.contract.asked_columns import columns_of_query
from oppserver.contract.errors import ApiError
from oppserver.contract.event_codes import event_code_of_query
from oppserver.contract.formats import ARROW_FORMATS, Format, Table
from oppserver.contract.model import Plan, PlannedEntry
from oppserver.contract.problems import problem_of
from oppserver.contract.streams import STREAM_FORMATS, AskedStream, IdFormat, StreamEnd
from oppserver.formats.arrow import ArrowWriter, has_arrow
from oppserver.formats.csv import CsvWriter
from oppserver.formats.id_arrow import ArrowIds
from oppserver.formats.id_lines import CsvIds, IdReader, ndjson_ids, plain_ids
from oppserver.formats.ndjson import ndjson_lines
from oppserver.operations.call import Call, Services, admit, identify
from oppserver.operations.read_stream_found import StreamFound, find_in
from oppserver.steps.account_stream import LEDGER_COLUMNS, missing_lines, missing_rows
from oppserver.steps.gather_ids import Batch, Gathering
from oppserver.steps.negotiate import choose_format
from oppserver.steps.parse_stream import parse_id_format, parse_stream
from oppserver.steps.plan import with_event_codes
from oppserver.steps.tabulate import table_of_plan, table_rows

END_NOTE: Final = "End"
ERROR_NOTE: Final = "Error"

_READERS: Final[dict[IdFormat, Callable[[], IdReader]]] = {
    IdFormat.NDJSON: ndjson_ids,
    IdFormat.PLAIN: plain_ids,
    IdFormat.CSV: CsvIds,
    IdFormat.ARROW: ArrowIds,
}


def open_stream(call: Call, services: Services) -> "ReadStream":
    """The stream of a call, of which the first unit is counted.

    Raises an ApiError for what is wrong with the call, before anything of the body is read.
    """
    admit(call, services)
    formats = STREAM_FORMATS + ARROW_FORMATS if has_arrow() else STREAM_FORMATS
    chosen = choose_format(call.accept, formats)
    id_format = parse_id_format(call.content_type, call.content_encoding, has_arrow=has_arrow())
    asked = parse_stream(call.query, chosen)
    catalogue = services.store.catalogue()
    code = event_code_of_query(asked.event_code, catalogue, parameter="event_code")
    columns = columns_of_query(asked.columns, catalogue.fields.get(code, {}), event_code=code)
    entry = PlannedEntry(event_code=code, ids=(), columns=columns)
    plan = with_event_codes(Plan(entries=(entry,), asked=((),)))
    table = None
    if chosen is not Format.NDJSON:
        table = table_of_plan(plan, catalogue, types_are_text=asked.wanted.types_are_text)
        if asked.wanted.ledger:
            table = Table(columns=(*table.columns, *LEDGER_COLUMNS))
    return ReadStream(
        call, services, asked=asked, plan=plan, table=table, reader=_READERS[id_format]()
    )


class ReadStream:
    """One read of a stream of ids. See the module for who may call what, and when.

    Memory: the ids of one unit, and the rows of the batches under way.
    """

    def __init__(
        self,
        call: Call,
        services: Services,
        *,
        asked: AskedStream,
        plan: Plan,
        table: Table | None,
        reader: IdReader,
    ) -> None:
        self.asked: Final = asked
        self._call: Final = call
        self._services: Final = services
        self._entry: Final = plan.entries[0]
        self._table: Final = table
        self._reader: Final = reader
        self._gathering: Final = Gathering(skips_bad_ids=asked.skips_bad_ids)
        self._writer: Final = _writer(asked, table)
        self._units_counted = 1
        self._digest: Final = sha256()
        self._lines = self._requested = self._found = self._skipped = 0

    # --- what arrives

    def feed(self, data: bytes) -> list[Batch]:
        """The batches that are full with what has come. Raises MalformedBody."""
        return list(self._gathering.add(self._reader.feed(data)))

    def pause(self) -> list[Batch]:
        """What has come and is in no batch yet: nothing more comes now."""
        return list(self._gathering.rest())

    def finish(self) -> list[Batch]:
        """The last batches: the body has ended. Raises MalformedBody."""
        last = list(self._gathering.add(self._reader.end()))
        is_refused = bool(last) and last[-1].refusal is not None
        return last if is_refused else [*last, *self._gathering.rest()]

    def wait_s(self, batch: Batch) -> int:
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

    def fetch(self, batch: Batch) -> StreamFound:
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
            ledger=self.asked.wanted.ledger,
        )
        return self._services.store.read(work)

    def begin(self) -> bytes:
        """What comes before all rows."""
        return b"" if self._writer is None else self._writer.begin()

    def render(self, batch: Batch, found: StreamFound) -> bytes:
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
        told = msgspec.json.encode(self.told())
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
        if self.asked.wanted.format is Format.PARQUET:  # without its footer it is no file at all
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
        if self.asked.wanted.format is Format.CSV:
            has_record = self.asked.has_end_record
            return self._writer.note(name, told.decode()) if has_record else b""
        return self._writer.note(f"oppserver.{name}", told.decode())


def _writer(asked: AskedStream, table: Table | None) -> CsvWriter | ArrowWriter | None:
    if table is None:
        return None
    if asked.wanted.format is Format.CSV:
        return CsvWriter(table, escapes_formulas=asked.wanted.escapes_formulas)
    return ArrowWriter(table, is_parquet=asked.wanted.format is Format.PARQUET)
