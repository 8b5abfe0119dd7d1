"""Frozen values of the domain: users, keys, types, fields, opportunities, leads, activities."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import compress
from typing import Any, Final, NamedTuple, Self

import msgspec


class Role(StrEnum):
    """The rights of a key. A reader cannot write; an administrator may do everything."""

    ADMINISTRATOR = "administrator"
    USER = "user"
    READER = "reader"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """The caller: the user of a key that was checked."""

    access_key: str
    user_id: str
    email: str
    role: Role


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A stored key. The secret itself is stored nowhere, only its SHA-256 (hexadecimal)."""

    access_key: str
    secret_sha256: str
    user_id: str
    email: str
    role: Role
    user_is_active: bool
    created_on: str
    revoked_on: str | None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user: an owner of opportunities, or the one behind keys.

    ``is_administrator``: a live key of theirs has that role.
    """

    id: str
    email: str | None
    first_name: str | None = None
    last_name: str | None = None
    is_active: bool = True
    is_administrator: bool = False

    @property
    def name(self) -> str | None:
        """First and last name; the address where there is neither."""
        names = [name for name in (self.first_name, self.last_name) if name]
        return " ".join(names) or self.email


# --- types and fields --------------------------------------------------------------------------


class DataType(StrEnum):
    """The type of a field's values. The names are the API's own."""

    STRING = "String"
    NUMBER = "Number"
    DATE_TIME = "DateTime"
    BOOLEAN = "Boolean"
    SEARCHABLE_DROPDOWN = "SearchableDropdown"
    CUSTOM_OBJECT = "CustomObject"
    """A custom field set: its members are fields of their own (``contract/field_sets.py``)."""


STATUSES: Final = ("Open", "Won", "Lost")
"""The values of a Status, on every type. Source: the documentation of a type's metadata."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """The meaning of a slot for a type. ``options`` are the values of a dropdown, in order.

    ``default_option`` is the value of a mandatory field that a new opportunity does not name.
    ``max_length`` counts characters; None is the limit of any text. A dependent dropdown names its
    ``parent_field`` (a schema name, or Status), and ``dependent_options`` has its options by the
    parent's value.
    """

    event_code: int
    schema_name: str
    display_name: str
    data_type: DataType = DataType.STRING
    is_mandatory: bool = False
    sequence: int = 0
    options: tuple[str, ...] = ()
    default_option: str | None = None
    max_length: int | None = None
    parent_field: str | None = None
    dependent_options: Mapping[str, tuple[str, ...]] = {}


class OpportunityType(msgspec.Struct, frozen=True, kw_only=True):
    """An opportunity type. Its event code is its identity.

    A new opportunity is a duplicate when all columns of one of the ``duplicate_rules`` (canonical
    names, as in ``columns.py``) are set and equal to those of one that is stored.
    """

    event_code: int
    name: str
    description: str = ""
    can_delete: bool = True
    duplicate_rules: tuple[tuple[str, ...], ...] = ()


class ActivityField(msgspec.Struct, frozen=True, kw_only=True):
    """A field of an activity type. It describes values, and checks none."""

    schema_name: str
    display_name: str
    data_type: str = "String"
    is_mandatory: bool = False
    show_in_form: bool = True
    sequence: int = 0
    option_set: str = ""


class ActivitySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of an activity type beside its name. Source: the documentation."""

    score: int = 0
    description: str = ""
    direction: int = 0
    track_location: bool = False
    allow_attachments: bool = False
    show_in_activity_grid: bool = False
    can_delete: bool = False
    fields: tuple[ActivityField, ...] = ()


