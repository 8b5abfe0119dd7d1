"""Definitions of fields and duplicate rules, made and checked from what an operator asks."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from oppserver.calls.shared.names import schema_names_shown_as
from oppserver.contract.columns import Column, column_named, first_of_stored, is_member
from oppserver.contract.errors import InvalidInput
from oppserver.contract.field_sets import fields_of_slots, split_member
from oppserver.contract.limits import (
    DUPLICATE_RULES_MAX,
    EVENT_CODE_MAX,
    FIELD_OPTIONS_MAX,
    NAME_CHARACTERS_MAX,
    SET_MEMBERS_MAX,
    TEXT_CHARACTERS_MAX,
)
from oppserver.contract.model import STATUSES, DataType, Field
from oppserver.contract.names import comparable, did_you_mean, quoted
from oppserver.contract.values import DATA_TYPES

_STATUS: Final = "Status"

_NO_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of characters, which broken input has and UTF-8 cannot encode."""

_NO_TEXT: Final = re.compile(r"[\x00\ud800-\udfff]")

_RULE_NAMES: Final = (
    "ProspectId",
    "EmailAddress",
    "Owner",
    "Status",
    "OpportunityNote",
    "CreatedOn",
)
"""The columns that a duplicate rule may name beside slots: equal when a capture is sent twice."""

# --- fields ------------------------------------------------------------------------------------


def plain_field(event_code: int, schema_name: str) -> Field:
    """A field with every default: its sequence is the number of its slot, or of the member."""
    _, key = split_member(schema_name)
    number = (key or schema_name).rpartition("_")[2]
    return Field(
        event_code=event_code,
        schema_name=schema_name,
        display_name=schema_name,
        sequence=int(number) if number.isdecimal() else 0,
    )


def system_field(event_code: int, schema_name: str, display_name: str) -> Field:
    """A field that every type has, by the display name that this one shows."""
    return Field(event_code=event_code, schema_name=schema_name, display_name=display_name)


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """The new properties of a field. None keeps the property.

    An empty ``default_option`` or ``parent_field`` removes it. ``dependent_options`` replace those
    of the parent's values that they name, and keep the others.
    """

    display_name: str | None = None
    data_type: DataType | None = None
    is_mandatory: bool | None = None
    sequence: int | None = None
    options: tuple[str, ...] | None = None
    default_option: str | None = None
    max_length: int | None = None
    parent_field: str | None = None
    dependent_options: Mapping[str, tuple[str, ...]] | None = None


def renamed_field(schema_name: str, event_code: int, change: FieldChange) -> Field:
    """A field that every type has, under another display name. Raises InvalidInput."""
    others = msgspec.structs.astuple(msgspec.structs.replace(change, display_name=None))
    if change.display_name is None or any(one is not None and one != {} for one in others):
        raise InvalidInput(
            f"{schema_name} is a field of every type: type {event_code} can give it another"
            " --display-name and nothing else"
        )
    check_name(change.display_name, place=f"{schema_name}: the display name")
    return system_field(event_code, schema_name, change.display_name)


def changed_field(field: Field, change: FieldChange, fields: Mapping[str, Field]) -> Field:
    """Return the changed field. ``fields`` are those of its type, by schema name.

    Options make a field a dropdown; another data type removes its options. When options depend on
    a parent's value, all of them do: an option without a parent's value could never be written.

    Raises InvalidInput. ``check_fields`` checks the result against the other fields.
    """
    if is_member(field.schema_name) and (change.parent_field or change.dependent_options):
        raise _refused(field, "a member of a custom field set has no parent")
    plain = {
        name: value
        for name in ("display_name", "is_mandatory", "sequence", "max_length")
        if (value := getattr(change, name)) is not None
    }
    asks_for_options = bool(
        change.options or change.default_option or change.parent_field or change.dependent_options
    )
    data_type = change.data_type or (
        DataType.SEARCHABLE_DROPDOWN if asks_for_options else field.data_type
    )
    if not DATA_TYPES[data_type].has_options:
        if asks_for_options:
            raise _refused(field, f"options belong to a {DataType.SEARCHABLE_DROPDOWN}")
        without: dict[str, object] = {
            "options": (),
            "default_option": None,
            "parent_field": None,
            "dependent_options": {},
        }
        return msgspec.structs.replace(field, data_type=data_type, **plain, **without)
    parent = _parent(field, change)
    dependent = _dependent_options(field, change, parent, fields)
    options = _options(field, change, dependent)
    return msgspec.structs.replace(
        field,
        data_type=data_type,
        **plain,
        options=options,
        default_option=_default_option(field, change, options),
        parent_field=parent,
        dependent_options=dependent,
    )


