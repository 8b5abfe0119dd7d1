"""The messages of the calls that write opportunities, spelled as the API spells them."""

from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.leads.parse import AttributeWire
from oppserver.contract.errors import InvalidFieldValue
from oppserver.contract.values import FieldValue, Number

Flag: TypeAlias = bool | str | int
"""A flag as callers send it; ``contract/values.py`` reads it."""


class FieldValueWire(msgspec.Struct, forbid_unknown_fields=True):
    """One of ``Fields``: a schema name and its value. ``Fields`` are the members of a field set."""

    SchemaName: str | UnsetType | None = UNSET
    Value: FieldValue | UnsetType = UNSET
    Fields: list[msgspec.Raw] | UnsetType | None = UNSET


class CapturedOpportunityWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Opportunity`` of ``Capture``."""

    OpportunityEventCode: Number | UnsetType | None = UNSET
    OpportunityNote: str | UnsetType | None = UNSET
    OpportunityDateTime: str | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET
    OverwriteFields: Flag | UnsetType | None = UNSET
    UpdateEmptyFields: Flag | UnsetType | None = UNSET
    DoNotPostDuplicateActivity: Flag | UnsetType | None = UNSET
    DoNotChangeOwner: Flag | UnsetType | None = UNSET


class CaptureWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Capture``."""

    LeadDetails: list[AttributeWire] | UnsetType | None = UNSET
    Opportunity: CapturedOpportunityWire | UnsetType | None = UNSET


class AddWire(msgspec.Struct, forbid_unknown_fields=True):
    """One entry of ``Bulk/Add/ByLeadField``; date and flags as ``Capture`` has them."""

    SearchByValue: FieldValue | UnsetType = UNSET
    OpportunityEventCode: Number | UnsetType | None = UNSET
    OpportunityNote: str | UnsetType | None = UNSET
    OpportunityDateTime: str | UnsetType | None = UNSET
    OpportunityOwnerEmail: str | UnsetType | None = UNSET
    OverwriteFields: Flag | UnsetType | None = UNSET
    UpdateEmptyFields: Flag | UnsetType | None = UNSET
    DoNotPostDuplicateActivity: Flag | UnsetType | None = UNSET
    DoNotChangeOwner: Flag | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET


class UpdateWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``Update``, and one entry of ``Bulk/Update/ByOpportunityId``."""

    ProspectOpportunityId: str | UnsetType | None = UNSET
    OpportunityEventCode: Number | UnsetType | None = UNSET
    OpportunityNote: str | UnsetType | None = UNSET
    Fields: list[FieldValueWire] | UnsetType | None = UNSET


# --- answers -----------------------------------------------------------------------------------


class CaptureDetailWire(msgspec.Struct):
    """``AdditionalDetails`` of a capture: what was done, and the activity that was posted."""

    PostDeDupActionPerformed: int
    ActivityId: str | None


class CaptureAnswerWire(msgspec.Struct):
    """The answer of ``Capture``. ``Status`` 0 is success here."""

    Status: int
    PrimaryAction: int
    SecondaryAction: int
    ExceptionType: str | None
    ExceptionMessage: str | None
    RequestId: str
    RelatedProspectId: str
    IsUnique: bool
    CreatedOpportunityId: str | None
    ConflictedOpportunityId: str | None
    AdditionalDetails: list[CaptureDetailWire]
    OverwriteFields: bool
    UpdateEmptyFields: bool
    DoNotPostDuplicateActivity: bool
    DoNotChangeOwner: bool


class AddedWire(msgspec.Struct):
    """What became of one entry of ``Bulk/Add/ByLeadField``."""

    Status: str
    RelatedProspectId: str
    IsUnique: bool
    CreatedOpportunityId: str | None
    ConflictedOpportunityId: str | None
    AdditionalDetails: list[CaptureDetailWire]


class UpdatedWire(msgspec.Struct):
    """What became of one entry of ``Bulk/Update/ByOpportunityId``."""

    ProspectOpportunityId: str
    Status: str


def check_has_no_members(field: FieldValueWire, *, place: str) -> None:
    """Raises InvalidFieldValue when a field has members of a custom field set.

    ``place`` is that of the field in the body: ``Opportunity.Fields[0]``, ``[0].Fields[0]``.
    """
    if field.Fields:
        inside = place if place.startswith("[") else f".{place}"
        raise InvalidFieldValue(
            f"${inside}.Fields: members of custom field sets are not kept here. Leave Fields out,"
            " and send each value as a field of its own (mx_Custom_N)."
        )
