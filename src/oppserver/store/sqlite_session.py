"""A session of a SQLite file, over the one transaction that writes.

The transaction has the file's write lock from its beginning, so what it has read nobody changes.
"""

from collections.abc import Mapping, Sequence

from oppserver.contract.model import Lead, Opportunity, Written
from oppserver.store import common, sqlite_write
from oppserver.store.session import CommonSession
from oppserver.store.sqlite_indexes import create_missing


class SqliteSession(CommonSession):
    """The promises of ``port.Session`` on SQLite."""

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

    def write_opportunities(self, batch: Sequence[Opportunity], *, now: str) -> Written:
        prepared = sqlite_write.prepare(batch, now=now)
        missing = common.missing_types_and_fields(prepared.brought.slots, self.catalogue())
        self._has_looked = not any(missing)
        return sqlite_write.write_batch(self._connection, prepared, *missing)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return sqlite_write.delete_opportunities(self._connection, ids, now=now, by=by)

    def _write_addresses(self, changed: Sequence[Lead]) -> None:
        create_missing(self._connection)  # a load may have put off the index that is needed
        super()._write_addresses(changed)