def with_set(
    name: str, event_code: int, change: FieldChange, fields: Mapping[str, Field]
) -> list[Field]:
    """The changed field of a name; a member is preceded by its set, if that is not defined yet."""
    of_set, key = split_member(name)
    field = changed_field(fields.get(name) or plain_field(event_code, name), change, fields)
    if not key or of_set in fields:
        return [field]
    plain = plain_field(event_code, of_set)
    return [msgspec.structs.replace(plain, data_type=DataType.CUSTOM_OBJECT), field]


def _options(
    field: Field, change: FieldChange, dependent: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    if not dependent:
        return field.options if change.options is None else change.options
    if change.options:
        raise _refused(field, "its options depend on its parent: give them as --dependent-option")
    bound = {one for some in dependent.values() for one in some}
    return with_dependent([option for option in field.options if option in bound], dependent)


def _default_option(field: Field, change: FieldChange, options: Sequence[str]) -> str | None:
    """The default option in its own spelling; ``check_fields`` refuses one that is unknown."""
    if change.default_option is None:
        return field.default_option
    name = change.default_option.strip()
    spelled = {comparable(option): option for option in options}
    return spelled.get(comparable(name), name) or None


def with_dependent(
    options: Sequence[str], dependent: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The options, then the dependent options that are not among them."""
    return tuple(dict.fromkeys([*options, *(one for some in dependent.values() for one in some)]))


def _parent(field: Field, change: FieldChange) -> str | None:
    if change.parent_field is None:
        return field.parent_field
    name = change.parent_field.strip()
    if not name:
        return None
    column = column_named(name)
    return column.name if column else name


def _dependent_options(
    field: Field, change: FieldChange, parent: str | None, fields: Mapping[str, Field]
) -> dict[str, tuple[str, ...]]:
    """The dependent options by the parent's value, in the parent's spelling."""
    kept = dict(field.dependent_options) if parent == field.parent_field else {}
    given = change.dependent_options or {}
    if parent is None:
        if given:
            raise _refused(field, "dependent options need a parent: --parent SCHEMA_NAME")
        return {}
    spelled = {comparable(value): value for value in options_of(parent, fields)}
    return kept | {spelled.get(comparable(value), value): some for value, some in given.items()}


def options_of(schema_name: str, fields: Mapping[str, Field]) -> tuple[str, ...]:
    """The options of a field, or of Status; empty when there is no such field."""
    if schema_name == _STATUS:
        return STATUSES
    return fields[schema_name].options if schema_name in fields else ()


def check_fields(fields: Mapping[str, Field]) -> None:
    """Check all fields of a type, by schema name. Raises InvalidInput."""
    _check_members(fields)
    for field in fields.values():
        _check_display_name(field)
        _check_numbers(field)
        _check_options(field)
        _check_parent(field, fields)


def _check_members(fields: Mapping[str, Field]) -> None:
    """Check that members are of sets and no sets, and that a type has not too many of them."""
    members = [field for field in fields.values() if is_member(field.schema_name)]
    if len(members) > SET_MEMBERS_MAX:
        raise _refused(
            members[-1],
            f"the type would have {len(members)} members of custom field sets; it may have"
            f" {SET_MEMBERS_MAX}",
        )
    for field in members:
        if field.data_type is DataType.CUSTOM_OBJECT:
            raise _refused(field, "a member of a custom field set is no set itself")
        name, _ = split_member(field.schema_name)
        of_set = fields.get(name)
        if of_set is None or of_set.data_type is not DataType.CUSTOM_OBJECT:
            raise _refused(
                field,
                f"{name} is {'no field' if of_set is None else f'a {of_set.data_type.value}'}, and"
                f" members belong to a {DataType.CUSTOM_OBJECT}. 'oppserver field add"
                f" {field.event_code} {name} --data-type {DataType.CUSTOM_OBJECT}' makes it one",
            )


def _check_display_name(field: Field) -> None:
    check_name(field.display_name, place=_place(field, "the display name"))


def _check_numbers(field: Field) -> None:
    if not 0 <= field.sequence <= EVENT_CODE_MAX:
        raise _refused(field, f"the sequence {field.sequence} is not from 0 to {EVENT_CODE_MAX}")
    if field.max_length is not None and not 1 <= field.max_length <= TEXT_CHARACTERS_MAX:
        raise _refused(field, f"the length {field.max_length} is not 1 to {TEXT_CHARACTERS_MAX}")


def check_name(name: str, *, place: str) -> None:
    """Check that a name is one line of text and not too long. Raises InvalidInput."""
    if not name.strip() or _NO_LINE.search(name):
        raise InvalidInput(f"{place} {quoted(name)} has to be a line of text")
    if len(name) > NAME_CHARACTERS_MAX:
        raise InvalidInput(f"{place} has {len(name)} characters; it may have {NAME_CHARACTERS_MAX}")


def check_text(text: str, *, place: str) -> None:
    """Check that a text is short enough and can be stored. Raises InvalidInput."""
    if _NO_TEXT.search(text):
        raise InvalidInput(f"{place} {quoted(text)} has characters that cannot be stored")
    if len(text) > TEXT_CHARACTERS_MAX:
        raise InvalidInput(
            f"{place} has {len(text):,} characters; it may have {TEXT_CHARACTERS_MAX:,}"
        )


def _check_options(field: Field) -> None:
    if len(field.options) > FIELD_OPTIONS_MAX:
        raise _refused(field, f"{len(field.options):,} options; it may have {FIELD_OPTIONS_MAX:,}")
    longest = field.max_length or TEXT_CHARACTERS_MAX
    seen: dict[str, str] = {}
    for option in field.options:
        if not option.strip() or _NO_LINE.search(option):
            raise _refused(field, f"the option {quoted(option)} has to be a line of text")
        if len(option) > longest:
            raise _refused(field, f"the option {quoted(option)} is longer than {longest:,}")
        same = seen.setdefault(comparable(option), option)
        if same is not option:
            raise _refused(field, f"the options {quoted(same)} and {quoted(option)} are the same")
    default = field.default_option
    if default is not None and default not in field.options:
        raise _refused(
            field,
            f"the default {quoted(default)} is no option.{did_you_mean(default, field.options)}"
            " Give one of them as --default-option, or '' for none.",
        )


def _check_parent(field: Field, fields: Mapping[str, Field]) -> None:
    if field.parent_field is None:
        return
    parents = [_STATUS, *(name for name, one in fields.items() if one.options)]
    if field.parent_field not in parents:
        raise _refused(
            field,
            f"the parent {quoted(field.parent_field)} is no dropdown with options of its type."
            f"{did_you_mean(field.parent_field, parents)}",
        )
    _check_circle(field, fields)
    values = options_of(field.parent_field, fields)
    for value in field.dependent_options:
        if value not in values:
            raise _refused(
                field,
                f"{quoted(value)} is no option of its parent {field.parent_field}."
                f"{did_you_mean(value, values)}",
            )


def _check_circle(field: Field, fields: Mapping[str, Field]) -> None:
    seen = {field.schema_name}
    parent = field.parent_field
    while parent is not None and parent in fields:
        if parent in seen:
            raise _refused(field, f"its parent {parent} depends on it")
        seen.add(parent)
        parent = fields[parent].parent_field


def _refused(field: Field, why: str) -> InvalidInput:
    return InvalidInput(_place(field, why))


def _place(field: Field, why: str) -> str:
    return f"Field {field.schema_name} of type {field.event_code}: {why}"


# --- duplicate rules ---------------------------------------------------------------------------


def duplicate_rules(
    rules: Iterable[Sequence[str]], fields: Mapping[str, Field]
) -> tuple[tuple[str, ...], ...]:
    """Rules with canonical names, each rule and each name once. Raises InvalidInput."""
    canonical = tuple(dict.fromkeys(_rule(rule, fields) for rule in rules))
    if len(canonical) > DUPLICATE_RULES_MAX:
        raise InvalidInput(
            f"{len(canonical)} duplicate rules; a type may have {DUPLICATE_RULES_MAX}"
        )
    return canonical


def _rule(names: Sequence[str], fields: Mapping[str, Field]) -> tuple[str, ...]:
    if not names:
        raise InvalidInput("A duplicate rule names at least one column")
    return tuple(dict.fromkeys(_rule_column(name, fields).name for name in names))


def _rule_column(name: str, fields: Mapping[str, Field]) -> Column:
    shown_as = schema_names_shown_as(name, fields.values())
    column = column_named(name) or (column_named(shown_as[0]) if shown_as else None)
    if column is not None:
        canonical = first_of_stored(column)
        is_own = canonical.name in fields and not is_member(canonical.name)
        if canonical.name in _RULE_NAMES or is_own:
            return canonical
    own = fields_of_slots(fields.values())
    shown = [name for field in own for name in (field.schema_name, field.display_name)]
    raise InvalidInput(
        f"A duplicate rule cannot name {quoted(name.strip())}."
        f"{did_you_mean(name.strip(), [*_RULE_NAMES, *shown])}"
        f" It may name {', '.join(_RULE_NAMES)} and the type's fields."
    )
