"""The table of a plan's rows in typed formats: its columns, its rows, its writer."""

from collections.abc import Sequence
from typing import Final

import msgspec

from oppserver.contract.columns import (
    EVENT_CODE_COLUMN,
    VERSION_COLUMN,
    Column,
    is_system,
    schema_name_of,
    system_data_type,
)
from oppserver.contract.formats import Format, Kind, Table, TableColumn, TableRows, Wanted
from oppserver.contract.model import Catalogue
from oppserver.contract.values import DATA_TYPES
from oppserver.formats.arrow import ArrowWriter
from oppserver.formats.csv import CsvWriter
from oppserver.store.queries import Plan, RenderedColumns

ENTRY_COLUMN: Final = TableColumn(name="Entry", kind=Kind.INTEGER)
"""The entry of a row, from 0; only where there are several."""

_INTEGERS: Final = frozenset({EVENT_CODE_COLUMN.stored, VERSION_COLUMN.stored})
"""The stored names of system columns of whole numbers, which no data type of fields is."""


def with_event_codes(plan: Plan) -> Plan:
    """The plan with the event code as the first column: rows outside of entries need it."""
    return msgspec.structs.replace(
        plan,
        entries=tuple(
            msgspec.structs.replace(
                entry,
                columns=(
                    EVENT_CODE_COLUMN,
                    *(column for column in entry.columns if column != EVENT_CODE_COLUMN),
                ),
            )
            for entry in plan.entries
        ),
    )


def table_of_plan(plan: Plan, catalogue: Catalogue, wanted: Wanted) -> Table | None:
    """The table of a bulk read's rows; None in formats where rows are objects."""
    if not wanted.format.is_table:
        return None
    return _tabulate(
        [(entry.event_code, entry.columns) for entry in plan.entries],
        catalogue,
        first=(ENTRY_COLUMN,) if len(plan.entries) > 1 else (),
        types_are_text=wanted.types_are_text,
    )


def _tabulate(
    columns_by_type: Sequence[tuple[int, Sequence[Column]]],
    catalogue: Catalogue,
    *,
    first: Sequence[TableColumn],
    types_are_text: bool,
) -> Table:
    """The table of rows of several types: each column once, in the order of the entries.

    ``columns_by_type``: event codes and the columns of their rows. A column whose kinds differ
    between types is text.
    """
    merged: dict[str, TableColumn] = {}
    for event_code, columns in columns_by_type:
        for column in columns:
            one = _typed(column, event_code, catalogue)
            merged[one.name] = _both(merged.get(one.name, one), one)
    typed = (*first, *merged.values())
    if types_are_text:
        typed = tuple(TableColumn(name=one.name, display_name=one.display_name) for one in typed)
    return Table(columns=typed)


def table_rows(plan: Plan, rendered: Sequence[RenderedColumns]) -> list[TableRows]:
    """The rows of a bulk read as rows of its table, an item for each entry."""
    return [
        TableRows(
            count=one.count,
            columns={
                ENTRY_COLUMN.name: _repeated(f'"{index}"', one.count),
                **dict(zip((c.name for c in entry.columns), one.columns, strict=True)),
            },
        )
        for index, (entry, one) in enumerate(zip(plan.entries, rendered, strict=True))
    ]


def _repeated(json: str, count: int) -> bytes:
    return f"[{','.join([json] * count)}]".encode()


def _typed(column: Column, event_code: int, catalogue: Catalogue) -> TableColumn:
    if column.stored in _INTEGERS:
        return TableColumn(name=column.name, kind=Kind.INTEGER)
    if is_system(column):
        schema_name = "ActivityEvent_Note" if column.stored == "note" else column.name
        renamed = catalogue.renamed.get(event_code, {}).get(schema_name)
        return TableColumn(
            name=column.name,
            kind=DATA_TYPES[system_data_type(column)].kind,
            display_name=renamed.display_name if renamed else None,
        )
    field = catalogue.fields[event_code][schema_name_of(column)]
    return TableColumn(
        name=column.name, kind=DATA_TYPES[field.data_type].kind, display_name=field.display_name
    )


def _both(one: TableColumn, other: TableColumn) -> TableColumn:
    """Merge the columns that two types have under one name."""
    return TableColumn(
        name=one.name,
        kind=one.kind if one.kind is other.kind else Kind.TEXT,
        display_name=one.display_name if one.display_name == other.display_name else None,
    )


TableWriter = CsvWriter | ArrowWriter


def table_writer(wanted: Wanted, table: Table) -> TableWriter:
    """The writer of a table in the wanted format."""
    if wanted.format is Format.CSV:
        return CsvWriter(table, escapes_formulas=wanted.escapes_formulas)
    return ArrowWriter(table, is_parquet=wanted.format is Format.PARQUET)
