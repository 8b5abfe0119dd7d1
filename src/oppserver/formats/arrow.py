"""Tables of answers as Arrow and Parquet, by way of pyarrow."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import msgspec

from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.formats import Kind, Table, TableColumn, TableRows
from oppserver.contract.limits import NUMBER_DECIMALS_MAX, NUMBER_WHOLE_DIGITS_MAX
from oppserver.formats.parquet import RowGroups, load

if TYPE_CHECKING:
    from types import ModuleType

PARQUET_GROUP_ROWS: Final = 32_768
"""Rows of a row group. Ours: enough to be read fast, and some 20 MB while they are gathered."""

_DECODE: Final = msgspec.json.Decoder(list[str | None]).decode

_TRUE: Final = frozenset(("1", "true", "yes"))

_FALSE: Final = frozenset(("0", "false", "no"))


@cache
def has_arrow() -> bool:
    """Return true when the extra is installed."""
    return find_spec("pyarrow") is not None


@cache
def made_by() -> str:
    """The version of what writes these formats, which it also writes into them."""
    return f"pyarrow {version('pyarrow')}" if has_arrow() else "no pyarrow"


class _BatchWriter(Protocol):
    def write_batch(self, batch: Any) -> None: ...

    def note(self, about: Mapping[str, str]) -> None: ...

    def close(self) -> None: ...


class ArrowWriter:
    """Rows of a table as an Arrow stream, or as a Parquet file.

    ``begin`` once, ``rows`` as often as there are some, ``end`` once: what they return, joined, is
    the whole. A value that is not of its column's type is null: only a version before this one has
    stored it, or a pull from a host that did not refuse it.
    """

    def __init__(self, table: Table, *, is_parquet: bool) -> None:
        self._pa, _ = load()
        self._table: Final = table
        self._sink: Final = _Sink()
        self._schema: Final = _schema(self._pa, table)
        self._writer: _BatchWriter = (
            RowGroups(self._sink, self._schema, group_rows=PARQUET_GROUP_ROWS)
            if is_parquet
            else _Batches(self._pa, self._sink, self._schema)
        )

    def begin(self) -> bytes:
        """Return the bytes before all rows."""
        return self._sink.taken()

    def rows(self, rows: TableRows) -> bytes:
        """Some rows."""
        if rows.count:
            arrays = [self._array(column, rows) for column in self._table.columns]
            batch = self._pa.record_batch(arrays, schema=self._schema)
            self._writer.write_batch(batch)
        return self._sink.taken()

    def note(self, name: str, text: str) -> bytes:
        """Something to add behind the rows: in the last batch's metadata, or the footer's."""
        self._writer.note({name: text})
        return self._sink.taken()

    def end(self) -> bytes:
        """Return the bytes after all rows."""
        self._writer.close()
        return self._sink.taken()

    def _array(self, column: TableColumn, rows: TableRows) -> Any:
        json = rows.columns.get(column.name)
        if json is None:
            return self._pa.nulls(rows.count, _type(self._pa, column.kind))
        values = _DECODE(json)
        try:
            return _typed(self._pa, values, column.kind)
        except self._pa.ArrowInvalid:
            plain = [_plain(value, column.kind) for value in values]
            return _typed(self._pa, plain, column.kind)


class _Batches:
    """Record batches as a stream. A note is the metadata of a batch that has no rows."""

    def __init__(self, pa: "ModuleType", sink: "_Sink", schema: Any) -> None:
        self._empty: Final = pa.RecordBatch.from_pylist([], schema=schema)
        self._stream: Final = pa.ipc.new_stream(sink, schema)

    def write_batch(self, batch: Any) -> None:
        self._stream.write_batch(batch)

    def note(self, about: Mapping[str, str]) -> None:
        self._stream.write_batch(self._empty, custom_metadata=about)

    def close(self) -> None:
        self._stream.close()


def record_batches(pieces: Iterable[bytes], schema: Any) -> Iterator[Any]:
    """Record batches of a schema, by the bytes of each."""
    pa, _ = load()
    for piece in pieces:
        yield pa.ipc.read_record_batch(pa.py_buffer(piece), schema)


def arrow_file(file: BinaryIO, schema: Any) -> Any:
    """The writer of a file of record batches, closed by its ``with`` block."""
    pa, _ = load()
    return pa.ipc.new_file(file, schema)


class _Sink(io.RawIOBase):
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        self._written += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._written

    def taken(self) -> bytes:
        """Return the bytes written since the last call."""
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


def _schema(pa: "ModuleType", table: Table) -> Any:
    return pa.schema(
        [
            pa.field(
                column.name,
                _type(pa, column.kind),
                metadata={"display_name": column.display_name} if column.display_name else None,
            )
            for column in table.columns
        ]
    )


def _type(pa: "ModuleType", kind: Kind) -> Any:
    types: Mapping[Kind, Callable[[], Any]] = {
        Kind.TEXT: pa.string,
        Kind.INTEGER: pa.int64,
        Kind.NUMBER: lambda: pa.decimal128(
            NUMBER_WHOLE_DIGITS_MAX + NUMBER_DECIMALS_MAX, NUMBER_DECIMALS_MAX
        ),
        Kind.MOMENT: lambda: pa.timestamp("s", tz="UTC"),
        Kind.BOOLEAN: pa.bool_,
    }
    return types[kind]()


def _typed(pa: "ModuleType", values: Sequence[str | None], kind: Kind) -> Any:
    """Texts as an array of a type, all at once. Raises ArrowInvalid when one is not of it."""
    texts = pa.array(values, pa.string())
    if kind is Kind.TEXT:
        return texts
    if kind is Kind.MOMENT:  # a text without an offset is no moment to Arrow; ours are UTC
        return texts.cast(pa.timestamp("s")).cast(_type(pa, kind))
    return texts.cast(_type(pa, kind))


def _plain(value: str | None, kind: Kind) -> str | None:
    """A value in the one form that Arrow reads; None when it has none."""
    if value is None:
        return None
    try:
        return _PLAIN[kind](value)
    except ValueError:
        return None


def _plain_timestamp(value: str) -> str:
    return datetime_to_stored(value)


def _plain_boolean(value: str) -> str:
    word = value.lower()
    if word in _TRUE:
        return "1"
    if word in _FALSE:
        return "0"
    raise ValueError(value)


def _plain_number(value: str) -> str:
    pa, _ = load()
    try:
        pa.array([value], pa.string()).cast(_type(pa, Kind.NUMBER))
    except pa.ArrowInvalid:
        raise ValueError(value) from None
    return value


_PLAIN: Final[Mapping[Kind, Callable[[str], str]]] = {
    Kind.TEXT: str,
    Kind.INTEGER: str,
    Kind.NUMBER: _plain_number,
    Kind.MOMENT: _plain_timestamp,
    Kind.BOOLEAN: _plain_boolean,
}
