"""Comparisons as callers write them: the operator, and the operand by the column's data type.

The pages of the hosted service write operands that people do not: several values in one text, and
names of spans of days.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.dates import Span, span_of
from oppserver.contract.errors import InvalidValue, MissingAttribute
from oppserver.contract.identifiers import canonical_guid, guid_at
from oppserver.contract.model import DataType, Field
from oppserver.contract.names import did_you_mean, encodings, quoted
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

_GUIDS: Final = frozenset({"id", "lead_id", "opportunity_id", "owner_id"})

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


_VALUES: Final = re.compile(r"MXDATASEP[EA]RATOR")
"""Joins several values in one operand. Spelled with an E by the hosted service (observed)."""

_JOINED: Final[Mapping[Comparison, bool]] = MappingProxyType(
    {
        Comparison.EQUAL: True,
        Comparison.CONTAINS: True,
        Comparison.BEGINS: True,
        Comparison.NOT_EQUAL: False,
    }
)
"""The comparisons that take several values: whether one of them is enough, or all have to hold."""


def values_in(operand: str) -> list[str]:
    """The values that an operand of an advanced search has, without blank ones."""
    return [one for one in _VALUES.split(operand) if one.strip()]


def searched_condition_of(
    column: Column,
    field: Field,
    comparison: Comparison,
    operand: str | None,
    *,
    place: str,
    today: date,
) -> ColumnCondition | ConditionGroup:
    """Return the condition of a row of an advanced search; one without members limits nothing.

    As ``condition_of``, with several values joined by MXDATASEPERATOR, and the time options of a
    date. An empty date limits nothing either (source: seen in requests of the hosted pages).
    ``today`` is the day in UTC.
    """
    is_date = field.data_type is DataType.DATE_TIME
    if is_date and operand is not None and not operand.strip():
        return ConditionGroup()
    values = values_in(operand or "")
    if len(values) < 2 or comparison in WITHOUT_OPERAND:
        value = values[0] if values else None
        return _of_value(column, field, comparison, value, place=place, today=today)
    is_any = _JOINED.get(comparison)
    if is_any is None:
        raise InvalidValue(
            f"{place} has {len(values)} values, and {comparison.value} compares with one. Send one,"
            f" or one of the operators {', '.join(_JOINED)}."
        )
    members = tuple(
        _of_value(column, field, comparison, value, place=place, today=today)
        for value in dict.fromkeys(values)
    )
    return ConditionGroup(members=members, is_any=is_any)


def _of_value(
    column: Column,
    field: Field,
    comparison: Comparison,
    operand: str | None,
    *,
    place: str,
    today: date,
) -> ColumnCondition | ConditionGroup:
    option = (operand or "").strip().lower()
    if not option.startswith("opt-") or field.data_type is not DataType.DATE_TIME:
        return condition_of(column, field, comparison, operand, place=place)
    if option != _ALL_TIME:
        first, last = _days_of(option, today, place=place)
        span = Span(span_of(str(first)).first, span_of(str(last)).last)
        return _of_spans(column.stored, comparison, [span], is_number=False)
    if comparison is not Comparison.EQUAL:
        raise InvalidValue(f"{place}: '{_ALL_TIME}' goes with the operator eq alone")
    return ConditionGroup()


def condition_of(
    column: Column, field: Field, comparison: Comparison, operand: str | None, *, place: str
) -> ColumnCondition | ConditionGroup:
    """Return the condition of a comparison, by its field's data type.

    ``place`` is the place of the operand. Texts are stored as they were sent, and found however
    their accents, or those of the operand, are encoded (NFC, NFD).

    Raises MissingAttribute, InvalidValue or InvalidFieldValue.
    """
    stored = _looked_up(column.stored, comparison)
    is_number = DATA_TYPES[field.data_type].is_number
    if comparison in WITHOUT_OPERAND:
        return ColumnCondition(stored=stored, comparison=comparison, is_number=is_number)
    operands = _operands(comparison, operand, place=place)
    ways = encodings(operands[0]) if comparison in _JOINED else []
    if len(ways) > 1:
        members = [_of_operands(column, field, comparison, (one,), place=place) for one in ways]
        distinct = tuple(dict.fromkeys(members))
        return ConditionGroup(members=distinct, is_any=_JOINED[comparison])
    return _of_operands(column, field, comparison, operands, place=place)


def _of_operands(
    column: Column,
    field: Field,
    comparison: Comparison,
    operands: tuple[str, ...],
    *,
    place: str,
) -> ColumnCondition | ConditionGroup:
    stored = _looked_up(column.stored, comparison)
    is_number = DATA_TYPES[field.data_type].is_number
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


# --- time options ------------------------------------------------------------------------------

_ALL_TIME: Final = "opt-all-time"

_Days = tuple[date, date]
"""The first and the last day of a span."""


def _week(day: date) -> _Days:
    monday = day - timedelta(day.weekday())
    return monday, monday + timedelta(6)


def _months(day: date, number: int) -> _Days:
    """The span of months that a day is in, of those into which a year is divided."""
    start = (day.month - 1) // number * number
    years, month = divmod(start + number, 12)
    return day.replace(month=start + 1, day=1), date(day.year + years, month + 1, 1) - _DAY


_DAY: Final = timedelta(1)

_PERIODS: Final[Mapping[str, Callable[[date], _Days]]] = MappingProxyType(
    {
        "week": _week,
        "month": lambda day: _months(day, 1),
        "quarter": lambda day: _months(day, 3),
        "year": lambda day: _months(day, 12),
    }
)
"""The spans that a day is in. A week begins on Monday (assumed)."""

_NEAR: Final = MappingProxyType({"opt-yesterday": -1, "opt-today": 0, "opt-tomorrow": 1})

_OF_PERIOD: Final = re.compile(rf"opt-(this|last|next)-({'|'.join(_PERIODS)})")

_OF_DAYS: Final = re.compile(r"opt-(last|next)-([1-9]\d{0,2})-days", re.ASCII)

TIME_OPTIONS: Final = (
    _ALL_TIME,
    *_NEAR,
    *(f"opt-{which}-{name}" for name in _PERIODS for which in ("this", "last", "next")),
    "opt-last-N-days",
    "opt-next-N-days",
)
"""The time options that dates are compared with. Source: ``opt-all-time``, ``opt-today`` and
``opt-yesterday`` were seen in requests of the hosted pages; the others are assumed."""


def _days_of(option: str, today: date, *, place: str) -> _Days:
    """The days of a time option. Raises InvalidValue with the known ones."""
    if option in _NEAR:
        day = today + timedelta(_NEAR[option])
        return day, day
    if match := _OF_PERIOD.fullmatch(option):
        period = _PERIODS[match[2]]
        first, last = period(today)
        return {
            "this": (first, last),
            "last": period(first - _DAY),
            "next": period(last + _DAY),
        }[match[1]]
    if match := _OF_DAYS.fullmatch(option):
        others = timedelta(int(match[2]) - 1)
        return (today - others, today) if match[1] == "last" else (today, today + others)
    raise InvalidValue(
        f"{place}: {quoted(option)} is no time option.{did_you_mean(option, TIME_OPTIONS)} Known:"
        f" {', '.join(TIME_OPTIONS)}."
    )
