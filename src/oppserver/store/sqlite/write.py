"""The writes of a transaction on SQLite.

What a statement needs travels as one JSON array. ``executemany`` would be as quick alone, but takes
the interpreter's lock once per row, where another thread may keep it for 5 ms.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from oppserver.store.sql.batches import HAS_MOVED, PreparedBatch, Shape, json_arrays
from oppserver.store.sql.changes import last_number, take_numbers
from oppserver.store.sql.store import SqlTransaction
from oppserver.store.sqlite.maintenance import create_missing

_LAST_ROWID: Final = "SELECT coalesce(max(rowid), 0) FROM opportunity"
"""Where the table ends.

A new row takes the next number (sqlite.org/autoinc.html), a replaced one keeps its own: so the
difference counts new rows, and no row is looked up to be counted.
"""

_CREATE_LEADS: Final = (
    "INSERT INTO lead (id, email) SELECT value ->> 0, value ->> 1 FROM json_each(:leads) WHERE true"
    " ON CONFLICT (id) DO NOTHING"
)

_CHANGED_ADDRESSES: Final = (
    "SELECT l.id, b.email FROM"
    " (SELECT value ->> 0 AS id, value ->> 1 AS email FROM json_each(:leads)) AS b"
    " CROSS JOIN lead AS l ON l.id = b.id WHERE b.email IS NOT NULL AND b.email IS NOT l.email"
)

_SET_ADDRESS: Final = "UPDATE lead SET email = :email WHERE id = :id"

_SHOW_ADDRESSES: Final = (
    "UPDATE opportunity SET lead_email = b.email, version = version + 1,"
    " change_number = :number + b.place FROM ("
    "SELECT o.id, c.value ->> 1 AS email, row_number() OVER () AS place"
    " FROM json_each(:leads) AS c CROSS JOIN opportunity AS o ON o.lead_id = c.value ->> 0) AS b"
    " WHERE opportunity.id = b.id"
)


@lru_cache(maxsize=64)
def _upsert(shape: Shape) -> str:
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
        f" SELECT 1, :number + key + 1, {', '.join(values)}"
        # the limit keeps the inner select whole: json_each would write out its value once a column
        " FROM (SELECT key, value AS v FROM json_each(:rows) LIMIT -1) WHERE true"
        f" ON CONFLICT (id) DO UPDATE SET version = opportunity.version + 1, {HAS_MOVED},"
        f" {replaced}"
    )


class SqliteTransaction(SqlTransaction):
    """The promises of ``port.Transaction`` on SQLite."""

    _upsert = staticmethod(_upsert)
    _own_rows_min = 500  # each value is found by walking over those before it: null costs too

    def _write_rows(self, batch: PreparedBatch) -> int:
        self._write_leads(batch)
        [(last_before,)] = self._connection.rows(_LAST_ROWID)
        number = take_numbers(self._connection, batch.rows_count)
        for statement, arrays in batch.rows:
            for rows in arrays:
                number += self._connection.run(statement, number=number, rows=rows)
        [(last,)] = self._connection.rows(_LAST_ROWID)
        return int(last - last_before)

    def _write_leads(self, batch: PreparedBatch) -> None:
        """Creates the leads that are missing, and changes the addresses that the batch has."""
        created = sum(self._connection.run(_CREATE_LEADS, leads=leads) for leads in batch.leads)
        if created == len(batch.references.leads):
            return
        changed = [
            row
            for leads in batch.leads
            for row in self._connection.rows(_CHANGED_ADDRESSES, leads=leads)
        ]
        if changed:
            pairs = [{"id": one, "email": email} for one, email in changed]
            self._connection.run_many(_SET_ADDRESS, pairs)
            self._write_addresses(changed)

    def _write_addresses(self, changed: Sequence[tuple[str, str | None]]) -> None:
        create_missing(self._connection)  # a load may have put off the index that finds the rows
        for leads in json_arrays(changed):
            number = last_number(self._connection)
            written = self._connection.run(_SHOW_ADDRESSES, number=number, leads=leads)
            take_numbers(self._connection, written)
