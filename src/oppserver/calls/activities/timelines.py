"""Parsing of the calls that read activities, and the columns of activities in lists."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.call import Call
from oppserver.calls.shared.decode import mandatory_guid
from oppserver.calls.shared.messages import event_code_at
from oppserver.calls.shared.paging import (
    ListWire,
    PagingWire,
    columns_named,
    date_sorted_by,
    is_descending,
    page_of,
)
from oppserver.contract.columns import column_named
from oppserver.contract.errors import UnknownColumn
from oppserver.contract.limits import ACTIVITY_PAGE_ROWS_DEFAULT
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import Number
from oppserver.store.queries import ActivitySearch

COLUMNS: Final = (
    "ProspectId",
    "ProspectActivityId",
    "RelatedProspectId",
    "OpportunityId",
    "RelatedOpportunityId",
    "ActivityEvent",
    "ActivityEventName",
    "ActivityEvent_Note",
    "Status",
    "Owner",
    "CreatedBy",
    "CreatedOn",
    "ModifiedOn",
)
"""The columns of every activity, in the order of answers."""

IDENTITY: Final = COLUMNS[:2]
"""The columns that every row begins with, asked for or not."""

_BY_FOLDED_NAME: Final = MappingProxyType({name.casefold(): name for name in COLUMNS})


def activity_column_named(name: str) -> str | None:
    """The canonical name of a column; None when no activity has it."""
    column = column_named(name)
    if column is not None and column.stored.startswith("mx_custom_"):
        return column.name
    return _BY_FOLDED_NAME.get(name.strip().casefold())


class TimelineParameterWire(msgspec.Struct, forbid_unknown_fields=True):
    """``Parameter`` of ``ProspectActivity.svc/Retrieve``."""

    ActivityEvent: Number | UnsetType | None = UNSET


class TimelineWire(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``ProspectActivity.svc/Retrieve``."""

    Parameter: TimelineParameterWire | UnsetType | None = UNSET
    Paging: PagingWire | UnsetType | None = UNSET


def parse_timeline(call: Call, message: TimelineWire) -> ActivitySearch:
    """Parse a ``ProspectActivity.svc/Retrieve``: a lead's timeline, opportunities included.

    Raises an ApiError with status 400 that names the place.
    """
    lead_id = mandatory_guid(call.query, "leadId")
    code = message.Parameter.ActivityEvent if message.Parameter else None
    # callers are known to send 0 here
    page = page_of(message.Paging, rows_default=ACTIVITY_PAGE_ROWS_DEFAULT, index_may_be_0=True)
    return ActivitySearch(
        lead_id=lead_id,
        event_code=event_code_at(code, place="$.Parameter.ActivityEvent"),
        with_opportunities=True,
        offset=page.offset,
        limit=page.limit,
    )


class AskedActivityList(NamedTuple):
    """A page of an opportunity's activities, with the columns of its rows; none: all columns."""

    search: ActivitySearch
    columns: Sequence[str]


def parse_activity_list(call: Call, message: ListWire) -> AskedActivityList:
    """Parse a ``GetActivitiesOfOpportunity``.

    Raises an ApiError with status 400 that names the place.
    """
    opportunity_id = mandatory_guid(call.query, "opportunityId")
    event_code = event_code_at(
        call.query.get("activityeventcode"), place="query parameter 'activityEventCode'"
    )
    page = page_of(message.Paging, rows_default=ACTIVITY_PAGE_ROWS_DEFAULT)
    search = ActivitySearch(
        opportunity_id=opportunity_id,
        event_code=event_code,
        by_modified_on=date_sorted_by(message.Sorting, what="activities") == "modified_on",
        is_descending=is_descending(message.Sorting),
        offset=page.offset,
        limit=page.limit,
    )
    columns = dict.fromkeys(_column(name) for name in columns_named(message.Columns))
    return AskedActivityList(search, list(columns))


def _column(name: str) -> str:
    column = activity_column_named(name)
    if column is None:
        raise UnknownColumn(
            f"$.Columns.Include_CSV: {quoted(name.strip())} is no column of an activity."
            f"{did_you_mean(name.strip(), COLUMNS)} Its own fields are named mx_Custom_N."
        )
    return column
