"""Python's values as the API takes them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from oppserver.client.errors import InvalidCall
from oppserver.contract.dates import now_stored
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.names import quoted

Value: TypeAlias = str | int | float | Decimal | bool | datetime | date | UUID | None
"""A field's value. None clears it; a moment without a zone is UTC."""


def text_value(value: Value) -> str | None:
    """A value as text, the way the API spells it. Raises InvalidCall when it is none."""
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
            raise InvalidCall(f"{value} is no number that can be stored.")
        return f"{value:f}"
    if isinstance(value, (int, UUID)):
        return str(value)
    raise InvalidCall(f"A {type(value).__name__} is no value of a field.")


def pairs(values: Mapping[str, Value], *, name: str) -> list[dict[str, Any]]:
    """Values as the API takes them: an array of objects of ``name`` and Value."""
    return [{name: key, "Value": text_value(value)} for key, value in values.items()]


def guid_of(value: str | UUID, *, what: str) -> str:
    """An id in canonical form. Raises InvalidCall, which says what it is the id of."""
    guid = canonical_guid(str(value))
    if guid is None:
        raise InvalidCall(f"{what}: {quoted(value)} is no GUID.")
    return guid


def names_of(columns: str | Iterable[str] | None) -> dict[str, Any]:
    """``Columns`` of a list, or nothing where the host's own are wanted."""
    if columns is None:
        return {}
    names = columns.split(",") if isinstance(columns, str) else columns
    csv = ",".join(name.strip() for name in names if name.strip())
    return {"Columns": {"Include_CSV": csv}} if csv else {}
