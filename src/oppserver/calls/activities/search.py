"""Activities of a type by conditions, and one activity whole.

Activities have no definitions of their fields, so the ``LSO_Type`` of a condition says how the
values of a field are compared.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.activities.render import listed, listed_value
from oppserver.calls.activities.timelines import COLUMNS, activity_column_named
from oppserver.calls.shared.advanced_search import (
    AskedComparison,
    AskedComparisons,
    AskedConditions,
    Searched,
    parse_conditions,
)
from oppserver.calls.shared.call import Answer, Call, Services
from oppserver.calls.shared.conditions import searched_condition_of
from oppserver.calls.shared.messages import text_of
from oppserver.calls.shared.names import POSTED_NAMES, activity_code_of, event_name, number_of
from oppserver.calls.shared.paging import AskedList, ListWire, asked_list, ignored_columns
from oppserver.contract.columns import LEAD, MEMBER_SIGN, Column, slot_of, with_member_sign
from oppserver.contract.errors import (
    InvalidReference,
    LimitExceeded,
    MissingAttribute,
    UnknownColumn,
    UnknownEventCode,
)
from oppserver.contract.field_sets import member_key, members_in
from oppserver.contract.leads import READABLE_COLUMNS, readable_lead_column_named
from oppserver.contract.limits import LIST_COLUMNS_MAX, SEARCH_PAGE_ROWS_DEFAULT
from oppserver.contract.metadata import (
    DETAIL_FIELDS,
    NOTE_FIELD,
    FieldWire,
    own_fields,
    with_value,
)
from oppserver.contract.model import Activity, Catalogue, DataType, Field
from oppserver.contract.names import did_you_mean, quoted
from oppserver.contract.values import Number, plain_number
from oppserver.store.queries import (
    ActivityQuery,
    ColumnCondition,
    Comparison,
    ConditionGroup,
    Ordering,
    TimelinePage,
)


class ActivitySearchWire(ListWire):
    """The body of ``Activity/Retrieve/BySearchParameter``; the code has two names."""

    ActivityEvent: Number | UnsetType | None = UNSET
    ActivityEventCode: Number | UnsetType | None = UNSET
    AdvancedSearch: str | UnsetType | None = UNSET


class AskedActivitySearch(NamedTuple):
    """The activities of a type that meet conditions."""

    event_code: str
    conditions: AskedConditions
    rows: AskedList


ACTIVITIES: Final = Searched("Activity", "the activity", "ActivityEvent", "$.AdvancedSearch")


def parse_activity_search(call: Call, message: ActivitySearchWire) -> AskedActivitySearch:
    """Parse the search. Raises an ApiError with status 400 or 413 that names the place."""
    code = text_of(message.ActivityEvent) or text_of(message.ActivityEventCode)
    if not code:
        raise MissingAttribute("'ActivityEvent' is mandatory: the code of the activity type")
    rows = asked_list(message, rows_default=SEARCH_PAGE_ROWS_DEFAULT)
    conditions = parse_conditions(call, message.AdvancedSearch, ACTIVITIES, code=code)
    return AskedActivitySearch(code, conditions, rows)


# --- plan --------------------------------------------------------------------------------------


class SearchedColumn(NamedTuple):
    """A column of a search: its name in rows, its stored name, and its data type if it has one.

    ``of_lead`` is the column of the lead whose value it has.
    """

    name: str
    stored: str
    data_type: DataType | None = DataType.STRING
    of_lead: Column | None = None


class PlannedActivities(NamedTuple):
    """A page of activities; ``columns`` None: all that activities have. ``ignored`` as in leads."""

    query: ActivityQuery
    columns: Sequence[SearchedColumn] | None
    ignored: Sequence[str]


_STORED: Final[Mapping[str, tuple[str, DataType]]] = {
    "ProspectActivityId": ("id", DataType.STRING),
    "ProspectId": ("lead_id", DataType.STRING),
    "RelatedProspectId": ("lead_id", DataType.STRING),
    "OpportunityId": ("opportunity_id", DataType.STRING),
    "RelatedOpportunityId": ("opportunity_id", DataType.STRING),
    "ActivityEvent": ("event_code", DataType.NUMBER),
    "ActivityEvent_Note": ("note", DataType.STRING),
    "Status": ("fields.Status", DataType.STRING),
    "Owner": ("owner_id", DataType.STRING),
    "CreatedBy": ("created_by", DataType.STRING),
    "CreatedOn": ("created_on", DataType.DATE_TIME),
    "ModifiedOn": ("modified_on", DataType.DATE_TIME),
}

_SENT_TYPES: Final[Mapping[str, DataType]] = {
    "number": DataType.NUMBER,
    "datetime": DataType.DATE_TIME,
    "date": DataType.DATE_TIME,
}
"""The values of ``LSO_Type`` that say how a field is compared; any other is text."""

_IDENTITY: Final = ("ProspectActivityId", "RelatedProspectId")

_DEFAULT: Final = (
    "ActivityEvent",
    "ActivityType",
    "ActivityEvent_Note",
    "Status",
    "Owner",
    "CreatedOn",
    "ModifiedOn",
)
"""The columns beside the custom ones when none are asked for (source: seen by clients)."""

_ACTIVITY_TYPE: Final = "2"
"""The kind of events that are not built in. Source: the documented rows of activities."""


def _column_named(name: str) -> SearchedColumn | None:
    """The column of a requested name: the activity's, or its lead's, with or without ``P_``."""
    own = activity_column_named(name)
    if own is not None and own not in COLUMNS:
        return SearchedColumn(own, f"fields.{with_member_sign(own)}", None)
    if own is not None and own in _STORED:
        return SearchedColumn(own, *_STORED[own])
    stripped = name.strip()
    if stripped.casefold() == "activitytype":
        return SearchedColumn("ActivityType", "")
    bare = stripped[2:] if stripped[:2].casefold() == "p_" else stripped
    column = readable_lead_column_named(bare)
    if column is None:
        return None
    shown = column.name if bare is stripped else f"P_{column.name}"
    is_date = column.stored in ("created_on", "modified_on")
    data_type = DataType.DATE_TIME if is_date else DataType.STRING
    return SearchedColumn(shown, LEAD + column.stored, data_type, column)


def plan_activity_search(asked: AskedActivitySearch, catalogue: Catalogue) -> PlannedActivities:
    """The search. Raises an ApiError with status 400 that names the place."""
    names = list(dict.fromkeys(name.strip() for name in asked.rows.columns))
    if len(names) > LIST_COLUMNS_MAX:
        raise LimitExceeded(
            f"$.Columns.Include_CSV names {len(names)} columns; a row has at most"
            f" {LIST_COLUMNS_MAX}. Name fewer, each once."
        )
    found = {name: _column_named(name) for name in names}
    query = ActivityQuery(
        event_code=_event_code(asked.event_code, catalogue),
        where=ConditionGroup(
            members=tuple(_group(one, asked.conditions) for one in asked.conditions.groups),
            is_any=asked.conditions.is_any,
        ),
        ordering=_ordering(asked.rows),
        offset=asked.rows.page.offset,
        limit=asked.rows.page.limit,
    )
    return PlannedActivities(
        query=query,
        columns=[one for one in found.values() if one is not None] if names else None,
        ignored=[name for name, one in found.items() if one is None],
    )


def _event_code(text: str, catalogue: Catalogue) -> int:
    code = number_of(text)
    if code in POSTED_NAMES:
        return code or 0
    if code in catalogue.types:
        raise UnknownEventCode(
            f"$.ActivityEvent: {code} is an opportunity type. Search opportunities with"
            " OpportunityManagement.svc/Retrieve/BySearchParameter."
        )
    return activity_code_of(text, catalogue, place="$.ActivityEvent")


def _ordering(rows: AskedList) -> Ordering:
    if rows.sort_name is None:
        return Ordering(stored="modified_on", is_descending=rows.is_descending)
    column = _compared(rows.sort_name, place="$.Sorting.ColumnName")
    return Ordering(
        stored=column.stored,
        is_descending=rows.is_descending,
        is_number=column.data_type is DataType.NUMBER,
    )


def _compared(name: str, *, place: str) -> SearchedColumn:
    column = _column_named(name)
    if column is None or not column.stored or column.stored in _OF_OWNER:
        raise UnknownColumn(
            f"{place}: {quoted(name.strip())} is no column of an activity that is searched by."
            f"{did_you_mean(name.strip(), _STORED)} Its own fields are named mx_Custom_N; those of"
            " its lead have P_ before their name."
        )
    return column


_OF_OWNER: Final = (f"{LEAD}owner_name", f"{LEAD}owner_email")
"""Columns of leads that rows have, and that are not searched by."""


def _group(asked: AskedComparisons, conditions: AskedConditions) -> ConditionGroup:
    members = tuple(_condition(one, conditions) for one in asked.comparisons)
    return ConditionGroup(members=members, is_any=asked.is_any)


def _condition(
    asked: AskedComparison, conditions: AskedConditions
) -> ColumnCondition | ConditionGroup:
    column = _compared(asked.name, place=f"{asked.place}.LSO")
    field = Field(
        event_code=0,
        schema_name=column.name,
        display_name=column.name,
        data_type=column.data_type or _data_type(asked),
    )
    return searched_condition_of(
        Column(name=column.name, stored=column.stored),
        field,
        asked.comparison,
        asked.operand,
        place=f"{asked.place}.RSO",
        today=conditions.today,
    )


def _data_type(asked: AskedComparison) -> DataType:
    """The data type to compare a field by: the one that is sent; numbers are ordered as numbers."""
    is_order = asked.comparison not in (Comparison.EQUAL, Comparison.NOT_EQUAL)
    if asked.sent_type in _SENT_TYPES:
        return _SENT_TYPES[asked.sent_type]
    is_number = is_order and plain_number(asked.operand or "") is not None
    return DataType.NUMBER if is_number else DataType.STRING


# --- read and render ---------------------------------------------------------------------------


class ActivitiesSearched(NamedTuple):
    """A page of activities, the values of their leads by the lead's id, and the catalogue."""

    page: TimelinePage
    leads: Mapping[str, Mapping[str, str | None]]
    catalogue: Catalogue


