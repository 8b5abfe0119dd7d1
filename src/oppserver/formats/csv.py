"""CSV (RFC 4180): a header, commas, UTF-8. What is not set is an empty cell.

Columns are looked at as a whole first: most have nothing to quote. That takes less than half the
time of the standard library's writer, which looks at each cell.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from oppserver.contract.formats import Table, TableRows

_DECODE: Final = msgspec.json.Decoder(list[str | None]).decode

_WIDE: Final = ("＝", "＋", "－", "＠")  # noqa: RUF001 (it is these that are meant)

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", *_WIDE)
"""Characters that may start a formula in a spreadsheet. Source: OWASP, "CSV Injection"; the wide
forms are read as the others where such keyboards are used."""


def csv_header(names: Sequence[str]) -> bytes:
    """The first line of a file."""
    return _records([[name] for name in names])


def csv_rows(names: Sequence[str], rows: Sequence[Mapping[str, str | int]]) -> bytes:
    """The records of rows that are mappings."""
    return _records([[str(row.get(name, "")) for row in rows] for name in names])


class CsvWriter:
    """Rows of a table as CSV: ``begin`` once, ``rows`` as often as there are some."""

    def __init__(self, table: Table, *, escapes_formulas: bool) -> None:
        self._names: Final = [column.name for column in table.columns]
        self._escapes_formulas: Final = escapes_formulas

    def begin(self) -> bytes:
        """The header."""
        return csv_header(self._names)

    def rows(self, rows: TableRows) -> bytes:
        """The records of some rows."""
        return _records([self._cells(name, rows) for name in self._names]) if rows.count else b""

    def end(self) -> bytes:
        """Nothing: a file of CSV ends anywhere."""
        return b""

    def note(self, name: str, text: str) -> bytes:
        """A record that is no row: a name in the first cell, a text in the second."""
        empty = "," * (len(self._names) - 2)
        return f"{name},{_quoted(text)}{empty}\r\n".encode()

    def _cells(self, name: str, rows: TableRows) -> Sequence[str]:
        json = rows.columns.get(name)
        if json is None:
            return [""] * rows.count
        cells = [value or "" for value in _DECODE(json)]
        return [_harmless(cell) for cell in cells] if self._escapes_formulas else cells


def _records(columns: Sequence[Sequence[str]]) -> bytes:
    """Records, by the cells of each column."""
    quoted = [
        [_quoted(cell) for cell in cells] if _needs_quotes("".join(cells)) else cells
        for cells in columns
    ]
    lines = map(",".join, zip(*quoted, strict=True))
    return "".join(f"{line}\r\n" for line in lines).encode()


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _needs_quotes(text: str) -> bool:
    """Return true when a cell, or any of several that are joined, has to be quoted."""
    return "," in text or '"' in text or "\n" in text or "\r" in text


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _needs_quotes(cell) else cell
