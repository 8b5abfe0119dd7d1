"""The questions to a store and their answers: plans, searches, pages, changes. Frozen values."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.model import Activity, StoredOpportunity


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
    """A bulk read as it will be done: one entry per group, in request order.

    ``asked`` has the ids that each group itself asks for, canonical, distinct and in order. The ids
    of its entry begin with them; the others are asked for by groups of other types.
    """

    entries: tuple[PlannedEntry, ...]
    asked: tuple[Sequence[str], ...] = ()


class RenderedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one entry, rendered by the store: a JSON array in UTF-8, and how many it has."""

    count: int
    json: bytes


class RenderedColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one entry by column, rendered by the store, and how many rows there are.

    ``columns`` has a JSON array in UTF-8 for each of the entry's columns: the values of the rows,
    strings or null.
    """

    count: int
    columns: Sequence[bytes]


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """A fingerprint of the rows of a plan: equal fingerprints mean equal rows.

    ``counts`` has the number of rows of each entry.
    """

    counts: Sequence[int]
    digest: bytes


class IdStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The type of an id; for a deleted one, its former type and ``deleted_on`` (stored form)."""

    event_code: int
    deleted_on: str | None = None


class IdempotencyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a write with an ``Idempotency-Key``, kept to be given again.

    ``key_sha256`` is of the one who called and the key, ``request_sha256`` of the call and its body
    (both hexadecimal).
    """

    key_sha256: str
    request_sha256: str
    body: bytes
    created_on: str


class Comparison(StrEnum):
    """The comparison of a column with values.

    What is not set is unequal to every value, and neither less nor greater than any.
    """

    EQUAL = "eq"
    NOT_EQUAL = "neq"
    LESS = "lt"
    LESS_OR_EQUAL = "lte"
    GREATER = "gt"
    GREATER_OR_EQUAL = "gte"
    BETWEEN = "between"
    CONTAINS = "contains"
    BEGINS = "begins"
    IS_NULL = "isnull"
    IS_NOT_NULL = "isnotnull"


class ColumnCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A stored column compared with values.

    BETWEEN has two, which both belong to the span, the tests of null none, all others one.
    ``is_number``: column and values are compared as numbers (of double precision); a stored text
    that is not of the form ``-12.5`` counts as not set. Else they are compared as text, by code
    point. The letters A to Z are not told from a to z by CONTAINS and BEGINS, which are of text
    always, and where an address is compared by EQUAL or NOT_EQUAL.
    """

    stored: str
    comparison: Comparison
    values: tuple[str, ...] = ()
    is_number: bool = False


class ConditionGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions and groups of which all hold, or any. Without members it holds for every row.

    Groups stand in each other no deeper than ten: engines bound it (SQLite's parser, at about 50).
    """

    members: "tuple[ColumnCondition | ConditionGroup, ...]" = ()
    is_any: bool = False


class Ordering(msgspec.Struct, frozen=True, kw_only=True):
    """The order of rows: by a stored column, then by id, both in the same direction.

    ``is_number`` is that of a condition. Rows without a value come first, in descending order last.
    """

    stored: str
    is_descending: bool = True
    is_number: bool = False


class RowForm(StrEnum):
    """The form of a rendered row."""

    FLAT = "flat"
    """An object with the columns as its members, in order."""

    KEYS_AND_VALUES = "keys and values"
    """``Id``, ``RelatedProspectId``, ``CreatedOn``, ``ModifiedOn``, and the columns as ``Fields``,
    an array of ``{"Key", "Value"}``."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A page of opportunities: of one type or all, that meet the conditions, in order.

    ``offset`` rows are passed over and up to ``limit`` are read.
    """

    event_code: int | None
    where: ConditionGroup = ConditionGroup()
    ordering: Ordering
    offset: int
    limit: int
    columns: tuple[Column, ...]
    form: RowForm = RowForm.FLAT


class SearchIndex(msgspec.Struct, frozen=True, kw_only=True):
    """An index that an operator has added: over stored columns of opportunities, of each type."""

    name: str
    columns: tuple[str, ...]


class LeadSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A page of leads. All columns are a lead's (``contract/leads.py``)."""

    where: ConditionGroup = ConditionGroup()
    ordering: Ordering
    offset: int
    limit: int
    columns: tuple[Column, ...]


class LeadNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a lead, and the CreatedOn of its last activity; None when it has none."""

    id: str
    phone: str | None
    mobile: str | None
    last_activity_on: str | None = None


class ActivitySearch(msgspec.Struct, frozen=True, kw_only=True):
    """A page of activities; members that are None do not filter. The dates belong to the span.

    ``by_modified_on``: whether the dates and the order are of ModifiedOn, else of CreatedOn; the
    order is of CreatedOn always where ``in_order_of_created_on`` says so. Rows of one date are in
    the order of their ids, in the same direction.
    """

    lead_id: str | None = None
    opportunity_id: str | None = None
    event_code: int | None = None
    from_date: str | None = None
    to_date: str | None = None
    by_modified_on: bool = False
    in_order_of_created_on: bool = False
    is_descending: bool = True
    with_opportunities: bool = False
    """True: opportunities are activities too, as on a lead's timeline."""
    offset: int
    limit: int


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the activities of a type that meet conditions, in order.

    Columns are an activity's: those of its table, ``fields.`` before the name of a field, and
    ``lead.`` before the stored name of a lead's column.
    """

    event_code: int
    where: ConditionGroup = ConditionGroup()
    ordering: Ordering
    offset: int
    limit: int


class RenderedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page rendered by the store: a JSON array in UTF-8, and how many rows there are in all."""

    total: int
    json: bytes


class TimelinePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of activities, in order, and how many there are in all."""

    total: int
    rows: Sequence[Activity | StoredOpportunity]


class ChangeNumbers(msgspec.Struct, frozen=True, kw_only=True):
    """The last change's number, and that of the last change of an owner's address; 0 before any."""

    last: int
    addresses: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """The last change of an opportunity; it is deleted when there is a ``deleted_on``.

    ``has_moved``: it has once been of another type than ``event_code``.
    """

    id: str
    number: int
    event_code: int
    has_moved: bool = False
    deleted_on: str | None = None


class ChangesPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes: those with numbers above ``after`` and up to ``until``, by number.

    ``event_code`` None: of all types. Else of one, and of what has ever been of another.
    """

    after: int
    until: int
    limit: int
    event_code: int | None = None


class RenderedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """A page of changes, rendered by the store: a JSON array in UTF-8, and its number of changes.

    ``last`` is the number of the last of them; 0 for an empty page.
    """

    count: int
    last: int
    json: bytes


class FormedValues(msgspec.Struct, frozen=True, kw_only=True):
    """The result of ``form_values``: opportunities that changed, and values that do not fit."""

    opportunities: int
    unfit: int
