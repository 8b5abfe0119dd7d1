"""The messages of an Arrow stream, cut out of bytes as they come, and what their metadata says.

A message is a prefix, metadata and a body (arrow.apache.org, "Encapsulated message format"). Of the
metadata, a flatbuffer, a few numbers are read here, before anything is decoded: a small message can
declare buffers, rows or texts that become gigabytes.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from oppserver.contract.limits import ID_ARROW_BATCH_BYTES_MAX, ID_ARROW_METADATA_BYTES_MAX

SCHEMA, DICTIONARY, BATCH = 1, 2, 3  # of format/Message.fbs, MessageHeader

_CONTINUATION: Final = b"\xff\xff\xff\xff"

_PREFIX_BYTES: Final = 8

_HEADER_TYPE, _HEADER, _BODY_BYTES = 1, 2, 3  # fields of Message

_ROWS, _COMPRESSION = 0, 3  # fields of RecordBatch

_DICTIONARY_ID, _DICTIONARY_DATA, _IS_DELTA = 0, 1, 2  # fields of DictionaryBatch

_OLD_COMPRESSION: Final = b"ARROW:experimental_compression"
"""The form of writers before format version 1.0: in the message's own metadata."""


class MalformedMessage(Exception):
    """The bytes are no stream that can be taken: what is wrong, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what: Final = what
        self.hint: Final = hint


class Message(NamedTuple):
    """A whole message. ``rows`` are declared; of a dictionary its ``dictionary`` number is too."""

    kind: int
    data: bytes
    rows: int = 0
    dictionary: int = 0
    is_compressed: bool = False
    is_delta: bool = False


class Messages:
    """Cuts bytes into messages. What comes behind the end of the stream is passed over."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._whole_bytes = 0  # of the next message; 0 as long as its metadata is not there
        self._has_ended = False

    @property
    def is_cut(self) -> bool:
        """True when a message has begun and is not whole."""
        return bool(self._rest)

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that are whole now. Raises MalformedMessage."""
        self._rest += data
        while (whole := self._next()) is not None:
            yield whole

    def _next(self) -> Message | None:
        if self._has_ended:
            self._rest.clear()
        if len(self._rest) < max(_PREFIX_BYTES, self._whole_bytes):
            return None
        metadata_bytes = self._metadata_bytes()
        if metadata_bytes == 0:
            self._has_ended = True
            self._rest.clear()
            return None
        if len(self._rest) < _PREFIX_BYTES + metadata_bytes:
            return None
        metadata = bytes(self._rest[_PREFIX_BYTES : _PREFIX_BYTES + metadata_bytes])
        if not self._whole_bytes:  # looked at once, however small the pieces are that come
            body_bytes = _number(metadata, _root(metadata), _BODY_BYTES)
            check_bytes(body_bytes)
            self._whole_bytes = _PREFIX_BYTES + metadata_bytes + body_bytes
        if len(self._rest) < self._whole_bytes:
            return None
        data = bytes(self._rest[: self._whole_bytes])
        del self._rest[: self._whole_bytes]
        self._whole_bytes = 0
        return _message(metadata, data)

    def _metadata_bytes(self) -> int:
        if self._rest[:4] != _CONTINUATION:
            raise MalformedMessage(
                "this is no message of an Arrow stream",
                "Send the IPC stream format, not a file of Arrow, Feather or Parquet.",
            )
        (size,) = struct.unpack_from("<i", self._rest, 4)
        if not 0 <= size <= ID_ARROW_METADATA_BYTES_MAX:
            raise MalformedMessage(
                f"the metadata of a message has {size} bytes; {ID_ARROW_METADATA_BYTES_MAX} are"
                " taken",
                "Send the ids alone, or with fewer columns.",
            )
        return int(size)


def check_bytes(size: int) -> None:
    """Raises MalformedMessage when a message may not have this number of bytes."""
    if not 0 <= size <= ID_ARROW_BATCH_BYTES_MAX:
        raise MalformedMessage(
            f"a message has {size} bytes; {ID_ARROW_BATCH_BYTES_MAX} are taken",
            "Write smaller record batches, of 65536 rows for example.",
        )


def _message(metadata: bytes, data: bytes) -> Message:
    root = _root(metadata)
    kind = _number(metadata, root, _HEADER_TYPE, form="<B")
    if kind not in (DICTIONARY, BATCH):
        return Message(kind, data)
    header = batch = _inner(metadata, root, _HEADER)
    if kind == DICTIONARY:
        batch = _inner(metadata, header, _DICTIONARY_DATA)
    return Message(
        kind,
        data,
        rows=_number(metadata, batch, _ROWS),
        dictionary=_number(metadata, header, _DICTIONARY_ID) if kind == DICTIONARY else 0,
        is_compressed=_OLD_COMPRESSION in metadata or _field(metadata, batch, _COMPRESSION) != 0,
        is_delta=kind == DICTIONARY and bool(_number(metadata, header, _IS_DELTA, form="<B")),
    )


# --- flatbuffers (flatbuffers.dev, "Internals"): a table, its fields ---------------------------


def _root(metadata: bytes) -> int:
    return _table(metadata, 0)


def _inner(metadata: bytes, table: int, number: int) -> int:
    """Where the table is that a field of a table refers to."""
    return _table(metadata, _field(metadata, table, number))


def _table(metadata: bytes, place: int) -> int:
    return place + _unpacked("<I", metadata, place)


def _number(metadata: bytes, table: int, field: int, *, form: str = "<q") -> int:
    """The number that a field of a table has; 0 when it is not there."""
    place = _field(metadata, table, field)
    return _unpacked(form, metadata, place) if place else 0


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table is; 0 when it is not there."""
    index = table - _unpacked("<i", metadata, table)
    if 4 + 2 * number >= _unpacked("<H", metadata, index):
        return 0
    offset = _unpacked("<H", metadata, index + 4 + 2 * number)
    return table + offset if offset else 0


def _unpacked(form: str, metadata: bytes, place: int) -> int:
    """A number at a place. Raises MalformedMessage when the place is outside of the metadata."""
    try:
        if place >= 0:
            return int(struct.unpack_from(form, metadata, place)[0])
    except struct.error:
        pass
    raise MalformedMessage("a message's metadata is damaged", "Send it anew.")
