"""Columns, conditions and orders of reads, as SQL.

A value is never in the text: its place is marked, and it comes beside. What is in the text are our
own names: in it an opportunity is ``o``, a lead ``l``, a user ``u``.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from oppserver.contract.columns import ADDRESSES, CONSTANTS, LEAD, Column
from oppserver.contract.field_sets import split_member
from oppserver.contract.leads import ATTRIBUTE
from oppserver.contract.names import ascii_lower
from oppserver.store import schema
from oppserver.store.queries import ColumnCondition, Comparison, ConditionGroup, Ordering


class Dialect(NamedTuple):
    """The SQL in which engines differ: texts in which ``{}`` is the place of a value's SQL."""

    value: str
    """The place of a value that comes beside: ``?``."""

    number_value: str
    """The same, of a text that is a number."""

    number: str
    """A text as a number; null when it is not of the form ``-12.5``. ``{0}`` is the text.

    Exact, or never the wrong way round: then ``number_tie`` orders numbers that it makes equal.
    """

    unequal: str
    """The SQL for "two values differ"; the first may be null, which is unequal to any value."""

    lower: str
    """A text with a to z for A to Z, and nothing else changed."""

    lower_unindexed: str
    """The same, for a comparison that no index serves."""

    position: str
    """Where a text, the first, holds another, from 1; 0 when it does not."""

    attribute: str
    """A member of a JSON object, the first, by its name; null when it has none."""

    member: str
    """A member of a custom field set: as ``attribute``, as text; null also where the stored text is
    none that a set stores. ``{0}`` is the text, ``{1}`` the name."""

    number_tie: str = ""
    """The order of two texts whose ``number`` is equal; empty where ``number`` is exact."""

    tie_of: Callable[[str], str] = str
    """The tie of a number that comes beside."""


class Sql(NamedTuple):
    """A text of SQL, and the values for its places, in order."""

    text: str
    values: tuple[str, ...] = ()


_OPERATORS: Final = {
    Comparison.EQUAL: "{} = {}",
    Comparison.LESS: "{} < {}",
    Comparison.LESS_OR_EQUAL: "{} <= {}",
    Comparison.GREATER: "{} > {}",
    Comparison.GREATER_OR_EQUAL: "{} >= {}",
    Comparison.BETWEEN: "{} BETWEEN {} AND {}",
    Comparison.IS_NULL: "{} IS NULL",
    Comparison.IS_NOT_NULL: "{} IS NOT NULL",
}

_OF_TEXT: Final = (Comparison.CONTAINS, Comparison.BEGINS)

_OF_EQUALITY: Final = (Comparison.EQUAL, Comparison.NOT_EQUAL)

OF_OWNER: Final = ("owner_email", "owner_name")
"""Columns that are the owner's."""

OWNER_NAME: Final = (
    "CASE WHEN u.first_name <> '' AND u.last_name <> '' THEN u.first_name || ' ' || u.last_name"
    " ELSE coalesce(nullif(u.first_name, ''), nullif(u.last_name, ''), u.email) END"
)
"""Build the name of a user in SQL, as ``User.name``."""

# --- columns -----------------------------------------------------------------------------------


def opportunity_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a stored column of an opportunity, with what has to be looked up for it."""
    if stored in OF_OWNER:
        return f'(SELECT {owner_sql(stored)} FROM "user" AS u WHERE u.id = o.owner_id)'
    if stored.startswith(LEAD):
        return f"(SELECT {lead_sql(stored, dialect)} FROM lead AS l WHERE l.id = o.lead_id)"
    return own_sql(stored, dialect)


def own_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a column that an opportunity's row has itself, or that is the same on all."""
    if stored in CONSTANTS:
        constant = CONSTANTS[stored]
        return "NULL" if constant is None else literal(constant)
    if stored == "event_code":
        return "CAST(o.event_code AS TEXT)"
    of_set, key = split_member(stored)
    assert of_set in schema.OPPORTUNITY_COLUMNS, stored
    return dialect.member.format(f"o.{of_set}", literal(key)) if key else f"o.{stored}"


def owner_sql(stored: str) -> str:
    """The SQL of what is known of an opportunity's owner."""
    return OWNER_NAME if stored == "owner_name" else "u.email"


def lead_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a column of a lead, with or without the ``lead.`` before its name."""
    stored = stored.removeprefix(LEAD)
    if stored.startswith(ATTRIBUTE):
        name = literal(stored.removeprefix(ATTRIBUTE))
        return dialect.attribute.format("l.attributes", name)
    assert stored in schema.LEAD_COLUMNS, stored
    return f"l.{stored}"


FIELD: Final = "fields."
"""The prefix of the name of an activity's field."""


