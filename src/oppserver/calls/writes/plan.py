"""Planning of writes: new and changed opportunities, with their defaults and duplicate rules."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import msgspec

from oppserver.calls.shared.names import event_code_of
from oppserver.calls.writes.plan_values import plan_values
from oppserver.calls.writes.wire import AskedOpportunity, Capture, CaptureFlags, GivenValue
from oppserver.contract.columns import (
    SLOT_NAMES,
    column_named,
)
from oppserver.contract.errors import InvalidFieldValue
from oppserver.contract.field_sets import (
    fields_of_slots,
    members_in,
    members_of,
    set_text,
    with_members,
)
from oppserver.contract.model import Catalogue, DataType, Field, Lead, StoredOpportunity, User
from oppserver.contract.names import encodings, quoted
from oppserver.contract.values import (
    listed,
    plain_text,
    status_field,
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
        field = fields.get(SLOT_NAMES.get(stored, ""))
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
            for key, field in members_of(fields.values(), SLOT_NAMES[stored]).items()
            if field.is_mandatory and key not in members and key not in (given.members or ())
        }
        slots[stored] = set_text({**defaults, **members}) or slots[stored]
    return msgspec.structs.replace(one, slots=slots)


def _check_sets(one: StoredOpportunity, changed: Values, fields: Mapping[str, Field]) -> None:
    """Check that sets are not too long and have their mandatory members."""
    for stored, given, members in _sets_of(one, changed, fields):
        plain_text(one.slots[stored], place=given.place)
        for key, field in members_of(fields.values(), SLOT_NAMES[stored]).items():
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
