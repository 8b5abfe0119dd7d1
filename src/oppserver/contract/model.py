"""Frozen values that cross doors."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from oppserver.contract.columns import Column


class Role(StrEnum):
    """What a key may do. A reader cannot write; an administrator may do everything."""

    ADMINISTRATOR = "administrator"
    USER = "user"
    READER = "reader"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is calling: the user behind a key that was proved."""

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


class DataType(StrEnum):
    """What the values of a field are. The names are the API's own."""

    STRING = "String"
    NUMBER = "Number"
    DATE_TIME = "DateTime"
    BOOLEAN = "Boolean"
    SEARCHABLE_DROPDOWN = "SearchableDropdown"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What a slot means for a type. ``options`` are the values a dropdown takes, in order."""

    event_code: int
    schema_name: str
    display_name: str
    data_type: DataType = DataType.STRING
    is_mandatory: bool = False
    sequence: int = 0
    options: tuple[str, ...] = ()


class OpportunityType(msgspec.Struct, frozen=True, kw_only=True):
    """An opportunity type. Its event code is its identity."""

    event_code: int
    name: str


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All types and fields at one moment. ``fields`` is by event code, then by schema name."""

    version: int
    types: Mapping[int, OpportunityType]
    fields: Mapping[int, Mapping[str, Field]]


class AskedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``SearchParameters`` as it was asked: nothing is looked up or resolved yet."""

    event_code: str
    ids: Sequence[str]
    include_csv: str


class BulkRead(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk read as it was asked, in request order, never empty."""

    groups: Sequence[AskedGroup]


class PlannedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the answer as it will be read.

    ``ids`` are canonical, distinct and in the order of the answer; those that are not there, or are
    of another type than ``event_code``, are left out by the store. ``columns`` are those of a row,
    in order, without a name twice.
    """

    event_code: int
    ids: Sequence[str]
    columns: tuple[Column, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk read as it will be done: one entry per group, in request order."""

    entries: tuple[PlannedEntry, ...]


class RenderedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one entry, rendered by the store: a JSON array in UTF-8, and how many it has."""

    count: int
    json: bytes


class Opportunity(msgspec.Struct, frozen=True, kw_only=True):
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


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch did: ``created`` were not there before, ``replaced`` were."""

    created: int
    replaced: int
