"""The calls that are streams: any number of ids in, or a whole type; rows out as they are found.

``POST /v1/opportunities/read`` reads the ids of its body while they still arrive.
``GET /v1/opportunities`` takes ids from the store, page by page, in their order. Each page is of
its own snapshot. Ids do not change, so an opportunity that is stored all the time comes once,
whoever writes. The changes since the beginning of an export are the writes during it.

A stream is opened once, then fed, fetched and rendered batch by batch, and ended once.
``api/streams.py`` calls it, and says which of these may run side by side.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import msgspec

from oppserver.calls.shared.call import Call, Services, Stream
from oppserver.calls.shared.inflate import Inflater, inflater_of
from oppserver.calls.shared.paging import ChangesCursor, check_reached, cursor_text
from oppserver.calls.streams.batches import Gathering, IdBatch
from oppserver.calls.streams.parse import (
    EXPORT_FORMATS,
    STREAM_FORMATS,
    AskedExport,
    ExportCursor,
    StreamPlan,
    parse_cursor,
    parse_export,
    parse_id_format,
    parse_stream,
    plan_stream,
)
from oppserver.calls.streams.rows import RowStream, StreamFound
from oppserver.contract.errors import ApiError
from oppserver.contract.formats import ARROW_FORMATS, Format, IdFormat
from oppserver.contract.limits import STREAM_UNIT_IDS
from oppserver.formats.arrow import has_arrow
from oppserver.formats.id_arrow import ArrowIds
from oppserver.formats.id_lines import CsvIds, IdReader, ndjson_ids, plain_ids
from oppserver.store.port import Snapshot

# --- ids of a body -------------------------------------------------------------------------------

_READERS: Final[dict[IdFormat, Callable[[], IdReader]]] = {
    IdFormat.NDJSON: ndjson_ids,
    IdFormat.PLAIN: plain_ids,
    IdFormat.CSV: CsvIds,
    IdFormat.ARROW: ArrowIds,
}


def open_read(call: Call, services: Services) -> "ReadStream":
    """Plan the stream of a call, whose first unit is counted.

    Raises an ApiError for what is wrong with the call, before anything of the body is read.
    """
    id_format = parse_id_format(call.content_type, has_arrow=has_arrow())
    inflater = inflater_of(call.content_encoding)
    asked = parse_stream(call.query, call.format)
    plan = plan_stream(asked, services.store.catalogue())
    gathering = Gathering(skips_bad_ids=asked.skips_bad_ids)
    return ReadStream(
        call, services, plan, inflater=inflater, reader=_READERS[id_format](), gathering=gathering
    )


class ReadStream(RowStream):
    """One read of ids as they come. Memory: the ids of one unit, the rows of open batches."""

    def __init__(
        self,
        call: Call,
        services: Services,
        plan: StreamPlan,
        *,
        inflater: Inflater,
        reader: IdReader,
        gathering: Gathering,
    ) -> None:
        super().__init__(call, services, plan)
        self._inflater: Final = inflater
        self._pieces: Iterator[bytes] = iter(())
        self._reader: Final = reader
        self._gathering: Final = gathering

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body. ``next`` gives what comes of them."""
        self._pieces = self._inflater.feed(data)

    def next(self) -> list[IdBatch] | None:
        """Return the batches that are full with the next piece; None: more data has to come.

        Raises MalformedBody.
        """
        piece = next(self._pieces, None)
        return None if piece is None else list(self._gathering.add(self._reader.feed(piece)))

    def pause(self) -> list[IdBatch]:
        """Return the ids that are in no batch yet, as a batch: no data arrives at the moment."""
        return list(self._gathering.rest())

    def finish(self) -> list[IdBatch]:
        """The last batches: the body has ended. Raises MalformedBody."""
        self._inflater.end()
        last = list(self._gathering.add(self._reader.end()))
        is_refused = bool(last) and last[-1].refusal is not None
        return last if is_refused else [*last, *self._gathering.rest()]


READ_STREAM: Final = Stream(formats=(*STREAM_FORMATS, *ARROW_FORMATS), open=open_read)

# --- ids of a type -------------------------------------------------------------------------------


