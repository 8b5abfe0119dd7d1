"""Arguments in the form of the API: values, ids, column names, and the conditions of a search.

``where(field("Status") == "Open", field("mx_Custom_6") > 1000)`` needs both conditions;
``any_of(…)`` inside it needs one. The API takes conditions as JSON in a text, ``AdvancedSearch``.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import msgspec

from oppserver.client.errors import InvalidCall
from oppserver.contract.dates import now_stored
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.names import quoted

Value: TypeAlias = str | int | float | Decimal | bool | datetime | date | UUID | None
"""A field's value. None clears the field; a datetime without a zone is UTC."""


FieldValue: TypeAlias = Value | Mapping[str, Value]
"""A value to write; the members of a custom field set are by their own names."""


def text_value(value: Value) -> str | None:
    """A value as the API spells it. Raises InvalidCall if it cannot be stored."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return now_stored(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        value = Decimal(repr(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise InvalidCall(f"{value} cannot be stored. Pass a finite number.")
        return f"{value:f}"
    if isinstance(value, (int, UUID)):
        return str(value)
    raise InvalidCall(
        f"A {type(value).__name__} is not a value of a field. Pass text, a number or a date."
    )


def pairs(values: Mapping[str, FieldValue], *, name: str) -> list[dict[str, Any]]:
    """Values as the API takes them: an array of objects with ``name`` and Value."""
    return [
        {name: key, "Value": "", "Fields": pairs(value, name=name)}
        if isinstance(value, Mapping)
        else {name: key, "Value": text_value(value)}
        for key, value in values.items()
    ]


def guid_of(value: str | UUID, *, what: str) -> str:
    """An id in canonical form. Raises InvalidCall; ``what`` names the argument."""
    guid = canonical_guid(str(value))
    if guid is None:
        raise InvalidCall(f"{what}: {quoted(value)} is not a GUID.")
    return guid


def as_event_code(code: int | str) -> str:
    """An event code as text. Raises InvalidCall if it is not a number."""
    text = str(code).strip()
    if not (text.isascii() and text.isdecimal()):
        raise InvalidCall(f"event_code is {text!r}; pass a type's event code, such as 12000.")
    return text


def as_columns(columns: str | Iterable[str]) -> str:
    """Column names as ``Include_CSV`` takes them; empty if there are none."""
    names = columns.split(",") if isinstance(columns, str) else columns
    return ",".join(name.strip() for name in names if name.strip())


# --- conditions --------------------------------------------------------------------------------


Operand: TypeAlias = str | int | float | Decimal | bool | datetime | date

_DROPDOWNS: Final = frozenset({"status"})

_BASE: Final = "ActivityEvent"


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of a field; made by ``field(…)``."""

    name: str
    operator: str
    operand: str | None
    data_type: str

    def __bool__(self) -> bool:
        raise InvalidCall(
            "A condition has no truth value: pass several conditions to where(), or to any_of()"
            " for 'or'."
        )


class AnyOf(msgspec.Struct, frozen=True):
    """Conditions of which one must hold; made by ``any_of(…)``."""

    conditions: tuple[Condition, ...]


class Where(msgspec.Struct, frozen=True):
    """Conditions that must all hold; made by ``where(…)``."""

    conditions: tuple[Condition | AnyOf, ...]

    def advanced_search(self, event_code: int) -> str:
        """The text of ``AdvancedSearch`` for a type; the API requires the code in it."""
        base = Condition(name=_BASE, operator="eq", operand=str(event_code), data_type="PAEvent")
        alone = [base, *(one for one in self.conditions if isinstance(one, Condition))]
        groups = [_group(alone, joiner="And")]
        groups += [
            _group(one.conditions, joiner="Or") for one in self.conditions if isinstance(one, AnyOf)
        ]
        message = {"GrpConOp": "And", "Conditions": groups, "QueryTimeZone": "UTC"}
        return msgspec.json.encode(message).decode()


Conditions: TypeAlias = Where | Condition | AnyOf
"""The conditions of a search: several in ``where(…)``, or one by itself."""


def as_where(conditions: Conditions) -> Where:
    """The conditions in ``where(…)``. Raises InvalidCall for anything else."""
    return conditions if isinstance(conditions, Where) else where(conditions)


