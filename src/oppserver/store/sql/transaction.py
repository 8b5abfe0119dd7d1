"""A store transaction over one open database transaction, as far as engines share it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from oppserver.contract.model import (
    Activity,
    Catalogue,
    Lead,
    StoredOpportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.store.queries import IdempotencyRecord
from oppserver.store.sql import (
    SqlConnection,
    activities,
    batches,
    catalogue,
    leads,
    opportunities,
    users,
)
from oppserver.store.sql.batches import PreparedBatch, Shape

_RECORD: Final = (
    "SELECT key_sha256, request_sha256, body, created_on FROM kept_answer"
    " WHERE key_sha256 = :key_sha256 AND created_on >= :not_before"
)

_FORGET_RECORDS: Final = (
    "DELETE FROM kept_answer WHERE created_on < :not_before OR key_sha256 = :key_sha256"
)

_INSERT_RECORD: Final = (
    "INSERT INTO kept_answer (key_sha256, request_sha256, body, created_on)"
    " VALUES (:key_sha256, :request_sha256, :body, :created_on)"
)


class SqlTransaction(ABC):
    """The promises of ``port.Transaction``. The transaction is the caller's to begin and to end.

    It lets nobody else write from its beginning, so what it has read is true to its end.
    ``cached_catalogue`` is one that was read before, and then the one that was read last: it is of
    other readers' interest only when the transaction was committed.
    """

    def __init__(self, connection: SqlConnection, cached_catalogue: Catalogue | None) -> None:
        self._connection: Final = connection
        self._has_looked = False  # at the catalogue's version, which nobody else moves meanwhile
        self.cached_catalogue = cached_catalogue

    def catalogue(self) -> Catalogue:
        kept = self.cached_catalogue
        if kept is None or not self._has_looked:
            version = catalogue.select_catalogue_version(self._connection)
            if kept is None or kept.version != version:
                kept = catalogue.select_catalogue(self._connection)
            self.cached_catalogue = kept
            self._has_looked = True
        return kept

    # --- opportunities

    def opportunities(self, ids: Sequence[str]) -> dict[str, StoredOpportunity]:
        return opportunities.select_opportunities(self._connection, ids)

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        return opportunities.select_tombstones(self._connection, ids)

    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None:
        return opportunities.select_alike(self._connection, event_code, values)

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        return self.write_prepared(self.prepare(batch, now=now))

    @classmethod
    def prepare(cls, batch: Sequence[StoredOpportunity], *, now: str) -> PreparedBatch:
        """Make a batch ready for ``write_prepared``; needs no transaction."""
        return batches.prepare(batch, now=now, upsert=cls._upsert)

    def write_prepared(self, batch: PreparedBatch) -> Written:
        """Write opportunities, and first the types, fields, owners and leads that they lack."""
        missing = batches.missing_types_and_fields(batch.references.slots, self.catalogue())
        types, fields = missing
        catalogue.replace_types(self._connection, types)
        catalogue.replace_fields(self._connection, fields)
        self._has_looked = not any(missing)
        users.write_owners(self._connection, batch.references.owners)
        created = self._write_rows(batch)
        batches.forget_tombstones(self._connection, batch.ids)
        return Written(created=created, replaced=batch.rows_count - created)

    @staticmethod
    @abstractmethod
    def _upsert(shape: Shape) -> str:
        """The statement that creates or replaces rows of a shape."""

    @abstractmethod
    def _write_rows(self, batch: PreparedBatch) -> int:
        """Create or replace the leads and the rows of a batch; return the number of new rows."""

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return batches.delete_opportunities(self._connection, ids, now=now, by=by)

    # --- leads and users

    def leads(self, ids: Sequence[str]) -> dict[str, Lead]:
        return leads.select_leads(self._connection, ids)

    def leads_by(self, stored: str, values: Sequence[str]) -> dict[str, Lead]:
        return leads.select_leads_by(self._connection, stored, values)

    def write_leads(self, batch: Sequence[Lead]) -> None:
        changed = leads.write_leads(self._connection, batch)
        if changed:
            self._write_addresses(changed)

    @abstractmethod
    def _write_addresses(self, changed: Sequence[tuple[str, str | None]]) -> None:
        """Bring the addresses of leads, by id, to their opportunities."""

    def users(self, ids: Sequence[str]) -> dict[str, User]:
        return users.select_users_by_id(self._connection, ids)

    def users_by_email(self, emails: Sequence[str]) -> dict[str, User]:
        return users.select_users_by_email(self._connection, emails)

    # --- activities and kept answers

    def write_activities(self, batch: Sequence[Activity]) -> None:
        activities.insert_activities(self._connection, batch)

    def idempotency_record(self, key_sha256: str, *, not_before: str) -> IdempotencyRecord | None:
        found = self._connection.rows(_RECORD, key_sha256=key_sha256, not_before=not_before)
        for key, request, body, created_on in found:
            return IdempotencyRecord(
                key_sha256=key, request_sha256=request, body=bytes(body), created_on=created_on
            )
        return None

    def put_idempotency_record(self, answer: IdempotencyRecord, *, not_before: str) -> None:
        key = answer.key_sha256
        self._connection.run(_FORGET_RECORDS, not_before=not_before, key_sha256=key)
        self._connection.run(_INSERT_RECORD, **msgspec.structs.asdict(answer))
