"""From the members of one line to an opportunity, and back.

A line has the API's names, in any case. A member that is null, empty or left out is not set.
True and false are ``1`` and ``0``. Values of fields get the stored form of their data type
(contract/values.py), as in writes; an option that a dropdown does not have is kept, as it may have
been one. What cannot be stored as it is meant raises RejectedLine: a name that is unknown or given
twice, an id that is no GUID, a value that does not fit its field, a value that is a list.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from math import isnan
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from oppserver.contract import field_sets
from oppserver.contract.columns import CUSTOM_COLUMNS, SLOT_NAMES, SYSTEM_COLUMNS, column_named
from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.errors import InvalidFieldValue, RejectedLine
from oppserver.contract.field_sets import set_text, split_member
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.limits import EVENT_CODE_MAX, TEXT_CHARACTERS_MAX
from oppserver.contract.model import Catalogue, DataType, Field, StoredOpportunity
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import (
    DATA_TYPES,
    form_test,
    formed_fields,
    matching,
    options_of,
    scalar_text,
    status_field,
    stored_set,
    stored_value,
)

_MEMBER_ORDER: Final = (
    "ProspectActivityId",
    "EventCode",
    "ProspectId",
    "EmailAddress",
    "Owner",
    "OwnerEmailAddress",
    "Status",
    "CreatedOn",
    "CreatedBy",
    "ModifiedOn",
    "ModifiedBy",
    "OpportunityNote",
)

MEMBER_COLUMNS: Final = tuple(
    sorted(
        (column for column in SYSTEM_COLUMNS if column.name in _MEMBER_ORDER),
        key=lambda column: _MEMBER_ORDER.index(column.name),
    )
)
"""The members of a line that every type has, in the order in which they are written."""

_ALL_NAMES: Final = tuple(column.name for column in MEMBER_COLUMNS + CUSTOM_COLUMNS)

_MANDATORY: Final = ("ProspectActivityId", "EventCode", "ProspectId")

_GUID_BYTES: Final = 16


class _Member(NamedTuple):
    """One name of a line: how it was written, and how its value is read.

    ``key`` is the own name of a member of a custom field set, empty for any other name.
    """

    given: str
    stored: str
    is_slot: bool
    key: str
    read: Callable[[Any], str | int | None]


class _Typed(NamedTuple):
    """A field with a form, and the quick test of it."""

    field: Field
    is_in_form: Callable[[str], object]


TypedFields: TypeAlias = Mapping[int, Mapping[str, _Typed]]
"""The fields whose values have a form of their own: by event code, by stored name."""


_NO_FIELDS: Final[TypedFields] = MappingProxyType({})


def typed_fields(catalogue: Catalogue) -> TypedFields:
    """The fields of all types that are more than text, Status among them."""
    return {
        code: {
            stored: _Typed(msgspec.structs.replace(field, max_length=None), form_test(field))
            for stored, field in formed_fields([status_field(code), *fields.values()]).items()
        }
        for code, fields in catalogue.fields.items()
    }


def opportunity_of(
    members: Mapping[str, Any], fields: TypedFields = _NO_FIELDS, *, keeps_unfit: bool = False
) -> StoredOpportunity:
    """The opportunity of a line. Raises RejectedLine with the name of the member at fault.

    ``keeps_unfit``: a value that does not fit its field is kept as it is, and not rejected.
    """
    values: dict[str, Any] = {}
    slots: dict[str, str] = {}
    sets: dict[str, dict[str, str | None]] = {}
    for given, stored, is_slot, key, read in _shape(tuple(members)):
        try:
            value = read(members[given])
        except ValueError as error:
            raise RejectedLine(f"{given}: {error}") from None
        if value is None:
            continue
        if key:
            sets.setdefault(stored, {})[key] = str(value)
        elif is_slot:
            slots[stored] = value  # type: ignore[assignment]  # what is_slot says, read keeps
        else:
            values[stored] = value
    for stored, of_set in sets.items():
        _add_set(stored, of_set, slots)
    if "owner_email" in values and "owner_id" not in values:
        raise RejectedLine("OwnerEmailAddress is given without Owner: whose address is it?")
    typed = fields.get(values.get("event_code", -1))
    if typed:
        _give_form(slots, typed, keeps_unfit=keeps_unfit)
        status = typed["status"]
        if "status" in values and not status.is_in_form(values["status"]):
            values["status"] = _formed(values["status"], status.field)
    try:
        return StoredOpportunity(**values, slots=slots)
    except TypeError:
        raise _without_mandatory(values) from None


def _add_set(stored: str, members: Mapping[str, str | None], slots: dict[str, str]) -> None:
    name, text = SLOT_NAMES[stored], set_text(members) or ""
    if stored in slots:
        raise RejectedLine(f"{name} and its members are given. Send the set, or the members.")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RejectedLine(
            f"{name}: the set would have {len(text):,} characters; it may have"
            f" {TEXT_CHARACTERS_MAX:,}"
        )
    slots[stored] = text


class FieldSet(NamedTuple):
    """A custom field set of a type: its stored column, its field, its members by own name."""

    stored: str
    field: Field
    members: Mapping[str, Field]


def sets_of(catalogue: Catalogue) -> dict[int, list[FieldSet]]:
    """The custom field sets of the types that have any."""
    found: dict[int, list[FieldSet]] = {}
    for code, fields in catalogue.fields.items():
        for name, field in fields.items():
            if field.data_type is DataType.CUSTOM_OBJECT:
                members = field_sets.members_of(fields.values(), name)
                found.setdefault(code, []).append(FieldSet(name.lower(), field, members))
    return found


def with_checked_sets(one: StoredOpportunity, sets: Iterable[FieldSet]) -> StoredOpportunity:
    """The opportunity with each set in its stored form. Raises RejectedLine."""
    slots = dict(one.slots)
    for stored, field, members in sets:
        if stored in slots:
            try:
                text = stored_set(slots.pop(stored), field, members, place=field.schema_name)
            except InvalidFieldValue as error:
                raise RejectedLine(str(error)) from None
            if text is not None:
                slots[stored] = text
    return msgspec.structs.replace(one, slots=slots)


def _give_form(slots: dict[str, str], typed: Mapping[str, _Typed], *, keeps_unfit: bool) -> None:
    """Give values the stored form of their fields, in place."""
    for stored, (field, is_in_form) in typed.items():
        text = slots.get(stored)
        if text is None or is_in_form(text):
            continue
        try:
            formed = _formed(text, field)
        except InvalidFieldValue as error:
            if not keeps_unfit:
                raise RejectedLine(str(error)) from None
            continue
        if formed is None:
            del slots[stored]
        else:
            slots[stored] = formed


def _formed(text: str, field: Field) -> str | None:
    """The stored form of a value; an unknown option as it is. Raises InvalidFieldValue."""
    if DATA_TYPES[field.data_type].has_options:
        return matching(text.strip(), options_of(field)) or text
    return stored_value(text, field, place=field.schema_name)


def members_of(one: StoredOpportunity) -> dict[str, str | int]:
    """The members of a line: what is set, system columns first, then slots by number."""
    members: dict[str, str | int] = {}
    for column in MEMBER_COLUMNS:
        value = getattr(one, column.stored)
        if value is not None:
            members[column.name] = value
    for stored, value in one.slots.items():
        members[SLOT_NAMES[stored]] = value
    return members


def check_names(names: Iterable[str]) -> None:
    """Raises RejectedLine when a line with these names cannot be an opportunity."""
    shape = _shape(tuple(names))
    stored = {member.stored for member in shape}
    for name in _MANDATORY:
        column = column_named(name)
        if column is None or column.stored not in stored:
            raise RejectedLine(f"{name} is missing")


@lru_cache(maxsize=256)
def _shape(names: tuple[str, ...]) -> tuple[_Member, ...]:
    """Return the meaning of a line with these names; the lines of a file have few shapes."""
    members: dict[str, _Member] = {}
    for given in names:
        column = column_named(given)
        if column is None:
            raise RejectedLine(
                f"{quoted(given)} is no member of an opportunity.{did_you_mean(given, _ALL_NAMES)}"
            )
        if column.stored in members:
            raise RejectedLine(
                f"{quoted(given)} and {quoted(members[column.stored].given)} are the same member"
            )
        stored, key = split_member(column.stored)
        members[column.stored] = _Member(
            given, stored, stored in SLOT_NAMES, key, _READERS.get(stored, _text)
        )
    return tuple(members.values())


def _without_mandatory(values: Mapping[str, Any]) -> RejectedLine:
    for name in _MANDATORY:
        column = column_named(name)
        if column is None or column.stored not in values:
            return RejectedLine(f"{name} is missing")
    raise AssertionError("an opportunity needs more than the mandatory members say")


# --- values; each raises ValueError with what is wrong -------------------------------------------


def _text(value: object) -> str | None:
    """Any scalar as text."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        if isinstance(value, bool):
            return "1" if value else "0"
        if isinstance(value, (float, Decimal)) and isnan(value):
            return None
        if isinstance(value, (int, float, Decimal)):
            return scalar_text(value)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
    if not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 (this error describes a line)
            "a text, a number, true or false is expected, not a list or an object"
        )
    if len(value) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"{len(value):,} characters; a value has at most {TEXT_CHARACTERS_MAX:,}")
    if "\0" in value:
        raise ValueError("the character U+0000 cannot be stored")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("not UTF-8") from None
    return value


def _guid(value: object) -> str | None:
    if isinstance(value, bytes) and len(value) == _GUID_BYTES:
        value = value.hex()
    text = _text(value)
    if text is None:
        return None
    guid = canonical_guid(text)
    if guid is None:
        raise ValueError(f"{quoted(text)} is no GUID")
    return guid


def _date(value: object) -> str | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return datetime_to_stored(text) if text.strip() else None
    except ValueError as error:
        raise ValueError(f"{quoted(text)}: {error}") from None


def _event_code(value: object) -> int | None:
    text = _text(value)
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 10):
        raise ValueError(f"{quoted(text)} is no event code, a whole number such as 12000")
    code = int(digits)
    if code > EVENT_CODE_MAX:
        raise ValueError(f"{code} is larger than {EVENT_CODE_MAX}")
    return code


_READERS: Final[Mapping[str, Callable[[Any], str | int | None]]] = {
    "id": _guid,
    "event_code": _event_code,
    "lead_id": _guid,
    "owner_id": _guid,
    "created_on": _date,
    "modified_on": _date,
}
