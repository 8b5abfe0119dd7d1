"""Batches of opportunities, into SQLite and out of it.

Each batch is a handful of statements: what they need travels as one JSON array, rows in the order
of their ids, which touches each page of the index once. ``executemany`` would be as quick alone,
but takes the interpreter's lock once per row, where another thread may keep it for 5 ms.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from oppserver.contract.model import Field, Lead, OpportunityType, StoredOpportunity, Written
from oppserver.store.sql import batches
from oppserver.store.sql.batches import (
    HAS_MOVED,
    MOVED_AGAIN,
    References,
    Shape,
    references_of,
    shaped,
    write_owners,
)
from oppserver.store.sql.catalogue import replace_fields, replace_types
from oppserver.store.sql.changes import last_number, take_numbers
from oppserver.store.sql.transaction import SqlTransaction
from oppserver.store.sqlite.maintenance import create_missing


class PreparedBatch(NamedTuple):
    """A batch that is ready to be written: all that can be done without the database is done.

    ``rows`` are statements, each with the JSON array of its rows; ``leads`` is one of pairs of id
    and address, ``ids`` one of ids.
    """

    rows_count: int
    references: References
    leads: str
    rows: Sequence[tuple[str, str]]
    ids: str


def prepare(batch: Sequence[StoredOpportunity], *, now: str) -> PreparedBatch:
    """Makes a batch ready; holds no lock and may run while another batch is written."""
    references = references_of(batch)
    return PreparedBatch(
        rows_count=len(batch),
        references=references,
        leads=_json(sorted(references.leads.items())),
        rows=[(_upsert(shape), _json(rows)) for shape, rows in shaped(batch, references, now=now)],
        ids=_json([one.id for one in batch]),
    )


def write_batch(
    connection: Connection,
    batch: PreparedBatch,
    types: Sequence[OpportunityType],
    fields: Sequence[Field],
) -> Written:
    """Creates or replaces a batch, and first the types and fields that it lacks, and the owners."""
    replace_types(connection, types)
    replace_fields(connection, fields)
    write_owners(connection, batch.references.owners)
    return _write_opportunities(connection, batch)


def _write_opportunities(connection: Connection, batch: PreparedBatch) -> Written:
    """Creates or replaces a batch and its leads; types, fields and owners are there already."""
    _write_leads(connection, batch.leads, count=len(batch.references.leads))
    last_before = _last_rowid(connection)
    number = take_numbers(connection, batch.rows_count)
    for statement, rows in batch.rows:
        number += connection.exec_driver_sql(statement, (number, rows)).rowcount
    _forget_tombstones(connection, batch.ids)
    created = _last_rowid(connection) - last_before
    return Written(created=created, replaced=batch.rows_count - created)


def delete_opportunities(
    connection: Connection, ids: Sequence[str], *, now: str, by: str | None
) -> int:
    """Deletes a batch and leaves tombstones; how many were there."""
    array = _json(sorted(set(ids)))
    connection.exec_driver_sql(
        "INSERT INTO deleted_opportunity (id, event_code, version, deleted_on, deleted_by,"
        " change_number, has_moved)"
        " SELECT o.id, o.event_code, o.version + 1, ?, ?, ? + row_number() OVER (), o.has_moved"
        " FROM json_each(?) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value",
        (now, by, last_number(connection), array),
    )
    deleted = connection.exec_driver_sql(
        "DELETE FROM opportunity WHERE id IN (SELECT value FROM json_each(?))", (array,)
    )
    take_numbers(connection, deleted.rowcount)
    return deleted.rowcount


def _last_rowid(connection: Connection) -> int:
    """Where the table ends.

    A new row takes the next number (sqlite.org/autoinc.html), a replaced one keeps its own: so the
    difference counts new rows, and no row is looked up to be counted.
    """
    last: int | None = connection.exec_driver_sql("SELECT max(rowid) FROM opportunity").scalar_one()
    return last or 0


def _write_leads(connection: Connection, leads: str, *, count: int) -> None:
    """Creates the leads that are not there, and changes the addresses that are brought."""
    unpacked = "SELECT value ->> 0 AS id, value ->> 1 AS email FROM json_each(?)"
    created = connection.exec_driver_sql(
        f"INSERT INTO lead (id, email) SELECT id, email FROM ({unpacked}) WHERE true"
        " ON CONFLICT (id) DO NOTHING",
        (leads,),
    )
    if created.rowcount == count:
        return
    stored = connection.exec_driver_sql(
        f"SELECT b.email, l.id FROM ({unpacked}) AS b CROSS JOIN lead AS l ON l.id = b.id"
        " WHERE b.email IS NOT NULL AND b.email IS NOT l.email",
        (leads,),
    )
    changed: list[tuple[str, str]] = [(email, one) for email, one in stored]
    if changed:
        create_missing(connection)  # a load may have put off the index that finds the lead's rows
        connection.exec_driver_sql("UPDATE lead SET email = ? WHERE id = ?", changed)
        _write_addresses(connection, _json(changed))


def _write_addresses(connection: Connection, changed: str) -> None:
    """Brings the addresses of leads to their opportunities."""
    written = connection.exec_driver_sql(
        "UPDATE opportunity SET lead_email = b.email, version = version + 1,"
        " change_number = ? + b.place FROM ("
        "SELECT o.id, c.value ->> 0 AS email, row_number() OVER () AS place"
        " FROM json_each(?) AS c CROSS JOIN opportunity AS o ON o.lead_id = c.value ->> 1) AS b"
        " WHERE opportunity.id = b.id",
        (last_number(connection), changed),
    )
    take_numbers(connection, written.rowcount)


@lru_cache(maxsize=64)
def _upsert(shape: Shape) -> str:
    """The statement that creates or replaces rows.

    Parameters: the number before those of their changes; the JSON array of the rows.
    """
    names = shape.columns
    values = [f"v ->> {index}" for index in range(len(names))]
    # a batch that is silent about a lead's address takes the one that is stored
    email, lead_id = names.index("lead_email"), names.index("lead_id")
    values[email] = (
        f"coalesce({values[email]}, (SELECT email FROM lead WHERE id = {values[lead_id]}))"
    )
    replaced = ", ".join(f"{name} = excluded.{name}" for name in shape.replaced)
    return (
        f"INSERT INTO opportunity (version, change_number, {', '.join(names)})"
        f" SELECT 1, ? + key + 1, {', '.join(values)}"
        # the limit keeps the inner select whole: json_each would write out its value once a column
        " FROM (SELECT key, value AS v FROM json_each(?) LIMIT -1) WHERE true"
        f" ON CONFLICT (id) DO UPDATE SET version = opportunity.version + 1, {HAS_MOVED},"
        f" {replaced}"
    )


def _forget_tombstones(connection: Connection, ids: str) -> None:
    """Removes the tombstones of what is here again; its versions go on from those it had."""
    if connection.exec_driver_sql("SELECT 1 FROM deleted_opportunity LIMIT 1").first():
        connection.exec_driver_sql(
            f"UPDATE opportunity SET version = opportunity.version + d.version, {MOVED_AGAIN}"
            " FROM deleted_opportunity AS d WHERE d.id = opportunity.id"
            " AND d.id IN (SELECT value FROM json_each(?))",
            (ids,),
        )
        connection.exec_driver_sql(
            "DELETE FROM deleted_opportunity WHERE id IN (SELECT value FROM json_each(?))",
            (ids,),
        )


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()


class SqliteTransaction(SqlTransaction):
    """The promises of ``port.Transaction`` on SQLite."""

    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None:
        # Without statistics SQLite takes the type's index by date to be as good as any other, and
        # would read the whole type by it. A plus hides a column from the planner: the date, so
        # that an index of the values is taken, and the type, so that the lead's is.
        hidden = "+" if "lead_id" in values else ""
        alike = "".join(f" AND {stored} = ?" for stored in values)
        statement = (
            f"SELECT id FROM opportunity WHERE {hidden}event_code = ?{alike}"
            " ORDER BY +created_on, id LIMIT 1"
        )
        parameters = (event_code, *values.values())
        found = self._connection.exec_driver_sql(statement, parameters).first()
        return None if found is None else str(found[0])

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        prepared = prepare(batch, now=now)
        missing = batches.missing_types_and_fields(prepared.references.slots, self.catalogue())
        self._has_looked = not any(missing)
        return write_batch(self._connection, prepared, *missing)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return delete_opportunities(self._connection, ids, now=now, by=by)

    def _write_addresses(self, changed: Sequence[Lead]) -> None:
        create_missing(self._connection)  # a load may have put off the index that is needed
        super()._write_addresses(changed)
