"""Ids that come as an Arrow stream, read message by message as they are whole.

pyarrow reads a stream from what blocks; here bytes come as they come. So messages are cut out by
``arrow_messages.py``, and one reader gets each of them from a source that always has what it reads.

The problem: in Arrow several rows may share the bytes of a text, by a dictionary or by views, so a
megabyte can stand for gigabytes. Rows and lengths are therefore checked before texts are made of
them; a dictionary is looked at once, and its texts are shared by the rows. No other column than
that of the ids is decoded.
"""

import io
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from oppserver.contract.columns import ID_COLUMN
from oppserver.contract.errors import Fault, MalformedBody
from oppserver.contract.identifiers import all_canonical, canonical_guid
from oppserver.contract.limits import ID_ARROW_BATCH_ROWS_MAX, ID_SHARED_TEXT_BYTES_MAX
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.formats.arrow_messages import (
    BATCH,
    DICTIONARY,
    SCHEMA,
    MalformedMessage,
    Message,
    Messages,
    check_bytes,
)
from oppserver.formats.id_lines import Arrived, BadId
from oppserver.formats.parquet import load

_ID_NAME: Final = ID_COLUMN.name

_VIEW_BYTES: Final = 16  # of a view: its length, then what is found by it. Source: Arrow, "Views"


class ArrowIds:
    """The column ``ProspectActivityId`` of a stream of record batches, or its only column."""

    def __init__(self) -> None:
        self._pa, _ = load()
        self._messages: Final = Messages()
        self._source: Final = _Source()
        self._reader: Any = None
        self._dictionary_bytes: Final[dict[int, int]] = {}
        self._known = _Known(None, [], is_canonical=False)
        self._rows = 0

    def feed(self, data: bytes) -> Arrived:
        """The ids of the record batches that are whole now."""
        ids: list[str] = []
        bad: list[BadId] = []
        try:
            for message in self._messages.feed(data):
                arrived = self._read(message)
                bad += [replace(one, at=one.at + len(ids)) for one in arrived.bad]
                ids += arrived.ids
        except MalformedMessage as error:
            raise self._malformed(error.what, error.hint) from None
        except (self._pa.ArrowException, OSError, ValueError) as error:
            raise self._malformed(f"it cannot be read: {error}", "Send it anew.") from None
        return Arrived(ids, bad)

    def end(self) -> Arrived:
        """Return nothing. Raises MalformedBody when the stream ends early or without a schema."""
        if self._messages.is_cut or self._reader is None:
            raise self._malformed("the stream ends before its end", "Send all of it.")
        return Arrived()

    # --- messages

    def _read(self, message: Message) -> Arrived:
        if message.kind == SCHEMA and self._reader is None:
            self._open(message)
            return Arrived()
        if message.kind not in (DICTIONARY, BATCH) or self._reader is None:
            raise MalformedMessage("this message has no place in a stream", "Send a stream.")
        if message.is_compressed:
            raise MalformedMessage("the record batch is compressed", "Send it as it is.")
        if message.kind == DICTIONARY:
            self._keep(message)
            return Arrived()
        return self._ids(message)

    def _open(self, message: Message) -> None:
        """Chooses the column of the ids. Only that one is decoded."""
        pa = self._pa
        schema = pa.ipc.read_schema(pa.py_buffer(message.data))
        try:
            names = schema.names
        except UnicodeDecodeError:
            raise MalformedMessage(
                "the name of a column is not UTF-8", f"Name the column {_ID_NAME}."
            ) from None
        if _ID_NAME not in names and len(names) != 1:
            raise MalformedMessage(
                f"there is no column {_ID_NAME}, and more than one other", f"Name one {_ID_NAME}."
            )
        if names.count(_ID_NAME) > 1:
            raise MalformedMessage(
                f"there are several columns {_ID_NAME}", "Send the one with the ids."
            )
        index = names.index(_ID_NAME) if _ID_NAME in names else 0
        self._check_type(schema.field(index).type)
        self._source.put(message.data)
        options = pa.ipc.IpcReadOptions(included_fields=[index])
        self._reader = pa.ipc.open_stream(self._source, options=options)

    def _check_type(self, asked: Any) -> None:
        types = self._pa.types
        kind = asked.value_type if types.is_dictionary(asked) else asked
        if getattr(kind, "extension_name", "") == "arrow.uuid":
            kind = kind.storage_type
        is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        if not is_text and not (types.is_fixed_size_binary(kind) and kind.byte_width == 16):
            raise MalformedMessage(
                f"the ids are {asked}, not text", "Send a text column, or GUIDs of 16 bytes."
            )

    def _keep(self, message: Message) -> None:
        """Hands a dictionary to the reader; all of them together are bounded."""
        if message.is_delta:
            raise MalformedMessage(
                "a dictionary is sent in parts (as deltas)", "Send each dictionary whole."
            )
        self._dictionary_bytes[message.dictionary] = len(message.data)
        check_bytes(sum(self._dictionary_bytes.values()))
        self._source.put(message.data)
        check_bytes(self._source.size)

    # --- rows

    def _ids(self, message: Message) -> Arrived:
        if not 0 <= message.rows <= ID_ARROW_BATCH_ROWS_MAX:
            raise MalformedMessage(
                f"a record batch has {message.rows} rows; {ID_ARROW_BATCH_ROWS_MAX} are taken",
                "Write smaller record batches, of 65536 rows for example.",
            )
        self._source.put(message.data)
        column = self._reader.read_next_batch().column(0)
        if len(column) != message.rows:
            raise MalformedMessage("a record batch has other rows than it says", "Send it anew.")
        first = self._rows + 1
        texts, is_canonical = self._texts(column)
        self._rows += len(texts)
        return Arrived(texts) if is_canonical else _one_by_one(texts, first)

    def _texts(self, column: Any) -> tuple[list[Any], bool]:
        """The text of each row, and whether all of them are ids in canonical form."""
        if not self._pa.types.is_dictionary(column.type):
            texts = self._plain_texts(column)
            return texts, None not in texts and all_canonical(texts)
        if not self._known.is_of(column.dictionary):
            known = self._plain_texts(column.dictionary)
            if any(text is not None and len(text) > ID_SHARED_TEXT_BYTES_MAX for text in known):
                raise _too_long("the dictionary")
            is_canonical = None not in known and all_canonical(known)
            self._known = _Known(column.dictionary, known, is_canonical=is_canonical)
        column.indices.validate(full=True)
        known, indices = self._known.texts, column.indices.to_pylist()
        if any(index is not None and not 0 <= index < len(known) for index in indices):
            raise MalformedMessage("a row has an index beyond its dictionary", "Send it anew.")
        texts = [None if index is None else known[index] for index in indices]
        return texts, self._known.is_canonical and None not in texts

    def _plain_texts(self, values: Any) -> list[Any]:
        """The values as text; the bytes of GUIDs as GUIDs. What rows share is not long."""
        if getattr(values.type, "extension_name", "") == "arrow.uuid":
            values = values.storage
        if self._pa.types.is_string_view(values.type):
            _check_views(values)
        values.validate(full=True)
        if self._pa.types.is_fixed_size_binary(values.type):
            return [None if one is None else _guid_of(one.hex()) for one in values.to_pylist()]
        texts: list[Any] = values.to_pylist()
        return texts

    def _malformed(self, what: str, hint: str) -> MalformedBody:
        return refusal(MalformedBody, [Fault(line=self._rows + 1, what=what, hint=hint)])


