"""The messages of the calls that write opportunities, and the values that are made of them."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.leads.parse import AttributeWire, LeadDetails
from oppserver.calls.shared.messages import FieldValueWire, Flag, SentField
from oppserver.contract.model import Lead
from oppserver.contract.values import FieldValue, Number


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


# --- asked ---------------------------------------------------------------------------------------


class CaptureFlags(msgspec.Struct, frozen=True, kw_only=True):
    """The flags of a capture: changes to the stored opportunity when the new one is a duplicate."""

    overwrite_fields: bool = False
    update_empty_fields: bool = False
    do_not_post_duplicate_activity: bool = False
    do_not_change_owner: bool = False


class AskedOpportunity(msgspec.Struct, frozen=True, kw_only=True):
    """A new opportunity as it was asked. ``created_on`` (stored form) None: now."""

    event_code: str
    fields: Sequence[SentField]
    created_on: str | None
    flags: CaptureFlags
    place: str


class AskedCapture(msgspec.Struct, frozen=True, kw_only=True):
    """A capture as it was asked: its lead and its opportunity."""

    lead: LeadDetails
    opportunity: AskedOpportunity


class AskedAddition(msgspec.Struct, frozen=True, kw_only=True):
    """A new opportunity, and the value by which its lead is found."""

    lead_value: str
    lead_place: str
    opportunity: AskedOpportunity


class SearchBy(NamedTuple):
    """The attribute by which leads are found: the name as asked, and the stored name."""

    name: str
    stored: str


class AskedAdditions(msgspec.Struct, frozen=True, kw_only=True):
    """New opportunities, and the attribute by which their leads are found."""

    search_by: SearchBy
    additions: Sequence[AskedAddition]


class AskedUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """New values of the opportunity of an id. ``event_code`` None: it may be of any type."""

    id: str
    event_code: str | None
    fields: Sequence[SentField]
    place: str


# --- planned and done ----------------------------------------------------------------------------


class GivenValue(NamedTuple):
    """The text to store in a column, None to clear it, and its place in the body.

    ``members``: the column holds a custom field set, of which these members are stored, by their
    own names, and the others stay; ``text`` is without a meaning then.
    """

    text: str | None
    place: str
    members: Mapping[str, str | None] | None = None


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A planned capture: its values are checked, and are by stored column."""

    id: str
    event_code: int
    lead: Lead
    values: Mapping[str, GivenValue]
    created_on: str
    flags: CaptureFlags
    place: str


class CaptureAction(IntEnum):
    """The act of a capture. Source: the documentation for 1 and 3; 2 is ours."""

    CREATED = 1
    UPDATED = 2
    NOTHING = 3


class CaptureResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a capture: the new opportunity, or the stored one that it duplicates."""

    action: CaptureAction
    lead_id: str
    opportunity_id: str
    activity_id: str | None
