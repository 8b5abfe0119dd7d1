"""Comparisons as callers write them: the operator, and the operand by the column's data type."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.dates import Span
from oppserver.contract.errors import InvalidValue, MissingAttribute
from oppserver.contract.identifiers import canonical_guid, guid_at
from oppserver.contract.model import Field
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import DATA_TYPES
from oppserver.store.queries import ColumnCondition, Comparison, ConditionGroup

OPERATORS: Final[Mapping[str, Comparison]] = MappingProxyType(
    {
        "eq": Comparison.EQUAL,
        "=": Comparison.EQUAL,
        "neq": Comparison.NOT_EQUAL,
        "noteq": Comparison.NOT_EQUAL,
        "ne": Comparison.NOT_EQUAL,
        "<>": Comparison.NOT_EQUAL,
        "!=": Comparison.NOT_EQUAL,
        "lt": Comparison.LESS,
        "<": Comparison.LESS,
        "lte": Comparison.LESS_OR_EQUAL,
        "le": Comparison.LESS_OR_EQUAL,
        "<=": Comparison.LESS_OR_EQUAL,
        "gt": Comparison.GREATER,
        ">": Comparison.GREATER,
        "gte": Comparison.GREATER_OR_EQUAL,
        "ge": Comparison.GREATER_OR_EQUAL,
        ">=": Comparison.GREATER_OR_EQUAL,
        "between": Comparison.BETWEEN,
        "contains": Comparison.CONTAINS,
        "like": Comparison.CONTAINS,
        "begins": Comparison.BEGINS,
        "beginswith": Comparison.BEGINS,
        "startswith": Comparison.BEGINS,
        "isnull": Comparison.IS_NULL,
        "null": Comparison.IS_NULL,
        "isnotnull": Comparison.IS_NOT_NULL,
        "notnull": Comparison.IS_NOT_NULL,
    }
)
"""Operators by what callers call them, in lower case."""

WITHOUT_OPERAND: Final = frozenset({Comparison.IS_NULL, Comparison.IS_NOT_NULL})

_OF_TEXT: Final = frozenset({Comparison.CONTAINS, Comparison.BEGINS})

_BETWEEN_ENDS: Final = re.compile(r"(?<=\s)TO(?=\s)", re.IGNORECASE)

_GUIDS: Final = frozenset({"id", "lead_id", "owner_id"})

_MAYBE_GUIDS: Final = frozenset({"created_by", "modified_by"})


def comparison_named(operator: str, *, place: str) -> Comparison:
    """The comparison of an operator, in any case. Raises InvalidValue with the known ones."""
    found = OPERATORS.get(operator.strip().lower())
    if found is None:
        names = [comparison.value for comparison in Comparison]
        raise InvalidValue(
            f"{place}: {quoted(operator)} is no operator.{did_you_mean(operator, names)} Known:"
            f" {', '.join(names)}."
        )
    return found


def condition_of(
    column: Column, field: Field, comparison: Comparison, operand: str | None, *, place: str
) -> ColumnCondition | ConditionGroup:
    """Return the condition of a comparison, by its field's data type.

    ``place`` is the place of the operand.

    Raises MissingAttribute, InvalidValue or InvalidFieldValue.
    """
    stored = _looked_up(column.stored, comparison)
    is_number = DATA_TYPES[field.data_type].is_number
    if comparison in WITHOUT_OPERAND:
        return ColumnCondition(stored=stored, comparison=comparison, is_number=is_number)
    operands = _operands(comparison, operand, place=place)
    if comparison in _OF_TEXT:
        return ColumnCondition(stored=stored, comparison=comparison, values=operands)
    spans = [_span(text, column, field, place=place) for text in operands]
    return _of_spans(stored, comparison, spans, is_number=is_number)


def _looked_up(stored: str, comparison: Comparison) -> str:
    """Return the column to search: an address is found among the leads, where it has an index."""
    return "lead.email" if (stored, comparison) == ("lead_email", Comparison.EQUAL) else stored


def _operands(comparison: Comparison, operand: str | None, *, place: str) -> tuple[str, ...]:
    if operand is None or not operand.strip():
        raise MissingAttribute(
            f"{place} is mandatory with the operator {comparison.value}; isnull finds what is not"
            " set"
        )
    if comparison is not Comparison.BETWEEN:
        return (operand,)
    ends = [end.strip() for end in _BETWEEN_ENDS.split(operand)]
    if len(ends) != 2 or not all(ends):
        raise InvalidValue(
            f"{place}: {quoted(operand)} is not a span. BETWEEN needs two values: 'A TO B'."
        )
    return ends[0], ends[1]


def _span(text: str, column: Column, field: Field, *, place: str) -> Span:
    """The stored values that an operand means: ids in canonical form, else by the data type."""
    if column.stored in _GUIDS:
        guid = guid_at(text, place=place)
    elif column.stored in _MAYBE_GUIDS:
        guid = canonical_guid(text) or text
    else:
        return DATA_TYPES[field.data_type].operand(text, field, place)
    return Span(guid, guid)


def _of_spans(
    stored: str, comparison: Comparison, spans: list[Span], *, is_number: bool
) -> ColumnCondition | ConditionGroup:
    """Compare with one value, or with a span like a day, which has a first and a last second."""
    first, last = spans[0].first, spans[-1].last

    def one(comparison: Comparison, *values: str) -> ColumnCondition:
        return ColumnCondition(
            stored=stored, comparison=comparison, values=values, is_number=is_number
        )

    if first == last and len(spans) == 1:
        return one(comparison, first)
    match comparison:
        case Comparison.NOT_EQUAL:
            outside = (
                one(Comparison.LESS, first),
                one(Comparison.GREATER, last),
                one(Comparison.IS_NULL),
            )
            return ConditionGroup(members=outside, is_any=True)
        case Comparison.LESS | Comparison.GREATER_OR_EQUAL:
            return one(comparison, first)
        case Comparison.GREATER | Comparison.LESS_OR_EQUAL:
            return one(comparison, last)
        case _:
            return one(Comparison.BETWEEN, first, last)
