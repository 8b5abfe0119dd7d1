"""CSV (RFC 4180): commas, a first line of names, UTF-8, also with a BOM."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final, Self, TextIO

from oppserver.contract.errors import InvalidFile, RejectedLine
from oppserver.contract.limits import IN_ERROR_VALUE_CHARACTERS_MAX
from oppserver.transfer.files import IMPORT_LINE_BYTES_MAX, Line
from oppserver.transfer.records import check_names

_OTHER_SEPARATORS: Final = (";", "\t", "|")


def read_csv(file: BinaryIO, name: str) -> Iterator[Line]:
    """Read the records of a file. Raises InvalidFile when its first line does not name the members.

    Every line of the file is in one record, or in one with the reason. A quote that is not
    closed takes in what follows: nobody can say where its record ends, so all these lines are
    rejected together.
    """
    # what is not UTF-8 becomes lone surrogates, which a record is rejected for, and not the file
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(IMPORT_LINE_BYTES_MAX)  # of the whole process; nothing else reads CSV
    lines = _Lines(text)
    records = csv.reader(lines, strict=True)
    names = _names(records, name)
    while True:
        lines.begin_record()
        try:
            cells = next(records)
        except StopIteration:
            break
        except csv.Error as error:
            yield lines.rejected(f"not CSV: {error}")
            continue
        if len(cells) == len(names):
            yield lines.record(dict(zip(names, cells, strict=True)))
        elif cells:
            has = f"has {len(cells)} cells, where the first line has {len(names)}"
            yield lines.rejected(has)
    text.detach()  # the file stays whose it is


class _Lines:
    """The lines of a text, for the reader of CSV; those of its present record are kept."""

    def __init__(self, text: TextIO) -> None:
        self._text: Final = text
        self._number = 0
        self._first = 1
        self._taken: list[str] = []
        self._characters = 0

    def begin_record(self) -> None:
        """The next line is the first of a record."""
        self._first = self._number + 1
        self._taken = []
        self._characters = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._text.readline(IMPORT_LINE_BYTES_MAX + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self._characters += len(line)
        if len(line) > IMPORT_LINE_BYTES_MAX:
            self._taken.append(f"{line[:IN_ERROR_VALUE_CHARACTERS_MAX]}…")
            self._skip_rest(line)
            raise csv.Error(f"a line is longer than {IMPORT_LINE_BYTES_MAX >> 20} MiB")
        self._taken.append(line)
        if self._characters > IMPORT_LINE_BYTES_MAX:
            raise csv.Error(f"a record is longer than {IMPORT_LINE_BYTES_MAX >> 20} MiB")
        return line

    def record(self, members: dict[str, str] | RejectedLine, *, records: int = 1) -> Line:
        """The present record, with its lines as they stand."""
        return Line(self._first, members, "".join(self._taken), self._number, records)

    def rejected(self, reason: str) -> Line:
        """Return the lines of a damaged record; each may be a record that it swallowed."""
        if len(self._taken) > 1:
            reason = f"{reason}; a quote in line {self._first} may not be closed"
        filled = sum(not line.isspace() for line in self._taken)
        return self.record(RejectedLine(reason), records=filled)

    def _skip_rest(self, piece: str) -> None:
        while piece and not piece.endswith(("\n", "\r")):
            piece = self._text.readline(IMPORT_LINE_BYTES_MAX)


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


def _joined(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
