"""The details of one opportunity, and the types with their fields."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

import msgspec

from oppserver.client.calls import HostCall, decoded, not_understood, reading_call
from oppserver.client.conditions import as_event_code, guid_of
from oppserver.client.errors import NotFound
from oppserver.client.rows import Opportunity, text_of

_DETAILS_NAME: Final = "GetOpportunityDetails"

_TYPE_NAME: Final = "GetOpportunityTypeMetadata"

_TYPES_NAME: Final = "GetOpportunityTypes"


class FieldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a type. ``options`` are a dropdown's values, in order.

    A dependent dropdown has a ``parent_field``; ``dependent_options`` has its options by the
    parent's value.
    """

    schema_name: str
    display_name: str
    data_type: str = "String"
    is_mandatory: bool = False
    sequence: int = 0
    options: Sequence[str] = ()
    max_length: int | None = None
    parent_field: str | None = None
    dependent_options: Mapping[str, Sequence[str]] = {}


class TypeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An opportunity type, without fields in a list of types. ``message`` is the host's JSON."""

    event_code: int
    name: str
    description: str = ""
    can_delete: bool = True
    fields: Sequence[FieldInfo] = ()
    message: bytes = b""


class OpportunityDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One opportunity: ``row`` has the values of all fields, ``fields`` describes the fields."""

    id: str
    type_name: str
    lead_id: str | None
    row: Opportunity
    fields: Sequence[FieldInfo]


class _Field(msgspec.Struct):
    SchemaName: str
    DisplayName: str | None = None
    Value: Any = None
    DataType: str | None = None
    IsMandatory: bool | int | str | None = None
    Sequence: int | str | None = None
    ParentField: str | None = None
    OptionSet: str | None = None
    DependentOptionSet: str | None = None
    MaxFieldLength: int | str | None = None


class _Type(msgspec.Struct):
    EventCode: int | str
    DisplayName: str | None = None
    Description: str | None = None
    CanDelete: bool | int | str | None = True
    Fields: list[_Field] | None = None


class _Details(msgspec.Struct):
    ID: str | None = None
    DisplayName: str | None = None
    Name: str | None = None
    RelatedProspectId: str | None = None
    OpportunityNote: str | None = None
    Fields: list[_Field] | None = None


class _Option(msgspec.Struct):
    Value: Any = None
    Text: Any = None


class _Dependent(msgspec.Struct):
    Parent: Any = None
    Options: list[_Option] | None = None


_DETAILS: Final = msgspec.json.Decoder(_Details)

_TYPE: Final = msgspec.json.Decoder(_Type)

_TYPES: Final = msgspec.json.Decoder(list[_Type])

_OPTIONS: Final = msgspec.json.Decoder(list[_Option])

_DEPENDENTS: Final = msgspec.json.Decoder(list[_Dependent])


def details_call(opportunity_id: str | UUID) -> HostCall[OpportunityDetails]:
    """The call for one opportunity. Reading an empty answer raises NotFound."""
    one = guid_of(opportunity_id, what="opportunity_id")
    read = partial(_read_details, one)
    return reading_call(
        _DETAILS_NAME, None, read, query=(("OpportunityId", one),), may_be_empty=True
    )


def type_call(event_code: int | str) -> HostCall[TypeInfo]:
    """The call for one type with its fields."""
    return reading_call(_TYPE_NAME, None, _read_type, query=(("code", as_event_code(event_code)),))


def types_call() -> HostCall[list[TypeInfo]]:
    """The call for all types, without their fields."""
    return reading_call(_TYPES_NAME, None, _read_types)


def _read_details(asked: str, body: bytes) -> OpportunityDetails:
    found = decoded(_DETAILS, body or b"{}", name=_DETAILS_NAME)
    if not found.ID:
        raise NotFound(
            f"{_DETAILS_NAME}: there is no opportunity {asked}. Check the id; the opportunity may"
            " have been deleted."
        )
    fields = found.Fields or []
    values = {field.SchemaName: text_of(field.Value) for field in fields}
    system = {
        "ProspectActivityId": found.ID,
        "ProspectId": found.RelatedProspectId,
        "OpportunityNote": found.OpportunityNote,
    }
    return OpportunityDetails(
        id=found.ID,
        type_name=found.DisplayName or found.Name or "",
        lead_id=found.RelatedProspectId,
        row=Opportunity({**system, **values}),
        fields=[_field_info(field) for field in fields],
    )


def _read_type(body: bytes) -> TypeInfo:
    return _type_info(decoded(_TYPE, body, name=_TYPE_NAME), body)


def _read_types(body: bytes) -> list[TypeInfo]:
    return [_type_info(one, b"") for one in decoded(_TYPES, body, name=_TYPES_NAME)]


def _type_info(one: _Type, message: bytes) -> TypeInfo:
    code = str(one.EventCode).strip()
    if not code.isdecimal():
        raise not_understood(_TYPE_NAME, f"EventCode is {code!r}")
    return TypeInfo(
        event_code=int(code),
        name=one.DisplayName or f"Opportunity {code}",
        description=one.Description or "",
        can_delete=_flag(one.CanDelete),
        fields=[_field_info(field) for field in one.Fields or ()],
        message=message,
    )


def _field_info(field: _Field) -> FieldInfo:
    return FieldInfo(
        schema_name=field.SchemaName,
        display_name=field.DisplayName or field.SchemaName,
        data_type=field.DataType or "String",
        is_mandatory=_flag(field.IsMandatory),
        sequence=_number(field.Sequence) or 0,
        options=_options(_in_text(_OPTIONS, field.OptionSet)),
        max_length=_number(field.MaxFieldLength),
        parent_field=field.ParentField or None,
        dependent_options={
            str(one.Parent): _options(one.Options or [])
            for one in _in_text(_DEPENDENTS, field.DependentOptionSet)
        },
    )


def _options(options: Sequence[_Option]) -> tuple[str, ...]:
    values = (text_of(option.Value) or text_of(option.Text) for option in options)
    return tuple(value for value in values if value)


def _in_text(decoder: Any, text: str | None) -> Any:
    """Decode JSON in a text; an empty list if the text is empty or has another form."""
    try:
        return decoder.decode(text) if text else []
    except msgspec.DecodeError:
        return []


def _flag(value: bool | int | str | None) -> bool:
    return str(value).strip().lower() in ("true", "1")


def _number(value: int | str | None) -> int | None:
    text = str(value).strip()
    return int(text) if text.isdecimal() else None
