"""Searches on SQLite: a page of opportunities or leads as JSON, and the number of all.

The rows of a page are found first, by what an index holds; only they are looked up and rendered.
"""

from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from oppserver.contract.columns import LEAD, Column
from oppserver.store.queries import (
    ActivityQuery,
    ColumnCondition,
    Comparison,
    LeadSearch,
    RenderedPage,
    RowForm,
    Search,
)
from oppserver.store.sql.conditions import (
    OF_OWNER,
    activity_conditions,
    activity_sql,
    flattened,
    lead_conditions,
    literal,
    opportunity_conditions,
    opportunity_sql,
    order_key,
    order_sql,
    order_tie,
    rendered_sql,
    stored_lead_sql,
)
from oppserver.store.sqlite.library import Connection
from oppserver.store.sqlite.read import LEAD_OWNER, SQLITE, lead_json, row_json

SQLITE_TOTALS_MAX: Final = 256
"""Searches whose number of rows a connection remembers. Ours: more than are paged through at once;
with the next bound about 1 MB for each connection."""

SQLITE_TOTALS_CHARACTERS_MAX: Final = 4_000
"""Characters of a search, its values among them, whose number of rows is remembered. Ours: a dozen
conditions."""

_ARRAY_ELEMENTS_MAX: Final = 100
"""A function takes at most 127 arguments in many builds of SQLite."""

Parameters = tuple[str | int, ...]


class Totals:
    """The totals that one connection remembers. Owner: that connection, in one thread at a time.

    ``PRAGMA data_version`` is another number after every commit of another connection, of this or
    another process; a connection that only reads has no commits of its own
    (sqlite.org/pragma.html#pragma_data_version). Within a transaction it is that of its moment.
    """

    def __init__(self) -> None:
        self._data_version = 0
        self._totals: Final[OrderedDict[tuple[str, Parameters], int]] = OrderedDict()

    def count(
        self, connection: Connection, where: str, parameters: Parameters, *, page_end: int
    ) -> int:
        """Count the opportunities that meet a condition in the connection's snapshot.

        Remembers it when there are rows behind ``page_end``, so that another page may be asked for.
        """
        (data_version,) = connection.one("PRAGMA data_version")
        if data_version != self._data_version:
            self._totals.clear()
            self._data_version = data_version
        search = where, parameters
        known = self._totals.get(search)
        if known is not None:
            self._totals.move_to_end(search)
            return known
        statement = f"SELECT count(*) FROM opportunity AS o WHERE {where}"
        (total,) = connection.one(statement, parameters)
        if total > page_end and _is_short(search):
            self._totals[search] = total
            if len(self._totals) > SQLITE_TOTALS_MAX:
                self._totals.popitem(last=False)
        return int(total)


def read_page(connection: Connection, search: Search, totals: Totals) -> RenderedPage:
    """A page of a search, to be read in one moment. ``totals`` are the connection's.

    The count comes first, because it says how the page is found best: from which end, and whether
    its order is walked or what matches is sorted.
    """
    search = msgspec.structs.replace(search, where=flattened(search.where))
    where, parameters = _where(search)
    page_end = search.offset + search.limit
    total = totals.count(connection, where, parameters, page_end=page_end)
    rows = min(search.limit, total - search.offset)
    if rows <= 0:
        return RenderedPage(total=total, json=b"[]")
    rows_behind = total - search.offset - rows
    is_reversed = rows_behind < search.offset
    skipped = min(rows_behind, search.offset)
    page = _page_statement(
        search,
        where,
        is_reversed=is_reversed,
        is_sorted=_is_better_sorted(connection, search, total=total, reached=skipped + rows),
    )
    (json,) = connection.one(page, (*parameters, rows, skipped))
    return RenderedPage(total=total, json=json)


# --- which rows --------------------------------------------------------------------------------


def _where(search: Search) -> tuple[str, Parameters]:
    """Return the conditions of the rows.

    Where a lead is named, the type's indexes are kept out by the plus, which makes an expression of
    the column (sqlite.org/optoverview.html): without statistics SQLite takes a type to be as rare
    as a lead, and would walk through the type to spare itself the sorting of a few rows.
    """
    found = opportunity_conditions(search.where, SQLITE)
    if search.event_code is None:
        return found.text, found.values
    event_code = "+o.event_code" if _names_a_lead(search) else "o.event_code"
    return f"{event_code} = ? AND {found.text}", (search.event_code, *found.values)


def _names_a_lead(search: Search) -> bool:
    return not search.where.is_any and any(
        isinstance(member, ColumnCondition)
        and member.comparison is Comparison.EQUAL
        and (member.stored == "lead_id" or member.stored.startswith(LEAD))
        for member in search.where.members
    )


def _is_better_sorted(connection: Connection, search: Search, *, total: int, reached: int) -> bool:
    """Return true when sorting all matches is less work than walking in order to the page.

    Every n-th row of the store matches: walking looks at n rows for each that it
    reaches, sorting at each match once. Conditions on the order's own column bound the walk, so
    that it meets nothing else.
    """
    if all(
        isinstance(member, ColumnCondition) and member.stored == search.ordering.stored
        for member in search.where.members
    ):
        return False
    (rows,) = connection.one("SELECT max(rowid) FROM opportunity")
    return bool(total * total <= reached * rows)