EVERYTHING: Final = Where(())
"""No condition: matches all opportunities of a type."""


class FieldName:
    """A field to compare; made by ``field(…)``. ``== None`` means that it is not set."""

    __hash__ = None  # type: ignore[assignment]  # == makes a condition here

    def __init__(self, name: str, data_type: str | None) -> None:
        self._name: Final = name
        self._data_type: Final = data_type

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # makes a condition
        return self.is_not_set() if other is None else self._compared("eq", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # as above
        return self.is_set() if other is None else self._compared("neq", other)

    def __lt__(self, other: Operand) -> Condition:
        return self._compared("lt", other)

    def __le__(self, other: Operand) -> Condition:
        return self._compared("lte", other)

    def __gt__(self, other: Operand) -> Condition:
        return self._compared("gt", other)

    def __ge__(self, other: Operand) -> Condition:
        return self._compared("gte", other)

    def between(self, low: Operand, high: Operand) -> Condition:
        """The value is from ``low`` to ``high``, both included."""
        ends = f"{_operand(low)} TO {_operand(high)}"
        return self._condition("between", ends, self._type_for(low))

    def contains(self, text: str) -> Condition:
        """The value contains the text, in any case."""
        return self._condition("contains", _operand(text), self._type_for(text))

    def begins_with(self, text: str) -> Condition:
        """The value begins with the text, in any case."""
        return self._condition("begins", _operand(text), self._type_for(text))

    def is_set(self) -> Condition:
        """The field has a value."""
        return self._condition("isnotnull", None, self._type_for(""))

    def is_not_set(self) -> Condition:
        """The field has no value."""
        return self._condition("isnull", None, self._type_for(""))

    def _compared(self, operator: str, operand: Any) -> Condition:
        return self._condition(operator, _operand(operand), self._type_for(operand))

    def _condition(self, operator: str, operand: str | None, data_type: str) -> Condition:
        return Condition(name=self._name, operator=operator, operand=operand, data_type=data_type)

    def _type_for(self, operand: Any) -> str:
        if self._data_type is not None:
            return self._data_type
        if self._name.lower() in _DROPDOWNS:
            return "SearchableDropdown"
        if isinstance(operand, (int, float, Decimal)) and not isinstance(operand, bool):
            return "Number"
        return "DateTime" if isinstance(operand, date) else "String"


def field(name: str, data_type: str | None = None) -> FieldName:
    """A field by its schema name, to compare: ``field("mx_Custom_6") > 1000``.

    ``data_type`` is the one in the type's metadata, for hosts that need it; by default it follows
    from the value compared.
    """
    if not name.strip():
        raise InvalidCall("A field needs a name, such as 'Status' or 'mx_Custom_1'.")
    return FieldName(name.strip(), data_type)


def where(*conditions: Condition | AnyOf) -> Where:
    """Conditions that must all hold; without conditions: all opportunities of the type."""
    return Where(_checked(conditions, (Condition, AnyOf)))


def any_of(*conditions: Condition) -> AnyOf:
    """Conditions of which one must hold."""
    if not conditions:
        raise InvalidCall("any_of() needs at least one condition.")
    return AnyOf(_checked(conditions, (Condition,)))


def _checked(conditions: Iterable[Any], kinds: tuple[type, ...]) -> tuple[Any, ...]:
    found = tuple(conditions)
    for one in found:
        if not isinstance(one, kinds):
            raise InvalidCall(
                f"{type(one).__name__} is not a condition here. Pass field('…') == value."
            )
    return found


def _operand(value: Value) -> str:
    text = text_value(value)
    if text is None or not text.strip():
        raise InvalidCall(
            "The value to compare with is empty; use is_not_set() to find empty fields."
        )
    return text


def _group(conditions: Iterable[Condition], *, joiner: str) -> dict[str, Any]:
    rows = []
    for one in conditions:
        row = {
            "SubConOp": joiner,
            "LSO": one.name,
            "LSO_Type": one.data_type,
            "Operator": one.operator,
        }
        rows.append(row if one.operand is None else {**row, "RSO": one.operand})
    return {"Type": "Activity", "ConOp": "And", "RowCondition": rows}
