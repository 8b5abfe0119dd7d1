"""A session of a PostgreSQL database, over a transaction that has passed the gate."""

from collections.abc import Mapping, Sequence

from oppserver.contract.model import Opportunity, Written
from oppserver.store import common, postgres_write
from oppserver.store.session import CommonSession


class PostgresSession(CommonSession):
    """The promises of ``port.Session`` on PostgreSQL."""

    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None:
        # an expression of the date, so that its index is not walked through, in the hope that one
        # alike is met soon: mostly there is none
        alike = "".join(f" AND {stored} = %s" for stored in values)
        statement = (
            f"SELECT id FROM opportunity WHERE event_code = %s{alike}"
            " ORDER BY created_on || '', id LIMIT 1"
        )
        parameters = (event_code, *values.values())
        found = self._connection.exec_driver_sql(statement, parameters).first()
        return None if found is None else str(found[0])

    def write_opportunities(self, batch: Sequence[Opportunity], *, now: str) -> Written:
        prepared = postgres_write.prepare(batch, now=now)
        missing = common.missing_types_and_fields(prepared.brought.slots, self.catalogue())
        self._has_looked = not any(missing)
        return postgres_write.write_batch(self._connection, prepared, *missing)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return postgres_write.delete_opportunities(self._connection, ids, now=now, by=by)
