"""Types and fields as the API describes them: from our values to messages.

The keys, their order and the values of what is not kept here are those of the documented example.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.model import STATUSES, DataType, Field, OpportunityType
from oppserver.contract.wire_types import (
    DependentOptionsWire,
    FieldWire,
    OpportunityTypeWire,
    OptionWire,
)

_STATUS_COLORS: Final = {
    "Open": ("#FFFB83", "#A08427"),
    "Won": ("#A5E887", "#347715"),
    "Lost": ("#FFD4D0", "#E31D00"),
}
"""Background and font. Source: the documented example."""

_SYSTEM_FIELD_LENGTH: Final = 200
"""What the documented example says of a field whose values are ours: a status, an id, a date."""


def type_metadata(one: OpportunityType, fields: Iterable[Field]) -> OpportunityTypeWire:
    """A type with all its fields: the note and the status first, then its own in their order."""
    messages = [NOTE_FIELD, STATUS_FIELD, *map(field_metadata, fields)]
    return msgspec.structs.replace(type_summary(one), Fields=messages)


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


def option_messages(options: Iterable[str], *, default: str | None) -> list[OptionWire]:
    """Options in their order."""
    return [
        OptionWire(IsDefault=value == default, Value=value, Order=order)
        for order, value in enumerate(options)
    ]


def _status_options() -> list[OptionWire]:
    return [
        OptionWire(
            IsDefault=order == 0,
            Value=value,
            Order=order,
            BackgroundColor=_STATUS_COLORS[value][0],
            FontColor=_STATUS_COLORS[value][1],
        )
        for order, value in enumerate(STATUSES)
    ]


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
    OptionSet=_text(_status_options()),
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
"""What details say beside what a type's metadata lists, in this order."""