_LEADS: Final = msgspec.json.Decoder(list[dict[str, str | None]])

_LEAD_ID: Final = READABLE_COLUMNS[0]


def read_activity_search(planned: PlannedActivities, services: Services) -> ActivitiesSearched:
    """Read a page of activities, and the columns of their leads that are asked for."""
    store = services.store
    page = store.search_activities(planned.query)
    wanted = [one.of_lead for one in planned.columns or () if one.of_lead is not None]
    leads: Mapping[str, Mapping[str, str | None]] = {}
    if wanted and page.rows:
        ids = list(dict.fromkeys(one.lead_id for one in page.rows))
        columns = [_LEAD_ID, *(column for column in wanted if column != _LEAD_ID)]
        rows = _LEADS.decode(store.leads(ids, list(dict.fromkeys(columns))).json)
        leads = {row[_LEAD_ID.name] or "": row for row in rows}
    return ActivitiesSearched(page, leads, store.catalogue())


def render_activity_search(planned: PlannedActivities, found: ActivitiesSearched) -> Answer:
    """The body of ``Activity/Retrieve/BySearchParameter``: flat rows, dates as they are stored."""
    rows = [listed(one, found.catalogue) for one in found.page.rows if isinstance(one, Activity)]
    if planned.columns is None:
        custom = {name for row in rows for name in row if slot_of(name) is not None}
        names = (*_DEFAULT, *sorted(custom, key=lambda name: slot_of(name) or 0))
        columns = [SearchedColumn(name, "") for name in names]
    else:
        columns = list(planned.columns)
    answered = []
    for row in rows:
        lead = found.leads.get(row["RelatedProspectId"] or "", {})
        values = {**row, "ActivityType": _ACTIVITY_TYPE}
        named = {
            one.name: lead.get(one.of_lead.name) if one.of_lead else listed_value(values, one.name)
            for one in columns
        }
        answered.append({**{name: row[name] for name in _IDENTITY}, **named})
    body = msgspec.json.encode({"RecordCount": found.page.total, "List": answered})
    return Answer(body=body, headers=ignored_columns(planned.ignored))


