"""Planning of the values that a caller sends: the stored column and the stored text of each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from oppserver.calls.shared.messages import SentField
from oppserver.calls.shared.names import schema_names_shown_as, user_here
from oppserver.calls.writes.wire import GivenValue
from oppserver.contract.columns import (
    MEMBER_SIGN,
    OWNER_COLUMN,
    OWNER_EMAIL_COLUMN,
    SLOT_NAMES,
    SYSTEM_COLUMNS,
    column_named,
    is_system,
    schema_name_of,
)
from oppserver.contract.errors import InvalidFieldValue, InvalidValue, UnknownColumn
from oppserver.contract.field_sets import (
    member_key,
    members_of,
    split_member,
)
from oppserver.contract.model import DataType, Field, User
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import (
    plain_text,
    status_field,
    stored_set,
    stored_value,
)

_OWNER: Final = OWNER_COLUMN.stored


_WRITABLE: Final = {"status": "status", "note": "note", _OWNER: _OWNER, "owner_email": _OWNER}
"""The stored columns behind the system columns that a caller may write."""


_WRITABLE_NAMES: Final = tuple(one.name for one in SYSTEM_COLUMNS if one.stored in _WRITABLE)


def owners_named(fields: Iterable[SentField]) -> list[str]:
    """The ids and addresses of owners among the fields: ``plan_values`` needs their users."""
    return [
        text
        for one in fields
        if column_named(one.name) in (OWNER_COLUMN, OWNER_EMAIL_COLUMN)
        and (text := plain_text(one.value, place=one.value_place)) is not None
    ]


def plan_values(
    asked: Sequence[SentField],
    *,
    event_code: int,
    fields: Mapping[str, Field],
    users: Mapping[str, User],
) -> dict[str, GivenValue]:
    """Return the values to store, by stored column, checked by the type's fields.

    ``users`` are by owner as named. A name may be a schema name, in any case, or the display name
    of a field. Values are not checked against those of other fields. Raises an ApiError with status
    400 that names the place.
    """
    values: dict[str, GivenValue] = {}
    for one in asked:
        name = _stored_name(one, event_code=event_code, fields=fields)
        stored, key = split_member(name)
        if stored in SLOT_NAMES:
            value = _slot_value(one, stored, key, fields=fields)
        else:
            _check_has_no_members(one)
            text = _system_text(one, stored, event_code=event_code, users=users)
            value = GivenValue(text, one.value_place)
        values[stored] = _with_other(value, values.get(stored), one)
    return values


def _with_other(value: GivenValue, other: GivenValue | None, one: SentField) -> GivenValue:
    """The value with the other members of its set. Raises InvalidValue for one thing twice."""
    if other is None:
        return value
    if value.members is None or other.members is None or value.members.keys() & other.members:
        raise InvalidValue(
            f"{one.name_place}: {quoted(one.name)} also has a value in {other.place}."
            " Send one of them."
        )
    return value._replace(members={**other.members, **value.members})


def _slot_value(
    one: SentField, stored: str, key: str, *, fields: Mapping[str, Field]
) -> GivenValue:
    """The value of a slot: a field's own, or that of a custom field set or its members."""
    if key:
        _check_has_no_members(one)
        return GivenValue(None, one.value_place, {key: _member_text(one, stored, key, fields)})
    field = fields[SLOT_NAMES[stored]]
    if field.data_type is not DataType.CUSTOM_OBJECT:
        _check_has_no_members(one)
        return GivenValue(stored_value(one.value, field, place=one.value_place), one.value_place)
    if one.members:
        members: dict[str, str | None] = {}
        for member in one.members:
            own = _own_name(member, field, fields)
            if own in members:
                raise InvalidValue(f"{member.name_place}: {own} is named twice")
            members[own] = _member_text(member, stored, own, fields)
        return GivenValue(None, one.members_place, members)
    known = members_of(fields.values(), field.schema_name)
    return GivenValue(stored_set(one.value, field, known, place=one.value_place), one.value_place)


def _own_name(member: SentField, field: Field, fields: Mapping[str, Field]) -> str:
    """The own name of a member that a caller names by it, or by display name."""
    known = members_of(fields.values(), field.schema_name)
    key = member_key(member.name)
    if key in known:
        return key
    shown = [name for name, one in known.items() if schema_names_shown_as(member.name, [one])]
    if len(shown) == 1:
        return shown[0]
    names = [*known, *(one.display_name for one in known.values())]
    raise UnknownColumn(
        f"{member.name_place}: {quoted(member.name)} is no member of {field.schema_name}"
        f" ({field.display_name}).{did_you_mean(member.name, names)} 'oppserver field add"
        f" {field.event_code} {field.schema_name}{MEMBER_SIGN}mx_CustomObject_N' adds a member."
    )


def _member_text(
    member: SentField, stored: str, key: str, fields: Mapping[str, Field]
) -> str | None:
    field = fields[f"{SLOT_NAMES[stored]}{MEMBER_SIGN}{key}"]
    return stored_value(member.value, field, place=member.value_place)


def _check_has_no_members(one: SentField) -> None:
    if one.members:
        raise InvalidFieldValue(
            f"{one.members_place}: {quoted(one.name)} is no custom field set, so it has no members."
            " 'oppserver field add CODE mx_Custom_N~mx_CustomObject_N' makes a set and a member."
        )


def _system_text(
    one: SentField, stored: str, *, event_code: int, users: Mapping[str, User]
) -> str | None:
    match stored:
        case "note":
            return plain_text(one.value, place=one.value_place)
        case "status":
            return stored_value(one.value, status_field(event_code), place=one.value_place)
    return _owner_id(one, users)


def _owner_id(one: SentField, users: Mapping[str, User]) -> str | None:
    text = plain_text(one.value, place=one.value_place)
    return None if text is None else user_here(text, users, place=f"{one.value_place}:").id


def _stored_name(one: SentField, *, event_code: int, fields: Mapping[str, Field]) -> str:
    column = column_named(one.name)
    if column is not None and is_system(column):
        stored = _WRITABLE.get(column.stored)
        if stored is None:
            raise InvalidFieldValue(
                f"{one.name_place}: {column.name} is set by the server. Leave it out."
            )
        return stored
    if column is not None and schema_name_of(column) in fields:
        return column.stored
    named = _shown_as(one, fields)
    if named is None:
        known = [*_WRITABLE_NAMES, *fields, *(field.display_name for field in fields.values())]
        raise UnknownColumn(
            f"{one.name_place}: {quoted(one.name)} is no field of type {event_code}."
            f"{did_you_mean(one.name, known)}"
            f" 'oppserver field add {event_code} mx_Custom_N' adds a field, and"
            f" mx_Custom_N~mx_CustomObject_N a member of a custom field set."
        )
    return named


def _shown_as(one: SentField, fields: Mapping[str, Field]) -> str | None:
    """The stored column of the field with that display name, if there is just one."""
    alike = schema_names_shown_as(one.name, fields.values())
    if len(alike) > 1:
        raise UnknownColumn(
            f"{one.name_place}: {' and '.join(alike)} are called {quoted(one.name)}."
            " Send the schema name."
        )
    column = column_named(alike[0]) if alike else None
    return None if column is None else column.stored
