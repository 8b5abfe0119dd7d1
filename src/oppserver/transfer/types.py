"""Types and their fields, from and to the form of ``GetOpportunityTypeMetadata``.

A file may be an answer of this server or of the hosted service: one object, or an array of them.
Facts that this server does not keep are reported, found by comparing what was given with
what is made of it.
"""

import codecs
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UnsetType

from oppserver.calls.types.define import (
    check_fields,
    check_name,
    check_text,
    duplicate_rules,
    options_of,
    plain_field,
    system_field,
    with_dependent,
)
from oppserver.contract.columns import (
    MEMBER_SIGN,
    column_named,
    is_member,
    is_system,
    schema_name_of,
)
from oppserver.contract.errors import InvalidFile, InvalidInput
from oppserver.contract.field_sets import member_key
from oppserver.contract.limits import EVENT_CODE_MAX, TEXT_CHARACTERS_MAX
from oppserver.contract.metadata import (
    SYSTEM_FIELDS,
    FieldWire,
    MemberWire,
    OpportunityTypeWire,
    type_metadata,
)
from oppserver.contract.model import Catalogue, DataType, Field, OpportunityType
from oppserver.contract.names import comparable, repeated_name
from oppserver.transfer.lost import default_in, dependent_options_in, lost_of_type, options_in


class ImportedType(NamedTuple):
    """A type that a file has, its fields there, and what of it is not kept.

    ``renamed`` are fields of every type that this one shows under another name, or no longer does.

    ``lost`` has, for what was lost, the schema names of the fields that lost it; none when it is of
    the type itself.
    """

    type: OpportunityType
    fields: tuple[Field, ...]
    renamed: tuple[Field, ...]
    lost: Mapping[str, list[str]]


# --- out ---------------------------------------------------------------------------------------


def exported_type(catalogue: Catalogue, event_code: int) -> OpportunityTypeWire:
    """A type in the form of the API, which ``types_of`` reads back to an equal one."""
    fields = catalogue.fields.get(event_code, {})
    renamed = catalogue.renamed.get(event_code, {})
    return type_metadata(catalogue.types[event_code], fields.values(), renamed)


# --- in ----------------------------------------------------------------------------------------