# --- one activity ------------------------------------------------------------------------------


class ActivityDetailsWire(msgspec.Struct, frozen=True, kw_only=True):
    """An activity whole. ``Name`` and ``DisplayName`` are its type's; a date is as it is stored."""

    ID: str
    Name: str
    DisplayName: str
    ActivityEvent: int
    RelatedProspectId: str
    RelatedOpportunityId: str | None
    CreatedOnString: str
    Fields: list[FieldWire]


class ActivityFound(NamedTuple):
    """An activity, and the catalogue that has its type."""

    activity: Activity
    catalogue: Catalogue


def read_activity(activity_id: str, services: Services) -> ActivityFound:
    """Read one activity. Raises InvalidReference that says what to call for an opportunity."""
    found = services.store.activities([activity_id])
    if not found:
        is_opportunity = services.store.opportunity(activity_id) is not None
        hint = (
            "It is an opportunity's: call OpportunityManagement.svc/GetOpportunityDetails."
            if is_opportunity
            else "Check the id."
        )
        raise InvalidReference(
            f"query parameter 'activityId': there is no activity {activity_id}. {hint}"
        )
    return ActivityFound(found[0], services.store.catalogue())  # in this order: it has the type


def _fields_of(name: str, number: int, one: Activity) -> list[Field]:
    """The field of a custom value, and of its members where the value is a custom field set."""
    members = members_in(one.fields[name])
    is_set = bool(members) and all(member_key(key) == key for key in members)
    names = [name, *(f"{name}{MEMBER_SIGN}{key}" for key in members if is_set)]
    return [
        Field(
            event_code=one.event_code,
            schema_name=own,
            display_name=own,
            data_type=DataType.CUSTOM_OBJECT if is_set and own == name else DataType.STRING,
            sequence=sequence,
        )
        for sequence, own in enumerate(names, number)
    ]


def render_activity(found: ActivityFound) -> bytes:
    """The body of ``GetActivityDetails``: each field with its value."""
    one = found.activity
    values = listed(one, found.catalogue)
    name = event_name(one.event_code, found.catalogue)
    known = [NOTE_FIELD, *(field for field in DETAIL_FIELDS if field.SchemaName in COLUMNS)]
    custom = sorted(one.fields, key=lambda name: (slot_of(name) or 0, name))
    own = [
        field for number, name in enumerate(custom, 1) for field in _fields_of(name, number, one)
    ]
    fields = [
        with_value(field, values.get(field.SchemaName)) for field in (*known, *own_fields(own))
    ]
    return msgspec.json.encode(
        ActivityDetailsWire(
            ID=one.id,
            Name=name,
            DisplayName=name,
            ActivityEvent=one.event_code,
            RelatedProspectId=one.lead_id,
            RelatedOpportunityId=one.opportunity_id,
            CreatedOnString=one.created_on,
            Fields=fields,
        )
    )
