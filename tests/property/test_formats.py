"""Laws of the formats: whatever the values are, what is read back is what was there."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.contract.formats import Kind, Table, TableColumn, TableRows
from oppserver.formats.arrow import ArrowWriter
from oppserver.formats.csv import CsvWriter
from oppserver.formats.ndjson import ndjson_lines
from tests.property.laws import examples, texts

FIRST = "EventCode"
nasty = st.sampled_from(
    ['},{"EventCode":', '"},{"EventCode":"', "},{", '\\"},{\\"', "\r\n", ",", '"', "=x", "'", ""]
)
values = st.none() | nasty | texts()
rows = st.lists(st.tuples(values, values, values), max_size=6)


def table(*kinds: Kind) -> Table:
    names = ["ProspectActivityId", "a", "b"]
    columns = zip(names, kinds or [Kind.TEXT] * 3, strict=False)
    return Table(columns=tuple(TableColumn(name=name, kind=kind) for name, kind in columns))


def as_columns(some: list[tuple[str | None, ...]], of: Table) -> TableRows:
    turned = list(zip(*some, strict=True)) or [()] * len(of.columns)
    encoded = (msgspec.json.encode(column) for column in turned)
    names = [column.name for column in of.columns]
    return TableRows(count=len(some), columns=dict(zip(names, encoded, strict=False)))


def written(writer: CsvWriter | ArrowWriter, *some: TableRows) -> bytes:
    return b"".join([writer.begin(), *map(writer.rows, some), writer.end()])


@given(some=rows, entry=st.none() | st.integers(0, 99))
@examples(300)
def test_ndjson_is_the_rows_a_line_each(some: list[tuple[Any, ...]], entry: int | None) -> None:
    """Whatever looks like the end of a row in a value is only a value."""
    dicts = [{FIRST: "1", **dict(zip("abc", row, strict=True))} for row in some]
    before = b"" if entry is None else b'"Entry":%d,' % entry
    lines = ndjson_lines(msgspec.json.encode(dicts), first=FIRST, before=before)
    added = {} if entry is None else {"Entry": entry}
    assert [json.loads(line) for line in lines.decode().split("\n")[:-1]] == [
        {**added, **row} for row in dicts
    ]
    assert lines.count(b"\n") == len(dicts)


@given(some=rows, more=rows)
@examples(300)
def test_csv_is_read_back_by_another(some: list[Any], more: list[Any]) -> None:
    """By the standard library's reader, which is strict: each cell, null as empty."""
    of = table()
    body = written(
        CsvWriter(of, escapes_formulas=False), as_columns(some, of), as_columns(more, of)
    )
    header, *read = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
    assert header == [column.name for column in of.columns]
    assert read == [[value or "" for value in row] for row in some + more]


@given(some=rows)
@examples(200)
def test_no_cell_of_escaped_csv_begins_a_formula(some: list[Any]) -> None:
    """And what was no formula is as it was."""
    of = table()
    body = written(CsvWriter(of, escapes_formulas=True), as_columns(some, of))
    _, *read = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
    for row, cells in zip(some, read, strict=True):
        for value, cell in zip(row, cells, strict=True):
            assert not cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))  # noqa: RUF001 (as OWASP has it)
            assert cell in (value or "", f"'{value}")


@pytest.mark.parametrize("is_parquet", [False, True])
@given(some=rows, more=rows)
@examples(100)
def test_text_in_arrow_and_parquet_is_text(
    is_parquet: bool, some: list[Any], more: list[Any]
) -> None:
    """Null is null and empty is empty, over any number of batches."""
    of = table()
    body = written(
        ArrowWriter(of, is_parquet=is_parquet), as_columns(some, of), as_columns(more, of)
    )
    read = pq.read_table(io.BytesIO(body)) if is_parquet else pa.ipc.open_stream(body).read_all()
    assert [tuple(row.values()) for row in read.to_pylist()] == [*map(tuple, some + more)]


def decimals(largest: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(
        min_value=-largest, max_value=largest, places=places, allow_nan=False, allow_infinity=False
    )


numbers = decimals(10**29, 12) | decimals(10**9, 2)


def fits(number: Decimal) -> bool:
    decimals = format(number, "f").partition(".")[2].rstrip("0")
    return abs(number) < 10**28 and len(decimals) <= 10


@given(some=st.lists(numbers, min_size=1, max_size=5))
@examples(200)
def test_a_number_is_exact_or_null(some: list[Decimal]) -> None:
    """A value that decimal128(38, 10) cannot hold to the last digit is no other number."""
    of = table(Kind.TEXT, Kind.NUMBER)
    cells = as_columns([(str(n), format(number, "f")) for n, number in enumerate(some)], of)
    exact = [one if fits(one) else None for one in some]
    body = written(ArrowWriter(of, is_parquet=False), cells)
    assert pa.ipc.open_stream(body).read_all().column("a").to_pylist() == exact
