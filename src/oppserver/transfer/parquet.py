"""Parquet files: rows in and out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidFile, InvalidInput, RejectedLine
from oppserver.formats.parquet import ParquetRecords, UnreadableRows, parquet_rows
from oppserver.transfer.files import EXPORT_PAGE_ROWS, STANDARD, Line
from oppserver.transfer.records import check_names


def read_parquet(path: Path) -> Iterator[Line]:
    """The rows of a file, a few thousand in memory at once; those that cannot be read, together."""
    if path == STANDARD:
        raise InvalidInput(
            "Parquet cannot be read from the standard input: it is read from its end."
        )
    with parquet_rows(path) as file:
        _check_names(file.names, path)
        number = 1
        for one in file.rows(batch_rows=EXPORT_PAGE_ROWS):
            if isinstance(one, UnreadableRows):
                last = number + one.number - 1
                yield Line(number, RejectedLine(one.reason), None, last, one.number)
                number += one.number
            else:
                yield Line(number, _plain(one), one)
                number += 1


def parquet_writer(file: BinaryIO, names: Sequence[str]) -> ParquetRecords:
    """Writes rows to a file: a text column for each name, and EventCode as a number."""
    return ParquetRecords(file, names, integers=["EventCode"])


def _check_names(names: Sequence[str], path: Path) -> None:
    try:
        check_names(names)
    except RejectedLine as error:
        raise InvalidFile(f"{path}, the columns: {error}") from None


def _plain(members: Mapping[str, Any]) -> dict[str, Any]:
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
