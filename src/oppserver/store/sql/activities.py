"""Activities in the SQL that engines share, over an open connection of the caller.

A page is found by its keys alone: order, offset and number come out of the indexes. The rest of its
rows is read afterwards. Whoever calls owns the transaction, in which both are of one moment.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Table,
    asc,
    bindparam,
    desc,
    func,
    select,
    union_all,
)

from oppserver.contract.model import Activity, StoredOpportunity
from oppserver.store import schema
from oppserver.store.queries import ActivitySearch, TimelinePage
from oppserver.store.sql.transaction import ASKED, rows_of, select_opportunities_of

_TYPES_APART_MAX: Final = 50
"""Types that are read each on its own. Engines bound the selects of a statement, SQLite at 500."""

_BELOW_ALL: Final = -1
"""Below every event code."""

_TEXTS: Final = dict[str, str]


def select_timeline(connection: Connection, search: ActivitySearch) -> TimelinePage:
    """A page of activities, and how many there are in all."""
    keys = _keys(connection, search)
    total = connection.execute(select(func.count()).select_from(keys.subquery())).scalar_one()
    direction = desc if search.is_descending else asc
    page = keys.order_by(direction("at"), direction("id")).offset(search.offset).limit(search.limit)
    ids = [row.id for row in connection.execute(page)]
    return TimelinePage(total=total, rows=_details(connection, ids))


_ACTIVITIES: Final = select(schema.activity).where(schema.activity.c.id.in_(ASKED))


def _details(connection: Connection, ids: Sequence[str]) -> list[Activity | StoredOpportunity]:
    found: dict[str, Activity | StoredOpportunity] = {
        row.id: _activity(row) for row in rows_of(connection, _ACTIVITIES, ids)
    }
    others = [one for one in ids if one not in found]
    found.update(select_opportunities_of(connection, others))
    return [found[one] for one in ids]


def _activity(row: Row[Any]) -> Activity:
    return Activity(
        id=row.id,
        event_code=row.event_code,
        lead_id=row.lead_id,
        opportunity_id=row.opportunity_id,
        note=row.note,
        owner_id=row.owner_id,
        created_by=row.created_by,
        created_on=row.created_on,
        modified_on=row.modified_on,
        fields={} if row.fields is None else msgspec.json.decode(row.fields, type=_TEXTS),
    )


# --- keys --------------------------------------------------------------------------------------

_Keys = Select[tuple[str, str]] | CompoundSelect[tuple[str, str]]


def _keys(connection: Connection, search: ActivitySearch) -> _Keys:
    """The id of each row that is looked for, and as ``at`` the date that it is sorted by."""
    selects = _keys_in(connection, schema.activity, search)
    if search.with_opportunities and search.opportunity_id is None:
        selects += _keys_in(connection, schema.opportunity, search)
    return selects[0] if len(selects) == 1 else union_all(*selects)


def _keys_in(
    connection: Connection, table: Table, search: ActivitySearch
) -> list[Select[tuple[str, str]]]:
    """The keys in one table: of all types at once, or of each type in the order of its index.

    Of a lead, or an opportunity, there are few, and its own index finds them. What is in the order
    of indexes is merged, and not sorted.
    """
    dated = table.c.modified_on if search.by_modified_on else table.c.created_on
    at = table.c.created_on if search.in_order_of_created_on else dated
    keys = select(table.c.id, at.label("at")).where(*_conditions(table, dated, search))
    is_of_one = search.lead_id is not None or search.opportunity_id is not None
    if is_of_one or search.event_code is not None:
        return [keys]
    codes = _event_codes(connection, table)
    if not 0 < len(codes) <= _TYPES_APART_MAX:
        return [keys]
    return [keys.where(table.c.event_code == code) for code in codes]


def _conditions(
    table: Table, dated: ColumnElement[str], search: ActivitySearch
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    code: ColumnElement[int] = table.c.event_code
    if search.lead_id is not None:
        conditions.append(table.c.lead_id == search.lead_id)
        # a sum is in no index: without statistics, the type's would be taken to be as good
        code = code + 0
    if search.opportunity_id is not None:
        conditions.append(table.c.opportunity_id == search.opportunity_id)
        code = code + 0
    if search.event_code is not None:
        conditions.append(code == search.event_code)
    if search.from_date is not None:
        conditions.append(dated >= search.from_date)
    if search.to_date is not None:
        conditions.append(dated <= search.to_date)
    return conditions


def _event_codes(connection: Connection, table: Table) -> Sequence[int]:
    """Return the types of a table's rows, up to one more than are read apart.

    One look into the index for each type, not for each row. Each is a statement: one that repeats
    itself cannot read a sharded table.
    """
    code = table.c.event_code
    following = select(func.min(code)).where(code > bindparam("code"))
    codes: list[int] = []
    while len(codes) <= _TYPES_APART_MAX:
        asked = {"code": codes[-1] if codes else _BELOW_ALL}
        found = connection.execute(following, asked).scalar_one()
        if found is None:
            break
        codes.append(found)
    return codes
