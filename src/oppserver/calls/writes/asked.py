"""Frozen values of writes: what was asked, what was found, what was done."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import msgspec

from oppserver.calls.leads.parse import LeadDetails
from oppserver.contract.model import Lead
from oppserver.contract.values import FieldValue

# --- opportunities: asked ----------------------------------------------------------------------


class AskedField(NamedTuple):
    """A field by the name that the caller gives it, its value, and where both stand in the body."""

    name: str
    value: FieldValue
    name_place: str
    value_place: str


class CaptureFlags(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of the stored opportunity that a captured one would repeat."""

    overwrite_fields: bool = False
    update_empty_fields: bool = False
    do_not_post_duplicate_activity: bool = False
    do_not_change_owner: bool = False


class AskedOpportunity(msgspec.Struct, frozen=True, kw_only=True):
    """A new opportunity as it was asked. ``created_on`` (stored form) None: now."""

    event_code: str
    fields: Sequence[AskedField]
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
    """New values of the opportunity of an id. ``event_code`` None: of whatever type it is."""

    id: str
    event_code: str | None
    fields: Sequence[AskedField]
    place: str


# --- opportunities: planned and done -----------------------------------------------------------


class GivenValue(NamedTuple):
    """What is to be stored in a column, None to clear it, and where it stands in the body."""

    text: str | None
    place: str


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """A capture that is ready to be done, but for what is stored: the values are checked.

    ``values`` are by stored column.
    """

    id: str
    event_code: int
    lead: Lead
    values: Mapping[str, GivenValue]
    created_on: str
    flags: CaptureFlags
    place: str


class CaptureAction(IntEnum):
    """What a capture did. Source: the documentation for 1 and 3; 2 is ours."""

    CREATED = 1
    UPDATED = 2
    NOTHING = 3


class CaptureResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a capture did: to a new opportunity, or to the one that it would have repeated."""

    action: CaptureAction
    lead_id: str
    opportunity_id: str
    activity_id: str | None
