"""Parquet files of plain rows, by way of pyarrow."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from oppserver.contract.errors import InvalidFile
from oppserver.formats.arrow import load


class ParquetRows:
    """The rows of a file that is open."""

    def __init__(self, file: Any) -> None:
        self._file: Final = file
        self.names: Final[Sequence[str]] = file.schema_arrow.names

    def rows(self, *, batch_rows: int) -> Iterator[dict[str, Any]]:
        """Each row by name, in values of Python; ``batch_rows`` are in memory at once."""
        for batch in self._file.iter_batches(batch_size=batch_rows):
            yield from batch.to_pylist()


@contextmanager
def parquet_rows(path: Path) -> Iterator[ParquetRows]:
    """A file that is open while the block lasts.

    Raises InvalidFile when it cannot be read, and InvalidInput when the extra is not installed.
    """
    pa, parquet = load()
    try:
        with parquet.ParquetFile(path) as file:
            yield ParquetRows(file)
    except pa.ArrowException as error:
        raise InvalidFile(f"{path} is no Parquet file: {error}") from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror or error}") from None


class ParquetRecords:
    """Writes rows to a file: a text column for each name, a number where ``integers`` has it."""

    def __init__(self, file: BinaryIO, names: Sequence[str], *, integers: Sequence[str]) -> None:
        self._pa, parquet = load()
        self._schema = self._pa.schema(
            [(name, self._pa.int64() if name in integers else self._pa.string()) for name in names]
        )
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Mapping[str, str | int]]) -> None:
        """Appends rows; what is not set is null."""
        self._writer.write_table(self._pa.Table.from_pylist(list(rows), schema=self._schema))

    def close(self) -> None:
        """Writes the end of the file, without which it is none."""
        self._writer.close()
