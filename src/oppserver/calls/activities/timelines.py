"""Frozen values of activities that callers ask for, to be posted or to be read."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
from msgspec import UnsetType

from oppserver.calls.activities.wire import TimelineWire
from oppserver.calls.shared.decode import decode_optional_body
from oppserver.calls.shared.names import number_of
from oppserver.calls.shared.paging import ColumnsWire, ListWire, SortingWire, is_descending, page_of
from oppserver.contract.columns import column_named, slot_of
from oppserver.contract.errors import InvalidValue, UnknownColumn
from oppserver.contract.limits import ACTIVITY_PAGE_ROWS_DEFAULT
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import Number


class AskedTimeline(NamedTuple):
    """A page of a timeline, of one type or all."""

    event_code: int | None
    offset: int
    limit: int


class AskedActivityList(NamedTuple):
    """A page of an opportunity's activities, with the columns of its rows; none: all there are."""

    offset: int
    limit: int
    by_modified_on: bool
    is_descending: bool
    columns: Sequence[str]


_TIMELINE: Final = msgspec.json.Decoder(TimelineWire)

_LIST: Final = msgspec.json.Decoder(ListWire)

_DATES: Final = {"createdon": False, "modifiedon": True}
"""What activities are sorted by, and whether it is ModifiedOn."""


def parse_timeline(body: bytes | None, *, content_type: str, body_bytes_max: int) -> AskedTimeline:
    """What a ``ProspectActivity.svc/Retrieve`` asks.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    message = decode_optional_body(
        _TIMELINE, body, content_type=content_type, body_bytes_max=body_bytes_max
    )
    code = message.Parameter.ActivityEvent if message.Parameter else None
    # callers are known to send 0 here
    page = page_of(message.Paging, rows_default=ACTIVITY_PAGE_ROWS_DEFAULT, index_may_be_0=True)
    return AskedTimeline(
        event_code=event_code_asked(code, place="$.Parameter.ActivityEvent"),
        offset=page.offset,
        limit=page.limit,
    )


def parse_activity_list(
    body: bytes | None, *, content_type: str, body_bytes_max: int
) -> AskedActivityList:
    """What a ``GetActivitiesOfOpportunity`` asks.

    Raises an ApiError with status 400 or 413 that names the place.
    """
    message = decode_optional_body(
        _LIST, body, content_type=content_type, body_bytes_max=body_bytes_max
    )
    page = page_of(message.Paging, rows_default=ACTIVITY_PAGE_ROWS_DEFAULT)
    return AskedActivityList(
        offset=page.offset,
        limit=page.limit,
        by_modified_on=_by_modified_on(message.Sorting),
        is_descending=is_descending(message.Sorting),
        columns=_columns(message.Columns),
    )


def event_code_asked(value: Number | UnsetType | None, *, place: str) -> int | None:
    """The code of the activities that are read, None when all are. It may be of no type here.

    Raises InvalidValue.
    """
    if value is None or isinstance(value, UnsetType) or not str(value).strip():
        return None
    code = number_of(str(value))
    if code is None:
        raise InvalidValue(f"{place}: {quoted(value)} is no event code. Expected a number like 200")
    return code


def _by_modified_on(sorting: SortingWire | UnsetType | None) -> bool:
    name = sorting.ColumnName if isinstance(sorting, SortingWire) else None
    if not isinstance(name, str) or not name.strip():
        return False
    by_modified_on = _DATES.get(name.strip().casefold())
    if by_modified_on is None:
        raise InvalidValue(
            f"$.Sorting.ColumnName: activities are not sorted by {quoted(name)}. Send CreatedOn or"
            " ModifiedOn."
        )
    return by_modified_on


def _columns(asked: ColumnsWire | UnsetType | None) -> Sequence[str]:
    include_csv = asked.Include_CSV if isinstance(asked, ColumnsWire) else None
    names = include_csv.split(",") if isinstance(include_csv, str) else []
    return list(dict.fromkeys(_column(name) for name in names if name.strip()))


def _column(name: str) -> str:
    column = activity_column_named(name)
    if column is None:
        raise UnknownColumn(
            f"$.Columns.Include_CSV: {quoted(name.strip())} is no column of an activity."
            f"{did_you_mean(name.strip(), COLUMNS)} Its own fields are named mx_Custom_N."
        )
    return column


COLUMNS: Final = (
    "ProspectId",
    "ProspectActivityId",
    "RelatedProspectId",
    "OpportunityId",
    "ActivityEvent",
    "ActivityEventName",
    "ActivityEvent_Note",
    "Status",
    "Owner",
    "CreatedBy",
    "CreatedOn",
    "ModifiedOn",
)
"""What every activity has, in the order in which it is answered."""

IDENTITY: Final = COLUMNS[:2]
"""What every row starts with, asked for or not."""

_BY_FOLDED_NAME: Final = MappingProxyType({name.casefold(): name for name in COLUMNS})


def activity_column_named(name: str) -> str | None:
    """The canonical name of a column; None when no activity has it."""
    if slot_of(name) is not None:
        column = column_named(name)
        return None if column is None else column.name
    return _BY_FOLDED_NAME.get(name.strip().casefold())
