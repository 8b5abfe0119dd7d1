"""Batches of opportunities, into PostgreSQL and out of it.

Each batch is a handful of statements: what they need travels as JSON arrays, which is as quick as
COPY into a table of its own and an insert from there (measured: 60,000 rows a second either way),
and is one statement that can be prepared.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from sqlalchemy import Connection

from oppserver.contract.model import Field, OpportunityType, StoredOpportunity, Written
from oppserver.store.sql import batches
from oppserver.store.sql import catalogue as catalogue_sql
from oppserver.store.sql.batches import (
    HAS_MOVED,
    MOVED_AGAIN,
    References,
    Shape,
    references_of,
    shaped,
)
from oppserver.store.sql.changes import last_number, take_numbers
from oppserver.store.sql.transaction import SqlTransaction

POSTGRES_JSON_BYTES_MAX: Final = 32 << 20
"""Bytes of rows that one statement carries. Source: a jsonb array takes 256 MB (jsonb.h,
JENTRY_OFFLENMASK); ours: bounds the server's memory, where they are several times as large."""


class PreparedBatch(NamedTuple):
    """A batch that is ready to be written: all that can be done without the database is done.

    ``rows`` are statements, each with JSON arrays of its rows; ``leads`` are arrays of pairs of id
    and address; ``silent`` are the leads of which the batch brings no address.
    """

    rows_count: int
    references: References
    leads: Sequence[str]
    silent: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    ids: Sequence[str]


def prepare(batch: Sequence[StoredOpportunity], *, now: str) -> PreparedBatch:
    """Makes a batch ready; holds no lock and may run while another batch is written."""
    references = references_of(batch)
    return PreparedBatch(
        rows_count=len(batch),
        references=references,
        leads=_arrays(sorted(references.leads.items())),
        silent=[lead for lead, email in references.leads.items() if email is None],
        rows=[
            (_upsert(shape), _arrays(rows)) for shape, rows in shaped(batch, references, now=now)
        ],
        ids=[one.id for one in batch],
    )


def write_batch(
    connection: Connection,
    batch: PreparedBatch,
    types: Sequence[OpportunityType],
    fields: Sequence[Field],
) -> Written:
    """Creates or replaces a batch, and first the types and fields that it lacks, owners, leads."""
    catalogue_sql.replace_types(connection, types)
    catalogue_sql.replace_fields(connection, fields)
    batches.write_owners(connection, batch.references.owners)
    for leads in batch.leads:
        _write_leads(connection, leads)
    known = _addresses(connection, batch.silent)
    created = 0
    number = take_numbers(connection, batch.rows_count)
    for statement, arrays in batch.rows:
        for rows in arrays:
            parameters = number, rows, known
            written, new = connection.exec_driver_sql(statement, parameters).one()
            number += written
            created += new
    _forget_tombstones(connection, batch.ids)
    return Written(created=created, replaced=batch.rows_count - created)


def delete_opportunities(
    connection: Connection, ids: Sequence[str], *, now: str, by: str | None
) -> int:
    """Deletes a batch and leaves tombstones; how many were there."""
    asked = sorted(set(ids))
    connection.exec_driver_sql(
        "INSERT INTO deleted_opportunity (id, event_code, version, deleted_on, deleted_by,"
        " change_number, has_moved)"
        " SELECT id, event_code, version + 1, %s, %s, %s + row_number() OVER (), has_moved"
        " FROM opportunity WHERE id = ANY(%s)",
        (now, by, last_number(connection), asked),
    )
    deleted = connection.exec_driver_sql("DELETE FROM opportunity WHERE id = ANY(%s)", (asked,))
    take_numbers(connection, deleted.rowcount)
    return deleted.rowcount


def analyse(connection: Connection) -> None:
    """Has the server look at what the tables hold now, which its plans are made of.

    It does so by itself, but a minute later: meanwhile a look-up may walk through a whole type.
    """
    connection.exec_driver_sql('ANALYZE opportunity, lead, "user"')


# --- leads and tombstones ----------------------------------------------------------------------

_PAIRS: Final = (
    "(SELECT v ->> 0 AS id, v ->> 1 AS email FROM jsonb_array_elements(%s::jsonb) AS v) AS b"
)


