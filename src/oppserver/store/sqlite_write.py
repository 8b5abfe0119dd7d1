"""How batches of opportunities get into SQLite, and out of it.

Each batch is a handful of statements: what they need travels as one JSON array, rows in the order
of their ids, which touches each page of the index once. ``executemany`` would be as quick alone,
but takes the interpreter's lock once per row, where another thread may keep it for 5 ms.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Final

import msgspec
from sqlalchemy import Connection

from oppserver.contract.model import Opportunity, Written
from oppserver.store import tables
from oppserver.store.common import OPPORTUNITY_COLUMNS, runs_without_repeats
from oppserver.store.sqlite_indexes import create_missing

_ID: Final = attrgetter("id")

_DATES: Final = frozenset({"created_on", "modified_on"})

_FIXED: Final = (
    "id",
    "event_code",
    "version",
    "lead_id",
    "lead_email",
    "owner_id",
    "status",
    "created_on",
    "modified_on",
    "created_by",
    "modified_by",
    "note",
)


def write_opportunities(
    connection: Connection, batch: Sequence[Opportunity], *, now: str
) -> Written:
    """Creates or replaces a batch and its leads; types, fields and owners are there already."""
    emails = _write_leads(connection, batch)
    last_before = _last_rowid(connection)
    for run in runs_without_repeats(batch):
        for (given_dates, slots), group in _grouped(sorted(run, key=_ID)).items():
            connection.exec_driver_sql(
                _upsert(slots, _DATES - given_dates),
                (_json([_values(one, slots, emails, now) for one in group]),),
            )
    _forget_tombstones(connection, [one.id for one in batch])
    created = _last_rowid(connection) - last_before
    return Written(created=created, replaced=len(batch) - created)


def delete_opportunities(
    connection: Connection, ids: Sequence[str], *, now: str, by: str | None
) -> int:
    """Deletes a batch and leaves tombstones; how many were there."""
    array = _json(sorted(set(ids)))
    connection.exec_driver_sql(
        "INSERT INTO deleted_opportunity (id, event_code, version, deleted_on, deleted_by)"
        " SELECT o.id, o.event_code, o.version + 1, ?, ?"
        " FROM json_each(?) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value",
        (now, by, array),
    )
    deleted = connection.exec_driver_sql(
        "DELETE FROM opportunity WHERE id IN (SELECT value FROM json_each(?))", (array,)
    )
    return deleted.rowcount


def _last_rowid(connection: Connection) -> int:
    """Where the table ends.

    A new row takes the next number (sqlite.org/autoinc.html), a replaced one keeps its own: so the
    difference counts new rows, and no row is looked up to be counted.
    """
    last: int | None = connection.exec_driver_sql("SELECT max(rowid) FROM opportunity").scalar_one()
    return last or 0


def _write_leads(connection: Connection, batch: Sequence[Opportunity]) -> Mapping[str, str | None]:
    """Creates and changes the batch's leads; every one's address as it is now."""
    brought: dict[str, str | None] = {}
    for one in batch:
        if one.lead_email is not None:
            brought[one.lead_id] = one.lead_email
        else:
            brought.setdefault(one.lead_id)
    array = _json(sorted(brought.items()))
    pairs = "SELECT value ->> 0 AS id, value ->> 1 AS email FROM json_each(?)"
    stored = connection.exec_driver_sql(
        f"SELECT l.id, l.email FROM ({pairs}) AS b CROSS JOIN lead AS l ON l.id = b.id"
        " WHERE b.email IS NOT l.email",
        (array,),
    )
    changed = []
    for lead_id, email in stored.fetchall():
        if brought[lead_id] is None:
            brought[lead_id] = email
        else:
            changed.append((brought[lead_id], lead_id))
    if changed:
        create_missing(connection)  # a load may have put off the index that finds the lead's rows
        connection.exec_driver_sql("UPDATE lead SET email = ? WHERE id = ?", changed)
        connection.exec_driver_sql(
            "UPDATE opportunity SET lead_email = ?, version = version + 1 WHERE lead_id = ?",
            changed,
        )
    connection.exec_driver_sql(
        f"INSERT INTO lead (id, email) SELECT id, email FROM ({pairs}) WHERE true"
        " ON CONFLICT (id) DO NOTHING",
        (array,),
    )
    return brought


def _grouped(
    rows: Iterable[Opportunity],
) -> dict[tuple[frozenset[str], tuple[str, ...]], list[Opportunity]]:
    """Rows by the shape of their statement: which dates are given; one set of slots for all."""
    by_dates: dict[frozenset[str], list[Opportunity]] = {}
    used: set[str] = set()
    for one in rows:
        used.update(one.slots)
        given = frozenset(
            name
            for name, value in (("created_on", one.created_on), ("modified_on", one.modified_on))
            if value is not None
        )
        by_dates.setdefault(given, []).append(one)
    slots = tuple(name for name in tables.SLOT_NAMES if name in used)
    return {(given, slots): group for given, group in by_dates.items()}


@lru_cache(maxsize=64)
def _upsert(slots: tuple[str, ...], kept: frozenset[str]) -> str:
    """The statement that creates or replaces rows, out of one JSON array of ``_values``.

    A row that is replaced keeps the columns ``kept``.
    """
    names = _FIXED + slots
    replaced = [
        f"{name} = excluded.{name}"
        for name in OPPORTUNITY_COLUMNS
        if name not in ("id", "version") and name not in kept
    ]
    return (
        f"INSERT INTO opportunity ({', '.join(names)})"
        f" SELECT {', '.join(f'value ->> {index}' for index in range(len(names)))}"
        " FROM json_each(?) WHERE true"
        " ON CONFLICT (id) DO UPDATE SET version = opportunity.version + 1, " + ", ".join(replaced)
    )


def _values(
    one: Opportunity, slots: tuple[str, ...], emails: Mapping[str, str | None], now: str
) -> tuple[object, ...]:
    created_on = one.created_on or now
    fixed = (
        one.id,
        one.event_code,
        1,
        one.lead_id,
        emails[one.lead_id],
        one.owner_id,
        one.status,
        created_on,
        one.modified_on or created_on,
        one.created_by,
        one.modified_by,
        one.note,
    )
    return (*fixed, *map(one.slots.get, slots))


def _forget_tombstones(connection: Connection, ids: Sequence[str]) -> None:
    if connection.exec_driver_sql("SELECT 1 FROM deleted_opportunity LIMIT 1").first():
        connection.exec_driver_sql(
            "DELETE FROM deleted_opportunity WHERE id IN (SELECT value FROM json_each(?))",
            (_json(ids),),
        )


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()
