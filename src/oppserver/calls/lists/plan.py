"""The plans of lists and searches: from names to stored columns, conditions and an order."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from oppserver.calls.lists.columns import (
    Scope,
    columns_asked,
    condition_column_at,
    custom_columns,
    distinct,
    field_of,
    ordering_of,
    scope_of,
)
from oppserver.calls.lists.parse import AskedLeadFieldList, AskedLeadList, AskedRecentlyModified
from oppserver.calls.shared.advanced_search import AskedComparison, AskedComparisons, AskedSearch
from oppserver.calls.shared.conditions import searched_condition_of
from oppserver.calls.shared.names import FIRST_SLOTS, event_code_of
from oppserver.calls.shared.paging import AskedList
from oppserver.contract.columns import LEAD, LIST_COLUMNS, SYSTEM_COLUMNS, Column
from oppserver.contract.leads import STANDARD_COLUMNS
from oppserver.contract.model import Catalogue
from oppserver.store.queries import (
    ActivitySearch,
    ColumnCondition,
    Comparison,
    ConditionGroup,
    Ordering,
    RowForm,
    Search,
)

_KNOWN: Final = {
    **{
        column.name: Column(name=column.name, stored=LEAD + column.stored)
        for column in STANDARD_COLUMNS
    },
    **{column.name: column for column in (*SYSTEM_COLUMNS, *LIST_COLUMNS)},
}

_IDS: Final = ("OpportunityId", "RelatedProspectId")

_EVENT: Final = ("OpportunityEvent", "OpportunityEventType")

_OWN: Final = ("Status", "Owner", "OwnerName", "OpportunityNote", "CreatedOn", "ModifiedOn")

_LEAD: Final = ("ProspectId", "FirstName", "LastName", "EmailAddress", "Phone")
"""The columns of rows when none are asked for (source: rows that clients have seen; the lead's
columns are documented to come first)."""


def plan_lead_list(asked: AskedLeadList, catalogue: Catalogue) -> Search:
    """The search of ``GetOpportunitiesOfLead``. A lead that is not here has no opportunities.

    Raises an ApiError with status 400 that names the place.
    """
    code = None
    if asked.event_code is not None:
        code = event_code_of(asked.event_code, catalogue, place="query parameter 'opportunityType'")
    scope = scope_of(catalogue, code, with_lead_names=True)
    if not asked.rows.columns:
        columns = [*_named(*_IDS, *_LEAD, *_EVENT, *_OWN), *custom_columns(scope)]
    else:
        columns = [*_named(*_IDS), *columns_asked(asked.rows.columns, scope)]
    lead_is_asked = ColumnCondition(
        stored="lead_id", comparison=Comparison.EQUAL, values=(asked.lead_id,)
    )
    return _search(lead_is_asked, columns, asked.rows, scope)


def plan_lead_field_list(asked: AskedLeadFieldList, catalogue: Catalogue) -> Search:
    """The search of ``GetOpportunitiesByUniqueLeadField``, over all types.

    The columns asked for come first, then those of every row (source: the documented rows).
    Raises an ApiError with status 400 that names the place.
    """
    scope = scope_of(catalogue, None, with_lead_names=True)
    always = _named("RelatedProspectId", *_EVENT, "TrackingNormalized", "OpportunityId", *_OWN)
    if not asked.rows.columns:
        columns = [*_named(*_LEAD), *always, *custom_columns(scope)]
    else:
        columns = [*columns_asked(asked.rows.columns, scope), *always]
    lead_is_found = ColumnCondition(
        stored=LEAD + asked.stored, comparison=Comparison.EQUAL, values=(asked.value,)
    )
    return _search(lead_is_found, columns, asked.rows, scope)


def _named(*names: str) -> list[Column]:
    return [_KNOWN[name] for name in names]


def _search(
    condition: ColumnCondition, columns: list[Column], rows: AskedList, scope: Scope
) -> Search:
    return Search(
        event_code=scope.event_code,
        where=ConditionGroup(members=(condition,)),
        ordering=ordering_of(rows.sort_name, scope, is_descending=rows.is_descending),
        offset=rows.page.offset,
        limit=rows.page.limit,
        columns=distinct(columns),
    )


_DEFAULT: Final = ("Owner", "Status", "CreatedOn", "ModifiedOn", "OpportunityNote")
"""The columns beside the custom ones when none are asked for (source: seen by clients)."""


def plan_search(asked: AskedSearch, catalogue: Catalogue) -> Search:
    """The search. Raises an ApiError with status 400 that names the place."""
    code = event_code_of(asked.event_code, catalogue, place="$.OpportunityEventCode")
    scope = scope_of(catalogue, code)
    return Search(
        event_code=code,
        where=ConditionGroup(
            members=tuple(_group(group, scope, asked.today) for group in asked.groups),
            is_any=asked.is_any,
        ),
        ordering=ordering_of(asked.rows.sort_name, scope, is_descending=asked.rows.is_descending),
        offset=asked.rows.page.offset,
        limit=asked.rows.page.limit,
        columns=distinct([*_named(*_IDS), *_columns(asked.rows.columns, scope)]),
    )


def _columns(names: Sequence[str], scope: Scope) -> list[Column]:
    if not names:
        return [*_named(*_DEFAULT), *custom_columns(scope)]
    return columns_asked(names, scope)


def _group(asked: AskedComparisons, scope: Scope, today: date) -> ConditionGroup:
    members = tuple(_condition(comparison, scope, today) for comparison in asked.comparisons)
    return ConditionGroup(members=members, is_any=asked.is_any)


def _condition(
    asked: AskedComparison, scope: Scope, today: date
) -> ColumnCondition | ConditionGroup:
    column = condition_column_at(asked.name, scope, place=f"{asked.place}.LSO")
    return searched_condition_of(
        column,
        field_of(column, scope),
        asked.comparison,
        asked.operand,
        place=f"{asked.place}.RSO",
        today=today,
    )


_FIELDS: Final = (
    "Status",
    "Owner",
    "OwnerEmailAddress",
    "ActivityEvent_Note",
    "CreatedBy",
    "ModifiedBy",
)
"""The fields that an opportunity has on every type."""


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
        columns=(*_named(*_FIELDS), *_custom(asked, event_code, catalogue)),
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


def _conditions(asked: AskedRecentlyModified) -> tuple[ColumnCondition, ...]:
    bounds = (
        (Comparison.GREATER_OR_EQUAL, asked.from_date),
        (Comparison.LESS_OR_EQUAL, asked.to_date),
    )
    return tuple(
        ColumnCondition(stored="modified_on", comparison=comparison, values=(date,))
        for comparison, date in bounds
        if date is not None
    )


def _custom(asked: AskedRecentlyModified, event_code: int, catalogue: Catalogue) -> list[Column]:
    columns = custom_columns(scope_of(catalogue, event_code))
    if asked.with_custom_fields:
        return columns
    return [column for column in columns if column.name in FIRST_SLOTS]
