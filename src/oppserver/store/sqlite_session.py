"""A session of a SQLite file: the promises of ``port.Session`` over the one open write transaction.

The transaction has the file's write lock from its beginning, so what it has read nobody changes.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from oppserver.contract.model import (
    Activity,
    Catalogue,
    KeptAnswer,
    Lead,
    Opportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.store import common, common_session, sqlite_write
from oppserver.store.sqlite_indexes import create_missing


class SqliteSession:
    """The promises of ``port.Session``. The transaction is the caller's to begin and to end.

    ``kept_catalogue`` is one that was read before, and then the one that was read last: it is of
    other readers' interest only when the transaction was committed.
    """

    def __init__(self, connection: Connection, kept_catalogue: Catalogue | None) -> None:
        self._connection = connection
        self._has_looked = False  # at the catalogue's version, which nobody else moves meanwhile
        self.kept_catalogue = kept_catalogue

    def catalogue(self) -> Catalogue:
        kept = self.kept_catalogue
        if kept is None or not self._has_looked:
            statement = "SELECT version FROM catalogue_version"
            version = self._connection.exec_driver_sql(statement).scalar_one()
            if kept is None or kept.version != version:
                kept = common.select_catalogue(self._connection, version=version)
            self.kept_catalogue = kept
            self._has_looked = True
        return kept

    # --- opportunities

    def opportunities(self, ids: Sequence[str]) -> dict[str, Opportunity]:
        return common_session.select_opportunities_of(self._connection, ids)

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        return common_session.select_tombstones(self._connection, ids)

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
        catalogue = self.catalogue()
        missing = common.missing_types_and_fields(prepared.brought.slots, catalogue)
        self._has_looked = not any(missing)
        return sqlite_write.write_batch(self._connection, prepared, *missing)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return sqlite_write.delete_opportunities(self._connection, ids, now=now, by=by)

    # --- leads and users

    def leads(self, ids: Sequence[str]) -> dict[str, Lead]:
        return common_session.select_leads(self._connection, ids)

    def leads_by(self, stored: str, values: Sequence[str]) -> dict[str, Lead]:
        return common_session.select_leads_by(self._connection, stored, values)

    def write_leads(self, batch: Sequence[Lead]) -> None:
        changed = common_session.write_leads(self._connection, batch)
        if changed:
            create_missing(self._connection)  # a load may have put off the index that is needed
            common_session.write_addresses(self._connection, changed)

    def users(self, ids: Sequence[str]) -> dict[str, User]:
        return common_session.select_users(self._connection, ids)

    def users_by_email(self, emails: Sequence[str]) -> dict[str, User]:
        return common_session.select_users_by_email(self._connection, emails)

    # --- activities and kept answers

    def write_activities(self, batch: Sequence[Activity]) -> None:
        common_session.insert_activities(self._connection, batch)

    def kept_answer(self, key_sha256: str, *, not_before: str) -> KeptAnswer | None:
        return common_session.select_kept_answer(
            self._connection, key_sha256, not_before=not_before
        )

    def keep_answer(self, answer: KeptAnswer, *, not_before: str) -> None:
        common_session.insert_kept_answer(self._connection, answer, not_before=not_before)
