"""Frozen values of lists and searches: conditions, orders, pages and their indexes."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.model import Activity, Opportunity


class Comparison(StrEnum):
    """How a column is compared.

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


class Condition(msgspec.Struct, frozen=True, kw_only=True):
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

    members: "tuple[Condition | ConditionGroup, ...]" = ()
    is_any: bool = False


class Ordering(msgspec.Struct, frozen=True, kw_only=True):
    """The order of rows: by a stored column, then by id, both in the same direction.

    ``is_number`` is that of a condition. Rows without a value come first, in descending order last.
    """

    stored: str
    is_descending: bool = True
    is_number: bool = False


class RowForm(StrEnum):
    """How a row of a page is rendered."""

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


class ActivitySearch(msgspec.Struct, frozen=True, kw_only=True):
    """A page of activities; what is None does not count. The dates belong to the span.

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
    """Whether opportunities are activities too, as on a lead's timeline. None is of another one."""
    offset: int
    limit: int


class RenderedPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page rendered by the store: a JSON array in UTF-8, and how many rows there are in all."""

    total: int
    json: bytes


class TimelinePage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of activities, in order, and how many there are in all."""

    total: int
    rows: Sequence[Activity | Opportunity]