def activity_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a column of an activity, with what has to be looked up for it."""
    if stored.startswith(LEAD):
        return f"(SELECT {lead_sql(stored, dialect)} FROM lead AS l WHERE l.id = a.lead_id)"
    if stored.startswith(FIELD):
        of_set, key = split_member(stored.removeprefix(FIELD))
        text = dialect.attribute.format("a.fields", literal(of_set))
        return dialect.member.format(text, literal(key)) if key else text
    assert stored in schema.ACTIVITY_COLUMNS, stored
    return f"CAST(a.{stored} AS TEXT)" if stored == "event_code" else f"a.{stored}"


def rendered_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a column of a search's rows; the owner and the lead it needs are joined."""
    if stored in OF_OWNER:
        return owner_sql(stored)
    return lead_sql(stored, dialect) if stored.startswith(LEAD) else own_sql(stored, dialect)


def bulk_column_sql(column: Column, dialect: Dialect, *, dates_are_stored: bool = False) -> str:
    """The SQL of a column of the bulk read, as text; dates in the form of answers, or as stored."""
    match column.stored:
        case "owner_email":
            return "u.email"
        case "event_code" | "version":
            return f"CAST(o.{column.stored} AS TEXT)"
        case "created_on" | "modified_on" if not dates_are_stored:
            return f"o.{column.stored}_answer"
        case stored:
            return own_sql(stored, dialect)


