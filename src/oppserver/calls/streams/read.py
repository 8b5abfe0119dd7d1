"""``POST /v1/opportunities/read``: any number of ids in, their rows out while ids still come.

What a call does in one go, a stream does piece by piece: ``open_stream`` once, then for what
arrives ``feed``, ``fetch`` and ``render``, in the end ``end``. Whoever holds it, ``api/stream.py``,
calls each of them on a worker thread: ``fetch`` of several batches side by side, all others one
after another, in the order of the batches.
"""

from collections.abc import Callable
from typing import Final

from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.names import columns_of_query, event_code_of_query
from oppserver.calls.shared.operation import Stream
from oppserver.calls.streams.batches import MISSING_COLUMNS, Gathering, IdBatch
from oppserver.calls.streams.parse import STREAM_FORMATS, AskedStream, parse_id_format, parse_stream
from oppserver.calls.streams.rows import RowStream, shape_rows
from oppserver.contract.formats import ARROW_FORMATS, IdFormat, Table
from oppserver.formats.arrow import has_arrow
from oppserver.formats.id_arrow import ArrowIds
from oppserver.formats.id_lines import CsvIds, IdReader, ndjson_ids, plain_ids
from oppserver.store.queries import PlannedEntry

_READERS: Final[dict[IdFormat, Callable[[], IdReader]]] = {
    IdFormat.NDJSON: ndjson_ids,
    IdFormat.PLAIN: plain_ids,
    IdFormat.CSV: CsvIds,
    IdFormat.ARROW: ArrowIds,
}


def open_stream(call: Call, services: Services) -> "ReadStream":
    """Plan the stream of a call, whose first unit is counted.

    Raises an ApiError for what is wrong with the call, before anything of the body is read.
    """
    id_format = parse_id_format(call.content_type, call.content_encoding, has_arrow=has_arrow())
    asked = parse_stream(call.query, call.format)
    catalogue = services.store.catalogue()
    code = event_code_of_query(asked.event_code, catalogue)
    columns = columns_of_query(asked.columns, catalogue.fields.get(code, {}), event_code=code)
    asked_entry = PlannedEntry(event_code=code, ids=(), columns=columns)
    entry, table = shape_rows(asked_entry, asked.wanted, catalogue)
    if table is not None and asked.wanted.missing:
        table = Table(columns=(*table.columns, *MISSING_COLUMNS))
    return ReadStream(
        call, services, asked=asked, entry=entry, table=table, reader=_READERS[id_format]()
    )


class ReadStream(RowStream):
    """One read of a stream of ids. See the module for who may call what, and when.

    Memory: the ids of one unit, and the rows of the batches under way.
    """

    def __init__(
        self,
        call: Call,
        services: Services,
        *,
        asked: AskedStream,
        entry: PlannedEntry,
        table: Table | None,
        reader: IdReader,
    ) -> None:
        super().__init__(
            call,
            services,
            wanted=asked.wanted,
            has_end_record=asked.has_end_record,
            entry=entry,
            table=table,
        )
        self._reader: Final = reader
        self._gathering: Final = Gathering(skips_bad_ids=asked.skips_bad_ids)

    # --- what arrives

    def feed(self, data: bytes) -> list[IdBatch]:
        """The batches that are full with what has come. Raises MalformedBody."""
        return list(self._gathering.add(self._reader.feed(data)))

    def pause(self) -> list[IdBatch]:
        """What has come and is in no batch yet: nothing more comes now."""
        return list(self._gathering.rest())

    def finish(self) -> list[IdBatch]:
        """The last batches: the body has ended. Raises MalformedBody."""
        last = list(self._gathering.add(self._reader.end()))
        is_refused = bool(last) and last[-1].refusal is not None
        return last if is_refused else [*last, *self._gathering.rest()]


READ_STREAM: Final = Stream(formats=(*STREAM_FORMATS, *ARROW_FORMATS), open=open_stream)
