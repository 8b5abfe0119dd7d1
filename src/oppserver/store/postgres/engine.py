"""The engine for more than one machine: PostgreSQL, or what speaks as it does.

Any number of processes share a database. Readers never wait; writes go in one at a time. Numbers
behind the choices: docs/performance.md.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeVar

from oppserver.contract.columns import Column
from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.model import Catalogue, Key, StoreServer
from oppserver.store.port import Snapshot, StoreOptions
from oppserver.store.postgres import migrate as postgres_migrate
from oppserver.store.postgres.address import Address
from oppserver.store.postgres.checks import problems_of
from oppserver.store.postgres.citus import cluster, layout
from oppserver.store.postgres.connection import (
    PostgresConnection,
    connecting,
    refuse_pooler,
    refuse_unfit,
)
from oppserver.store.postgres.connections import Connections, lift_limit, opening
from oppserver.store.postgres.read import in_one_snapshot, read_entries, read_leads
from oppserver.store.postgres.replicas.primary import Primary
from oppserver.store.postgres.replicas.servers import Servers
from oppserver.store.postgres.replicas.standby import STANDBY_CONNECT_TIMEOUT_S
from oppserver.store.postgres.search import read_activity_page, read_lead_page, read_page
from oppserver.store.postgres.snapshot import PostgresSnapshot
from oppserver.store.postgres.write import PostgresTransaction
from oppserver.store.queries import (
    ActivityQuery,
    ChangeNumbers,
    LeadSearch,
    Plan,
    RenderedPage,
    RenderedRows,
    Search,
    SearchIndex,
    TimelinePage,
)
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.catalogue import (
    add_search_index,
    select_catalogue,
    select_catalogue_version,
)
from oppserver.store.sql.changes import select_change_numbers
from oppserver.store.sql.store import SqlStore, SqlTransaction
from oppserver.store.sql.users import is_text, select_key

_T = TypeVar("_T")

_ANALYSE: Final = 'ANALYZE opportunity, lead, "user"'
"""Has the server look at what the tables hold now, which its plans are made of.

It does so by itself, but a minute later: meanwhile a look-up may walk through a whole type.
"""


_SIZE: Final = "SELECT pg_database_size(current_database())"


class PostgresStore(SqlStore):
    """The promises of ``port.Store`` on one PostgreSQL database."""

    _transaction = PostgresTransaction

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
                store._connections.read(lambda driver: refuse_unfit(driver, address))
                again = connecting(address)
                store._connections.read(lambda driver: refuse_pooler(driver, address, again))
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
        return self._servers.read(lambda driver: read_entries(driver, plan.entries))

    def read(self, work: Callable[[Snapshot], _T]) -> _T:
        return self._servers.read(
            in_one_snapshot(lambda driver: work(PostgresSnapshot(driver, self.timeline_id)))
        )

    def change_numbers(self) -> ChangeNumbers:
        return self._servers.read(select_change_numbers)

    def timeline_id(self) -> int:
        return self._primary.newest_timeline()

    # --- the other reads

    def leads(self, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
        return self._servers.read(lambda driver: read_leads(driver, ids, columns))

    def search(self, search: Search) -> RenderedPage:
        return self._servers.read(lambda driver: read_page(driver, search))

    def search_leads(self, search: LeadSearch) -> RenderedPage:
        return self._servers.read(lambda driver: read_lead_page(driver, search))

    def search_activities(self, query: ActivityQuery) -> TimelinePage:
        return self._servers.read(lambda driver: read_activity_page(driver, query))

    def key(self, access_key: str) -> Key | None:
        if not is_text(access_key):
            return None
        return self._servers.read_newest(lambda driver: select_key(driver, access_key))

    def catalogue(self) -> Catalogue:
        timeline = self._primary.newest_timeline()
        version = self._servers.read_newest(select_catalogue_version)
        kept = self._cached_catalogue()
        if kept is None or kept.version != version:
            read = self._servers.read_newest(in_one_snapshot(select_catalogue))
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

    def add_search_index(self, index: SearchIndex) -> bool:
        return self._servers.write(lambda c: add_search_index(c, index), is_limited=False)

    # --- the store itself

    def ping(self) -> None:
        self._servers.read_newest(select_catalogue_version)

    def size_bytes(self) -> int:
        [(size,)] = self._servers.read_newest(lambda connection: connection.rows(_SIZE))
        return int(size)

    def servers(self) -> list[StoreServer]:
        return self._servers.told()

    def library(self) -> None:
        return None

    def engine(self) -> str:
        def ask(driver: PostgresConnection) -> str:
            return str(driver.rows("SHOW server_version")[0][0])

        return f"PostgreSQL {self._connections.read(ask).partition(' ')[0]}"

    def check(self) -> list[str]:
        def look(driver: PostgresConnection) -> list[str]:
            lift_limit(driver)
            return problems_of(driver)

        return self._connections.read(in_one_snapshot(look))

    def backup(self, path: Path) -> list[Path]:
        raise DatabaseRefused(
            f"A PostgreSQL database is backed up by PostgreSQL's own programs, not to {path}:"
            " pg_dump for one database, pg_basebackup for a whole server."
        )

    def is_distributed(self) -> bool:
        return self._connections.read(cluster.is_sharded)

    def distribute(self, *, shards: int) -> list[str]:
        def lay_out(driver: PostgresConnection) -> list[str]:
            moved = cluster.still_to_lay_out(driver, self._connections.address)
            if moved:
                for statement in (layout.SEQUENTIAL, *layout.layout_statements(shards)):
                    driver.execute(statement.encode())
            return moved

        def give_back(driver: PostgresConnection, statement: str) -> None:
            driver.execute(statement.encode())

        moved = self._connections.write(lay_out, is_limited=False)
        if moved:
            for statement in layout.leftover_statements():
                work = partial(give_back, statement=statement)
                self._connections.write(work, is_limited=False)
        return moved

    # --- inside

    def _read(self, work: Callable[[SqlConnection], _T]) -> _T:
        return self._servers.read(in_one_snapshot(work))

    def _read_primary(self, work: Callable[[SqlConnection], _T]) -> _T:
        return self._connections.read(in_one_snapshot(work))

    def _write(self, work: Callable[[SqlConnection], _T]) -> _T:
        return self._servers.write(work)

    def _transact(self, work: Callable[[SqlTransaction], _T], *, is_limited: bool) -> _T:
        def within(driver: PostgresConnection) -> tuple[_T, Catalogue | None]:
            transaction = PostgresTransaction(driver, self._cached_catalogue())
            return work(transaction), transaction.cached_catalogue

        timeline = self._primary.newest_timeline()
        answer, catalogue = self._servers.write(within, is_limited=is_limited)
        if catalogue is not None:
            self._catalogue = (timeline, catalogue)
        return answer

    @contextmanager
    def _loading(self) -> Iterator[None]:
        yield
        self._servers.write(lambda c: c.run(_ANALYSE), is_gated=False, is_limited=False)
