"""Searches on PostgreSQL: a page of opportunities or leads as JSON, and the number of all.

The rows of a page are found first, by what an index holds; only they are looked up and rendered.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec

from oppserver.contract.columns import LEAD, Column
from oppserver.store import schema
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.read import (
    LEAD_OWNER,
    POSTGRES,
    lead_json,
    object_sql,
    one_snapshot,
    rows_json,
)
from oppserver.store.queries import (
    ActivityQuery,
    LeadSearch,
    RenderedPage,
    RowForm,
    Search,
    TimelinePage,
)
from oppserver.store.sql.activities import select_activities
from oppserver.store.sql.conditions import (
    OF_OWNER,
    Sql,
    activity_conditions,
    activity_sql,
    flattened,
    lead_conditions,
    opportunity_conditions,
    opportunity_sql,
    order_key,
    order_sql,
    rendered_sql,
    sets,
    stored_lead_sql,
)


def read_page(driver: PostgresConnection, search: Search) -> RenderedPage:
    """A page of a search. The count comes first: it says from which end the page is nearer."""
    search = msgspec.structs.replace(search, where=flattened(search.where))
    where, values = _where(search)
    with one_snapshot(driver), driver.cursor(binary=True) as cursor:
        # never prepared: a plan has to fit the values, a frequent one or a rare one
        count = f"SELECT count(*) FROM opportunity AS o WHERE {where}"
        [(total,)] = cursor.execute(count.encode(), values, prepare=False).fetchall()
        rows = min(search.limit, total - search.offset)
        if rows <= 0:
            return RenderedPage(total=total, json=b"[]")
        rows_behind = total - search.offset - rows
        is_reversed = rows_behind < search.offset
        page = _page_statement(search, where, is_reversed=is_reversed)
        parameters = (*values, str(rows), str(min(rows_behind, search.offset)))
        found = cursor.execute(page.encode(), parameters, prepare=False).fetchall()
    return RenderedPage(total=total, json=rows_json(found))


def _where(search: Search) -> Sql:
    found = opportunity_conditions(search.where, POSTGRES)
    if search.event_code is None:
        return found
    return Sql(f"o.event_code = %s AND {found.text}", (str(search.event_code), *found.values))


# --- statements --------------------------------------------------------------------------------


def _page_statement(search: Search, where: str, *, is_reversed: bool) -> str:
    """The statement of a page. Parameters behind those of the conditions: rows, rows passed over.

    The first order finds the page, maybe from its end; the second puts its rows in order. Both name
    the key: a constant could not be an order.
    """
    ordering = search.ordering
    key = order_key(ordering, opportunity_sql(ordering.stored, POSTGRES), POSTGRES)
    is_set = ordering.stored in schema.OPPORTUNITY_REQUIRED and not ordering.is_number
    order = order_sql(ordering, "key", "o.id", is_reversed=is_reversed, is_set=is_set)
    picked = (
        f"SELECT o.id, o.lead_id, {key} AS key FROM opportunity AS o WHERE {where}"
        f" ORDER BY {order} LIMIT %s OFFSET %s"
    )
    row, joins = _row_sql(search.columns, search.form)
    return (
        f"WITH page AS MATERIALIZED ({picked}){_LEADS if _LEADS_JOINED in joins else ''}"
        f" SELECT {row} FROM page JOIN opportunity AS o ON o.id = page.id{joins}"
        f" ORDER BY {order_sql(ordering, 'page.key', 'page.id')}"
    )


_LEADS: Final = (
    ", leads AS MATERIALIZED (SELECT l.* FROM lead AS l"
    " WHERE l.id = ANY(ARRAY(SELECT page.lead_id FROM page)))"
)
"""The leads of a page, found by themselves: leads lie elsewhere than their opportunities."""

_LEADS_JOINED: Final = " LEFT JOIN leads AS l ON l.id = page.lead_id"


@lru_cache(maxsize=256)
def _row_sql(columns: tuple[Column, ...], form: RowForm) -> tuple[str, str]:
    """The SQL of a row as JSON, and of the joins that it needs."""
    joins = ""
    if any(column.stored in OF_OWNER for column in columns):
        joins += ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
    if any(column.stored.startswith(LEAD) for column in columns):
        joins += _LEADS_JOINED
    values = [(column.name, rendered_sql(column.stored, POSTGRES)) for column in columns]
    if form is RowForm.FLAT:
        return object_sql(values), joins
    return _keyed_json(values), joins


_SYSTEM_MEMBERS: Final = (
    ("Id", "o.id"),
    ("RelatedProspectId", "o.lead_id"),
    ("CreatedOn", "o.created_on"),
    ("ModifiedOn", "o.modified_on"),
)


def _keyed_json(values: Sequence[tuple[str, str]]) -> str:
    """The SQL of a row as its identity and an array of keys and values.

    Put together as text: a function that makes an array takes 100 of its elements.
    """
    fields = ", ".join(
        f'\'{{"Key":"{name}","Value":\' || {_json_sql(value)} || \'}}\'' for name, value in values
    )
    members = "".join(
        f"\"{name}\":' || {_json_sql(value)} || '," for name, value in _SYSTEM_MEMBERS
    )
    joined = f"array_to_string(ARRAY[{fields}]::text[], ',')"
    return f"('{{{members}\"Fields\":[' || {joined} || ']}}')::json"


def _json_sql(value: str) -> str:
    return f"coalesce(to_json(({value})::text)::text, 'null')"


# --- activities --------------------------------------------------------------------------------


def read_activity_page(driver: PostgresConnection, query: ActivityQuery) -> TimelinePage:
    """A page of activities: its ids are found first, then its rows."""
    where = activity_conditions(flattened(query.where), POSTGRES)
    key = order_key(query.ordering, activity_sql(query.ordering.stored, POSTGRES), POSTGRES)
    is_set = query.ordering.stored in schema.ACTIVITY_REQUIRED and not query.ordering.is_number
    found = f"FROM activity AS a WHERE a.event_code = %s AND {where.text}"
    values = (str(query.event_code), *where.values)
    page = (
        f"SELECT a.id, {key} AS key {found}"
        f" ORDER BY {order_sql(query.ordering, 'key', 'a.id', is_set=is_set)} LIMIT %s OFFSET %s"
    )
    parameters = (*values, str(query.limit), str(query.offset))
    with one_snapshot(driver), driver.cursor(binary=True) as cursor:
        # never prepared: a plan has to fit the values, a frequent one or a rare one
        count = f"SELECT count(*) {found}"
        [(total,)] = cursor.execute(count.encode(), values, prepare=False).fetchall()
        rows = cursor.execute(page.encode(), parameters, prepare=False).fetchall()
        return TimelinePage(total=total, rows=select_activities(driver, [row[0] for row in rows]))


# --- leads -------------------------------------------------------------------------------------


def read_lead_page(driver: PostgresConnection, search: LeadSearch) -> RenderedPage:
    """A page of a search of leads: its ids are found first, then its rows."""
    where = lead_conditions(search.where, POSTGRES)
    is_set = not search.ordering.is_number and sets(search.where, search.ordering.stored)
    key = order_key(search.ordering, stored_lead_sql(search.ordering.stored, POSTGRES), POSTGRES)
    page = (
        f"SELECT {lead_json(search.columns)}"
        f" FROM (SELECT l.id, {key} AS key FROM lead AS l WHERE {where.text}"
        f" ORDER BY {order_sql(search.ordering, 'key', 'l.id', is_set=is_set)}"
        " LIMIT %s OFFSET %s) AS page"
        f" JOIN lead AS l ON l.id = page.id{LEAD_OWNER}"
        f" ORDER BY {order_sql(search.ordering, 'page.key', 'page.id')}"
    )
    parameters = (*where.values, str(search.limit), str(search.offset))
    count = f"SELECT count(*) FROM lead AS l WHERE {where.text}"
    with one_snapshot(driver), driver.cursor(binary=True) as cursor:
        # never prepared: a plan has to fit the values, a frequent one or a rare one
        [(total,)] = cursor.execute(count.encode(), where.values, prepare=False).fetchall()
        found = cursor.execute(page.encode(), parameters, prepare=False).fetchall()
    return RenderedPage(total=total, json=rows_json(found))
