"""The messages of types and fields, spelled as the API spells them, in the documented order.

They are written by this server and read from files, also of the hosted service: so what a file may
leave out has the value here that it most often has.
"""

import msgspec


class OptionWire(msgspec.Struct, frozen=True, kw_only=True):
    """One option of a dropdown. ``Text`` is empty: what is shown is the value itself."""

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


class FieldWire(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a type, and in details its value.

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


class OpportunityTypeWire(msgspec.Struct, frozen=True, kw_only=True):
    """A type, with its fields or, in lists of types, without (null).

    ``DuplicateRules`` is ours: the hosted API does not tell a type's rules.
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
