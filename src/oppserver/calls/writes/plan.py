"""Planning of writes: the stored columns and values of the fields that a caller sends."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

import msgspec

from oppserver.calls.shared.messages import SentField
from oppserver.calls.shared.names import event_code_of, schema_names_shown_as, user_here
from oppserver.calls.writes.wire import AskedOpportunity, Capture, CaptureFlags, GivenValue
from oppserver.contract.columns import (
    CUSTOM_COLUMNS,
    MEMBER_SIGN,
    OWNER_COLUMN,
    OWNER_EMAIL_COLUMN,
    SYSTEM_COLUMNS,
    column_named,
    is_system,
    schema_name_of,
)
from oppserver.contract.errors import InvalidFieldValue, InvalidValue, UnknownColumn
from oppserver.contract.field_sets import (
    fields_of_slots,
    member_key,
    members_in,
    members_of,
    set_text,
    split_member,
    with_members,
)
from oppserver.contract.model import Catalogue, DataType, Field, Lead, StoredOpportunity, User
from oppserver.contract.names import did_you_mean, encodings, quoted
from oppserver.contract.values import (
    listed,
    plain_text,
    status_field,
    stored_set,
    stored_value,
)

_OWNER: Final = OWNER_COLUMN.stored

_WRITABLE: Final = {"status": "status", "note": "note", _OWNER: _OWNER, "owner_email": _OWNER}
"""The stored columns behind the system columns that a caller may write."""

_SCHEMA_NAMES: Final = {column.stored: column.name for column in CUSTOM_COLUMNS}

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
        if stored in _SCHEMA_NAMES:
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
    field = fields[_SCHEMA_NAMES[stored]]
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
    field = fields[f"{_SCHEMA_NAMES[stored]}{MEMBER_SIGN}{key}"]
    return stored_value(member.value, field, place=member.value_place)


def _check_has_no_members(one: SentField) -> None:
    if one.members:
        raise InvalidFieldValue(
            f"{one.members_place}: {quoted(one.name)} is no custom field set, so it has no members."
            " 'oppserver field add CODE mx_Custom_N~mx_CustomObject_N' makes a set and a member."
        )


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


Values = Mapping[str, GivenValue]
"""Given values by stored column."""


def plan_new(
    capture: Capture, fields: Mapping[str, Field], *, now: str, by: str
) -> StoredOpportunity:
    """Return the new opportunity of a capture.

    A mandatory field that the capture does not name gets its default option. ``by`` is the user
    who captures it. ``check_new`` checks that it may be stored.
    """
    lead = capture.lead
    new = StoredOpportunity(
        id=capture.id,
        event_code=capture.event_code,
        lead_id=lead.id,
        lead_email=lead.email,
        created_on=capture.created_on,
        modified_on=now,
        created_by=by,
        modified_by=by,
    )
    given = _with_defaults(_with_values(new, capture.values), capture.values, fields)
    return _with_member_defaults(given, capture.values, fields)


def check_new(new: StoredOpportunity, capture: Capture, fields: Mapping[str, Field]) -> None:
    """Check that mandatory fields are set and dependent values fit. Raises InvalidFieldValue."""
    for field in (status_field(new.event_code), *fields_of_slots(fields.values())):
        if field.is_mandatory and value_of(new, _stored(field.schema_name)) is None:
            raise _mandatory(field, f"Add it to {capture.place}.Fields.")
    _check_sets(new, capture.values, fields)
    _check_dependents(new, capture.values, fields)


def plan_change(
    stored: StoredOpportunity, values: Values, fields: Mapping[str, Field], *, now: str, by: str
) -> StoredOpportunity:
    """Return a stored opportunity with new values.

    Raises InvalidFieldValue when a mandatory field would be cleared, or when a value does not fit
    that of its parent field; either of the two may be the new one.
    """
    changed = msgspec.structs.replace(_with_values(stored, values), modified_on=now, modified_by=by)
    for field in (status_field(stored.event_code), *fields_of_slots(fields.values())):
        given = values.get(_stored(field.schema_name)) if field.is_mandatory else None
        if given is not None and value_of(changed, _stored(field.schema_name)) is None:
            raise _mandatory(field, f"{given.place} cannot clear it.")
    changed = _with_member_defaults(changed, values, fields)
    _check_sets(changed, values, fields)
    _check_dependents(changed, values, fields)
    return changed


def values_for_duplicate(stored: StoredOpportunity, values: Values, flags: CaptureFlags) -> Values:
    """The values of a duplicate that the stored opportunity takes; the flags ask for them."""
    if not (flags.overwrite_fields or flags.update_empty_fields):
        return {}
    taken = dict(values) if flags.overwrite_fields else _of_empty_fields(stored, values)
    if flags.do_not_change_owner:
        taken.pop("owner_id", None)
    return taken


def _of_empty_fields(stored: StoredOpportunity, values: Values) -> dict[str, GivenValue]:
    """The values, and members of sets, that are set and not stored yet."""
    taken = {}
    for name, given in values.items():
        if given.members is not None:
            there = members_in(value_of(stored, name))
            members = {
                key: text
                for key, text in given.members.items()
                if text is not None and key not in there
            }
            if members:
                taken[name] = given._replace(members=members)
        elif given.text is not None and value_of(stored, name) is None:
            taken[name] = given
    return taken


def duplicate_values(new: StoredOpportunity, rule: Iterable[str]) -> dict[str, str] | None:
    """The values of a new opportunity in the columns of a rule; None when one of them is unset."""
    values = {stored: value_of(new, stored) for stored in map(_stored, rule)}
    texts = {stored: value for stored, value in values.items() if value is not None}
    return texts if texts and len(texts) == len(values) else None


def encoded_alike(values: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Return values with their accents encoded in each way in which equal ones may be stored."""
    if all(text.isascii() for text in values.values()):
        return [values]
    return [
        dict(zip(values, texts, strict=True)) for texts in product(*map(encodings, values.values()))
    ]


