"""Reads of leads on PostgreSQL: rows are rendered there as JSON, as the bulk read's are."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.leads import EVERY_ATTRIBUTE
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.read import array_of, object_sql, one_snapshot, placed, rows_json
from oppserver.store.postgres.search import POSTGRES
from oppserver.store.queries import LeadSearch, RenderedPage, RenderedRows
from oppserver.store.sql.conditions import (
    lead_conditions,
    literal,
    order_key,
    order_sql,
    rendered_lead_sql,
    stored_lead_sql,
)

_OWNER: Final = ' LEFT JOIN "user" AS u ON u.id = l.owner_id'


def read_leads(
    driver: PostgresConnection, ids: Sequence[str], columns: Sequence[Column]
) -> RenderedRows:
    """The leads of ids, in their order."""
    statement = _leads_statement(tuple(columns)).encode()
    with driver.cursor(binary=True) as cursor:
        found = cursor.execute(statement, (array_of(ids),), prepare=True).fetchall()
    return placed(dict(found), ids)


@lru_cache(maxsize=256)
def _leads_statement(columns: tuple[Column, ...]) -> str:
    """Rows of ``(id, json)``. Parameter: the ids as an array."""
    row, joins = _row_sql(columns)
    return f"SELECT l.id, {row} FROM lead AS l{joins} WHERE l.id = ANY(%s::text[])"


def _row_sql(columns: Sequence[Column]) -> tuple[str, str]:
    """The SQL of a row as JSON, and of the joins that it needs."""
    named = [column for column in columns if column != EVERY_ATTRIBUTE]
    assert named, "a row begins with columns of its own"
    row = object_sql((column.name, rendered_lead_sql(column.stored, POSTGRES)) for column in named)
    if len(named) == len(columns):
        return row, _OWNER
    # the attributes as they are stored, in their order, each once
    names = ", ".join(literal(column.name) for column in named)
    others = (
        "(SELECT string_agg(',' || to_json(a.key) || ':' || to_json(a.value), '' ORDER BY a.place)"
        " FROM json_each_text(l.attributes::json) WITH ORDINALITY AS a(key, value, place)"
        f" WHERE a.key <> ALL(ARRAY[{names}]))"
    )
    return f"(left({row}::text, -1) || coalesce({others}, '') || '}}')::json", _OWNER


# --- searches ----------------------------------------------------------------------------------


def read_lead_page(driver: PostgresConnection, search: LeadSearch) -> RenderedPage:
    """A page of a search: its ids are found first, then its rows."""
    where = lead_conditions(search.where, POSTGRES)
    key = order_key(search.ordering, stored_lead_sql(search.ordering.stored, POSTGRES), POSTGRES)
    row, joins = _row_sql(search.columns)
    page = (
        f"SELECT {row} FROM (SELECT l.id, {key} AS key FROM lead AS l WHERE {where.text}"
        f" ORDER BY {order_sql(search.ordering, 'key', 'l.id')} LIMIT %s OFFSET %s) AS page"
        f" JOIN lead AS l ON l.id = page.id{joins}"
        f" ORDER BY {order_sql(search.ordering, 'page.key', 'page.id')}"
    )
    parameters = (*where.values, str(search.limit), str(search.offset))
    count = f"SELECT count(*) FROM lead AS l WHERE {where.text}"
    with one_snapshot(driver), driver.cursor(binary=True) as cursor:
        # never prepared: a plan has to fit the values, a frequent one or a rare one
        [(total,)] = cursor.execute(count.encode(), where.values, prepare=False).fetchall()
        found = cursor.execute(page.encode(), parameters, prepare=False).fetchall()
    return RenderedPage(total=total, json=rows_json(found))