def types_of(text: bytes, catalogue: Catalogue) -> list[ImportedType]:
    """The types of a file, beside what is known of them already.

    Raises InvalidFile, which names the place, when there is something that cannot be understood.
    """
    try:
        decoded = msgspec.json.decode(text.removeprefix(codecs.BOM_UTF8))
        repeated = repeated_name(text.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidFile(f"it is not JSON: {error}") from None
    if repeated is not None:
        raise InvalidFile(f"${repeated} is there twice. Keep one of them.")
    if not isinstance(decoded, list):
        return [_type_of(decoded, catalogue, place="$")]
    return [_type_of(one, catalogue, place=f"$[{number}]") for number, one in enumerate(decoded)]


def _type_of(given: Any, catalogue: Catalogue, *, place: str) -> ImportedType:
    message = _converted(without_nulls(given), OpportunityTypeWire, place)
    code = message.EventCode
    if not 0 <= code <= EVENT_CODE_MAX:
        raise InvalidFile(f"{place}.EventCode: {code} is not from 0 to {EVENT_CODE_MAX}")
    known = catalogue.fields.get(code, {})
    fields = _fields_of(message, place)
    merged = {**known, **{field.schema_name: field for field in fields}}
    fields = [_with_sound_parent(field, merged) for field in fields]
    merged.update((field.schema_name, field) for field in fields)
    renamed = _renamed_in(message, catalogue)
    one = OpportunityType(
        event_code=code,
        name=message.DisplayName or f"Opportunity {code}",
        description=message.Description or "",
        can_delete=message.CanDelete,
    )
    try:
        check_name(one.name, place="the display name")
        check_text(one.description, place="the description")
        check_fields(merged)
        for field in renamed.values():
            check_name(field.display_name, place=f"the display name of {field.schema_name}")
        rules = _rules_of(message, merged, catalogue)
    except InvalidInput as error:
        raise InvalidFile(f"{place}: {error}") from None
    one = msgspec.structs.replace(one, duplicate_rules=rules)
    kept = msgspec.to_builtins(type_metadata(one, fields, renamed))
    return ImportedType(one, tuple(fields), tuple(renamed.values()), lost_of_type(given, kept))


def _rules_of(
    message: OpportunityTypeWire, fields: Mapping[str, Field], catalogue: Catalogue
) -> tuple[tuple[str, ...], ...]:
    if message.DuplicateRules is not None:
        return duplicate_rules(message.DuplicateRules, fields)
    known = catalogue.types.get(message.EventCode)
    return known.duplicate_rules if known else ()


def without_nulls(value: Any) -> Any:
    """A JSON value whose objects have no member that is null: as if it had been left out."""
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [without_nulls(one) for one in value]
    return value


def _converted(value: Any, form: Any, place: str) -> Any:
    try:
        return msgspec.convert(value, form, strict=False)
    except msgspec.ValidationError as error:
        # msgspec says "Expected `int`, got `str` - at `$.EventCode`"
        expected, _, inside = str(error).partition(" - at ")
        where = place + inside.strip("`").removeprefix("$")
        raise InvalidFile(f"{where}: {expected.replace('`', '')}") from None


# --- fields ------------------------------------------------------------------------------------


def _fields_of(message: OpportunityTypeWire, place: str) -> list[Field]:
    """The fields that are slots here, with the members of sets; the last of a name counts."""
    fields = {}
    for number, one in enumerate(message.Fields or []):
        column = column_named(one.SchemaName)
        if column is None or is_system(column):
            continue
        name, at = schema_name_of(column), f"{place}.Fields[{number}]"
        members = members_in_form(one)
        field = _field_of(one, message.EventCode, name, at)
        if members:
            field = msgspec.structs.replace(field, data_type=DataType.CUSTOM_OBJECT)
        fields[name] = field
        for index, member in enumerate(members):
            key = member_key(member.SchemaName)
            if key is not None:
                of_set = f"{name}{MEMBER_SIGN}{key}"
                inside = f"{at}.CustomObjectFormProperties.FieldProperties.FormMetaData[{index}]"
                fields[of_set] = _field_of(member, message.EventCode, of_set, inside)
    return list(fields.values())


def _renamed_in(message: OpportunityTypeWire, catalogue: Catalogue) -> dict[str, Field]:
    """The fields of every type whose display name is another than here, by schema name."""
    known = catalogue.renamed.get(message.EventCode, {})
    renamed = {}
    for one in message.Fields or []:
        column = column_named(one.SchemaName)
        plain = SYSTEM_FIELDS.get(column.name) if column else None
        if plain is None or not one.DisplayName:
            continue
        if one.DisplayName != plain.DisplayName or plain.SchemaName in known:
            renamed[plain.SchemaName] = system_field(
                message.EventCode, plain.SchemaName, one.DisplayName
            )
    return renamed


def members_in_form(message: FieldWire) -> list[MemberWire]:
    """The members of a custom field set in a message; none of any other field."""
    of_set = message.CustomObjectFormProperties
    return [] if isinstance(of_set, UnsetType) else of_set.FieldProperties.FormMetaData


def _field_of(message: MemberWire, event_code: int, schema_name: str, place: str) -> Field:
    own = options_in(message.OptionSet, f"{place}.OptionSet")
    dependent = dependent_options_in(message.DependentOptionSet, f"{place}.DependentOptionSet")
    options = _distinct(with_dependent(own, dependent))
    default = default_in(message.OptionSet, f"{place}.OptionSet")
    data_type = _data_type(message.DataType, has_options=bool(options))
    is_dropdown = data_type is DataType.SEARCHABLE_DROPDOWN
    length = message.MaxFieldLength or 0
    plain = plain_field(event_code, schema_name)
    parent = None if is_member(schema_name) else column_named(message.ParentField or "")
    depends = dependent if is_dropdown and not is_member(schema_name) else {}
    return Field(
        event_code=event_code,
        schema_name=schema_name,
        display_name=message.DisplayName or plain.display_name,
        data_type=data_type,
        is_mandatory=message.IsMandatory,
        sequence=plain.sequence if message.Sequence is None else message.Sequence,
        options=options if is_dropdown else (),
        default_option=default if is_dropdown and default in options else None,
        max_length=length if 0 < length < TEXT_CHARACTERS_MAX else None,
        parent_field=parent.name if parent and is_dropdown else None,
        dependent_options={parent: _distinct(some) for parent, some in depends.items()},
    )


def _data_type(name: str | None, *, has_options: bool) -> DataType:
    """Return the type of a name; for an unknown name, a type that fits the values without it."""
    for one in DataType:
        if one.value.casefold() == (name or "").casefold():
            return one
    return DataType.SEARCHABLE_DROPDOWN if has_options else DataType.STRING


def _with_sound_parent(field: Field, fields: Mapping[str, Field]) -> Field:
    """The field, without a parent that has no options, or what depends on options it lacks."""
    values = options_of(field.parent_field or "", fields)
    if not values:
        return msgspec.structs.replace(field, parent_field=None, dependent_options={})
    spelled = {comparable(value): value for value in values}
    own = {comparable(option): option for option in field.options}
    dependent = {
        spelled[comparable(parent)]: tuple(own[comparable(one)] for one in some)
        for parent, some in field.dependent_options.items()
        if comparable(parent) in spelled
    }
    return msgspec.structs.replace(field, dependent_options=dependent)


def _distinct(options: Iterable[str]) -> tuple[str, ...]:
    """Options that are not blank, those that differ only in the case of A to Z once."""
    first: dict[str, str] = {}
    for option in options:
        if option.strip():
            first.setdefault(comparable(option), option)
    return tuple(first.values())
