"""From what ``RetrieveRecentlyModified`` asks to the search, of opportunities or of activities."""

from typing import Final

from oppserver.contract.asked_lists import AskedRecentlyModified
from oppserver.contract.columns import SYSTEM_COLUMNS, Column
from oppserver.contract.list_columns import custom_columns, scope_of
from oppserver.contract.model import Catalogue
from oppserver.contract.searches import (
    ActivitySearch,
    Comparison,
    Condition,
    ConditionGroup,
    Ordering,
    RowForm,
    Search,
)

_BY_NAME: Final = {column.name: column for column in SYSTEM_COLUMNS}
_FIELDS: Final = tuple(
    _BY_NAME[name]
    for name in (
        "Status",
        "Owner",
        "OwnerEmailAddress",
        "ActivityEvent_Note",
        "CreatedBy",
        "ModifiedBy",
    )
)
"""The fields that an opportunity has on every type."""

_FIRST_SLOTS: Final = ("mx_Custom_1", "mx_Custom_2")
"""The custom fields that are answered unasked (source: observed on the hosted service)."""


def plan_modified_opportunities(
    asked: AskedRecentlyModified, event_code: int, catalogue: Catalogue
) -> Search:
    """The search of the opportunities of a type."""
    return Search(
        event_code=event_code,
        where=ConditionGroup(members=_conditions(asked)),
        ordering=Ordering(
            stored="created_on" if asked.by_created_on else "modified_on",
            is_descending=asked.is_descending,
        ),
        offset=asked.page.offset,
        limit=asked.page.limit,
        columns=(*_FIELDS, *_custom(asked, event_code, catalogue)),
        form=RowForm.KEYS_AND_VALUES,
    )


def plan_modified_activities(asked: AskedRecentlyModified) -> ActivitySearch:
    """The search of activities: of one type, or of all with the opportunities among them."""
    return ActivitySearch(
        event_code=asked.event_code,
        from_date=asked.from_date,
        to_date=asked.to_date,
        by_modified_on=True,
        in_order_of_created_on=asked.by_created_on,
        is_descending=asked.is_descending,
        with_opportunities=asked.event_code is None,
        offset=asked.page.offset,
        limit=asked.page.limit,
    )


def _conditions(asked: AskedRecentlyModified) -> tuple[Condition, ...]:
    bounds = (
        (Comparison.GREATER_OR_EQUAL, asked.from_date),
        (Comparison.LESS_OR_EQUAL, asked.to_date),
    )
    return tuple(
        Condition(stored="modified_on", comparison=comparison, values=(date,))
        for comparison, date in bounds
        if date is not None
    )


def _custom(asked: AskedRecentlyModified, event_code: int, catalogue: Catalogue) -> list[Column]:
    columns = custom_columns(scope_of(catalogue, event_code))
    if asked.with_custom_fields:
        return columns
    return [column for column in columns if column.name in _FIRST_SLOTS]
