"""A store on an SQL database, as far as engines share it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from oppserver.contract.model import (
    ActivityType,
    Field,
    Key,
    OpportunityType,
    StoredOpportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.store.port import Transaction
from oppserver.store.queries import ActivitySearch, SearchIndex, TimelinePage
from oppserver.store.sql import SqlConnection, activities, catalogue, opportunities, users
from oppserver.store.sql.batches import PreparedBatch, delete_opportunities, write_in_turn
from oppserver.store.sql.transaction import SqlTransaction

_T = TypeVar("_T")


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

    def timeline(self, search: ActivitySearch) -> TimelinePage:
        return self._read(lambda c: activities.select_timeline(c, search))

    def users(self) -> list[User]:
        return self._read(users.select_users)

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
        return self._write_prepared(self._transaction.prepare(batch, now=now))

    def _write_prepared(self, batch: PreparedBatch) -> Written:
        return self._transact(lambda t: t.write_prepared(batch), is_limited=False)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return self._write(lambda c: delete_opportunities(c, ids, now=now, by=by))

    def load(
        self,
        batches: Iterable[Sequence[StoredOpportunity]],
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

    def put_fields(self, fields: Sequence[Field]) -> None:
        self._write(lambda c: catalogue.put_fields(c, fields))

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        self._write(lambda c: catalogue.replace_activity_types(c, types))

    # --- indexes of searches

    def search_indexes(self) -> list[SearchIndex]:
        return self._read_primary(catalogue.select_search_indexes)

    def drop_search_index(self, name: str) -> bool:
        return self._write(lambda c: catalogue.drop_search_index(c, name))
