"""Parquet files, read and written by way of pyarrow, the extra ``oppserver[arrow]``.

Its import takes a third of a second and 60 MB, so it happens when it is first needed.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from oppserver.contract.errors import InvalidFile, InvalidInput
from oppserver.contract.limits import PARQUET_BATCH_BYTES

_GUID_BYTES: Final = 16

_STORED_DATE: Final = len("YYYY-MM-DD HH:MM:SS")

if TYPE_CHECKING:
    from types import ModuleType


def load() -> "tuple[ModuleType, ModuleType]":
    """pyarrow, and its module for Parquet. Raises InvalidInput when the extra is not installed."""
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to load)
        from pyarrow import parquet  # noqa: PLC0415 (as above)
    except ImportError:
        raise InvalidInput("Parquet needs pyarrow: pip install pyarrow") from None
    return pa, parquet


# --- reading -----------------------------------------------------------------------------------


class UnreadableRows(NamedTuple):
    """Rows in a row that cannot be read, and why."""

    number: int
    reason: str


class ParquetRows:
    """The rows of a file that is open."""

    def __init__(self, file: Any, fault: type[Exception]) -> None:
        self._file: Final = file
        self._faults: Final = (fault, OSError)
        self.names: Final[Sequence[str]] = file.schema_arrow.names

    def rows(self, *, batch_rows: int) -> Iterator[dict[str, Any] | UnreadableRows]:
        """Each row by name, in values of Python; ``batch_rows`` are in memory at once.

        Fewer are where rows are large. A text that many rows share, by a dictionary, is there once.
        The rest of a row group that is damaged is one UnreadableRows; the next group is read.
        """
        batch_size = min(batch_rows, self._rows_that_fit())
        for group in range(self._file.num_row_groups):
            left: int = self._file.metadata.row_group(group).num_rows
            reason = "the row group has fewer rows than it says"
            try:
                for batch in self._file.iter_batches(batch_size=batch_size, row_groups=[group]):
                    yield from self._rows_of(batch)
                    left -= batch.num_rows
            except self._faults as error:
                reason = f"the row group is damaged: {error}"
            if left > 0:
                yield UnreadableRows(left, reason)

    def _rows_of(self, batch: Any) -> Iterator[dict[str, Any] | UnreadableRows]:
        try:
            columns = [_values(column) for column in batch.columns]
        except (*self._faults, ValueError, OverflowError) as error:
            if batch.num_rows == 1:
                yield UnreadableRows(1, f"a value cannot be read: {error}")
                return
            half = batch.num_rows // 2
            for part in (batch.slice(0, half), batch.slice(half)):
                own = {n: _own(c) for n, c in zip(part.schema.names, part.columns, strict=True)}
                yield from self._rows_of(type(part).from_pydict(own))
        else:
            for values in zip(*columns, strict=True):
                yield dict(zip(self.names, values, strict=True))

    def _rows_that_fit(self) -> int:
        """Rows whose values, unpacked, have ``PARQUET_BATCH_BYTES``, by what the file says."""
        metadata = self._file.metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        largest = max(
            (-(-one.total_byte_size // max(one.num_rows, 1)) for one in groups), default=1
        )
        return max(1, PARQUET_BATCH_BYTES // max(largest, 1))


@contextmanager
def parquet_rows(path: Path) -> Iterator[ParquetRows]:
    """A file that is open while the block lasts.

    Raises InvalidFile when it cannot be read, and InvalidInput when the extra is not installed.
    """
    pa, parquet = load()
    try:
        with parquet.ParquetFile(path) as file:
            shared = _small_columns(file)
        with parquet.ParquetFile(
            path, read_dictionary=shared, page_checksum_verification=True
        ) as file:
            yield ParquetRows(file, pa.ArrowException)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidFile(f"{path} is no Parquet file: {error}") from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror or error}") from None


def _small_columns(file: Any) -> list[str]:
    """The columns that are small as the file has them, unpacked: their dictionaries are too.

    They are read as dictionaries, because a text in one may stand in any number of rows.
    """
    metadata = file.metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return [
        name
        for index, name in enumerate(metadata.schema.names)
        if all(one.column(index).total_uncompressed_size <= PARQUET_BATCH_BYTES for one in groups)
    ]


def _own(column: Any) -> Any:
    """A dictionary may hold texts of other rows: the values of these rows, without it."""
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column


def _values(column: Any) -> list[Any]:
    """The values of a column; those of a dictionary are made once.

    Dates are text, cut to seconds, in UTC; 16 bytes of fixed size, and UUIDs, are GUIDs. Raises
    ValueError for a date outside of the years 1 to 9999.
    """
    if not hasattr(column, "dictionary"):
        pa, _ = load()
        if getattr(column.type, "extension_name", "") == "arrow.uuid":
            column = column.storage
        if pa.types.is_fixed_size_binary(column.type) and column.type.byte_width == _GUID_BYTES:
            return [None if one is None else str(UUID(bytes=one)) for one in column.to_pylist()]
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            return _dates(pa, column)
        values: list[Any] = column.to_pylist()
        return values
    known = _values(column.dictionary)
    return [None if index is None else known[index] for index in column.indices.to_pylist()]


def _dates(pa: "ModuleType", column: Any) -> list[str | None]:
    from pyarrow import compute  # noqa: PLC0415 (an extra, and slow to load)

    if pa.types.is_timestamp(column.type):
        column = compute.floor_temporal(column, unit="second")
    texts: list[str | None] = (
        column.cast(pa.timestamp("s"), safe=False).cast(pa.string()).to_pylist()
    )
    for text in texts:
        if text is not None and (len(text) != _STORED_DATE or text.startswith("0000")):
            raise ValueError(f"the date {text} is not in the years 1 to 9999")
    return texts


# --- writing -----------------------------------------------------------------------------------


class RowGroups:
    """The one writer of Parquet files: record batches, gathered into row groups of some size.

    A file that is not closed has no footer, without which no reader opens it.
    """

    def __init__(
        self, file: Any, schema: Any, *, group_rows: int, has_checksums: bool = False
    ) -> None:
        self._pa, parquet = load()
        self._schema: Final = schema
        self._group_rows: Final = group_rows
        self._writer: Final = parquet.ParquetWriter(
            file, schema, compression="zstd", write_page_checksum=has_checksums
        )
        self._gathered: list[Any] = []
        self._rows = 0

    def write_batch(self, batch: Any) -> None:
        """Takes a batch; writes a row group when it is full."""
        self._gathered.append(batch)
        self._rows += batch.num_rows
        if self._rows >= self._group_rows:
            self.write_group()

    def write_group(self) -> None:
        """Writes what was gathered as a row group, an empty one when that is nothing."""
        group = self._pa.Table.from_batches(self._gathered, schema=self._schema)
        self._writer.write_table(group, row_group_size=self._rows or None)
        self._gathered, self._rows = [], 0

    def note(self, about: Mapping[str, str]) -> None:
        """Write a note behind the rows, in the footer."""
        self._writer.add_key_value_metadata(about)

    def close(self) -> None:
        """Writes the last row group, and the footer."""
        if self._rows:
            self.write_group()
        self._writer.close()


class ParquetRecords:
    """Rows that are mappings: a text column for each name.

    A column is of whole numbers where ``integers`` has its name, of UTC moments where ``moments``
    has it: their values are dates in the stored form.
    """

    def __init__(
        self,
        file: Any,
        names: Sequence[str],
        *,
        integers: Sequence[str],
        moments: Sequence[str] = (),
    ) -> None:
        self._pa, _ = load()
        kinds = dict.fromkeys(integers, self._pa.int64())
        self._texts: Final = self._pa.schema(
            [(name, kinds.get(name, self._pa.string())) for name in names]
        )
        kinds |= dict.fromkeys(moments, self._pa.timestamp("s", tz="UTC"))
        self._schema: Final = self._pa.schema(
            [(name, kinds.get(name, self._pa.string())) for name in names]
        )
        self._groups: Final = RowGroups(file, self._schema, group_rows=1, has_checksums=True)

    def write(self, rows: Sequence[Mapping[str, str | int]]) -> None:
        """Appends rows as a row group; what is not set is null."""
        batch = self._pa.RecordBatch.from_pylist(list(rows), schema=self._texts)
        columns = [
            column.cast(self._pa.timestamp("s")).cast(field.type)
            if texts.type != field.type
            else column
            for column, texts, field in zip(batch.columns, self._texts, self._schema, strict=True)
        ]
        self._groups.write_batch(self._pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Writes the end of the file."""
        self._groups.close()
