"""System columns and ``mx_Custom`` slots: from a requested name to a column.

A name is matched without regard to case or surrounding blanks and is answered in its canonical
spelling (source: docs/fidelity.md). The note has two names, of which ``ActivityEvent_Note`` is its
schema name; a row has it under the name that was asked for. So has a member of a custom field set,
whose name joins set and member by ``~`` or, on some accounts, ``x007E`` (source: the documentation
of the search).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import msgspec

from oppserver.contract.limits import CUSTOM_SLOTS
from oppserver.contract.model import DataType


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

ID_COLUMN: Final = IDENTITY_COLUMNS[2]

VERSION_COLUMN: Final = Column(name="Version", stored="version")
"""The number of writes of an opportunity. Calls of ``/v1`` can ask for it."""

EVENT_CODE_COLUMN: Final = SYSTEM_COLUMNS[3]

OWNER_COLUMN: Final = SYSTEM_COLUMNS[4]

OWNER_EMAIL_COLUMN: Final = SYSTEM_COLUMNS[5]

LIST_COLUMNS: Final = (
    Column(name="OpportunityId", stored="id"),
    Column(name="RelatedProspectId", stored="lead_id"),
    Column(name="OwnerName", stored="owner_name"),
    Column(name="OpportunityEvent", stored="event_code"),
    Column(name="OpportunityEventType", stored="event_type"),
    Column(name="TrackingNormalized", stored="tracking"),
)
"""Columns of lists beside the system columns, mostly other names for them."""

CONSTANTS: Final[Mapping[str, str | None]] = MappingProxyType({"event_type": "2", "tracking": None})
"""The stored columns that have one value for every opportunity: 2 is the kind of events that
opportunities are (source: the documented rows of lists)."""

ADDRESSES: Final = frozenset({"email", "lead_email", "owner_email"})
"""The stored columns that hold e-mail addresses, of opportunities, leads and users."""

LEAD: Final = "lead."
"""Before the stored name of a column of an opportunity's lead: ``lead.first_name``."""

CUSTOM_COLUMNS: Final = tuple(
    Column(name=f"mx_Custom_{slot}", stored=f"mx_custom_{slot}")
    for slot in range(1, CUSTOM_SLOTS + 1)
)
"""The slots, ``mx_Custom_1`` first. A type has a slot only where a field defines it."""

SLOT_NAMES: Final = MappingProxyType({column.stored: column.name for column in CUSTOM_COLUMNS})
"""The schema names of the slots, by stored column."""

_BY_FOLDED_NAME: Final = MappingProxyType(
    {column.name.casefold(): column for column in SYSTEM_COLUMNS + CUSTOM_COLUMNS}
)

_SYSTEM_DATA_TYPES: Final[Mapping[str, DataType]] = MappingProxyType(
    {
        "created_on": DataType.DATE_TIME,
        "modified_on": DataType.DATE_TIME,
        "event_code": DataType.NUMBER,
    }
)

SYSTEM_NAMES: Final = frozenset(column.name for column in (*SYSTEM_COLUMNS, VERSION_COLUMN))
"""The names of the columns that every type has."""

MEMBER_SIGN: Final = "~"
"""Between a custom field set and its member: ``mx_Custom_13~mx_CustomObject_1``."""

_MEMBER_SIGN_ENCODED: Final = "x007E"

_MEMBER_NAME: Final = re.compile(
    r"mx_custom_([1-9]\d*)\s*(~|x007e)\s*(?:(status)|mx_customobject_([1-9]\d*))",
    re.IGNORECASE | re.ASCII,
)

_CUSTOM_NAME: Final = re.compile(r"mx_custom_([1-9]\d*)", re.IGNORECASE | re.ASCII)


def columns_of_row(asked: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns of a row: those that every row has, then the asked ones, each once.

    The owner's address always follows Owner (source: the documented page).
    """
    distinct = dict.fromkeys(asked)
    if OWNER_COLUMN in distinct:
        distinct.pop(OWNER_EMAIL_COLUMN, None)
    columns = list(IDENTITY_COLUMNS)
    for column in distinct:
        if column not in IDENTITY_COLUMNS:
            columns.append(column)
        if column == OWNER_COLUMN:
            columns.append(OWNER_EMAIL_COLUMN)
    return tuple(columns)


def column_named(name: str) -> Column | None:
    """The column of a requested name, in any case and with blanks around it; None when unknown."""
    folded = name.strip().casefold()
    return _BY_FOLDED_NAME.get(folded) or _member_named(folded)


@lru_cache(maxsize=4_096)
def _member_named(folded: str) -> Column | None:
    match = _MEMBER_NAME.fullmatch(folded)
    if match is None or int(match[1]) > CUSTOM_SLOTS or int(match[4] or 1) > CUSTOM_SLOTS:
        return None
    member = "Status" if match[3] else f"mx_CustomObject_{match[4]}"
    sign = MEMBER_SIGN if match[2] == MEMBER_SIGN else _MEMBER_SIGN_ENCODED
    return Column(
        name=f"mx_Custom_{match[1]}{sign}{member}",
        stored=f"mx_custom_{match[1]}{MEMBER_SIGN}{member}",
    )


def schema_name_of(column: Column) -> str:
    """The schema name of a column's field: its name, with ``~`` for ``x007E``."""
    return with_member_sign(column.name)


def with_member_sign(name: str) -> str:
    """A canonical name with ``~`` for ``x007E``."""
    return name.replace(_MEMBER_SIGN_ENCODED, MEMBER_SIGN)


def is_member(name: str) -> bool:
    """Return true for the schema name or stored name of a member of a custom field set."""
    return MEMBER_SIGN in name


def first_of_stored(column: Column) -> Column:
    """The first of a stored column's names: OpportunityNote for ActivityEvent_Note."""
    return next((one for one in SYSTEM_COLUMNS if one.stored == column.stored), column)


def is_system(column: Column) -> bool:
    """Return true when every type has the column, so that no field has to define it."""
    return column.name in SYSTEM_NAMES


def system_data_type(column: Column) -> DataType:
    """The data type of the values of a system column."""
    return _SYSTEM_DATA_TYPES.get(column.stored, DataType.STRING)


def slot_of(name: str) -> int | None:
    """The number of a name of the form ``mx_Custom_N``, also past the last slot; else None."""
    match = _CUSTOM_NAME.fullmatch(name.strip())
    return int(match[1]) if match else None
