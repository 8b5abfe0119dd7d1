"""From what a list of a lead's opportunities asks to the search that will be done."""

from typing import Final

from oppserver.contract.asked_lists import AskedLeadFieldList, AskedLeadList, AskedList
from oppserver.contract.columns import LEAD, LIST_COLUMNS, SYSTEM_COLUMNS, Column
from oppserver.contract.event_codes import event_code_of
from oppserver.contract.leads import STANDARD_COLUMNS
from oppserver.contract.list_columns import (
    Scope,
    columns_asked,
    custom_columns,
    distinct,
    ordering_of,
    scope_of,
)
from oppserver.contract.model import Catalogue
from oppserver.contract.searches import Comparison, Condition, ConditionGroup, Search

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
"""What a row has of its own when no columns are asked for, in order (source: rows that clients have
seen; the lead's columns are documented to come first)."""


def plan_lead_list(asked: AskedLeadList, catalogue: Catalogue) -> Search:
    """The search of ``GetOpportunitiesOfLead``. A lead that is not here has no opportunities.

    Raises an ApiError with status 400 that names the place.
    """
    code = None
    if asked.event_code is not None:
        code = event_code_of(asked.event_code, catalogue, place="query parameter 'opportunityType'")
    scope = scope_of(catalogue, code, with_lead_names=True)
    if asked.rows.include_csv is None:
        columns = [*_named(*_IDS, *_LEAD, *_EVENT, *_OWN), *custom_columns(scope)]
    else:
        columns = [*_named(*_IDS), *columns_asked(asked.rows.include_csv, scope)]
    lead_is_asked = Condition(
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
    if asked.rows.include_csv is None:
        columns = [*_named(*_LEAD), *always, *custom_columns(scope)]
    else:
        columns = [*columns_asked(asked.rows.include_csv, scope), *always]
    lead_is_found = Condition(
        stored=LEAD + asked.stored, comparison=Comparison.EQUAL, values=(asked.value,)
    )
    return _search(lead_is_found, columns, asked.rows, scope)


def _named(*names: str) -> list[Column]:
    return [_KNOWN[name] for name in names]


def _search(condition: Condition, columns: list[Column], rows: AskedList, scope: Scope) -> Search:
    return Search(
        event_code=scope.event_code,
        where=ConditionGroup(members=(condition,)),
        ordering=ordering_of(rows.sort_name, scope, is_descending=rows.is_descending),
        offset=rows.page.offset,
        limit=rows.page.limit,
        columns=distinct(columns),
    )
