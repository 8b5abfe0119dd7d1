"""Activities in the SQL that engines share, over an open connection of the caller.

A page is found by its keys alone: order, offset and number come out of the indexes. The rest of its
rows is read afterwards. Whoever calls owns the transaction, in which both are of one moment.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from oppserver.contract.model import Activity, StoredOpportunity
from oppserver.store.queries import ActivitySearch, TimelinePage
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.leads import json_of_texts, texts_of_json
from oppserver.store.sql.opportunities import select_opportunities

_TYPES_APART_MAX: Final = 50
"""Types that are read each on its own. Engines bound the selects of a statement, SQLite at 500."""

_BELOW_ALL: Final = -1
"""Below every event code."""

_INSERT: Final = (
    "INSERT INTO activity (id, event_code, lead_id, opportunity_id, note, owner_id, created_by,"
    " created_on, modified_on, fields) VALUES (:id, :event_code, :lead_id, :opportunity_id, :note,"
    " :owner_id, :created_by, :created_on, :modified_on, :fields)"
)

_BY_ID: Final = (
    "SELECT id, event_code, lead_id, opportunity_id, note, owner_id, created_by, created_on,"
    " modified_on, fields FROM activity WHERE id IN (SELECT value FROM json_each(:ids))"
)


def insert_activities(connection: SqlConnection, batch: Sequence[Activity]) -> None:
    """Adds activities."""
    rows = [msgspec.structs.asdict(one) | {"fields": json_of_texts(one.fields)} for one in batch]
    connection.run_many(_INSERT, rows)


def select_activities(connection: SqlConnection, ids: Sequence[str]) -> list[Activity]:
    """The activities of ids, in their order."""
    found = {row[0]: _activity(row) for row in connection.rows(_BY_ID, ids=list(ids))}
    return [found[one] for one in ids if one in found]


def select_timeline(connection: SqlConnection, search: ActivitySearch) -> TimelinePage:
    """A page of activities, and how many there are in all."""
    asked = _Asked(search)
    keys = _keys(connection, asked)
    [(total,)] = connection.rows(f"SELECT count(*) FROM ({keys}) AS keys", **asked.values)
    direction = "DESC" if search.is_descending else "ASC"
    page = f"{keys} ORDER BY at {direction}, id {direction} LIMIT :limit OFFSET :offset"
    limits = {"limit": search.limit, "offset": search.offset}
    ids = [row[0] for row in connection.rows(page, **asked.values, **limits)]
    return TimelinePage(total=total, rows=_details(connection, ids))


def _details(connection: SqlConnection, ids: Sequence[str]) -> list[Activity | StoredOpportunity]:
    found: dict[str, Activity | StoredOpportunity] = {
        row[0]: _activity(row) for row in connection.rows(_BY_ID, ids=list(ids))
    }
    found.update(select_opportunities(connection, [one for one in ids if one not in found]))
    return [found[one] for one in ids]


def _activity(row: Sequence[Any]) -> Activity:
    return Activity(
        id=row[0],
        event_code=row[1],
        lead_id=row[2],
        opportunity_id=row[3],
        note=row[4],
        owner_id=row[5],
        created_by=row[6],
        created_on=row[7],
        modified_on=row[8],
        fields=texts_of_json(row[9]),
    )


# --- keys --------------------------------------------------------------------------------------


class _Asked:
    """A search as SQL: conditions on either table, and the values of all parameters."""

    def __init__(self, search: ActivitySearch) -> None:
        self.search: Final = search
        self.dated: Final = "modified_on" if search.by_modified_on else "created_on"
        self.at: Final = "created_on" if search.in_order_of_created_on else self.dated
        self.is_of_one: Final = search.lead_id is not None or search.opportunity_id is not None
        # of one, a sum is in no index: without statistics, the type's would be taken to be as good
        code = "event_code + 0" if self.is_of_one else "event_code"
        conditions = {
            "lead_id": ("lead_id = :lead_id", search.lead_id),
            "opportunity_id": ("opportunity_id = :opportunity_id", search.opportunity_id),
            "event_code": (f"{code} = :event_code", search.event_code),
            "from_date": (f"{self.dated} >= :from_date", search.from_date),
            "to_date": (f"{self.dated} <= :to_date", search.to_date),
        }
        given = {name: one for name, one in conditions.items() if one[1] is not None}
        self.conditions: Final = [text for text, _ in given.values()]
        self.values: Final[dict[str, object]] = {name: one for name, (_, one) in given.items()}

    def keys(self, table: str, *more: str) -> str:
        """The SQL of the id of each row that is looked for, and as ``at`` what it is sorted by."""
        where = " AND ".join([*self.conditions, *more]) or "true"
        return f"SELECT id, {self.at} AS at FROM {table} WHERE {where}"


def _keys(connection: SqlConnection, asked: _Asked) -> str:
    search = asked.search
    selects = _keys_in(connection, "activity", asked)
    if search.with_opportunities and search.opportunity_id is None:
        selects += _keys_in(connection, "opportunity", asked)
    return " UNION ALL ".join(selects)


def _keys_in(connection: SqlConnection, table: str, asked: _Asked) -> list[str]:
    """The keys in one table: of all types at once, or of each type in the order of its index.

    Of a lead, or an opportunity, there are few, and its own index finds them. What is in the order
    of indexes is merged, and not sorted.
    """
    if asked.is_of_one or asked.search.event_code is not None:
        return [asked.keys(table)]
    codes = _event_codes(connection, table)
    if not 0 < len(codes) <= _TYPES_APART_MAX:
        return [asked.keys(table)]
    return [asked.keys(table, f"event_code = {code:d}") for code in codes]


def _event_codes(connection: SqlConnection, table: str) -> Sequence[int]:
    """Return the types of a table's rows, up to one more than are read apart.

    One look into the index for each type, not for each row. Each is a statement: one that repeats
    itself cannot read a sharded table.
    """
    following = f"SELECT min(event_code) FROM {table} WHERE event_code > :code"
    codes: list[int] = []
    while len(codes) <= _TYPES_APART_MAX:
        [(found,)] = connection.rows(following, code=codes[-1] if codes else _BELOW_ALL)
        if found is None:
            break
        codes.append(found)
    return codes