class _Known:
    """The texts of the dictionary of the last batch: most batches of a stream have the same one."""

    def __init__(self, dictionary: Any, texts: list[Any], *, is_canonical: bool) -> None:
        self._dictionary: Final = dictionary  # kept, so that its memory is not another's
        self.texts: Final = texts
        self.is_canonical: Final = is_canonical

    def is_of(self, dictionary: Any) -> bool:
        """Return true when a dictionary is the one of these texts: the same place in memory."""
        if self._dictionary is None:
            return False
        return _place(self._dictionary) == _place(dictionary)


class _Source(io.RawIOBase):
    """A file of the messages that are put into it, read to their end and forgotten."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0

    @property
    def size(self) -> int:
        """Bytes that were not read yet."""
        return len(self._data) - self._at

    def put(self, data: bytes) -> None:
        """Appends a message."""
        self._data, self._at = self._data[self._at :] + data, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        end = len(self._data) if size < 0 else self._at + size
        data, self._at = self._data[self._at : end], min(end, len(self._data))
        return data


def _place(array: Any) -> Sequence[object]:
    buffers = [None if one is None else (one.address, one.size) for one in array.buffers()]
    return [array.offset, len(array), *buffers]


def _check_views(values: Any) -> None:
    """Raises MalformedMessage when a text is long: any number of views may share its bytes."""
    buffer = values.buffers()[1]
    views = memoryview(b"" if buffer is None else buffer).cast("B")
    begin, end = values.offset * _VIEW_BYTES, (values.offset + len(values)) * _VIEW_BYTES
    if len(views) < end:
        raise MalformedMessage("a column is shorter than its rows", "Send it anew.")
    lengths = views[begin:end].cast("i")[:: _VIEW_BYTES // 4]
    long = [row for row, length in enumerate(lengths) if length > ID_SHARED_TEXT_BYTES_MAX]
    if any(values.slice(row, 1).null_count == 0 for row in long):  # of null rows they say nothing
        raise _too_long("a column of views")


def _too_long(where: str) -> MalformedMessage:
    return MalformedMessage(
        f"{where} has a text of more than {ID_SHARED_TEXT_BYTES_MAX} bytes, which is no id",
        "Send ids of 36 characters, or of 16 bytes.",
    )


def _guid_of(digits: str) -> str:
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)


def _one_by_one(texts: Sequence[str | None], first: int) -> Arrived:
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
