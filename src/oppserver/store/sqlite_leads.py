"""Reads of leads on SQLite: the statement renders the rows as JSON, as that of the bulk read does.

Addresses are compared as the index ``lead_by_email`` has them: the letters A to Z as a to z.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from oppserver.contract.columns import Column
from oppserver.contract.leads import ATTRIBUTE, EVERY_ATTRIBUTE
from oppserver.contract.model import RenderedRows
from oppserver.store.conditions import OWNER_NAME
from oppserver.store.sqlite_read import row_json

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
    value = _value(stored)
    return f"{value} || '.000'" if stored in ("created_on", "modified_on") else value


def _value(stored: str) -> str:
    """The SQL of a value as it is stored."""
    if stored.startswith(ATTRIBUTE):
        return f"l.attributes ->> '{stored.removeprefix(ATTRIBUTE)}'"
    if stored == "owner_email":
        return "u.email"
    if stored == "owner_name":
        return OWNER_NAME
    return f"l.{stored}"
