"""From what a search asks, and the catalogue, to the search that will be done."""

from typing import Final

from oppserver.contract.asked_lists import AskedComparison, AskedComparisons, AskedSearch
from oppserver.contract.columns import LIST_COLUMNS, SYSTEM_COLUMNS, Column
from oppserver.contract.comparing import condition_of
from oppserver.contract.event_codes import event_code_of
from oppserver.contract.list_columns import (
    Scope,
    columns_asked,
    custom_columns,
    distinct,
    field_of,
    opportunity_column_at,
    ordering_of,
    scope_of,
)
from oppserver.contract.model import Catalogue
from oppserver.contract.searches import Condition, ConditionGroup, Search

_BY_NAME: Final = {column.name: column for column in (*SYSTEM_COLUMNS, *LIST_COLUMNS)}
_IDS: Final = ("OpportunityId", "RelatedProspectId")
_DEFAULT: Final = ("Owner", "Status", "CreatedOn", "ModifiedOn", "OpportunityNote")
"""What a row has beside the fields when no columns are asked for (source: seen by clients)."""


def plan_search(asked: AskedSearch, catalogue: Catalogue) -> Search:
    """The search. Raises an ApiError with status 400 that names the place."""
    code = event_code_of(asked.event_code, catalogue, place="$.OpportunityEventCode")
    scope = scope_of(catalogue, code)
    return Search(
        event_code=code,
        where=ConditionGroup(
            members=tuple(_group(group, scope) for group in asked.groups), is_any=asked.is_any
        ),
        ordering=ordering_of(asked.rows.sort_name, scope, is_descending=asked.rows.is_descending),
        offset=asked.rows.page.offset,
        limit=asked.rows.page.limit,
        columns=distinct([*_named(*_IDS), *_columns(asked.rows.include_csv, scope)]),
    )


def _columns(include_csv: str | None, scope: Scope) -> list[Column]:
    if include_csv is None:
        return [*_named(*_DEFAULT), *custom_columns(scope)]
    return columns_asked(include_csv, scope)


def _named(*names: str) -> list[Column]:
    return [_BY_NAME[name] for name in names]


def _group(asked: AskedComparisons, scope: Scope) -> ConditionGroup:
    members = tuple(_condition(comparison, scope) for comparison in asked.comparisons)
    return ConditionGroup(members=members, is_any=asked.is_any)


def _condition(asked: AskedComparison, scope: Scope) -> Condition | ConditionGroup:
    column = opportunity_column_at(asked.name, scope, place=f"{asked.place}.LSO")
    return condition_of(
        column,
        field_of(column, scope),
        asked.comparison,
        asked.operand,
        place=f"{asked.place}.RSO",
    )
