"""Rows by their ids on SQLite, as JSON: those of the bulk read, and leads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import Final

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.leads import EVERY_ATTRIBUTE
from oppserver.store.queries import PlannedEntry, RenderedRows
from oppserver.store.sql.conditions import Dialect, bulk_column_sql, rendered_lead_sql
from oppserver.store.sqlite.library import Connection

_IS_NUMBER: Final = (
    "({0} GLOB '[0-9]*' OR {0} GLOB '-[0-9]*') AND substr({0}, 2) NOT GLOB '*[^0-9.]*'"
    " AND {0} NOT GLOB '*.*.*' AND {0} NOT GLOB '*.'"
)

_DIGITS: Final = "0123456789"

_REVERSED: Final = "jihgfedcba"
"""Stand for the digits of numbers below zero: of two, the one with larger digits comes first."""

_POSITIVE_FIRST: Final = 100

_NEGATIVE_LAST: Final = 40_000
"""A character for the number of digits before the point, which any text of ours has room for; no
character of them is half of one."""


def _tie_sql() -> str:
    """The SQL of what orders two numbers that a cast to INTEGER makes equal.

    Both have the same whole part, or more digits than an INTEGER takes. So the decimals decide; of
    long numbers, the number of digits and then the digits. ``number_tie`` is the same in Python.
    """
    digits = "ltrim({0}, '-0')"
    plain = f"CASE instr({digits}, '.') WHEN 0 THEN {digits}"
    plain += f" ELSE rtrim(rtrim({digits}, '0'), '.') END"
    decimals = "rtrim(substr({0}, instr({0} || '.', '.')), '0')"
    places = "instr(ltrim({0}, '-0') || '.', '.')"

    def reversed_sql(text: str) -> str:
        for digit, letter in zip(_DIGITS, _REVERSED, strict=True):
            text = f"replace({text}, '{digit}', '{letter}')"
        return text

    return (
        "CASE WHEN (length({0}) > 18 OR instr({0}, '.')) AND "
        + _IS_NUMBER
        + f" THEN CASE WHEN {places} > 19 AND {{0}} < '0'"
        f" THEN '!' || char({_NEGATIVE_LAST} - {places}) || {reversed_sql(plain)} || '~'"
        f" WHEN {places} > 19 THEN char({_POSITIVE_FIRST} + {places}) || {plain}"
        f" WHEN rtrim({decimals}, '.') = '' THEN '.'"
        f" WHEN {{0}} < '0' THEN '!' || {reversed_sql(decimals)} || '~' ELSE {decimals} END"
        " ELSE '.' END"
    )


def number_tie(text: str) -> str:
    """Order numbers that a cast to INTEGER makes equal; the text is of the form ``-12.5``."""
    digits = text.lstrip("-0")
    whole, point, decimals = digits.partition(".")
    decimals = decimals.rstrip("0")
    places = len(whole) + 1
    plain = f"{whole}.{decimals}" if decimals else whole
    is_negative = text.startswith("-")
    turned = str.maketrans(_DIGITS, _REVERSED)
    if places > 19:
        if is_negative:
            return f"!{chr(_NEGATIVE_LAST - places)}{plain.translate(turned)}~"
        return f"{chr(_POSITIVE_FIRST + places)}{plain}"
    if not (point and decimals):
        return "."
    return f"!.{decimals.translate(turned)}~" if is_negative else f".{decimals}"


SQLITE: Final = Dialect(
    value="?",
    number_value="CAST(? AS INTEGER)",
    number=f"CASE WHEN {_IS_NUMBER} THEN CAST({{0}} AS INTEGER) END",
    number_tie=_tie_sql(),
    tie_of=number_tie,
    unequal="{} IS NOT {}",
    lower="lower({})",
    # the plus keeps an index of lower(email) out: SQLite 3.53 would walk all of it in place of the
    # leads, and takes four times as long (measured: 200,000 leads, 0.22 s against 0.05)
    lower_unindexed="lower(+({}))",
    position="instr({}, {})",
    attribute="{} ->> {}",
    member="CASE WHEN json_valid({0}) THEN CAST({0} ->> {1} AS TEXT) END",
)

_PAIRS_MAX: Final = 500
"""Names and values that a function takes: 1,000 arguments (sqlite.org/limits.html, 3.48)."""


@contextmanager
def one_snapshot(connection: Connection) -> Iterator[Connection]:
    """Give all reads in the block one snapshot."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.rollback()