def rendered_lead_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a column of a lead as it is answered; its owner is joined.

    The form of dates: the documented answer of reads.
    """
    if stored in OF_OWNER:
        return owner_sql(stored)
    value = lead_sql(stored, dialect)
    return f"{value} || '.000'" if stored in ("created_on", "modified_on") else value


def stored_lead_sql(stored: str, dialect: Dialect) -> str:
    """The SQL of a column of a lead as it is stored, with what has to be looked up for it."""
    if stored in OF_OWNER:
        return f'(SELECT {owner_sql(stored)} FROM "user" AS u WHERE u.id = l.owner_id)'
    return lead_sql(stored, dialect)


def literal(text: str) -> str:
    """A text of ours as SQL."""
    return "'" + text.replace("'", "''") + "'"


# --- conditions --------------------------------------------------------------------------------


def opportunity_conditions(group: ConditionGroup, dialect: Dialect) -> Sql:
    """The SQL of conditions on opportunities."""
    return _group_sql(group, lambda one: _opportunity_condition(one, dialect))


def _group_sql(group: ConditionGroup, one: Callable[[ColumnCondition], Sql]) -> Sql:
    """The SQL of a group, out of that of ``one`` condition."""
    if not group.members:
        return Sql("TRUE")
    parts = [
        one(member) if isinstance(member, ColumnCondition) else _group_sql(member, one)
        for member in group.members
    ]
    joined = (" OR " if group.is_any else " AND ").join(part.text for part in parts)
    return Sql(f"({joined})", tuple(value for part in parts for value in part.values))


def flattened(group: ConditionGroup) -> ConditionGroup:
    """The same conditions with no more groups in groups than they need."""
    members: list[ColumnCondition | ConditionGroup] = []
    for member in group.members:
        one = flattened(member) if isinstance(member, ConditionGroup) else member
        if isinstance(one, ColumnCondition):
            members.append(one)
        elif len(one.members) == 1 or (one.members and one.is_any is group.is_any):
            members += one.members
        elif one.members or group.is_any:
            members.append(one)
    if len(members) == 1 and isinstance(members[0], ConditionGroup):
        return members[0]
    return ConditionGroup(members=tuple(members), is_any=group.is_any)


def _opportunity_condition(condition: ColumnCondition, dialect: Dialect) -> Sql:
    """The SQL of a condition on opportunities."""
    if condition.stored.startswith(LEAD):
        return _of_lead(condition, "o.lead_id", dialect)
    return _condition_sql(condition, opportunity_sql(condition.stored, dialect), dialect)


def _of_lead(condition: ColumnCondition, lead_id: str, dialect: Dialect) -> Sql:
    """The SQL of a condition on the lead of a row, whose id has this SQL.

    It picks leads first, for which there are indexes; a lead that is named is here.
    """
    stored = condition.stored.removeprefix(LEAD)
    on_lead = msgspec.structs.replace(condition, stored=stored)
    picked = _condition_sql(on_lead, lead_sql(stored, dialect), dialect)
    text = f"{lead_id} IN (SELECT l.id FROM lead AS l WHERE {picked.text})"
    return Sql(text, picked.values)


def activity_conditions(group: ConditionGroup, dialect: Dialect) -> Sql:
    """The SQL of conditions on activities."""

    def one(condition: ColumnCondition) -> Sql:
        if condition.stored.startswith(LEAD):
            return _of_lead(condition, "a.lead_id", dialect)
        return _condition_sql(condition, activity_sql(condition.stored, dialect), dialect)

    return _group_sql(group, one)


def _condition_sql(condition: ColumnCondition, column: str, dialect: Dialect) -> Sql:
    """The SQL of a condition, whose column has this SQL; true or not, never null where negated."""
    comparison, values = condition.comparison, condition.values
    place = dialect.value
    if comparison in _OF_TEXT or (
        comparison in _OF_EQUALITY and condition.stored in ADDRESSES and not condition.is_number
    ):
        is_indexed = comparison is Comparison.EQUAL
        column = (dialect.lower if is_indexed else dialect.lower_unindexed).format(column)
        values = tuple(map(ascii_lower, values))
    elif condition.is_number:
        if dialect.number_tie and values:
            return _number_condition(condition, column, dialect)
        column = dialect.number.format(column)
        place = dialect.number_value
    match comparison:
        case Comparison.CONTAINS:
            text = f"{dialect.position.format(column, place)} > 0"
        case Comparison.BEGINS:
            text = f"{dialect.position.format(column, place)} = 1"
        case Comparison.NOT_EQUAL:
            text = dialect.unequal.format(column, place)
        case _:
            text = _OPERATORS[comparison].format(column, *[place] * len(values))
    return Sql(text, values)


def _number_condition(condition: ColumnCondition, column: str, dialect: Dialect) -> Sql:
    """The SQL of a comparison of numbers that ``number`` alone cannot tell apart.

    The first condition is as quick as a comparison that is not exact, and true of few rows where
    little is found. Only then the others are looked at.
    """
    number, tie = dialect.number.format(column), dialect.number_tie.format(column)
    place, tie_place = dialect.number_value, dialect.value
    keys = [(value, dialect.tie_of(value)) for value in condition.values]
    match condition.comparison:
        case Comparison.EQUAL:
            return Sql(f"({number} = {place} AND {tie} = {tie_place})", keys[0])
        case Comparison.NOT_EQUAL:
            return Sql(f"({number} = {place} AND {tie} = {tie_place}) IS NOT TRUE", keys[0])
        case Comparison.BETWEEN:
            bounds = [(">", ">="), ("<", "<=")]
        case comparison:
            operator = _OPERATORS[comparison].split()[1]
            bounds = [(operator[0], operator)]
    within = " AND ".join(f"{number} {bound[0]}= {place}" for bound in bounds)
    if len(bounds) == 2:
        within = f"{number} BETWEEN {place} AND {place}"
    known = f"CAST({column} AS INTEGER)"  # what has met the first condition is a number
    exact = "".join(
        f" AND ({known} {outside} {place} OR {tie} {operator} {tie_place})"
        for outside, operator in bounds
    )
    values = (*(value for value, _ in keys), *(part for key in keys for part in key))
    return Sql(f"({within}{exact})", values)


def lead_conditions(group: ConditionGroup, dialect: Dialect) -> Sql:
    """The SQL of conditions on leads."""
    return _group_sql(
        group, lambda one: _condition_sql(one, stored_lead_sql(one.stored, dialect), dialect)
    )


_OF_NULL: Final = (Comparison.IS_NULL, Comparison.NOT_EQUAL)


def sets(where: ConditionGroup, stored: str) -> bool:
    """Return true when a column of all rows that meet the conditions has a value."""
    return not where.is_any and any(
        isinstance(one, ColumnCondition) and one.stored == stored and one.comparison not in _OF_NULL
        for one in where.members
    )


# --- orders ------------------------------------------------------------------------------------


def order_sql(
    ordering: Ordering,
    column: str,
    row_id: str,
    *,
    is_reversed: bool = False,
    is_set: bool = False,
    tie: str = "",
) -> str:
    """The SQL of an order by a column and an id; reversed, the last row comes first.

    ``tie`` comes between the two, where it is not empty; it is never null.
    ``is_set``: it is never null. Then nothing is said of nulls, as in indexes, which may serve only
    orders that say the same.
    """
    if ordering.is_descending is not is_reversed:
        middle = f", {tie} DESC" if tie else ""
        return f"{column} DESC{'' if is_set else ' NULLS LAST'}{middle}, {row_id} DESC"
    middle = f", {tie} ASC" if tie else ""
    return f"{column} ASC{'' if is_set else ' NULLS FIRST'}{middle}, {row_id} ASC"


def order_key(ordering: Ordering, column: str, dialect: Dialect) -> str:
    """The SQL of what rows are sorted by, whose column has this SQL."""
    return dialect.number.format(column) if ordering.is_number else column


def order_tie(ordering: Ordering, column: str, dialect: Dialect) -> str:
    """The SQL of what rows with equal keys are sorted by; empty when equal keys are equal."""
    return dialect.number_tie.format(column) if ordering.is_number else ""
