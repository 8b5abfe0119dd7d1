"""The columns of lists and searches: from a requested name to a column of a type, or of all types.

An opportunity's columns are named by schema name, or by display name where that is of one field
alone. Those of its lead have ``P_`` before the lead's own name (source: seen in requests of the
hosted search); some lists take a lead's names as they are, too.
"""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from oppserver.calls.shared.names import schema_names_shown_as
from oppserver.contract.columns import (
    CUSTOM_COLUMNS,
    LEAD,
    LIST_COLUMNS,
    SYSTEM_COLUMNS,
    Column,
    column_named,
    is_system,
    schema_name_of,
    slot_of,
    system_data_type,
)
from oppserver.contract.errors import LimitExceeded, UnknownColumn
from oppserver.contract.field_sets import fields_of_slots
from oppserver.contract.leads import lead_column_named, lead_names
from oppserver.contract.limits import LIST_COLUMNS_MAX
from oppserver.contract.model import Catalogue, Field
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import DATA_TYPES, status_field
from oppserver.store.queries import Ordering

LEAD_PREFIX: Final = "P_"

_LISTED: Final = MappingProxyType({column.name.casefold(): column for column in LIST_COLUMNS})

_CUSTOM: Final = MappingProxyType({column.name: column for column in CUSTOM_COLUMNS})


_ACTIVITY_TIME: Final = "activitytime"


class Scope(NamedTuple):
    """The type whose columns are meant, or all types (``event_code`` None).

    ``fields`` are in the order of columns. ``with_lead_names``: a lead's names need no ``P_``.
    ``renamed`` are system columns by other display names.
    """

    event_code: int | None
    fields: Sequence[Field]
    with_lead_names: bool = False
    renamed: Sequence[Field] = ()


def scope_of(
    catalogue: Catalogue, event_code: int | None, *, with_lead_names: bool = False
) -> Scope:
    """The columns of a type, in their sequence, or of all types, in the order of their slots."""
    if event_code is not None:
        fields = tuple(catalogue.fields.get(event_code, {}).values())
        renamed = tuple(catalogue.renamed.get(event_code, {}).values())
        return Scope(event_code, fields, with_lead_names, renamed)
    of_all = [field for fields in catalogue.fields.values() for field in fields.values()]
    of_all.sort(key=lambda field: slot_of(field.schema_name) or 0)
    renamed = tuple(one for some in catalogue.renamed.values() for one in some.values())
    return Scope(None, of_all, with_lead_names, renamed)


def custom_columns(scope: Scope) -> list[Column]:
    """The columns of all fields but members of sets, each once."""
    names = dict.fromkeys(field.schema_name for field in fields_of_slots(scope.fields))
    return [_CUSTOM[name] for name in names]


def columns_asked(names: Sequence[str], scope: Scope) -> list[Column]:
    """The columns of ``Include_CSV``, in order. Raises UnknownColumn or LimitExceeded."""
    if len(names) > LIST_COLUMNS_MAX:
        raise LimitExceeded(
            f"$.Columns.Include_CSV names {len(names)} columns; a row has at most"
            f" {LIST_COLUMNS_MAX}. Name fewer, each once."
        )
    return [_column_at(name, scope, place="$.Columns.Include_CSV") for name in names]


def distinct(columns: Iterable[Column]) -> tuple[Column, ...]:
    """The columns in order; of several with the same name, the first."""
    by_name: dict[str, Column] = {}
    for column in columns:
        by_name.setdefault(column.name, column)
    return tuple(by_name.values())


def ordering_of(sort_name: str | None, scope: Scope, *, is_descending: bool) -> Ordering:
    """The order of ``Sorting``; by ModifiedOn where it names no column. Raises UnknownColumn."""
    if sort_name is None:
        return Ordering(stored="modified_on", is_descending=is_descending)
    column = _column_at(sort_name, scope, place="$.Sorting.ColumnName")
    is_number = DATA_TYPES[field_of(column, scope).data_type].is_number
    return Ordering(stored=column.stored, is_descending=is_descending, is_number=is_number)


def condition_column_at(name: str, scope: Scope, *, place: str) -> Column:
    """The opportunity's own column that a condition names; ActivityTime is CreatedOn.

    Raises UnknownColumn with the place and the nearest names.
    """
    if name.strip().casefold() == _ACTIVITY_TIME:
        name = "CreatedOn"
    column = _own(name, scope) or _displayed(name, scope, place=place)
    if column is None:
        raise _unknown(name, scope, place=place)
    return column


def field_of(column: Column, scope: Scope) -> Field:
    """The field of a column, made up for system columns; text where types differ."""
    name = schema_name_of(column)
    defined = [field for field in scope.fields if field.schema_name == name]
    if defined and len({field.data_type for field in defined}) == 1:
        return defined[0]
    code = scope.event_code or 0
    if column.stored == "status":
        return status_field(code)
    return Field(
        event_code=code,
        schema_name=column.name,
        display_name=column.name,
        data_type=system_data_type(column),
    )


def _column_at(name: str, scope: Scope, *, place: str) -> Column:
    """An opportunity's column, or its lead's. A name that both have is the opportunity's."""
    column = _own(name, scope) or _of_lead(name, scope) or _displayed(name, scope, place=place)
    if column is None:
        raise _unknown(name, scope, place=place)
    return column


def _own(name: str, scope: Scope) -> Column | None:
    column = column_named(name) or _LISTED.get(name.strip().casefold())
    if column is None or is_system(column) or column.name.casefold() in _LISTED:
        return column
    schema_name = schema_name_of(column)
    has_field = any(field.schema_name == schema_name for field in scope.fields)
    return column if has_field else None


def _of_lead(name: str, scope: Scope) -> Column | None:
    stripped = name.strip()
    if stripped[:2].casefold() == LEAD_PREFIX.casefold():
        column = lead_column_named(stripped[2:])
        shown = column and LEAD_PREFIX + column.name
    elif scope.with_lead_names and slot_of(stripped) is None:
        column = lead_column_named(stripped)
        shown = column and column.name
    else:
        return None
    return Column(name=shown, stored=LEAD + column.stored) if column and shown else None


def _displayed(name: str, scope: Scope, *, place: str) -> Column | None:
    schema_names = schema_names_shown_as(name, (*scope.fields, *scope.renamed))
    if len(schema_names) > 1:
        raise UnknownColumn(
            f"{place}: {quoted(name.strip())} is what {' and '.join(schema_names)} are called."
            " Send one of these names."
        )
    return column_named(schema_names[0]) if schema_names else None


def _unknown(name: str, scope: Scope, *, place: str) -> UnknownColumn:
    stripped = name.strip()
    known = [column.name for column in (*SYSTEM_COLUMNS, *LIST_COLUMNS)]
    for field in (*scope.fields, *scope.renamed):
        known += (field.schema_name, field.display_name)
    if scope.with_lead_names:
        known += lead_names()
    code = "CODE" if scope.event_code is None else scope.event_code
    of = "of any type" if scope.event_code is None else f"of type {scope.event_code}"
    return UnknownColumn(
        f"{place}: {quoted(stripped)} is no column {of}.{did_you_mean(stripped, known)}"
        f" 'oppserver field add {code} mx_Custom_N' adds a field."
    )