def value_of(one: StoredOpportunity, stored: str) -> str | None:
    """The value in a stored column."""
    if stored.startswith("mx_custom_"):
        return one.slots.get(stored)
    value: str | None = getattr(one, stored)
    return value


def _with_values(one: StoredOpportunity, values: Values) -> StoredOpportunity:
    own: dict[str, Any] = {}
    slots = dict(one.slots)
    for stored, given in values.items():
        text = given.text
        if given.members is not None:
            text = with_members(slots.get(stored), given.members, place=given.place)
        if not stored.startswith("mx_custom_"):
            own[stored] = text
        elif text is None:
            slots.pop(stored, None)
        else:
            slots[stored] = text
    # an owner that changes has another address; None leaves the stored ones as they are
    return msgspec.structs.replace(one, owner_email=None, slots=slots, **own)


def _with_defaults(
    one: StoredOpportunity, named: Values, fields: Mapping[str, Field]
) -> StoredOpportunity:
    """Set default options, those of parents first: a default has to fit the parent's value."""
    waiting = {
        field.schema_name: field
        for field in (status_field(one.event_code), *fields_of_slots(fields.values()))
        if field.is_mandatory and field.default_option and _stored(field.schema_name) not in named
    }
    while waiting:
        field = next(field for field in waiting.values() if field.parent_field not in waiting)
        del waiting[field.schema_name]
        if _goes_with_parent(field.default_option, field, one):
            default = GivenValue(field.default_option, field.schema_name)
            one = _with_values(one, {_stored(field.schema_name): default})
    return one


def _sets_of(
    one: StoredOpportunity, changed: Values, fields: Mapping[str, Field]
) -> Iterator[tuple[str, GivenValue, dict[str, str]]]:
    """The sets among changed columns that are set: stored name, what was given, their members."""
    for stored, given in changed.items():
        field = fields.get(_SCHEMA_NAMES.get(stored, ""))
        text = value_of(one, stored)
        if field is not None and field.data_type is DataType.CUSTOM_OBJECT and text is not None:
            yield stored, given, members_in(text)


def _with_member_defaults(
    one: StoredOpportunity, changed: Values, fields: Mapping[str, Field]
) -> StoredOpportunity:
    """Set the default options of mandatory members that nobody named, in sets that are set."""
    slots = dict(one.slots)
    for stored, given, members in _sets_of(one, changed, fields):
        defaults = {
            key: field.default_option
            for key, field in members_of(fields.values(), _SCHEMA_NAMES[stored]).items()
            if field.is_mandatory and key not in members and key not in (given.members or ())
        }
        slots[stored] = set_text({**defaults, **members}) or slots[stored]
    return msgspec.structs.replace(one, slots=slots)


def _check_sets(one: StoredOpportunity, changed: Values, fields: Mapping[str, Field]) -> None:
    """Check that sets are not too long and have their mandatory members."""
    for stored, given, members in _sets_of(one, changed, fields):
        plain_text(one.slots[stored], place=given.place)
        for key, field in members_of(fields.values(), _SCHEMA_NAMES[stored]).items():
            if field.is_mandatory and key not in members:
                raise _mandatory(field, f"Add {key} to {given.place}: a set needs it.")


def _goes_with_parent(option: str | None, field: Field, one: StoredOpportunity) -> bool:
    if field.parent_field is None or not field.dependent_options:
        return True
    parent = value_of(one, _stored(field.parent_field))
    return option in field.dependent_options.get(parent or "", ())


def _check_dependents(one: StoredOpportunity, changed: Values, fields: Mapping[str, Field]) -> None:
    for field in fields.values():
        if field.parent_field is None or not field.dependent_options:
            continue
        own, parent = _stored(field.schema_name), _stored(field.parent_field)
        value = value_of(one, own)
        if value is None or not (own in changed or parent in changed):
            continue
        parent_value = value_of(one, parent)
        options: Sequence[str] = field.dependent_options.get(parent_value or "", ())
        if value not in options:
            raise InvalidFieldValue(
                f"{changed[own if own in changed else parent].place}: {field.schema_name}"
                f" ({field.display_name}) {quoted(value)} does not go with {field.parent_field}"
                f" {'not set' if parent_value is None else quoted(parent_value)}, which takes"
                f" {listed(options)}. Send a value of {field.schema_name} that goes with it."
            )


def _mandatory(field: Field, hint: str) -> InvalidFieldValue:
    return InvalidFieldValue(
        f"Field name : '{field.schema_name}' of datatype : '{field.data_type.value}' is mandatory."
        f" {hint}"
    )


def _stored(name: str) -> str:
    """The stored column of a canonical name."""
    column = column_named(name)
    assert column is not None, "the catalogue names columns that there are"
    return column.stored
