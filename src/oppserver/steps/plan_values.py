"""From the fields that a write names to stored columns and what is to be stored in them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from oppserver.contract.columns import (
    CUSTOM_COLUMNS,
    OWNER_COLUMN,
    OWNER_EMAIL_COLUMN,
    SYSTEM_COLUMNS,
    column_named,
    is_system,
    of_field_set,
)
from oppserver.contract.errors import (
    InvalidFieldValue,
    InvalidReference,
    InvalidValue,
    UnknownColumn,
)
from oppserver.contract.event_codes import event_code_of
from oppserver.contract.model import Catalogue, Field, Lead, User
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import plain_text, status_field, stored_value
from oppserver.contract.writes import AskedField, AskedOpportunity, Capture, GivenValue

_OWNER: Final = OWNER_COLUMN.stored
_WRITABLE: Final = {"status": "status", "note": "note", _OWNER: _OWNER, "owner_email": _OWNER}
"""The stored columns behind the system columns that a caller may write."""

_SCHEMA_NAMES: Final = {column.stored: column.name for column in CUSTOM_COLUMNS}
_WRITABLE_NAMES: Final = tuple(one.name for one in SYSTEM_COLUMNS if one.stored in _WRITABLE)


def owners_named(fields: Iterable[AskedField]) -> list[str]:
    """The owners that are named, by id or address; they have to be looked up to plan the values."""
    return [
        text
        for one in fields
        if column_named(one.name) in (OWNER_COLUMN, OWNER_EMAIL_COLUMN)
        and (text := plain_text(one.value, place=one.value_place)) is not None
    ]


def plan_values(
    asked: Sequence[AskedField],
    *,
    event_code: int,
    fields: Mapping[str, Field],
    users: Mapping[str, User],
) -> dict[str, GivenValue]:
    """What is to be stored, by stored column, checked by the type's fields.

    ``users`` are by owner as named. A name may be a schema name, in any case, or the display name
    of a field. Whether a value goes with those of other fields is not looked at. Raises an ApiError
    with status 400 that names the place.
    """
    values: dict[str, GivenValue] = {}
    for one in asked:
        stored = _stored_name(one, event_code=event_code, fields=fields)
        if stored in values:
            raise InvalidValue(
                f"{one.name_place}: {quoted(one.name)} also has a value in {values[stored].place}."
                " Send one of them."
            )
        text = _text(one, stored, event_code=event_code, fields=fields, users=users)
        values[stored] = GivenValue(text, one.value_place)
    return values


def plan_capture(
    asked: AskedOpportunity,
    *,
    lead: Lead,
    catalogue: Catalogue,
    users: Mapping[str, User],
    new_id: str,
    now: str,
) -> Capture:
    """A capture with all its values checked. Raises as ``plan_values`` does."""
    event_code = event_code_of(
        asked.event_code, catalogue, place=f"{asked.place}.OpportunityEventCode"
    )
    return Capture(
        id=new_id,
        event_code=event_code,
        lead=lead,
        values=plan_values(
            asked.fields, event_code=event_code, fields=catalogue.fields[event_code], users=users
        ),
        created_on=asked.created_on or now,
        flags=asked.flags,
        place=asked.place,
    )


def _text(
    one: AskedField,
    stored: str,
    *,
    event_code: int,
    fields: Mapping[str, Field],
    users: Mapping[str, User],
) -> str | None:
    match stored:
        case "note":
            return plain_text(one.value, place=one.value_place)
        case "status":
            return stored_value(one.value, status_field(event_code), place=one.value_place)
        case "owner_id":
            return _owner_id(one, users)
    return stored_value(one.value, fields[_SCHEMA_NAMES[stored]], place=one.value_place)


def _owner_id(one: AskedField, users: Mapping[str, User]) -> str | None:
    text = plain_text(one.value, place=one.value_place)
    if text is None:
        return None
    user = users.get(text)
    if user is None:
        raise InvalidReference(
            f"{one.value_place}: {quoted(text)} is no user here. Send a user's id or address."
        )
    return user.id


def _stored_name(one: AskedField, *, event_code: int, fields: Mapping[str, Field]) -> str:
    column = column_named(one.name)
    if column is not None and is_system(column):
        stored = _WRITABLE.get(column.stored)
        if stored is None:
            raise InvalidFieldValue(
                f"{one.name_place}: {column.name} is set by the server. Leave it out."
            )
        return stored
    if column is not None and column.name in fields:
        return column.stored
    named = _named_for_display(one, fields)
    if named is None:
        known = [*_WRITABLE_NAMES, *fields, *(field.display_name for field in fields.values())]
        raise UnknownColumn(
            f"{one.name_place}: {quoted(one.name)} is no field of type {event_code}."
            f"{of_field_set(one.name) or did_you_mean(one.name, known)}"
            f" 'oppserver field add {event_code} mx_Custom_N' adds a field."
        )
    return named


def _named_for_display(one: AskedField, fields: Mapping[str, Field]) -> str | None:
    """The stored column of the field with that display name, if there is just one."""
    folded = one.name.casefold()
    alike = [
        field.schema_name
        for field in fields.values()
        if field.display_name.strip().casefold() == folded
    ]
    if len(alike) > 1:
        raise UnknownColumn(
            f"{one.name_place}: {' and '.join(alike)} are called {quoted(one.name)}."
            " Send the schema name."
        )
    column = column_named(alike[0]) if alike else None
    return None if column is None else column.stored
