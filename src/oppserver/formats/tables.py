"""The formats that this installation can answer in, and the writer of each that is a table."""

from collections.abc import Sequence

from oppserver.contract.formats import ARROW_FORMATS, Format, Table, Wanted
from oppserver.formats.arrow import ArrowWriter, has_arrow
from oppserver.formats.csv import CsvWriter

TableWriter = CsvWriter | ArrowWriter


def formats_here(text_formats: Sequence[Format]) -> Sequence[Format]:
    """The formats of a call: those of text, then, where they are installed, those of Arrow."""
    return [*text_formats, *(ARROW_FORMATS if has_arrow() else ())]


def table_writer(wanted: Wanted, table: Table) -> TableWriter:
    """What writes the rows of a table as they are wanted."""
    if wanted.format is Format.CSV:
        return CsvWriter(table, escapes_formulas=wanted.escapes_formulas)
    return ArrowWriter(table, is_parquet=wanted.format is Format.PARQUET)
