"""``LeadsMetaData.Get``: the fields of leads, which are the same on every server."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal
from uuid import NAMESPACE_URL, uuid5

import msgspec

from oppserver.calls.shared.call import Call
from oppserver.contract.columns import Column
from oppserver.contract.errors import UnknownColumn
from oppserver.contract.leads import (
    STANDARD_COLUMNS,
    UNIQUE_COLUMNS,
    LeadDataType,
    lead_column_named,
    lead_data_type,
    lead_display_name,
    lead_names,
)
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.names import did_you_mean, quoted


class LeadFieldWire(msgspec.Struct, frozen=True, kw_only=True):
    """A field of leads, in the documented order of its members. Those without a value are left out.

    Nothing is mandatory by its name: a lead needs one of its identifiers.
    """

    Entity: Literal["1"] = "1"
    SchemaName: str
    DisplayName: str
    DataType: LeadDataType
    IsMandatory: Literal[False] = False
    MaxLength: str = str(TEXT_CHARACTERS_MAX)
    EntityAttributeId: str
    Name: str
    EntityAttributeType: Literal[1] = 1
    RenderTypeTextValue: str
    IsVisible: Literal[True] = True
    IsSearchable: Literal[True] = True
    ShowInMailMerge: Literal[True] = True
    AllowMultiple: Literal[True] = True
    ShowInImport: Literal[True] = True
    ShowInQuickAdd: Literal[True] = True
    Txt_Row: Literal[0] = 0
    Txt_Col: Literal[0] = 0
    IsLeadIdentifier: bool
    LockAfterCreate: Literal[0] = 0
    UseInLeadClone: Literal[False] = False
    IsSortable: Literal[True] = True


_CONTROLS: Final[Mapping[LeadDataType, str]] = MappingProxyType(
    {
        "Text": "Textbox",
        "Number": "Textbox",
        "Website": "URL",
        "Date": "DateTime",
        "Boolean": "CheckBox",
    }
)
"""The controls of data types on a screen; others have the name of the type. Source: documented."""


def parse_lead_fields(call: Call, _: None) -> Sequence[Column]:
    """Return all fields, or the one that ``schemaName`` names. Raises UnknownColumn."""
    name = call.query.get("schemaname", "").strip()
    if not name:
        return STANDARD_COLUMNS
    column = lead_column_named(name)
    if column is None:
        raise UnknownColumn(
            f"query parameter 'schemaName': {quoted(name)} is no attribute of a lead."
            f"{did_you_mean(name, lead_names())} Names of custom attributes begin with mx_."
        )
    return [column]


def render_lead_fields(fields: Sequence[Column]) -> bytes:
    """The body of ``LeadsMetaData.Get``: a bare array, also for one field."""
    return msgspec.json.encode([_field(column) for column in fields])


def _field(column: Column) -> LeadFieldWire:
    name = column.name
    data_type = lead_data_type(column)
    return LeadFieldWire(
        SchemaName=name,
        DisplayName=lead_display_name(name),
        DataType=data_type,
        EntityAttributeId=str(uuid5(NAMESPACE_URL, f"lead/{name}")),
        Name=name,
        RenderTypeTextValue=_CONTROLS.get(data_type, data_type),
        IsLeadIdentifier=column.stored in UNIQUE_COLUMNS.values(),
    )
