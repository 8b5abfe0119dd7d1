"""Ids that come as an Arrow stream: cut into its messages, each read as soon as it is whole.

pyarrow reads a stream from what blocks; here bytes come as they come. So its messages are told by
their framing (arrow.apache.org, "Encapsulated message format"), and each record batch is handed
over with the schema and the dictionaries before it, as a stream of its own. Of its metadata,
a flatbuffer, four numbers are read here, in order to refuse what would not stay small.
"""

import struct
from typing import Any, Final

from msgspec.structs import replace

from oppserver.contract.columns import ID_COLUMN
from oppserver.contract.errors import Fault, MalformedBody
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.limits import ID_ARROW_BATCH_BYTES_MAX
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.formats.arrow import load
from oppserver.formats.id_lines import Arrived, BadId

_CONTINUATION: Final = b"\xff\xff\xff\xff"

_PREFIX_BYTES: Final = 8

_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # of format/Message.fbs, MessageHeader

_HEADER_TYPE, _HEADER, _BODY_BYTES = 1, 2, 3  # fields of Message

_COMPRESSION: Final = 3  # a field of RecordBatch

_ID_NAME: Final = ID_COLUMN.name

_DICTIONARY_DATA: Final = 1  # a field of DictionaryBatch


class ArrowIds:
    """The column ``ProspectActivityId`` of a stream of record batches, or its only column."""

    def __init__(self) -> None:
        self._pa, _ = load()
        self._rest = bytearray()
        self._before = b""  # the schema, and the dictionaries since
        self._rows = 0
        self._has_ended = False

    def feed(self, data: bytes) -> Arrived:
        """The ids of the record batches that are whole now."""
        self._rest += data
        ids: list[str] = []
        bad: list[BadId] = []
        while (message := self._next()) is not None:
            arrived = self._read(message)
            bad += [replace(one, at=one.at + len(ids)) for one in arrived.bad]
            ids += arrived.ids
        return Arrived(ids, bad)

    def end(self) -> Arrived:
        """Nothing: a stream that ends within a message, or without a schema, is none."""
        if self._rest or not self._before:
            raise self._malformed("the stream ends before its end", "Send all of it.")
        return Arrived()

    def _next(self) -> bytes | None:
        """The next message, when it is whole."""
        if self._has_ended:
            self._rest.clear()
        if len(self._rest) < _PREFIX_BYTES:
            return None
        if self._rest[:4] != _CONTINUATION:
            raise self._malformed(
                "this is no message of an Arrow stream",
                "Send the IPC stream format, not a file of Arrow, Feather or Parquet.",
            )
        (metadata_bytes,) = struct.unpack_from("<i", self._rest, 4)
        if metadata_bytes == 0:
            self._has_ended = True
            self._rest.clear()
            return None
        self._check_size(metadata_bytes)
        if len(self._rest) < _PREFIX_BYTES + metadata_bytes:
            return None
        body_bytes = self._number(bytes(self._rest[8 : 8 + metadata_bytes]), _BODY_BYTES)
        self._check_size(body_bytes)
        whole = _PREFIX_BYTES + metadata_bytes + body_bytes
        if len(self._rest) < whole:
            return None
        message = bytes(self._rest[:whole])
        del self._rest[:whole]
        return message

    def _read(self, message: bytes) -> Arrived:
        metadata = message[8:]
        kind = self._number(metadata, _HEADER_TYPE, form="<B")
        if kind == _SCHEMA:
            self._before = message
            return Arrived()
        if kind not in (_DICTIONARY, _BATCH) or not self._before:
            raise self._malformed("this message has no place in a stream", "Send a stream.")
        if self._is_compressed(metadata, is_dictionary=kind == _DICTIONARY):
            raise self._malformed("the record batch is compressed", "Send it as it is.")
        if kind == _DICTIONARY:
            self._before += message
            self._check_size(len(self._before))
            return Arrived()
        return self._ids(message)

    def _ids(self, message: bytes) -> Arrived:
        pa = self._pa
        try:
            with pa.ipc.open_stream(self._before + message) as stream:
                batch = stream.read_next_batch()
                batch.validate(full=True)
            texts = self._column(batch).to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise self._malformed(f"it cannot be read: {error}", "Send it anew.") from None
        first = self._rows + 1
        self._rows += len(texts)
        if None not in texts and all_canonical(texts):
            return Arrived(texts)
        return _one_by_one(texts, first)

    def _column(self, batch: Any) -> Any:
        pa, names = self._pa, batch.schema.names
        if _ID_NAME not in names and len(names) != 1:
            raise self._malformed(
                f"there is no column {_ID_NAME}, and more than one other",
                f"Name one {_ID_NAME}.",
            )
        column = batch.column(_ID_NAME if _ID_NAME in names else 0)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        if not is_text and not pa.types.is_string_view(column.type):
            raise self._malformed(f"the ids are {column.type}, not text", "Send a text column.")
        return column

    def _check_size(self, size: int) -> None:
        if not 0 <= size <= ID_ARROW_BATCH_BYTES_MAX:
            raise self._malformed(
                f"a message has {size} bytes; {ID_ARROW_BATCH_BYTES_MAX} are taken",
                "Write smaller record batches, of 65536 rows for example.",
            )

    def _is_compressed(self, metadata: bytes, *, is_dictionary: bool) -> bool:
        try:
            header = _table(metadata, _field(metadata, _root(metadata), _HEADER))
            if is_dictionary:
                header = _table(metadata, _field(metadata, header, _DICTIONARY_DATA))
            return _field(metadata, header, _COMPRESSION) != 0
        except struct.error:
            raise self._malformed("a message's metadata is damaged", "Send it anew.") from None

    def _number(self, metadata: bytes, field: int, *, form: str = "<q") -> int:
        try:
            place = _field(metadata, _root(metadata), field)
            return int(struct.unpack_from(form, metadata, place)[0]) if place else 0
        except struct.error:
            raise self._malformed("a message's metadata is damaged", "Send it anew.") from None

    def _malformed(self, what: str, hint: str) -> MalformedBody:
        return refusal(MalformedBody, [Fault(line=self._rows + 1, what=what, hint=hint)])


def _one_by_one(texts: list[str | None], first: int) -> Arrived:
    ids: list[str] = []
    bad: list[BadId] = []
    for number, text in enumerate(texts, start=first):
        guid = None if text is None else canonical_guid(text)
        if guid is None:
            what = "it is null" if text is None else f"{quoted(text)} is not a GUID"
            shown = "" if text is None else quoted(text)[1:-1]
            bad.append(BadId(at=len(ids), line=number, asked=shown, what=what))
        else:
            ids.append(guid)
    return Arrived(ids, bad)


# --- flatbuffers (flatbuffers.dev, "Internals"): a table, its fields ---------------------------


def _root(metadata: bytes) -> int:
    return _table(metadata, 0)


def _table(metadata: bytes, place: int) -> int:
    """Where the table is that a field at a place refers to."""
    (offset,) = struct.unpack_from("<I", metadata, place)
    return place + int(offset)


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 when it is not there."""
    (back,) = struct.unpack_from("<i", metadata, table)
    index = table - back
    (index_bytes,) = struct.unpack_from("<H", metadata, index)
    if 4 + 2 * number >= index_bytes:
        return 0
    (offset,) = struct.unpack_from("<H", metadata, index + 4 + 2 * number)
    return table + int(offset) if offset else 0
