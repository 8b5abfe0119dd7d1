"""The columns that a call of ``/v1`` names in its query: all found, or all that are none named."""

from collections.abc import Iterable, Mapping, Sequence

from oppserver.contract.columns import (
    SYSTEM_COLUMNS,
    VERSION_COLUMN,
    Column,
    column_named,
    columns_of_row,
    first_of_stored,
    is_system,
)
from oppserver.contract.errors import Fault, UnknownColumn
from oppserver.contract.model import Field
from oppserver.contract.names import nearest, quoted
from oppserver.contract.problems import refusal


def columns_of_query(
    text: str, fields: Mapping[str, Field], *, event_code: int | None
) -> tuple[Column, ...]:
    """The columns of a row, named with commas between; none named: all that the type has.

    They begin with the three that every row has. ``event_code`` None: the fields are those of all
    types. Raises UnknownColumn with every name that is no column of the type, each with the nearest
    names, and with fields that are called so.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        return every_column(fields)
    columns = [_column(name, fields) for name in names]
    unknown = [name for name, column in zip(names, columns, strict=True) if column is None]
    if unknown:
        raise refusal(
            UnknownColumn,
            [_fault(name, fields, event_code=event_code) for name in dict.fromkeys(unknown)],
        )
    return columns_of_row(column for column in columns if column is not None)


def every_column(fields: Iterable[str]) -> tuple[Column, ...]:
    """All columns of a type, each under one name: the system's, then its fields in their order."""
    of_fields = (column_named(name) for name in fields)
    return columns_of_row(
        [
            *(column for column in SYSTEM_COLUMNS if column == first_of_stored(column)),
            *(column for column in of_fields if column is not None),
        ]
    )


def _column(name: str, fields: Mapping[str, Field]) -> Column | None:
    if name.casefold() == VERSION_COLUMN.name.casefold():
        return VERSION_COLUMN
    column = column_named(name)
    is_there = column is not None and (is_system(column) or column.name in fields)
    return column if is_there else None


def _fault(name: str, fields: Mapping[str, Field], *, event_code: int | None) -> Fault:
    near = _near(name, fields)
    mend = f"Did you mean {' or '.join(near)}?" if near else "Leave it out."
    kind = "any type" if event_code is None else f"type {event_code}"
    code = "CODE" if event_code is None else event_code
    return Fault(
        parameter="columns",
        what=f"{quoted(name)} is no column of {kind}",
        mend=f"{mend} 'oppserver field add {code} mx_Custom_N' adds a field.",
    )


def _near(name: str, fields: Mapping[str, Field]) -> Sequence[str]:
    """The nearest names; a field that is near by its display name stands with it."""
    shown = {column.name: column.name for column in (*SYSTEM_COLUMNS, VERSION_COLUMN)}
    for schema_name, field in fields.items():
        shown[schema_name] = schema_name
        shown[field.display_name] = f"{schema_name} ({field.display_name})"
    return list(dict.fromkeys(shown[one] for one in nearest(name, shown)))
