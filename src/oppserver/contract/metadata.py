"""Messages of types and fields, as the API describes them.

The keys, their order, and the values that are not stored here are those of the documented example.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.contract.field_sets import fields_of_slots, members_in, members_of, split_member
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.model import STATUSES, DataType, Field, OpportunityType


class OptionWire(msgspec.Struct, frozen=True, kw_only=True):
    """One option of a dropdown. ``Text`` is empty: the value itself is shown."""

    IsDefault: bool = False
    Text: str | None = ""
    Value: str | None = ""
    CanDelete: int = 1
    CanEdit: int = 1
    IsLastOption: int = 0
    Order: int = 0
    BackgroundColor: str = ""
    FontColor: str = ""


class DependentOptionsWire(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a dependent dropdown for one value of its parent."""

    Parent: str
    Options: list[OptionWire]


class MemberWire(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a type, or a member of a custom field set, and in details its value.

    ``OptionSet`` and ``DependentOptionSet`` are texts that hold a JSON array, or are empty.
    """

    SchemaName: str
    InternalName: str | None = ""
    DisplayName: str | None = ""
    Value: str | None = None
    DataType: str | None = None
    IsMandatory: bool = False
    ShowInForm: bool = True
    Sequence: int | None = None
    ParentField: str | None = ""
    OptionSet: str | None = ""
    DependentOptionSet: str | None = ""
    IsDefault: bool = False
    IsReadOnly: bool = False
    RenderType: str | None = ""
    ExportAsPlainText: bool = False
    IsMultiSelectDropdown: bool = False
    IncludeOthersOption: bool = False
    BehaviorOnMissingDropdownOption: int = 0
    IsOthersValue: bool = False
    InternalSchemaName: str | None = ""
    CustomObjectType: int = 2
    MaxFieldLength: int | None = None


class FormMetaDataWire(msgspec.Struct, frozen=True, kw_only=True):
    """The members of a custom field set, in their sequence, by their own names."""

    FormMetaData: list[MemberWire] = []


class CustomObjectWire(msgspec.Struct, frozen=True, kw_only=True):
    """The definition of a custom field set."""

    FieldProperties: FormMetaDataWire


class FieldWire(MemberWire, frozen=True, kw_only=True):
    """A field of a type, and in details its value; of a custom field set with its members."""

    CustomObjectFormProperties: CustomObjectWire | UnsetType = UNSET


class OpportunityTypeWire(msgspec.Struct, frozen=True, kw_only=True):
    """A type, with its fields or, in lists of types, without (null).

    ``DuplicateRules`` is ours: the hosted API does not answer a type's rules.
    """

    AllowAttachments: bool = False
    CanDelete: bool = True
    Description: str | None = ""
    DisplayName: str | None = ""
    EventCode: int
    Fields: list[FieldWire] | None = None
    DuplicateRules: list[list[str]] | None = None


class ActivityTypeWire(msgspec.Struct, frozen=True, kw_only=True):
    """A type of activities. ``ActivityProperties`` is a text that holds a JSON object."""

    ActivityEvent: int
    ActivityEventName: str
    DisplayName: str
    EventType: int
    EventDirection: int
    Tags: None
    ActivityProperties: str


_STATUS_COLORS: Final = {
    "Open": ("#FFFB83", "#A08427"),
    "Won": ("#A5E887", "#347715"),
    "Lost": ("#FFD4D0", "#E31D00"),
}
"""Background and font. Source: the documented example."""

_SYSTEM_FIELD_LENGTH: Final = 200
"""The values of the documented example for fields of ours: a status, an id, a date."""


Renamed = Mapping[str, Field]
"""Fields that every type has and that one shows under another name, by schema name."""


def type_metadata(
    one: OpportunityType, fields: Iterable[Field], renamed: Renamed
) -> OpportunityTypeWire:
    """A type with all its fields."""
    return msgspec.structs.replace(type_summary(one), Fields=fields_of_type(fields, renamed))


def fields_of_type(fields: Iterable[Field], renamed: Renamed) -> list[FieldWire]:
    """The fields of a type: the note and the status, then its own in their order.

    A field of details comes behind the status where it has another name.
    """
    note, status, *others = system_fields(renamed)
    shown = [one for one, plain in zip(others, DETAIL_FIELDS, strict=True) if one != plain]
    return [note, status, *shown, *own_fields(fields)]


def system_fields(renamed: Renamed) -> list[FieldWire]:
    """The fields that every type has, as one shows them: note, status, those of details."""
    return [
        msgspec.structs.replace(one, DisplayName=renamed[one.SchemaName].display_name)
        if one.SchemaName in renamed
        else one
        for one in (NOTE_FIELD, STATUS_FIELD, *DETAIL_FIELDS)
    ]


def own_fields(fields: Iterable[Field]) -> list[FieldWire]:
    """The custom fields of a type in their order, sets with their members."""
    every = list(fields)
    return [_with_members(field, every) for field in fields_of_slots(every)]


def with_value(field: FieldWire, value: str | None) -> FieldWire:
    """The field with its value; a custom field set with those of its members too."""
    of_set = field.CustomObjectFormProperties
    if isinstance(of_set, UnsetType):
        return msgspec.structs.replace(field, Value=value)
    texts = members_in(value)
    members = [
        msgspec.structs.replace(one, Value=texts.get(one.SchemaName))
        for one in of_set.FieldProperties.FormMetaData
    ]
    properties = CustomObjectWire(FieldProperties=FormMetaDataWire(FormMetaData=members))
    return msgspec.structs.replace(field, Value=value, CustomObjectFormProperties=properties)


def _with_members(field: Field, fields: Iterable[Field]) -> FieldWire:
    message = field_metadata(field)
    if field.data_type is not DataType.CUSTOM_OBJECT:
        return message
    members = [_member(one) for one in members_of(fields, field.schema_name).values()]
    properties = CustomObjectWire(FieldProperties=FormMetaDataWire(FormMetaData=members))
    return msgspec.structs.replace(message, CustomObjectFormProperties=properties)


def _member(field: Field) -> MemberWire:
    _, key = split_member(field.schema_name)
    message = msgspec.structs.asdict(field_metadata(field))
    del message["CustomObjectFormProperties"]
    return MemberWire(**message | {"SchemaName": key, "InternalName": key})


def type_summary(one: OpportunityType) -> OpportunityTypeWire:
    """A type without its fields."""
    return OpportunityTypeWire(
        CanDelete=one.can_delete,
        Description=one.description,
        DisplayName=one.name,
        EventCode=one.event_code,
        DuplicateRules=[list(rule) for rule in one.duplicate_rules],
    )


def field_metadata(field: Field) -> FieldWire:
    """A field of a type, without a value."""
    return FieldWire(
        SchemaName=field.schema_name,
        InternalName=field.schema_name,
        DisplayName=field.display_name,
        DataType=field.data_type.value,
        IsMandatory=field.is_mandatory,
        Sequence=field.sequence,
        ParentField=field.parent_field or "",
        OptionSet=_text(option_messages(field.options, default=field.default_option)),
        DependentOptionSet=_text(
            [
                DependentOptionsWire(
                    Parent=parent, Options=option_messages(options, default=field.default_option)
                )
                for parent, options in field.dependent_options.items()
            ]
        ),
        MaxFieldLength=field.max_length or TEXT_CHARACTERS_MAX,
    )


def option_messages(
    options: Iterable[str],
    *,
    default: str | None,
    colors: Mapping[str, tuple[str, str]] = MappingProxyType({}),
) -> list[OptionWire]:
    """The messages of options, in their order. ``colors``: background and font by option."""
    messages = []
    for order, value in enumerate(options):
        background, font = colors.get(value, ("", ""))
        messages.append(
            OptionWire(
                IsDefault=value == default,
                Value=value,
                Order=order,
                BackgroundColor=background,
                FontColor=font,
            )
        )
    return messages


def _text(messages: list[OptionWire] | list[DependentOptionsWire]) -> str:
    return msgspec.json.encode(messages).decode() if messages else ""


def _system_field(
    schema_name: str,
    display_name: str,
    *,
    data_type: DataType = DataType.STRING,
    is_read_only: bool = True,
) -> FieldWire:
    return FieldWire(
        SchemaName=schema_name,
        InternalName=schema_name,
        DisplayName=display_name,
        DataType=data_type.value,
        ShowInForm=False,
        Sequence=0,
        IsDefault=True,
        IsReadOnly=is_read_only,
        MaxFieldLength=_SYSTEM_FIELD_LENGTH,
    )


NOTE_FIELD: Final = FieldWire(
    SchemaName="ActivityEvent_Note",
    InternalName="ActivityEvent_Note",
    DisplayName="Notes",
    DataType=DataType.STRING.value,
    Sequence=0,
    IsDefault=True,
    MaxFieldLength=TEXT_CHARACTERS_MAX,
)

STATUS_FIELD: Final = FieldWire(
    SchemaName="Status",
    InternalName="Status",
    DisplayName="Status",
    DataType=DataType.SEARCHABLE_DROPDOWN.value,
    IsMandatory=True,
    Sequence=2,
    OptionSet=_text(option_messages(STATUSES, default=STATUSES[0], colors=_STATUS_COLORS)),
    IsDefault=True,
    MaxFieldLength=_SYSTEM_FIELD_LENGTH,
)

DETAIL_FIELDS: Final = (
    _system_field("Owner", "Owner", is_read_only=False),
    _system_field("OwnerEmailAddress", "Owner Email Address"),
    _system_field("CreatedOn", "Created On", data_type=DataType.DATE_TIME),
    _system_field("CreatedBy", "Created By"),
    _system_field("ModifiedOn", "Modified On", data_type=DataType.DATE_TIME),
    _system_field("ModifiedBy", "Modified By"),
)
"""Fields of details beside those of a type's metadata, in this order."""

SYSTEM_FIELDS: Final[Mapping[str, FieldWire]] = MappingProxyType(
    {one.SchemaName: one for one in (NOTE_FIELD, STATUS_FIELD, *DETAIL_FIELDS)}
)
"""The fields that every type has, by schema name: those that can be renamed."""
