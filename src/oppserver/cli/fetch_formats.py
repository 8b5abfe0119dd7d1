"""The files that ``fetch`` makes: from rows to a chunk's bytes, and from all chunks to a file.

Dates of CreatedOn and ModifiedOn are ``YYYY-MM-DD HH:MM:SS`` in CSV and NDJSON, moments in Parquet
and Arrow, where EventCode is a number; all else is text. What is not set is empty, left out, null.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, BinaryIO, Final

from oppserver.client.results import Arrow, answered_names
from oppserver.client.rows import Opportunity
from oppserver.contract.dates import to_stored
from oppserver.formats.arrow import arrow_file, record_batches
from oppserver.formats.csv import csv_header, csv_rows
from oppserver.formats.ndjson import ndjson_rows
from oppserver.formats.parquet import RowGroups
from oppserver.transfer.files import OutputFormat

_DATES: Final = ("CreatedOn", "ModifiedOn")

_ROW_GROUP_ROWS: Final = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """``chunk`` makes the bytes of rows, ``file`` writes a file of the bytes of all chunks."""

    chunk: Callable[[Sequence[Opportunity]], bytes]
    file: Callable[[BinaryIO, Iterator[bytes]], None]


def encoding_of(form: OutputFormat, columns: str) -> Encoding:
    """Return how rows with these columns become a file. Raises InvalidCall without pyarrow."""
    if form is OutputFormat.CSV:
        names = answered_names(columns)
        return Encoding(
            chunk=lambda rows: csv_rows(names, list(map(_record, rows))),
            file=lambda file, data: file.writelines(chain([csv_header(names)], data)),
        )
    if form is OutputFormat.NDJSON:
        return Encoding(
            chunk=lambda rows: ndjson_rows(list(map(_record, rows))),
            file=lambda file, data: file.writelines(data),
        )
    arrow = Arrow(columns)
    write = _parquet if form is OutputFormat.PARQUET else _arrow
    return Encoding(
        chunk=lambda rows: bytes(arrow.batch(rows).serialize()) if rows else b"",
        file=lambda file, data: write(file, data, arrow.schema()),
    )


# --- text --------------------------------------------------------------------------------------


def _record(row: Opportunity) -> dict[str, str | int]:
    """Return the values of a row that are set; dates sort, or stay as they came if malformed."""
    record: dict[str, str | int] = {name: value for name, value in row.items() if value is not None}
    for name in _DATES:
        if name in record:
            record[name] = _sortable(str(record[name]))
    return record


def _sortable(text: str) -> str:
    try:
        return to_stored(text)
    except ValueError:
        return text


# --- Arrow -------------------------------------------------------------------------------------


def _arrow(file: BinaryIO, data: Iterator[bytes], schema: Any) -> None:
    with arrow_file(file, schema) as writer:
        for batch in record_batches(data, schema):
            writer.write_batch(batch)


def _parquet(file: BinaryIO, data: Iterator[bytes], schema: Any) -> None:
    groups = RowGroups(file, schema, group_rows=_ROW_GROUP_ROWS, has_checksums=True)
    for batch in record_batches(data, schema):
        groups.write_batch(batch)
    groups.write_group()
    groups.close()
