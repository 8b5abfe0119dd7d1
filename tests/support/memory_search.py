"""Searches of opportunities in the model of a store."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from oppserver.contract.columns import ADDRESSES, CONSTANTS, LEAD
from oppserver.contract.field_sets import members_in, split_member
from oppserver.contract.model import Activity, Lead, StoredOpportunity
from oppserver.store.queries import (
    ActivityQuery,
    ColumnCondition,
    Comparison,
    ConditionGroup,
    LeadSearch,
    RenderedPage,
    RowForm,
    Search,
    TimelinePage,
)
from tests.support import memory_leads
from tests.support.memory_state import State, with_emails

Value = Callable[[str], str | None]
"""The value of a stored column of one row."""

_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_CAPITALS: Final = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def search(state: State, asked: Search) -> RenderedPage:
    """A page of opportunities."""
    values = [
        value_of(with_emails(one, state), state)
        for one in state.opportunities.values()
        if asked.event_code in (None, one.event_code)
    ]
    total, page = _page(values, asked)
    rows = [_rendered(value, asked) for value in page]
    return RenderedPage(total=total, json=msgspec.json.encode(rows))


def search_leads(state: State, asked: LeadSearch) -> RenderedPage:
    """A page of leads."""
    values = [partial(_value_of_lead, one, state) for one in state.leads.values()]
    total, page = _page(values, asked)
    found = [state.leads[value("id") or ""] for value in page]
    rows = [memory_leads.row(one, asked.columns, state) for one in found]
    return RenderedPage(total=total, json=msgspec.json.encode(rows))


def search_activities(state: State, asked: ActivityQuery) -> TimelinePage:
    """A page of activities."""
    values = [
        partial(_value_of_activity, one, state)
        for one in state.activities.values()
        if one.event_code == asked.event_code
    ]
    total, page = _page(values, asked)
    return TimelinePage(total=total, rows=[state.activities[value("id") or ""] for value in page])


def _value_of_activity(one: Activity, state: State, stored: str) -> str | None:
    if stored.startswith(LEAD):
        lead = state.leads.get(one.lead_id)
        return None if lead is None else memory_leads.value(lead, stored[len(LEAD) :], state)
    if stored.startswith("fields."):
        of_set, key = split_member(stored.removeprefix("fields."))
        text = one.fields.get(of_set)
        return members_in(text).get(key) if key else text
    found = getattr(one, stored)
    return None if found is None else str(found)


def _page(
    values: Sequence[Value], asked: Search | LeadSearch | ActivityQuery
) -> tuple[int, Sequence[Value]]:
    """The number of rows that meet the conditions, and those of the page in order."""
    ordering = asked.ordering
    found = [value for value in values if meets(value, asked.where)]
    found.sort(
        key=lambda value: (
            *_sortable(value(ordering.stored), is_number=ordering.is_number),
            value("id"),
        ),
        reverse=ordering.is_descending,
    )
    return len(found), found[asked.offset :][: asked.limit]


def _value_of_lead(one: Lead, state: State, stored: str) -> str | None:
    return memory_leads.value(one, stored, state)


def slot_value(one: StoredOpportunity, stored: str) -> str | None:
    """The value in a slot, or of a member of the set in it."""
    of_set, key = split_member(stored)
    text = one.slots.get(of_set)
    return members_in(text).get(key) if key else text


def value_of(one: StoredOpportunity, state: State) -> Value:
    """The values of an opportunity, of its owner and its lead."""
    owner = state.users[one.owner_id] if one.owner_id else None
    members: Mapping[str, Any] = msgspec.structs.asdict(one)

    def value(stored: str) -> str | None:
        if stored in CONSTANTS:
            return CONSTANTS[stored]
        if stored == "owner_name":
            return owner.name if owner else None
        if stored.startswith(LEAD):
            lead = state.leads[one.lead_id]
            return memory_leads.value(lead, stored.removeprefix(LEAD), state)
        if stored.startswith("mx_custom_"):
            return slot_value(one, stored)
        found = members[stored]
        return None if found is None else str(found)

    return value


def _rendered(value: Value, asked: Search) -> Mapping[str, Any]:
    if asked.form is RowForm.FLAT:
        return {column.name: value(column.stored) for column in asked.columns}
    return {
        "Id": value("id"),
        "RelatedProspectId": value("lead_id"),
        "CreatedOn": value("created_on"),
        "ModifiedOn": value("modified_on"),
        "Fields": [{"Key": column.name, "Value": value(column.stored)} for column in asked.columns],
    }


# --- conditions --------------------------------------------------------------------------------


def meets(value: Value, group: ConditionGroup) -> bool:
    """Return whether a row meets a group of conditions."""
    if not group.members:
        return True
    each = (
        _holds(value(member.stored), member)
        if isinstance(member, ColumnCondition)
        else meets(value, member)
        for member in group.members
    )
    return any(each) if group.is_any else all(each)


def _holds(stored: str | None, condition: ColumnCondition) -> bool:
    comparison, values = condition.comparison, condition.values
    is_address = condition.stored.removeprefix(LEAD) in ADDRESSES and not condition.is_number
    if comparison in (Comparison.CONTAINS, Comparison.BEGINS):
        return stored is not None and _holds_of_text(
            comparison, _folded(stored), _folded(values[0])
        )
    if is_address and comparison in (Comparison.EQUAL, Comparison.NOT_EQUAL):
        stored = None if stored is None else _folded(stored)
        values = tuple(map(_folded, values))
    is_set, one = _sortable(stored, is_number=condition.is_number)
    if comparison is Comparison.IS_NULL:
        return not is_set
    if comparison is Comparison.IS_NOT_NULL:
        return is_set
    others = [_sortable(text, is_number=condition.is_number)[1] for text in values]
    if comparison is Comparison.NOT_EQUAL:
        return not is_set or one != others[0]
    return is_set and _compared(comparison, one, others)


def _holds_of_text(comparison: Comparison, text: str, part: str) -> bool:
    return part in text if comparison is Comparison.CONTAINS else text.startswith(part)


def _compared(comparison: Comparison, one: Any, others: list[Any]) -> bool:
    match comparison:
        case Comparison.EQUAL:
            return bool(one == others[0])
        case Comparison.LESS:
            return bool(one < others[0])
        case Comparison.LESS_OR_EQUAL:
            return bool(one <= others[0])
        case Comparison.GREATER:
            return bool(one > others[0])
        case Comparison.GREATER_OR_EQUAL:
            return bool(one >= others[0])
    return bool(others[0] <= one <= others[1])


def _sortable(stored: str | None, *, is_number: bool) -> tuple[bool, Any]:
    """Return whether a value is set, and what it is compared by."""
    if not is_number:
        return stored is not None, stored or ""
    is_set = stored is not None and _NUMBER.fullmatch(stored) is not None
    return is_set, Decimal(stored) if stored is not None and is_set else Decimal(0)


def _folded(text: str) -> str:
    return text.translate(_CAPITALS)
