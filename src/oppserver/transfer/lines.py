"""The lines of files, in NDJSON, CSV or Parquet: each by its members, or with why it has none.

- NDJSON: one JSON object per line, in UTF-8. Blank lines are nothing; CRLF and a BOM are read.
- CSV (RFC 4180): commas, a first line of names, UTF-8, also with a BOM.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TextIO

import msgspec

from oppserver.contract.errors import InvalidFile, InvalidInput, RejectedLine
from oppserver.contract.limits import IN_ERROR_VALUE_CHARACTERS_MAX
from oppserver.contract.names import has_names, quoted, repeated_name
from oppserver.contract.values import literal_text
from oppserver.formats.parquet import UnreadableRows, parquet_rows
from oppserver.transfer.files import EXPORT_PAGE_ROWS, IMPORT_LINE_BYTES_MAX, STANDARD, Format, Line
from oppserver.transfer.records import check_names

_INDEX: Final = re.compile(r"|index|Unnamed: \d+|__index_level_\d+__|level_\d+")
"""Names that pandas gives its index in a file; in CSV it has none."""

_OTHER_SEPARATORS: Final = (";", "\t", "|")

_ESCAPES: Final = re.compile(rb"\\.", re.DOTALL)

_DECODER: Final = msgspec.json.Decoder(dict[str, Any])

# a float has 15 digits or so: the digits are kept as they are written
_DIGITS_DECODER: Final = msgspec.json.Decoder(dict[str, Any], float_hook=literal_text)


def read_lines(form: Format, path: Path, file: BinaryIO) -> Iterator[Line]:
    """The lines of a file that is open. Raises InvalidFile when it is something else altogether."""
    if form is Format.NDJSON:
        return read_ndjson(file, str(path))
    if form is Format.CSV:
        return read_csv(file, str(path))
    return read_parquet(path)


# --- NDJSON -------------------------------------------------------------------------------------


def read_ndjson(file: BinaryIO, name: str) -> Iterator[Line]:
    """The lines of a file. Raises InvalidFile when the file is something else altogether."""
    number = 0
    while raw := file.readline(IMPORT_LINE_BYTES_MAX + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(codecs.BOM_UTF8)
            _refuse_other_forms(raw, name)
        if len(raw) > IMPORT_LINE_BYTES_MAX:
            _skip_rest(file, raw)
            reason = RejectedLine(f"longer than {IMPORT_LINE_BYTES_MAX >> 20} MiB")
            yield Line(number, reason, raw[:IN_ERROR_VALUE_CHARACTERS_MAX] + "…".encode())
        elif not raw.isspace():
            yield Line(number, _members(raw), raw)


def _members(raw: bytes) -> dict[str, Any] | RejectedLine:
    try:
        members = _DECODER.decode(raw)
        kinds = list(map(type, members.values()))
        if float in kinds:
            members = _DIGITS_DECODER.decode(raw)
        if _quotes(raw) == 2 * (len(kinds) + kinds.count(str)):
            return members
        return _distinct(raw, members)
    except msgspec.ValidationError as error:
        return RejectedLine(f"a JSON object is expected: {error}")
    except msgspec.DecodeError as error:
        return RejectedLine(f"not JSON: {error}")
    except UnicodeDecodeError:
        return RejectedLine("not UTF-8")
    except RecursionError:
        return RejectedLine("nested too deeply")


def _quotes(raw: bytes) -> int:
    """Return the number of quotes around texts: two for each name and each text, if none is twice.

    A sixth of the time of ``has_names``.
    """
    quotes = raw.count(b'"')
    return quotes - _ESCAPES.findall(raw).count(b'\\"') if b"\\" in raw else quotes


def _distinct(raw: bytes, members: dict[str, Any]) -> dict[str, Any] | RejectedLine:
    """Return the members of a line, or the reason where it has a name twice."""
    if has_names(raw, len(members)):
        return members
    repeated = repeated_name(raw)
    return members if repeated is None else RejectedLine(f"{repeated[1:]} is there twice")


def _refuse_other_forms(first: bytes, name: str) -> None:
    if first.lstrip().startswith(b"["):
        raise InvalidFile(
            f"{name} is a JSON array. NDJSON has one object per line:"
            f" jq -c '.[]' {name} > lines.ndjson"
        )
    if b"prospectactivityid" in first.lower() and b":" not in first and b"," in first:
        raise InvalidFile(f"{name} seems to be CSV. Give --format csv.")
    if b"\0" in first and not first.lstrip().startswith(b"{"):  # else it is one damaged line
        raise InvalidFile(f"{name} is not a text file: its first line has zero bytes in it")


def _skip_rest(file: BinaryIO, piece: bytes) -> None:
    while piece and not piece.endswith(b"\n"):
        piece = file.readline(IMPORT_LINE_BYTES_MAX)


# --- CSV ----------------------------------------------------------------------------------------


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
    names = _names(records, name, lines)
    while True:
        lines.begin_record()
        try:
            cells = next(records)
        except StopIteration:
            break
        except csv.Error as error:
            yield lines.rejected(f"not CSV: {error}")
            continue
        if not any(cells):  # a blank line, or an empty row of a spreadsheet
            continue
        if len(cells) > len(names) and not any(cells[len(names) :]):
            cells = cells[: len(names)]
        if len(cells) == len(names):
            yield lines.record(dict(zip(names, cells, strict=True)))
        else:
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

    @property
    def place(self) -> str:
        """The line that was read last."""
        return f"line {self._number}"

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


def _names(records: Iterator[list[str]], name: str, lines: "_Lines") -> list[str]:
    """The names of the first line that has some; a spreadsheet may write commas behind them."""
    try:
        names = next((cells for cells in records if any(cells) and cells != ["sep=", ""]), [])
    except csv.Error as error:
        raise InvalidFile(f"{name}, {lines.place}: not CSV: {error}") from None
    while names and not names[-1]:
        names.pop()
    if names and names[0].startswith("{"):
        raise InvalidFile(f"{name} seems to be NDJSON. Give --format ndjson.")
    try:
        if names:
            check_names(names)
    except RejectedLine as error:
        said = f"{name}, {lines.place}, the names: {error}{_hint(names)}"
        raise InvalidFile(said) from None
    return names


def _hint(names: Sequence[str]) -> str:
    if index := [one for one in names if _INDEX.fullmatch(one)]:
        return _index_hint(index[0])
    if len(names) == 1:
        for separator in _OTHER_SEPARATORS:
            if separator in names[0]:
                return f" Its separator seems to be {separator!r}; a comma is read."
    return ""


def _index_hint(name: str) -> str:
    """A hint for a column that pandas has made of its index."""
    return (
        f" The column {quoted(name)} seems to be the index of a data frame: write the file with"
        " index=False."
    )


# --- Parquet ------------------------------------------------------------------------------------


def read_parquet(path: Path) -> Iterator[Line]:
    """The rows of a file, a few thousand in memory at once; those that cannot be read, together."""
    if path == STANDARD:
        raise InvalidInput(
            "Parquet cannot be read from the standard input: it is read from its end."
        )
    with parquet_rows(path) as file:
        try:
            check_names(file.names)
        except RejectedLine as error:
            index = next((one for one in file.names if _INDEX.fullmatch(one)), None)
            hint = "" if index is None else _index_hint(index)
            raise InvalidFile(f"{path}, the columns: {error}{hint}") from None
        number = 1
        for one in file.rows(batch_rows=EXPORT_PAGE_ROWS):
            if isinstance(one, UnreadableRows):
                last = number + one.number - 1
                yield Line(number, RejectedLine(one.reason), None, last, one.number)
                number += one.number
            else:
                yield Line(number, one, one)
                number += 1
