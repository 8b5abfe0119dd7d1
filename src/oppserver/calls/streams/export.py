"""``GET /v1/opportunities``: all opportunities of a type, in the order of their ids.

A stream as that of ``read_stream.py``, whose ids come from the store, page by page. Each page is of
its own moment, and ids do not change: what is there all the while comes once, whoever writes. What
has changed meanwhile is told by the changes from the beginning on.
"""

from functools import partial
from typing import Final

import msgspec

from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.operation import Stream
from oppserver.calls.streams.batches import IdBatch
from oppserver.calls.streams.parse import (
    EXPORT_FORMATS,
    ExportCursor,
    PlannedExport,
    parse_export,
    plan_export,
)
from oppserver.calls.streams.rows import RowStream, StreamFound, shape_rows
from oppserver.contract.cursors import ChangesCursor, check_reached, cursor_text
from oppserver.contract.errors import ApiError
from oppserver.contract.formats import ARROW_FORMATS, Format, Table
from oppserver.contract.limits import STREAM_UNIT_IDS
from oppserver.store.port import Snapshot
from oppserver.store.queries import PlannedEntry


def open_export(call: Call, services: Services) -> "ExportStream":
    """Plan the export of a call, whose first unit of rows is counted.

    Raises an ApiError for what is wrong with the call.
    """
    catalogue = services.store.catalogue()
    planned = plan_export(parse_export(call.query, call.format), catalogue)
    entry, table = shape_rows(planned.entry, planned.wanted, catalogue)
    begun = services.store.read(partial(_begin, planned=planned))
    return ExportStream(call, services, planned=planned, entry=entry, table=table, begun=begun)


def _begin(snapshot: Snapshot, *, planned: PlannedExport) -> ExportCursor:
    """Where an export begins. Raises CursorGone."""
    database, last = snapshot.identity(), snapshot.change_numbers().last
    if planned.cursor is not None:
        check_reached(planned.cursor, database=database, last=last)
    return ExportCursor(
        database=database,
        event_code=planned.entry.event_code,
        modified_since=planned.modified_since,
        number=last if planned.cursor is None else planned.cursor.number,
        after_id=planned.after_id,
    )


class ExportStream(RowStream):
    """One export. Owner of ``_after`` and ``_room``, where it goes on: ``more``."""

    def __init__(
        self,
        call: Call,
        services: Services,
        *,
        planned: PlannedExport,
        entry: PlannedEntry,
        table: Table | None,
        begun: ExportCursor,
    ) -> None:
        super().__init__(
            call,
            services,
            wanted=planned.wanted,
            has_end_record=planned.has_end_record,
            entry=entry,
            table=table,
        )
        self.headers = {"X-Cursor": cursor_text(begun), "Cache-Control": "no-store"}
        self._is_document: Final = planned.wanted.format is Format.JSON
        self._begun: Final = begun
        self._after = begun.after_id
        self._room = planned.limit
        self._unit = 0
        self._has_more = True

    def more(self) -> list[IdBatch]:
        """The next batch of ids; none when there are no more, or as many as were asked for."""
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

    # --- what is answered

    def begin(self) -> bytes:
        """What comes before all rows."""
        return b'{"Opportunities":[' if self._is_document else super().begin()

    def end(self) -> bytes:
        """What comes after all rows: their number, where it goes on, their digest."""
        begun = self._begun
        here = msgspec.structs.replace(begun, after_id=self._after)
        counts = self.told()
        changes = ChangesCursor(
            database=begun.database, event_code=begun.event_code, number=begun.number
        )
        told = ExportEndWire(
            RecordCount=counts.Found,
            HasMore=self._has_more,
            Cursor=cursor_text(here) if self._has_more else None,
            ChangesCursor=cursor_text(changes),
            Digest=counts.Digest,
        )
        return self.ended(msgspec.json.encode(told))

    def ended(self, told: bytes) -> bytes:
        """What comes after all rows, with what is told of them, a JSON object."""
        return b"],%b" % told[1:] if self._is_document else super().ended(told)

    def failed(self, error: ApiError, *, instance: str | None) -> tuple[bytes, bool]:
        """As that of every stream."""
        if self._is_document:  # without its end it is no JSON
            return b"", False
        return super().failed(error, instance=instance)

    def _rows(self, found: StreamFound) -> bytes:
        if not self._is_document:
            return super()._rows(found)
        rows = found.json[1:-1]
        return b"," + rows if rows and self._found else rows


class ExportEndWire(msgspec.Struct):
    """What is told when an export has ended well. ``Cursor`` where it goes on, if it does.

    ``Digest`` as that of a stream (``contract/streams.py``).
    """

    RecordCount: int
    HasMore: bool
    Cursor: str | None
    ChangesCursor: str
    Digest: str


EXPORT: Final = Stream(formats=(*EXPORT_FORMATS, *ARROW_FORMATS), open=open_export)
