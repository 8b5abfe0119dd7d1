"""Reads of leads on SQLite: the statement renders the rows as JSON, as the bulk read's does."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.leads import EVERY_ATTRIBUTE
from oppserver.store.queries import LeadSearch, RenderedPage, RenderedRows
from oppserver.store.sql.conditions import (
    lead_conditions,
    order_key,
    order_sql,
    rendered_lead_sql,
    stored_lead_sql,
)
from oppserver.store.sqlite.library import sqlite3
from oppserver.store.sqlite.read import json_of_ids, row_json
from oppserver.store.sqlite.search import SQLITE

_OWNER: Final = ' LEFT JOIN "user" AS u ON u.id = l.owner_id'


def read_leads(
    connection: sqlite3.Connection, ids: Sequence[str], columns: Sequence[Column]
) -> RenderedRows:
    """The leads of ids, in their order."""
    statement = _leads_statement(tuple(columns))
    json, count = connection.execute(statement, (json_of_ids(ids),)).fetchone()
    return RenderedRows(count=count, json=json)


@lru_cache(maxsize=256)
def _leads_statement(columns: tuple[Column, ...]) -> str:
    """One row, ``(json, count)``. Parameter: the ids as a JSON array.

    Why ``CROSS JOIN``: as in ``read.py``.
    """
    return (
        f"SELECT CAST(json_group_array({_lead_json(columns)}) AS BLOB), count(*)"
        f" FROM json_each(?) AS asked CROSS JOIN lead AS l ON l.id = asked.value{_OWNER}"
    )


def _lead_json(columns: Sequence[Column]) -> str:
    named = [column for column in columns if column != EVERY_ATTRIBUTE]
    row = row_json([(column.name, rendered_lead_sql(column.stored, SQLITE)) for column in named])
    if EVERY_ATTRIBUTE in columns:
        return f"json_patch({row}, coalesce(l.attributes, '{{}}'))"
    return row


# --- searches ----------------------------------------------------------------------------------


def read_lead_page(connection: sqlite3.Connection, search: LeadSearch) -> RenderedPage:
    """A page of a search, to be read in one moment: its ids are found first, then its rows."""
    key = order_key(search.ordering, stored_lead_sql(search.ordering.stored, SQLITE), SQLITE)
    where = lead_conditions(search.where, SQLITE)
    count = f"SELECT count(*) FROM lead AS l WHERE {where.text}"
    (total,) = connection.execute(count, where.values).fetchone()
    statement = (
        f"SELECT CAST(json_group_array({_lead_json(search.columns)}) AS BLOB)"
        f" FROM (SELECT l.id FROM lead AS l WHERE {where.text}"
        f" ORDER BY {order_sql(search.ordering, key, 'l.id')}"
        f" LIMIT ? OFFSET ?) AS page CROSS JOIN lead AS l ON l.id = page.id{_OWNER}"
    )
    parameters = (*where.values, search.limit, search.offset)
    (json,) = connection.execute(statement, parameters).fetchone()
    return RenderedPage(total=total, json=json)
