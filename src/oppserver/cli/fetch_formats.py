"""The files that ``fetch`` makes: from rows to a chunk's bytes, and from all chunks to a file.

Dates of CreatedOn and ModifiedOn are ``YYYY-MM-DD HH:MM:SS`` in CSV and NDJSON, moments in Parquet
and Arrow, where EventCode is a number; all else is text. What is not set is empty, left out, null.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from oppserver.cli.fetch import OutputFormat
from oppserver.client.results import Arrow, answered_names
from oppserver.client.rows import Opportunity
from oppserver.contract.dates import to_stored
from oppserver.contract.errors import InvalidInput
from oppserver.transfer.csv_files import write_csv, write_csv_header
from oppserver.transfer.ndjson import write_ndjson

_DATES: Final = ("CreatedOn", "ModifiedOn")

_ROW_GROUP_ROWS: Final = 50_000

_FORMATS: Final = {
    ".csv": OutputFormat.CSV,
    ".ndjson": OutputFormat.NDJSON,
    ".jsonl": OutputFormat.NDJSON,
    ".parquet": OutputFormat.PARQUET,
    ".arrow": OutputFormat.ARROW,
}

_TEXTS: Final = (OutputFormat.CSV, OutputFormat.NDJSON)


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """``chunk`` makes the bytes of rows, ``file`` writes a file of the bytes of all chunks."""

    chunk: Callable[[Sequence[Opportunity]], bytes]
    file: Callable[[BinaryIO, Iterator[bytes]], None]


def output_format(path: Path, given: OutputFormat | None) -> OutputFormat:
    """The format that was given, or the one that the file's name says. Raises InvalidInput."""
    name = path.name.lower()
    bare = name.removesuffix(".gz").removesuffix(".zst")
    found = given or _FORMATS.get(Path(bare).suffix)
    if found is None:
        raise InvalidInput(
            f"The name {path.name} does not say what is to be in the file. Give --format"
            f" {', '.join(OutputFormat)}, or a name that ends in {', '.join(_FORMATS)}."
        )
    if bare != name and found not in _TEXTS:
        raise InvalidInput(f"A file of {found} is packed inside. Give a name without .gz or .zst.")
    return found


def encoding_of(form: OutputFormat, columns: str) -> Encoding:
    """Return how rows with these columns become a file. Raises InvalidCall without pyarrow."""
    names = answered_names(columns)
    if form is OutputFormat.CSV:
        return Encoding(
            chunk=lambda rows: _csv(names, rows), file=lambda file, data: _joined(file, data, names)
        )
    if form is OutputFormat.NDJSON:
        return Encoding(chunk=_ndjson, file=lambda file, data: _joined(file, data, None))
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


def _csv(names: Sequence[str], rows: Sequence[Opportunity]) -> bytes:
    buffer = io.BytesIO()
    write_csv(buffer, names, [_record(row) for row in rows])
    return buffer.getvalue()


def _ndjson(rows: Sequence[Opportunity]) -> bytes:
    buffer = io.BytesIO()
    write_ndjson(buffer, [_record(row) for row in rows])
    return buffer.getvalue()


def _joined(file: BinaryIO, data: Iterator[bytes], header: Sequence[str] | None) -> None:
    if header is not None:
        write_csv_header(file, header)
    file.writelines(data)


# --- Arrow -------------------------------------------------------------------------------------


def _batches(data: Iterator[bytes], schema: Any) -> Iterator[Any]:
    import pyarrow as pa  # noqa: PLC0415 (an extra, and slow to load)

    for piece in data:
        yield pa.ipc.read_record_batch(pa.py_buffer(piece), schema)


def _arrow(file: BinaryIO, data: Iterator[bytes], schema: Any) -> None:
    import pyarrow as pa  # noqa: PLC0415 (as above)

    with pa.ipc.new_file(file, schema) as writer:
        for batch in _batches(data, schema):
            writer.write_batch(batch)


def _parquet(file: BinaryIO, data: Iterator[bytes], schema: Any) -> None:
    import pyarrow as pa  # noqa: PLC0415 (as above)
    from pyarrow import parquet  # noqa: PLC0415 (as above)

    with parquet.ParquetWriter(
        file, schema, compression="zstd", write_page_checksum=True
    ) as writer:
        waiting: list[Any] = []
        for batch in _batches(data, schema):
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(waiting, schema=schema))
                waiting = []
        writer.write_table(pa.Table.from_batches(waiting, schema=schema))
