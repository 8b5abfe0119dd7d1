"""The engine for more than one machine: PostgreSQL, or what speaks as it does.

Any number of processes share a database. Readers never wait; writes go in one at a time. The hot
calls (a key, the catalogue's version, the bulk read) go straight to the driver; the rest goes
through SQLAlchemy. Numbers behind the choices: docs/performance.md.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection

from oppserver.contract.columns import Column
from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.model import (
    ActivityType,
    Catalogue,
    Field,
    Key,
    OpportunityType,
    StoredOpportunity,
    StoreServer,
    Tombstone,
    User,
    Written,
)
from oppserver.store.port import Snapshot, StoreOptions, Transaction
from oppserver.store.postgres import maintenance
from oppserver.store.postgres import migrate as postgres_migrate
from oppserver.store.postgres import write as postgres_write
from oppserver.store.postgres.address import Address
from oppserver.store.postgres.citus import cluster, layout
from oppserver.store.postgres.connection import Driver, refuse_unfit
from oppserver.store.postgres.connections import Connections, opening
from oppserver.store.postgres.leads import read_lead_page, read_leads
from oppserver.store.postgres.maintenance import problems_of
from oppserver.store.postgres.read import (
    one_snapshot,
    read_entries,
    read_key,
    read_opportunity,
    read_version,
)
from oppserver.store.postgres.replicas.primary import Primary
from oppserver.store.postgres.replicas.servers import Servers
from oppserver.store.postgres.replicas.standby import STANDBY_CONNECT_TIMEOUT_S
from oppserver.store.postgres.search import read_page
from oppserver.store.postgres.snapshot import PostgresSnapshot, read_change_numbers
from oppserver.store.postgres.write import PostgresTransaction
from oppserver.store.queries import (
    ActivitySearch,
    ChangeNumbers,
    LeadSearch,
    Plan,
    RenderedPage,
    RenderedRows,
    Search,
    SearchIndex,
    TimelinePage,
)
from oppserver.store.sql import activities
from oppserver.store.sql import batches as common
from oppserver.store.sql import batches as common_batches
from oppserver.store.sql import catalogue as catalogue_sql
from oppserver.store.sql.lookups import is_text

_T = TypeVar("_T")


class PostgresStore:
    """The promises of ``port.Store`` on one PostgreSQL database."""

    def __init__(self, url: str, options: StoreOptions) -> None:
        # a primary that says nothing is not waited for where standbys stand in for it
        defaults = {"connect_timeout": STANDBY_CONNECT_TIMEOUT_S} if options.read_urls else {}
        address = Address.of(url, defaults)
        self._primary = Primary(address)
        if address.wants_primary:
            self._connections = Connections(
                address,
                options,
                connect=self._primary.connect,
                newest_timeline=self._primary.newest_timeline,
            )
        else:
            self._connections = Connections(address, options)
        self._servers = Servers(self._connections, options)
        # by the timeline it is of; owner: catalogue(); replaced whole, never edited
        self._catalogue: tuple[int, Catalogue] | None = None

    @classmethod
    def open(cls, url: str, options: StoreOptions, *, migrate: bool) -> Self:
        """Opens the database of a URL; creates and migrates it where ``migrate`` says so."""
        store = cls(url, options)
        address = store._connections.address
        try:
            with opening(address):
                store._connections.fetch(lambda driver: refuse_unfit(driver, address))
                postgres_migrate.prepare(store._connections, migrate=migrate)
                store._servers.open()
                if address.wants_primary:
                    store._primary.open()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        self._primary.close()
        self._servers.close()

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        return self._servers.fetch(lambda driver: read_entries(driver, plan.entries))

    def read(self, work: Callable[[Snapshot], _T]) -> _T:
        def within(driver: Driver) -> _T:
            with one_snapshot(driver):
                return work(PostgresSnapshot(driver, self.timeline_id))

        return self._servers.fetch(within)

    def change_numbers(self) -> ChangeNumbers:
        return self._servers.fetch(read_change_numbers)

    def timeline_id(self) -> int:
        return self._primary.newest_timeline()

    # --- the other reads

    def opportunity(self, one: str) -> StoredOpportunity | Tombstone | None:
        return self._servers.fetch(lambda driver: read_opportunity(driver, one))

    def leads(self, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
        return self._servers.fetch(lambda driver: read_leads(driver, ids, columns))

    def search(self, search: Search) -> RenderedPage:
        return self._servers.fetch(lambda driver: read_page(driver, search))

    def search_leads(self, search: LeadSearch) -> RenderedPage:
        return self._servers.fetch(lambda driver: read_lead_page(driver, search))

    def timeline(self, search: ActivitySearch) -> TimelinePage:
        return self._servers.read(lambda c: activities.select_timeline(c, search))

    def users(self) -> list[User]:
        return self._servers.read(catalogue_sql.select_users)

    # --- writes

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        def within(connection: Connection) -> tuple[_T, Catalogue | None]:
            transaction = PostgresTransaction(connection, self._cached_catalogue())
            return work(transaction), transaction.cached_catalogue

        timeline = self._primary.newest_timeline()
        answer, catalogue = self._servers.write(within)
        if catalogue is not None:
            self._catalogue = (timeline, catalogue)
        return answer

    # --- who may call

    def key(self, access_key: str) -> Key | None:
        if not is_text(access_key):
            return None
        return self._servers.fetch_newest(lambda driver: read_key(driver, access_key))

    def keys(self) -> list[Key]:
        return self._connections.read(catalogue_sql.select_keys)

    def add_key(
        self, key: Key, *, first_name: str | None = None, last_name: str | None = None
    ) -> Key:
        return self._servers.write(
            lambda c: catalogue_sql.insert_key(c, key, first_name=first_name, last_name=last_name)
        )

    def revoke_key(self, access_key: str, *, now: str) -> bool:
        if not is_text(access_key):
            return False
        return self._servers.write(lambda c: catalogue_sql.revoke_key(c, access_key, now=now))

    # --- types and fields

    def catalogue(self) -> Catalogue:
        timeline = self._primary.newest_timeline()
        version = self._servers.fetch_newest(read_version)
        kept = self._cached_catalogue()
        if kept is None or kept.version != version:
            read = self._servers.read_newest(catalogue_sql.select_catalogue)
            # a standby that stands in for the primary may not have what this process has seen
            is_older = kept is not None and read.version < kept.version
            if kept is None or not (is_older and self._servers.is_primary_lost):
                kept = read
                self._catalogue = (timeline, read)
        return kept

    def _cached_catalogue(self) -> Catalogue | None:
        """The one that was read last, unless the primary was replaced since.

        With commits that were lost then, a version may be there again, and of something else.
        """
        if self._catalogue is None or self._catalogue[0] != self._primary.newest_timeline():
            return None
        return self._catalogue[1]

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        self._servers.write(lambda c: catalogue_sql.replace_types(c, types))

    def put_fields(self, fields: Sequence[Field]) -> None:
        self._servers.write(lambda c: catalogue_sql.put_fields(c, fields))

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        self._servers.write(lambda c: catalogue_sql.replace_activity_types(c, types))

    # --- opportunities

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        return self._write_prepared(postgres_write.prepare(batch, now=now))

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        return self._servers.write(
            lambda c: postgres_write.delete_opportunities(c, ids, now=now, by=by)
        )

    def load(
        self,
        batches: Iterable[Sequence[StoredOpportunity]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        def write(batch: postgres_write.PreparedBatch) -> None:
            on_written(self._write_prepared(batch))

        common_batches.write_in_turn(
            batches,
            prepare=lambda batch: postgres_write.prepare(batch, now=now()),
            write=write,
        )
        self._servers.write(postgres_write.analyse, is_gated=False, is_limited=False)

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[StoredOpportunity]:
        return self._connections.read(
            lambda c: common.select_opportunities(
                c, event_code=event_code, after_id=after_id, limit=limit
            )
        )

    def count_opportunities(self, *, event_code: int | None) -> int:
        return self._connections.read(
            lambda c: common.count_opportunities(c, event_code=event_code)
        )

    # --- indexes of searches

    def search_indexes(self) -> list[SearchIndex]:
        return self._connections.read(catalogue_sql.select_search_indexes)

    def add_search_index(self, index: SearchIndex) -> bool:
        return self._servers.write(lambda c: maintenance.add(c, index), is_limited=False)

    def drop_search_index(self, name: str) -> bool:
        return self._servers.write(lambda c: maintenance.drop(c, name))

    # --- the store itself

    def ping(self) -> None:
        self._servers.fetch_newest(read_version)

    def servers(self) -> list[StoreServer]:
        return self._servers.told()

    def library(self) -> None:
        return None

    def check(self) -> list[str]:
        return self._connections.read(problems_of, is_limited=False)

    def backup(self, path: Path) -> list[Path]:
        raise DatabaseRefused(
            f"A PostgreSQL database is backed up by PostgreSQL's own programs, not to {path}:"
            " pg_dump for one database, pg_basebackup for a whole server."
        )

    def is_distributed(self) -> bool:
        return self._connections.read(cluster.is_sharded)

    def distribute(self, *, shards: int) -> list[str]:
        def lay_out(connection: Connection) -> list[str]:
            moved = cluster.still_to_lay_out(connection, self._connections.address)
            if moved:
                connection.exec_driver_sql(layout.SEQUENTIAL)
                for statement in layout.layout_statements(shards):
                    connection.exec_driver_sql(statement)
            return moved

        def give_back(connection: Connection, statement: str) -> None:
            connection.exec_driver_sql(statement)

        moved = self._connections.write(lay_out, is_limited=False)
        if moved:
            for statement in layout.leftover_statements():
                work = partial(give_back, statement=statement)
                self._connections.write(work, is_limited=False)
        return moved

    # --- inside

    def _write_prepared(self, batch: postgres_write.PreparedBatch) -> Written:
        def write(connection: Connection) -> Written:
            catalogue = catalogue_sql.select_catalogue(connection)
            missing = common.missing_types_and_fields(batch.references.slots, catalogue)
            return postgres_write.write_batch(connection, batch, *missing)

        return self._servers.write(write, is_limited=False)
