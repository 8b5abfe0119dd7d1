"""System columns and ``mx_Custom`` slots: from a requested name to a column.

A name is matched without regard to case or surrounding blanks and is answered in its canonical
spelling (source: docs/fidelity.md). ``ActivityEvent_Note`` is the schema name of the note; a caller
who asks for it gets it under that name.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from oppserver.contract.limits import CUSTOM_SLOTS


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a row: the name it is answered under, and the stored column behind it."""

    name: str
    stored: str


SYSTEM_COLUMNS: Final = (
    Column(name="ProspectId", stored="lead_id"),
    Column(name="EmailAddress", stored="lead_email"),
    Column(name="ProspectActivityId", stored="id"),
    Column(name="EventCode", stored="event_code"),
    Column(name="Owner", stored="owner_id"),
    Column(name="OwnerEmailAddress", stored="owner_email"),
    Column(name="Status", stored="status"),
    Column(name="OpportunityNote", stored="note"),
    Column(name="ActivityEvent_Note", stored="note"),
    Column(name="CreatedOn", stored="created_on"),
    Column(name="CreatedBy", stored="created_by"),
    Column(name="ModifiedOn", stored="modified_on"),
    Column(name="ModifiedBy", stored="modified_by"),
)
"""Columns that every type has, in the order in which the documents list them."""

IDENTITY_COLUMNS: Final = SYSTEM_COLUMNS[:3]
"""The three columns that every row starts with, asked for or not (source: the documented page)."""

VERSION_COLUMN: Final = Column(name="Version", stored="version")
"""Which write of an opportunity it is, from 1. Calls of ``/v1`` can ask for it."""