def _write_leads(connection: Connection, leads: str) -> None:
    """Creates the leads that are not there, and changes the addresses that are brought."""
    connection.exec_driver_sql(
        f"INSERT INTO lead (id, email) SELECT b.id, b.email FROM {_PAIRS}"
        " ON CONFLICT (id) DO NOTHING",
        (leads,),
    )
    changed = connection.exec_driver_sql(
        f"UPDATE lead SET email = b.email FROM {_PAIRS}"
        " WHERE lead.id = b.id AND b.email IS NOT NULL AND lead.email IS DISTINCT FROM b.email"
        " RETURNING lead.id, lead.email",
        (leads,),
    )
    for pairs in _arrays([tuple(row) for row in changed]):
        written = connection.exec_driver_sql(
            "UPDATE opportunity SET lead_email = n.email, version = version + 1,"
            " change_number = %s + n.place FROM ("
            "SELECT o.id, b.email, row_number() OVER () AS place"
            f" FROM opportunity AS o JOIN {_PAIRS} ON o.lead_id = b.id) AS n"
            " WHERE opportunity.id = n.id",
            (last_number(connection), pairs),
        )
        take_numbers(connection, written.rowcount)


def _addresses(connection: Connection, leads: Sequence[str]) -> str:
    """The addresses that are stored of leads, as a JSON object by id."""
    if not leads:
        return "{}"
    rows = connection.exec_driver_sql(
        "SELECT id, email FROM lead WHERE id = ANY(%s) AND email IS NOT NULL", (list(leads),)
    )
    return _json({row.id: row.email for row in rows})


def _forget_tombstones(connection: Connection, ids: Sequence[str]) -> None:
    """Removes the tombstones of what is here again; its versions go on from those it had."""
    if connection.exec_driver_sql("SELECT 1 FROM deleted_opportunity LIMIT 1").first():
        connection.exec_driver_sql(
            f"UPDATE opportunity SET version = opportunity.version + d.version, {MOVED_AGAIN}"
            " FROM deleted_opportunity AS d WHERE d.id = opportunity.id AND d.id = ANY(%s)",
            (list(ids),),
        )
        connection.exec_driver_sql(
            "DELETE FROM deleted_opportunity WHERE id = ANY(%s)", (list(ids),)
        )


# --- rows --------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def _upsert(shape: Shape) -> str:
    """The statement that creates or replaces rows; it answers how many, and how many are new.

    Parameters: the number before those of their changes; the JSON array of the rows; the addresses
    of leads that the batch is silent about.
    """
    names = shape.columns
    values = [f"v ->> {index}" for index in range(len(names))]
    code, email = names.index("event_code"), names.index("lead_email")
    values[code] = f"({values[code]})::bigint"
    values[email] = f"coalesce({values[email]}, known ->> ({values[names.index('lead_id')]}))"
    replaced = ", ".join(f"{name} = excluded.{name}" for name in shape.replaced)
    return (
        f"WITH written AS (INSERT INTO opportunity (version, change_number, {', '.join(names)})"
        f" SELECT 1, %s + place, {', '.join(values)}"
        " FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS r (v, place)"
        " CROSS JOIN (SELECT %s::jsonb AS known) AS k"
        f" ON CONFLICT (id) DO UPDATE SET version = opportunity.version + 1, {HAS_MOVED},"
        f" {replaced}"
        # a new row's version is 1, and a replaced one's is not
        " RETURNING version)"
        " SELECT count(*), count(*) FILTER (WHERE version = 1) FROM written"
    )


# --- JSON --------------------------------------------------------------------------------------


def _arrays(rows: Sequence[object]) -> list[str]:
    """JSON arrays of rows, in order, none larger than the limit unless one row alone is."""
    encoded = [msgspec.json.encode(row) for row in rows]
    return [f"[{b','.join(part).decode()}]" for part in _parts(encoded)]


def _parts(encoded: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    first, size = 0, 0
    for index, row in enumerate(encoded):
        if size + len(row) > POSTGRES_JSON_BYTES_MAX and index > first:
            yield encoded[first:index]
            first, size = index, 0
        size += len(row)
    if encoded:
        yield encoded[first:]


def _json(values: object) -> str:
    return msgspec.json.encode(values).decode()


class PostgresTransaction(SqlTransaction):
    """The promises of ``port.Transaction`` on PostgreSQL."""

    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None:
        # an expression of the date, so that its index is not walked through, in the hope that one
        # alike is met soon: mostly no row differs
        alike = "".join(f" AND {stored} = %s" for stored in values)
        statement = (
            f"SELECT id FROM opportunity WHERE event_code = %s{alike}"
            " ORDER BY created_on || '', id LIMIT 1"
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
