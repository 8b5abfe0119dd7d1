"""Parquet, by way of pyarrow, which comes with the extra ``oppserver[arrow]``."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidFile, InvalidInput, RejectedLine
from oppserver.contract.limits import EXPORT_PAGE_ROWS
from oppserver.transfer.files import STANDARD, Line
from oppserver.transfer.records import check_names

if TYPE_CHECKING:
    from types import ModuleType

_CODE: Final = "EventCode"


def read_parquet(path: Path) -> Iterator[Line]:
    """The rows of a file, a few thousand in memory at once."""
    arrow, parquet = _pyarrow()
    if path == STANDARD:
        raise InvalidInput(
            "Parquet cannot be read from the standard input: it is read from its end."
        )
    try:
        with parquet.ParquetFile(path) as file:
            _check_names(file.schema_arrow.names, path)
            number = 0
            for batch in file.iter_batches(batch_size=EXPORT_PAGE_ROWS):
                for members in batch.to_pylist():
                    number += 1
                    yield Line(number, _plain(members), members)
    except arrow.ArrowException as error:
        raise InvalidFile(f"{path} is no Parquet file: {error}") from None
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror or error}") from None


class ParquetWriter:
    """Writes rows to a file: a text column for each name, and EventCode as a number."""

    def __init__(self, file: BinaryIO, names: Sequence[str]) -> None:
        self._arrow, parquet = _pyarrow()
        self._schema = self._arrow.schema(
            [
                (name, self._arrow.int64() if name == _CODE else self._arrow.string())
                for name in names
            ]
        )
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Mapping[str, str | int]]) -> None:
        """Appends rows; what is not set is null."""
        self._writer.write_table(self._arrow.Table.from_pylist(list(rows), schema=self._schema))

    def close(self) -> None:
        """Writes the end of the file, without which it is none."""
        self._writer.close()


def _pyarrow() -> "tuple[ModuleType, ModuleType]":
    try:
        import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to load)
        from pyarrow import parquet  # noqa: PLC0415 (as above)
    except ImportError:
        raise InvalidInput(
            "Parquet needs the extra 'arrow': pip install 'oppserver[arrow]'"
        ) from None
    return pa, parquet


def _check_names(names: Sequence[str], path: Path) -> None:
    try:
        check_names(names)
    except RejectedLine as error:
        raise InvalidFile(f"{path}, the columns: {error}") from None


def _plain(members: Mapping[str, Any]) -> dict[str, Any] | RejectedLine:
    """Values of a typed file as a line has them."""
    return {name: _plain_value(value) for name, value in members.items()}


def _plain_value(value: object) -> object:
    if isinstance(value, datetime):
        return now_stored(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return f"{value.isoformat()} 00:00:00"
    if isinstance(value, (float, Decimal)):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value