# --- statements --------------------------------------------------------------------------------


def _page_statement(search: Search, where: str, *, is_reversed: bool, is_sorted: bool) -> str:
    """The statement of a page. Parameters behind those of the conditions: rows, rows passed over.

    ``CROSS JOIN`` fixes the order of the join, and with it the order of the rows. The outer limit
    keeps the order of what was turned round: SQLite may drop that of a subquery without one.
    """
    ordering = search.ordering
    column = opportunity_sql(ordering.stored, SQLITE)
    key, tie = order_key(ordering, column, SQLITE), order_tie(ordering, column, SQLITE)
    order = order_sql(
        ordering, f"+{key}" if is_sorted else key, "o.id", is_reversed=is_reversed, tie=tie
    )
    tied = f", {tie} AS tie" if tie else ""
    picked = (
        f"SELECT o.rowid AS at, {key} AS key{tied}, o.id AS id FROM opportunity AS o WHERE {where}"
        f" ORDER BY {order} LIMIT ? OFFSET ?"
    )
    if is_reversed:
        turned = order_sql(ordering, "key", "id", tie="tie" if tie else "")
        picked = f"SELECT at FROM ({picked}) ORDER BY {turned} LIMIT -1"
    row, joins = _row_sql(search.columns, search.form)
    return (
        f"SELECT CAST(json_group_array({row}) AS BLOB) FROM ({picked}) AS page"
        f" CROSS JOIN opportunity AS o ON o.rowid = page.at{joins}"
    )


@lru_cache(maxsize=256)
def _row_sql(columns: tuple[Column, ...], form: RowForm) -> tuple[str, str]:
    """The SQL of a row as JSON, and of the joins that it needs."""
    joins = ""
    if any(column.stored in OF_OWNER for column in columns):
        joins += ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
    if any(column.stored.startswith(LEAD) for column in columns):
        joins += " LEFT JOIN lead AS l ON l.id = o.lead_id"
    values = [(column.name, rendered_sql(column.stored, SQLITE)) for column in columns]
    return (row_json(values) if form is RowForm.FLAT else _keyed_json(values)), joins


def _keyed_json(values: list[tuple[str, str]]) -> str:
    fields = [f"json_object('Key', {literal(name)}, 'Value', {value})" for name, value in values]
    return (
        "json_object('Id', o.id, 'RelatedProspectId', o.lead_id, 'CreatedOn', o.created_on,"
        f" 'ModifiedOn', o.modified_on, 'Fields', {_array_json(fields)})"
    )


def _array_json(elements: list[str]) -> str:
    """The SQL of a JSON array of objects."""
    parts = [
        f"json_array({', '.join(elements[start : start + _ARRAY_ELEMENTS_MAX])})"
        for start in range(0, max(1, len(elements)), _ARRAY_ELEMENTS_MAX)
    ]
    if len(parts) == 1:
        return parts[0]
    # every element is an object, so the only brackets at an array's ends are its own
    joined = " || ',' || ".join(f"trim({part}, '[]')" for part in parts)
    return f"json('[' || {joined} || ']')"


def _is_short(search: tuple[str, Parameters]) -> bool:
    where, parameters = search
    characters = len(where) + sum(len(str(parameter)) for parameter in parameters)
    return characters <= SQLITE_TOTALS_CHARACTERS_MAX


# --- activities --------------------------------------------------------------------------------


def find_activities(connection: Connection, query: ActivityQuery) -> tuple[int, Sequence[str]]:
    """The number of the activities that are found, and the ids of a page of them."""
    key = order_key(query.ordering, activity_sql(query.ordering.stored, SQLITE), SQLITE)
    where = activity_conditions(flattened(query.where), SQLITE)
    found = f"FROM activity AS a WHERE a.event_code = ? AND {where.text}"
    values = (query.event_code, *where.values)
    (total,) = connection.one(f"SELECT count(*) {found}", values)
    page = f"SELECT a.id {found} ORDER BY {order_sql(query.ordering, key, 'a.id')} LIMIT ? OFFSET ?"
    rows: list[Any] = connection.execute(page, (*values, query.limit, query.offset)).fetchall()
    return total, [one for (one,) in rows]


# --- leads -------------------------------------------------------------------------------------


def read_lead_page(connection: Connection, search: LeadSearch) -> RenderedPage:
    """A page of leads, to be read in one moment: its ids are found first, then its rows."""
    column = stored_lead_sql(search.ordering.stored, SQLITE)
    key = order_key(search.ordering, column, SQLITE)
    tie = order_tie(search.ordering, column, SQLITE)
    where = lead_conditions(search.where, SQLITE)
    count = f"SELECT count(*) FROM lead AS l WHERE {where.text}"
    (total,) = connection.one(count, where.values)
    statement = (
        f"SELECT CAST(json_group_array({lead_json(search.columns)}) AS BLOB)"
        f" FROM (SELECT l.id FROM lead AS l WHERE {where.text}"
        f" ORDER BY {order_sql(search.ordering, key, 'l.id', tie=tie)}"
        f" LIMIT ? OFFSET ?) AS page CROSS JOIN lead AS l ON l.id = page.id{LEAD_OWNER}"
    )
    parameters = (*where.values, search.limit, search.offset)
    (json,) = connection.one(statement, parameters)
    return RenderedPage(total=total, json=json)
