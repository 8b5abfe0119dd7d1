"""CSV (RFC 4180): commas, a first line of names, UTF-8, also with a BOM."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final

from oppserver.contract.errors import InvalidFile, RejectedLine
from oppserver.transfer.files import IMPORT_LINE_BYTES_MAX, Line
from oppserver.transfer.records import check_names

_OTHER_SEPARATORS: Final = (";", "\t", "|")


def read_csv(file: BinaryIO, name: str) -> Iterator[Line]:
    """The records of a file. Raises InvalidFile when its first line does not name the members."""
    # what is not UTF-8 becomes lone surrogates, which a record is rejected for, and not the file
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(IMPORT_LINE_BYTES_MAX)  # of the whole process; nothing else reads CSV
    records = csv.reader(text, strict=True)
    names = _names(records, name)
    while True:
        number = records.line_num + 1
        try:
            cells = next(records)
        except StopIteration:
            break
        except csv.Error as error:
            yield Line(number, RejectedLine(f"not CSV: {error}"), "")
            continue
        if cells:
            yield Line(number, _members(names, cells), _joined(cells))
    text.detach()  # the file stays whose it is


def write_csv_header(file: BinaryIO, names: Sequence[str]) -> None:
    """Starts a file: the first line."""
    file.write(_joined(names).encode())


def write_csv(
    file: BinaryIO, names: Sequence[str], rows: Sequence[Mapping[str, str | int]]
) -> None:
    """Appends rows; what is not set is an empty cell."""
    text = io.StringIO()
    csv.writer(text).writerows([row.get(name, "") for name in names] for row in rows)
    file.write(text.getvalue().encode())


def _names(records: Iterator[list[str]], name: str) -> list[str]:
    try:
        names = next(records, None)
    except csv.Error as error:
        raise InvalidFile(f"{name}, line 1: not CSV: {error}") from None
    if names is None:
        return []
    try:
        check_names(names)
    except RejectedLine as error:
        raise InvalidFile(f"{name}, line 1, the names: {error}{_hint(names)}") from None
    return names


def _hint(names: Sequence[str]) -> str:
    if len(names) == 1:
        for separator in _OTHER_SEPARATORS:
            if separator in names[0]:
                return f" Its separator seems to be {separator!r}; a comma is read."
    return ""


def _members(names: Sequence[str], cells: Sequence[str]) -> dict[str, str] | RejectedLine:
    if len(cells) != len(names):
        return RejectedLine(f"has {len(cells)} cells, where the first line has {len(names)}")
    return dict(zip(names, cells, strict=True))


def _joined(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
