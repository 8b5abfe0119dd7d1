"""A store and its transactions on an SQL database, as far as engines share them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, TypeVar

import msgspec

from oppserver.contract.model import (
    Activity,
    ActivityType,
    Catalogue,
    ColumnBlock,
    Field,
    Key,
    Lead,
    OpportunityType,
    StoredOpportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.store.port import Transaction
from oppserver.store.queries import (
    ActivitySearch,
    FormedValues,
    IdempotencyRecord,
    LeadNumbers,
    SearchIndex,
    TimelinePage,
)
from oppserver.store.sql import (
    SqlConnection,
    activities,
    batches,
    catalogue,
    leads,
    opportunities,
    users,
    values,
)
from oppserver.store.sql.batches import (
    PreparedBatch,
    Shape,
    delete_opportunities,
    write_in_turn,
)

_T = TypeVar("_T")

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

    _own_rows_min: int | None = None
    """The engine's own: as ``batches.prepare`` takes it."""

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
        return self.write_prepared(self.prepare([ColumnBlock.of(batch)], now=now))

    @classmethod
    def prepare(cls, batch: Sequence[ColumnBlock], *, now: str) -> PreparedBatch:
        """Make a batch ready for ``write_prepared``; needs no transaction."""
        return batches.prepare(batch, now=now, upsert=cls._upsert, own_rows_min=cls._own_rows_min)

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
        return delete_opportunities(self._connection, ids, now=now, by=by)

    def put_fields(self, fields: Sequence[Field], *, keeps_unfit: bool) -> None:
        """Create or replace fields, as ``Store.put_fields``."""
        self._has_looked = False
        catalogue.put_fields(self._connection, fields, keeps_unfit=keeps_unfit)

    def form_page(self, event_code: int, fields: values.Typed, after_id: str) -> values.ValuesPage:
        """Bring a page of values to the form of their fields."""
        return values.form(self._connection, event_code, fields, after_id)

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

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        catalogue.replace_activity_types(self._connection, types)
        self._has_looked = False

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


def _form_page(
    transaction: SqlTransaction, *, event_code: int, fields: values.Typed, after_id: str
) -> values.ValuesPage:
    return transaction.form_page(event_code, fields, after_id)


class SqlStore(ABC):
    """The promises of ``port.Store`` that are the same statements in every engine."""

    _transaction: type[SqlTransaction]
    """The engine's own."""

    # --- an engine's ways to its database

    @abstractmethod
    def _read(self, work: Callable[[SqlConnection], _T]) -> _T:
        """Do work that reads one moment."""

    @abstractmethod
    def _read_primary(self, work: Callable[[SqlConnection], _T]) -> _T:
        """The same, where the database is written."""

    @abstractmethod
    def _write(self, work: Callable[[SqlConnection], _T]) -> _T:
        """Do work in a transaction of its own."""

    @abstractmethod
    def _transact(self, work: Callable[[SqlTransaction], _T], *, is_limited: bool) -> _T:
        """Do work in a store transaction; keep the catalogue that it has read.

        ``is_limited``: it takes no longer than a call may.
        """

    @abstractmethod
    def _loading(self) -> AbstractContextManager[None]:
        """The time in which many batches are written: what is done before and after them."""

    # --- reads

    def opportunity(self, one: str) -> StoredOpportunity | Tombstone | None:
        return self._read(lambda c: opportunities.select_opportunity(c, one))

    def lead_numbers(self, ending: str, *, limit: int) -> list[LeadNumbers]:
        if not users.is_text(ending):
            return []
        return self._read(lambda c: leads.select_numbers(c, ending, limit=limit))

    def activities(self, ids: Sequence[str]) -> list[Activity]:
        return self._read(lambda c: activities.select_activities(c, ids))

    def timeline(self, search: ActivitySearch) -> TimelinePage:
        return self._read(lambda c: activities.select_timeline(c, search))

    def users(self, ids: Sequence[str] | None = None) -> list[User]:
        if ids is None:
            return self._read(users.select_users)
        found = self._read(lambda c: users.select_users_by_id(c, ids))
        return [found[one] for one in sorted(found)]

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[StoredOpportunity]:
        return self._read_primary(
            lambda c: opportunities.select_page(
                c, event_code=event_code, after_id=after_id, limit=limit
            )
        )

    def count_opportunities(self, *, event_code: int | None) -> int:
        return self._read_primary(
            lambda c: opportunities.count_opportunities(c, event_code=event_code)
        )

    # --- writes

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        return self._transact(work, is_limited=True)

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        return self._write_prepared(self._transaction.prepare([ColumnBlock.of(batch)], now=now))

    def _write_prepared(self, batch: PreparedBatch) -> Written:
        return self._transact(lambda t: t.write_prepared(batch), is_limited=False)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return self._write(lambda c: delete_opportunities(c, ids, now=now, by=by))

    def load(
        self,
        batches: Iterable[Sequence[ColumnBlock]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        with self._loading():
            write_in_turn(
                batches,
                prepare=lambda batch: self._transaction.prepare(batch, now=now()),
                write=lambda batch: on_written(self._write_prepared(batch)),
            )

    # --- keys, types, fields

    def keys(self) -> list[Key]:
        return self._read_primary(users.select_keys)

    def add_key(
        self, key: Key, *, first_name: str | None = None, last_name: str | None = None
    ) -> Key:
        return self._write(
            lambda c: users.insert_key(c, key, first_name=first_name, last_name=last_name)
        )

    def revoke_key(self, access_key: str, *, now: str) -> bool:
        if not users.is_text(access_key):
            return False
        return self._write(lambda c: users.revoke_key(c, access_key, now=now))

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        self._write(lambda c: catalogue.replace_types(c, types))

    def put_fields(self, fields: Sequence[Field], *, keeps_unfit: bool = False) -> None:
        self._transact(lambda t: t.put_fields(fields, keeps_unfit=keeps_unfit), is_limited=False)

    def form_values(self, on_page: Callable[[int], None]) -> FormedValues:
        changed, unfit = 0, 0
        for code, fields in values.typed_of(self._read_primary(catalogue.select_catalogue)).items():
            after_id: str | None = ""
            while after_id is not None:
                page = self._transact(
                    partial(_form_page, event_code=code, fields=fields, after_id=after_id),
                    is_limited=False,
                )
                changed, unfit = changed + len(page.changed), unfit + len(page.unfit)
                after_id = page.last_id
                on_page(page.rows)
        return FormedValues(opportunities=changed, unfit=unfit)

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        self._write(lambda c: catalogue.replace_activity_types(c, types))

    # --- indexes of searches

    def search_indexes(self) -> list[SearchIndex]:
        return self._read_primary(catalogue.select_search_indexes)

    def drop_search_index(self, name: str) -> bool:
        return self._write(lambda c: catalogue.drop_search_index(c, name))