class ActivityType(msgspec.Struct, frozen=True, kw_only=True):
    """A type of activities that are no opportunities. Its event code is its identity.

    ``settings`` None on the way in keeps those that are stored; a new type has none.
    """

    event_code: int
    name: str
    settings: ActivitySettings | None = None


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All types and fields at one moment. ``fields`` is by event code, then by schema name.

    ``renamed`` are fields that every type has and that this one shows under another name, such as
    Status: by event code, then by schema name. Of such a field the display name alone counts.
    """

    version: int
    types: Mapping[int, OpportunityType]
    fields: Mapping[int, Mapping[str, Field]]
    renamed: Mapping[int, Mapping[str, Field]] = {}
    activity_types: Mapping[int, ActivityType] = {}


# --- what is stored ----------------------------------------------------------------------------


class StoredOpportunity(msgspec.Struct, frozen=True, kw_only=True):
    """One opportunity as it goes into and comes out of a store.

    Dates are in the stored form, UTC. None on the way in means "as it is stored"; a new one is then
    created now, and modified when it was created. On the way out they are never None.
    ``lead_email`` or ``owner_email`` None on the way in leaves the lead's or the owner's address as
    it is. ``slots`` holds the ``mx_custom_N`` that are set, by stored name. Text is any text that
    UTF-8 can encode, without U+0000, which not every engine can store.
    """

    id: str
    event_code: int
    lead_id: str
    lead_email: str | None = None
    owner_id: str | None = None
    owner_email: str | None = None
    status: str | None = None
    note: str | None = None
    created_on: str | None = None
    modified_on: str | None = None
    created_by: str | None = None
    modified_by: str | None = None
    slots: Mapping[str, str] = {}


class ColumnBlock(NamedTuple):
    """Opportunities of a batch by column, as files bring them: a fraction of the price of rows.

    ``columns`` are the values by the name of a member of StoredOpportunity or of a slot, one for
    each row; a column that is left out is None in all rows. ``places`` are the rows' places in the
    order of their batch, which has several blocks.
    """

    places: Sequence[int]
    columns: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, batch: Sequence[StoredOpportunity]) -> Self:
        """Opportunities by column, in order."""
        slots = {name for one in batch for name in one.slots}
        columns: dict[str, list[Any]] = {
            name: [getattr(one, name) for one in batch] for name in _MEMBERS
        }
        columns |= {name: [one.slots.get(name) for one in batch] for name in slots}
        return cls(range(len(batch)), columns)

    def where(self, chosen: Sequence[bool]) -> Self:
        """Some of the rows."""
        columns = {name: list(compress(one, chosen)) for name, one in self.columns.items()}
        return self._replace(places=list(compress(self.places, chosen)), columns=columns)

    def opportunities(self) -> list[StoredOpportunity]:
        """The same, one by one, in the order of the block."""
        found = []
        for values in zip(*self.columns.values(), strict=True):
            given = {
                name: one for name, one in zip(self.columns, values, strict=True) if one is not None
            }
            slots = {name: given.pop(name) for name in list(given) if name not in _MEMBERS}
            found.append(StoredOpportunity(**given, slots=slots))
        return found


_MEMBERS: Final = frozenset(StoredOpportunity.__struct_fields__) - {"slots"}


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a batch: ``created`` rows are new, ``replaced`` rows were there before."""

    created: int
    replaced: int


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """The remains of a deleted opportunity. ``deleted_on`` is in the stored form."""

    id: str
    event_code: int
    deleted_on: str
    deleted_by: str | None


class Lead(msgspec.Struct, frozen=True, kw_only=True):
    """One lead. Dates are in the stored form; a lead from an import has none.

    ``attributes`` holds what has no member of its own, by schema name (``mx_City``).
    """

    id: str
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    mobile: str | None = None
    owner_id: str | None = None
    created_on: str | None = None
    modified_on: str | None = None
    attributes: Mapping[str, str] = {}


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """One activity on a lead, and maybe on one of its opportunities.

    ``fields`` holds its custom values by schema name. Dates are in the stored form.
    """

    id: str
    event_code: int
    lead_id: str
    opportunity_id: str | None = None
    note: str | None = None
    owner_id: str | None = None
    created_by: str | None = None
    created_on: str
    modified_on: str
    fields: Mapping[str, str] = {}


SHARDS_RISKS: Final = (
    "acknowledged writes can be lost, members of rows can be named wrongly, and rows that a server"
    " keeps in memory can be stale"
)
"""Why a database on shards is experimental. Seen on a cluster of Citus 14.0 that ran apart; what
has been corrected since was not tried on one. Said wherever a database is distributed or served."""


class ServerState(StrEnum):
    """The use of a server, or the reason against it; an unused server is tried all the time."""

    IN_USE = "in use"
    BEHIND = "behind"
    """A standby that does not have in time what the primary had written."""
    LOST = "lost"
    """It does not answer, or refuses connections."""
    NO_STANDBY = "no standby"
    """It can be written to: it was promoted."""
    OTHER_DATABASE = "other database"
    """It has another database than the primary."""


class StoreServer(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a store.

    ``bytes_behind``: bytes of the primary's log that a standby had not applied when it was last
    asked; None when that is not known. ``reads``: reads served since the last report.
    """

    address: str
    is_primary: bool
    state: ServerState
    bytes_behind: int | None
    reads: int


class StoreLibrary(msgspec.Struct, frozen=True, kw_only=True):
    """A SQLite library in this process that reads and writes the database.

    ``name``: Python's module. ``version``: SQLite's. ``warning``: a danger to the data, and its
    cure; None without a danger.
    """

    name: str
    version: str
    warning: str | None

    def __str__(self) -> str:
        return f"SQLite {self.version} ({self.name})"