def open_export(call: Call, services: Services) -> "ExportStream":
    """Plan the export of a call, whose first unit of rows is counted.

    Raises an ApiError for what is wrong with the call.
    """
    asked = parse_export(call.query, call.format)
    plan = plan_stream(asked, services.store.catalogue())
    code = plan.entry.event_code
    cursor = parse_cursor(asked, code)
    begun = services.store.read(partial(_begin, asked=asked, event_code=code, cursor=cursor))
    return ExportStream(call, services, plan, begun=begun, limit=asked.limit)


def _begin(
    snapshot: Snapshot, *, asked: AskedExport, event_code: int, cursor: ExportCursor | None
) -> ExportCursor:
    """Return the place where an export begins. Raises CursorGone."""
    database, last = snapshot.identity(), snapshot.change_numbers().last
    if cursor is not None:
        check_reached(cursor.database, cursor.number, database=database, last=last)
    begun = cursor or ExportCursor(
        database=database,
        event_code=event_code,
        modified_since=asked.modified_since,
        number=last,
        after_id="",
    )
    if asked.after_id is None:
        return begun
    return msgspec.structs.replace(begun, after_id=asked.after_id)


class ExportStream(RowStream):
    """One export. Owns ``_after`` and ``_room``, the place where it goes on: only ``more`` writes.

    ``limit`` None: it ends after the last id.
    """

    def __init__(
        self,
        call: Call,
        services: Services,
        plan: StreamPlan,
        *,
        begun: ExportCursor,
        limit: int | None,
    ) -> None:
        super().__init__(call, services, plan)
        self.headers = {"X-Cursor": cursor_text(begun), "Cache-Control": "no-store"}
        self._is_document: Final = plan.wanted.format is Format.JSON
        self._begun: Final = begun
        self._after = begun.after_id
        self._room = limit
        self._unit = 0
        self._has_more = True

    def more(self) -> list[IdBatch]:
        """The next batch of ids; empty after the last id, and when the limit is reached."""
        if self._room == 0 or not self._has_more:
            return []
        wanted = STREAM_UNIT_IDS if self._room is None else min(STREAM_UNIT_IDS, self._room)
        found = self._services.store.read(partial(self._ids, limit=wanted + 1))
        ids = found[:wanted]
        self._has_more = len(found) > wanted
        if not ids:
            return []
        self._after = ids[-1]
        if self._room is not None:
            self._room -= len(ids)
        self._unit += 1
        return [IdBatch(unit=self._unit - 1, ids=ids, lines=len(ids))]

    def _ids(self, snapshot: Snapshot, *, limit: int) -> list[str]:
        return snapshot.ids_of_type(
            self._begun.event_code,
            after_id=self._after,
            modified_since=self._begun.modified_since,
            limit=limit,
        )

    def begin(self) -> bytes:
        """The bytes before all rows."""
        return b'{"Opportunities":[' if self._is_document else super().begin()

    def end(self) -> bytes:
        """The bytes after all rows, with their number, their digest, and the next place."""
        begun, counts = self._begun, self.counts()
        here = msgspec.structs.replace(begun, after_id=self._after)
        changes = ChangesCursor(
            database=begun.database, event_code=begun.event_code, number=begun.number
        )
        return self.ended(
            ExportEndWire(
                RecordCount=counts.Found,
                HasMore=self._has_more,
                Cursor=cursor_text(here) if self._has_more else None,
                ChangesCursor=cursor_text(changes),
                Digest=counts.Digest,
            )
        )

    def ended(self, summary: msgspec.Struct) -> bytes:
        """The bytes after all rows, with a summary of them."""
        if self._is_document:
            return b"],%b" % msgspec.json.encode(summary)[1:]
        return super().ended(summary)

    def failed(self, error: ApiError, *, instance: str | None) -> tuple[bytes, bool]:
        """Report an error behind rows. A cut document is not JSON, so nothing is added to it."""
        return (b"", False) if self._is_document else super().failed(error, instance=instance)

    def _rows(self, found: StreamFound) -> bytes:
        if not self._is_document:
            return super()._rows(found)
        rows = found.json[1:-1]
        return b"," + rows if rows and self._found else rows


class ExportEndWire(msgspec.Struct):
    """The end of a whole export. ``Cursor`` is the place where it goes on, if it does.

    ``Digest`` as that of every stream.
    """

    RecordCount: int
    HasMore: bool
    Cursor: str | None
    ChangesCursor: str
    Digest: str


EXPORT: Final = Stream(formats=(*EXPORT_FORMATS, *ARROW_FORMATS), open=open_export)
