"""Frozen values of activities that callers ask for, to be posted or to be read."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from oppserver.contract.writes import LeadDetails


class AskedActivity(msgspec.Struct, frozen=True, kw_only=True):
    """One activity to be posted. ``created_on`` (stored form) None: now.

    ``fields`` are by schema name, those without a value left out. ``owner`` is as given, an id or
    an address, and stands at ``owner_place``; ``place`` is where the activity stands in the body.
    """

    event_code: str
    note: str | None
    owner: str | None
    owner_place: str
    created_on: str | None
    fields: Mapping[str, str]
    place: str


class AskedLeadActivity(msgspec.Struct, frozen=True, kw_only=True):
    """An activity to be posted on the lead of an id, or on one that is found or created."""

    lead_id: str | None
    lead: LeadDetails | None
    activity: AskedActivity


class AskedTimeline(NamedTuple):
    """A page of a timeline, of one type or all."""

    event_code: int | None
    offset: int
    limit: int


class AskedActivityList(NamedTuple):
    """A page of an opportunity's activities, with the columns of its rows; none: all there are."""

    offset: int
    limit: int
    by_modified_on: bool
    is_descending: bool
    columns: Sequence[str]
