"""A lead's attributes: from a requested name to a column, as ``columns.py`` does for opportunities.

The names are the API's own. A value without a column of its own is kept among the lead's
``attributes``: the rest of the standard names, and every custom one (``mx_`` and a word; no field
has to define it). Names are matched without regard to case or blanks around them, display names
too.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from oppserver.contract.columns import Column

_OWN: Final = (
    Column(name="ProspectID", stored="id"),
    Column(name="FirstName", stored="first_name"),
    Column(name="LastName", stored="last_name"),
    Column(name="EmailAddress", stored="email"),
    Column(name="Phone", stored="phone"),
    Column(name="Mobile", stored="mobile"),
    Column(name="OwnerId", stored="owner_id"),
    Column(name="CreatedOn", stored="created_on"),
    Column(name="ModifiedOn", stored="modified_on"),
)

ATTRIBUTE: Final = "attributes."
"""The prefix of stored names of values without a column: ``attributes.mx_City``."""

_KEPT: Final = tuple(
    Column(name=name, stored=ATTRIBUTE + name)
    for name in (
        "ProspectAutoID",
        "ProspectStage",
        "LeadType",
        "Origin",
        "Source",
        "SourceMedium",
        "SourceCampaign",
        "SourceContent",
        "SourceReferrerURL",
        "Company",
        "JobTitle",
        "Website",
        "Notes",
        "Score",
        "TimeZone",
        "DoNotCall",
        "DoNotEmail",
        "DoNotTrack",
    )
)

STANDARD_COLUMNS: Final = (*_OWN, *_KEPT)
"""The columns that every lead has, in the order in which they are answered."""

READABLE_COLUMNS: Final = (
    *STANDARD_COLUMNS,
    Column(name="OwnerIdName", stored="owner_name"),
    Column(name="OwnerIdEmailAddress", stored="owner_email"),
    Column(name="LeadLastModifiedOn", stored="modified_on"),
)
"""The columns that a read can ask for: the standard ones, and those of the owner."""

EVERY_ATTRIBUTE: Final = Column(name="*", stored="attributes")
"""The last column of a row: all attributes that the columns before it do not have, each under its
own name."""

LeadDataType: TypeAlias = Literal[
    "Text", "Number", "Email", "Phone", "Website", "Date", "Time", "Select", "Boolean"
]

_DATA_TYPES: Final[Mapping[str, LeadDataType]] = MappingProxyType(
    {
        "EmailAddress": "Email",
        "Phone": "Phone",
        "Mobile": "Phone",
        "CreatedOn": "Date",
        "ModifiedOn": "Date",
        "LeadLastModifiedOn": "Date",
        "ProspectAutoID": "Number",
        "Website": "Website",
        "Score": "Number",
        "DoNotCall": "Boolean",
        "DoNotEmail": "Boolean",
        "DoNotTrack": "Boolean",
    }
)
"""The data types of attributes that are no line of text. Values are not checked by them."""


def lead_data_type(column: Column) -> LeadDataType:
    """The data type of an attribute: dates are compared and numbers are sorted by it."""
    return _DATA_TYPES.get(column.name, "Text")


READ_ONLY: Final = frozenset({"id", "created_on", "modified_on"})
"""The stored names that no caller writes."""

UNIQUE_COLUMNS: Final = MappingProxyType(
    {"EmailAddress": "email", "Phone": "phone", "Mobile": "mobile", "ProspectId": "id"}
)
"""The attributes that leads are found by: names and stored names."""

_DISPLAY_NAMES: Final = MappingProxyType(
    {
        "ProspectId": "ProspectID",
        "First Name": "FirstName",
        "Last Name": "LastName",
        "Email": "EmailAddress",
        "Email Address": "EmailAddress",
        "Phone Number": "Phone",
        "Mobile Number": "Mobile",
        "Owner": "OwnerId",
        "Lead Stage": "ProspectStage",
        "Lead Source": "Source",
        "Job Title": "JobTitle",
    }
)

_SHOWN: Final = {
    name: shown for shown, name in _DISPLAY_NAMES.items() if shown.casefold() != name.casefold()
}

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_BY_FOLDED_NAME: Final = {column.name.casefold(): column for column in STANDARD_COLUMNS}

_BY_FOLDED_NAME.update(
    {shown.casefold(): _BY_FOLDED_NAME[name.casefold()] for shown, name in _DISPLAY_NAMES.items()}
)

_READABLE_BY_FOLDED_NAME: Final = {
    column.name.casefold(): column for column in READABLE_COLUMNS
} | _BY_FOLDED_NAME

_CUSTOM_NAME: Final = re.compile(r"mx_[a-z0-9_]{1,60}", re.IGNORECASE | re.ASCII)


def lead_column_named(name: str) -> Column | None:
    """The column of a requested name; None when a lead can have no such attribute.

    A custom name keeps the spelling in which it is asked for: no definition has another.
    """
    return _custom(name) or _BY_FOLDED_NAME.get(name.strip().casefold())


def readable_lead_column_named(name: str) -> Column | None:
    """Return a column for reads: as ``lead_column_named``, and those of the lead's owner."""
    return _custom(name) or _READABLE_BY_FOLDED_NAME.get(name.strip().casefold())


def _custom(name: str) -> Column | None:
    stripped = name.strip()
    is_custom = _CUSTOM_NAME.fullmatch(stripped)
    return Column(name=stripped, stored=ATTRIBUTE + stripped) if is_custom else None


def lead_display_name(name: str) -> str:
    """The display name of an attribute; without one of its own, the words of its schema name."""
    return _SHOWN.get(name) or " ".join(_WORDS.findall(name.removeprefix("mx_")))


def unique_column_named(name: str) -> str | None:
    """Return the stored name of an attribute that leads are found by; None for any other name."""
    column = lead_column_named(name)
    return column.stored if column and column.stored in UNIQUE_COLUMNS.values() else None


def lead_names() -> Iterable[str]:
    """The standard names, for errors that suggest one."""
    return (column.name for column in STANDARD_COLUMNS)
