"""Reads of leads on SQLite: the statement renders the rows as JSON, as the bulk read's does."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.leads import EVERY_ATTRIBUTE
from oppserver.store.queries import (
    ColumnCondition,
    LeadSearch,
    Ordering,
    RenderedPage,
    RenderedRows,
)
from oppserver.store.sql.conditions import (
    Sql,
    condition_sql,
    group_sql,
    lead_sql,
    order_sql,
    owner_sql,
)
from oppserver.store.sqlite.library import sqlite3
from oppserver.store.sqlite.read import row_json
from oppserver.store.sqlite.search import SQLITE

_OF_OWNER: Final = ("owner_email", "owner_name")

_OWNER: Final = ' LEFT JOIN "user" AS u ON u.id = l.owner_id'


def read_leads(
    connection: sqlite3.Connection, ids: Sequence[str], columns: Sequence[Column]
) -> RenderedRows:
    """The leads of ids, in their order."""
    # canonical GUIDs need no escaping, so this is the JSON array of them
    array = '["' + '","'.join(ids) + '"]' if ids else "[]"
    json, count = connection.execute(_leads_statement(tuple(columns)), (array,)).fetchone()
    return RenderedRows(count=count, json=json)


@lru_cache(maxsize=256)
def _leads_statement(columns: tuple[Column, ...]) -> str:
    """One row, ``(json, count)``. Parameter: the ids as a JSON array.

    Why ``CROSS JOIN``: as in ``sqlite_read.py``.
    """
    return (
        f"SELECT CAST(json_group_array({_lead_json(columns)}) AS BLOB), count(*)"
        f" FROM json_each(?) AS asked CROSS JOIN lead AS l ON l.id = asked.value{_OWNER}"
    )


def _lead_json(columns: Sequence[Column]) -> str:
    named = [column for column in columns if column != EVERY_ATTRIBUTE]
    row = row_json([(column.name, _rendered(column.stored)) for column in named])
    if EVERY_ATTRIBUTE in columns:
        return f"json_patch({row}, coalesce(l.attributes, '{{}}'))"
    return row


def _rendered(stored: str) -> str:
    """The SQL of a value as it is answered. The form of dates: the documented answer of reads."""
    if stored in _OF_OWNER:
        return owner_sql(stored)
    value = lead_sql(stored, SQLITE)
    return f"{value} || '.000'" if stored in ("created_on", "modified_on") else value


# --- searches ----------------------------------------------------------------------------------


def read_lead_page(connection: sqlite3.Connection, search: LeadSearch) -> RenderedPage:
    """A page of a search, to be read in one moment: its ids are found first, then its rows."""
    where = group_sql(search.where, _condition)
    count = f"SELECT count(*) FROM lead AS l WHERE {where.text}"
    (total,) = connection.execute(count, where.values).fetchone()
    statement = (
        f"SELECT CAST(json_group_array({_lead_json(search.columns)}) AS BLOB)"
        f" FROM (SELECT l.id FROM lead AS l WHERE {where.text}"
        f" ORDER BY {order_sql(search.ordering, _order_key(search.ordering), 'l.id')}"
        f" LIMIT ? OFFSET ?) AS page CROSS JOIN lead AS l ON l.id = page.id{_OWNER}"
    )
    parameters = (*where.values, search.limit, search.offset)
    (json,) = connection.execute(statement, parameters).fetchone()
    return RenderedPage(total=total, json=json)


def _condition(condition: ColumnCondition) -> Sql:
    return condition_sql(condition, _value(condition.stored), SQLITE)


def _order_key(ordering: Ordering) -> str:
    value = _value(ordering.stored)
    return SQLITE.number.format(value) if ordering.is_number else value


def _value(stored: str) -> str:
    """The SQL of a value as it is stored, with what has to be looked up for it."""
    if stored in _OF_OWNER:
        return f'(SELECT {owner_sql(stored)} FROM "user" AS u WHERE u.id = l.owner_id)'
    return lead_sql(stored, SQLITE)