def read_entry(connection: Connection, entry: PlannedEntry) -> RenderedRows:
    """The rows of one entry of a plan, as they are at this moment of the connection."""
    json, count = connection.one(
        bulk_read_statement(entry.columns), (json_of_ids(entry.ids), entry.event_code)
    )
    return RenderedRows(count=count, json=json)


def own_ids(connection: Connection, entries: Sequence[PlannedEntry]) -> Sequence[PlannedEntry]:
    """Leave out of several entries the ids of other types, which they would look up in vain.

    An entry may name every id of the call (``Plan``). One look at each id takes less than one for
    each entry. To be used in a transaction, with the reads of the entries.
    """
    if len(entries) == 1:
        return entries
    ids = list(dict.fromkeys(chain.from_iterable(entry.ids for entry in entries)))
    if len(ids) == sum(len(entry.ids) for entry in entries):
        return entries
    (json,) = connection.one(_TYPES, (json_of_ids(ids),))
    types = dict(zip(ids, _DECODE_TYPES(json), strict=True))
    return [
        PlannedEntry(
            event_code=entry.event_code,
            ids=[one for one in entry.ids if types[one] == entry.event_code],
            columns=entry.columns,
        )
        for entry in entries
    ]


_TYPES: Final = (
    "SELECT json_group_array(o.event_code)"
    " FROM json_each(?) AS asked LEFT JOIN opportunity AS o ON o.id = asked.value"
)

_DECODE_TYPES: Final = msgspec.json.Decoder(list[int | None]).decode


def json_of_ids(ids: Sequence[str]) -> str:
    """The JSON array of canonical GUIDs, which need no escaping."""
    return '["' + '","'.join(ids) + '"]' if ids else "[]"


FROM_IDS: Final = " FROM json_each(?) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value"

WITH_OWNER: Final = ' LEFT JOIN "user" AS u ON u.id = o.owner_id'

OF_TYPE: Final = " WHERE o.event_code = ?"


@lru_cache(maxsize=256)
def bulk_read_statement(columns: tuple[Column, ...]) -> str:
    """The statement that reads and renders the rows of one entry: one row, ``(json, count)``.

    Parameters: the ids as a JSON array, the event code. ``CROSS JOIN`` fixes the join's order, and
    with it the order of the rows (sqlite.org/optoverview.html, "Manual control of query plans").
    The cast hands the text over as bytes, which are not decoded and encoded again.
    """
    row = row_json([(column.name, bulk_column_sql(column, SQLITE)) for column in columns])
    return f"SELECT CAST(json_group_array({row}) AS BLOB), count(*){FROM_IDS}{WITH_OWNER}{OF_TYPE}"


def row_json(values: Sequence[tuple[str, str]]) -> str:
    """The SQL of a row as a JSON object, out of the names of its members and the SQL of each."""
    pairs = [f"'{name}', {value}" for name, value in values]
    parts = [
        f"json_object({', '.join(pairs[start : start + _PAIRS_MAX])})"
        for start in range(0, len(pairs), _PAIRS_MAX)
    ]
    if len(parts) == 1:
        return parts[0]
    # Every value is a string or null, so the only braces at an object's ends are its own.
    members = " || ',' || ".join(f"trim({part}, '{{}}')" for part in parts)
    return f"json('{{' || {members} || '}}')"


# --- leads -------------------------------------------------------------------------------------

LEAD_OWNER: Final = ' LEFT JOIN "user" AS u ON u.id = l.owner_id'


def read_leads(
    connection: Connection, ids: Sequence[str], columns: Sequence[Column]
) -> RenderedRows:
    """The leads of ids, in their order."""
    statement = _leads_statement(tuple(columns))
    json, count = connection.one(statement, (json_of_ids(ids),))
    return RenderedRows(count=count, json=json)


@lru_cache(maxsize=256)
def _leads_statement(columns: tuple[Column, ...]) -> str:
    """One row, ``(json, count)``. Parameter: the ids as a JSON array.

    Why ``CROSS JOIN``: as in ``bulk_read_statement``.
    """
    return (
        f"SELECT CAST(json_group_array({lead_json(columns)}) AS BLOB), count(*)"
        f" FROM json_each(?) AS asked CROSS JOIN lead AS l ON l.id = asked.value{LEAD_OWNER}"
    )


def lead_json(columns: Sequence[Column]) -> str:
    """The SQL of a lead as JSON, whose owner is joined by ``LEAD_OWNER``."""
    named = [column for column in columns if column != EVERY_ATTRIBUTE]
    row = row_json([(column.name, rendered_lead_sql(column.stored, SQLITE)) for column in named])
    if EVERY_ATTRIBUTE in columns:
        return f"json_patch({row}, coalesce(l.attributes, '{{}}'))"
    return row
