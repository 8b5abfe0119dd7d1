"""CSV (RFC 4180): a header, commas, UTF-8. What is not set is an empty cell."""

import csv
import io
from collections.abc import Sequence
from typing import Final

import msgspec

from oppserver.contract.formats import Table, TableRows

_DECODE: Final = msgspec.json.Decoder(list[str | None]).decode

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""What a spreadsheet may take for the start of a formula. Source: OWASP, "CSV Injection"; the wide
forms are read as the others where such keyboards are used."""


class CsvWriter:
    """Rows of a table as CSV: ``begin`` once, ``rows`` as often as there are some."""

    def __init__(self, table: Table, *, escapes_formulas: bool) -> None:
        self._names: Final = [column.name for column in table.columns]
        self._escapes_formulas: Final = escapes_formulas

    def begin(self) -> bytes:
        """The header."""
        return _records([self._names])

    def rows(self, rows: TableRows) -> bytes:
        """The records of some rows."""
        if rows.count == 0:
            return b""
        cells = [self._cells(name, rows) for name in self._names]
        return _records(list(zip(*cells, strict=True)))

    def end(self) -> bytes:
        """Nothing: a file of CSV ends anywhere."""
        return b""

    def _cells(self, name: str, rows: TableRows) -> Sequence[str | None]:
        json = rows.columns.get(name)
        if json is None:
            return [None] * rows.count
        cells = _DECODE(json)
        return [_harmless(cell) for cell in cells] if self._escapes_formulas else cells


def _harmless(cell: str | None) -> str | None:
    return f"'{cell}" if cell and cell.startswith(_FORMULA_STARTS) else cell


def _records(records: Sequence[Sequence[str | None]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(records)
    return text.getvalue().encode()
