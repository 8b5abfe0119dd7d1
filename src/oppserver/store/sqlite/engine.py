"""The embedded engine: SQLite in WAL mode, one writer, a few readers.

A write is on the disk when it returns (``synchronous=FULL``). Readers never wait for the writer.
The hot calls (a key, the catalogue's version, the bulk read, one opportunity) go straight to the
driver; the rest goes through SQLAlchemy. Numbers behind the choices: docs/performance.md.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeVar

from sqlalchemy import Connection, PoolProxiedConnection

from oppserver.contract.columns import Column
from oppserver.contract.errors import DatabaseRefused, Unavailable
from oppserver.contract.model import (
    ActivityType,
    Catalogue,
    Field,
    Key,
    OpportunityType,
    StoredOpportunity,
    StoreLibrary,
    StoreServer,
    Tombstone,
    User,
    Written,
)
from oppserver.store import migrations
from oppserver.store.port import BUSY_TIMEOUT_S, Snapshot, StoreOptions, Transaction
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
from oppserver.store.sqlite import maintenance
from oppserver.store.sqlite import write as sqlite_write
from oppserver.store.sqlite.connection import (
    connect,
    driver_of,
    open_engine,
    opening,
    path_of,
    refuse_foreign,
    refuse_old_sqlite,
    revision_of,
    set_up_file,
    translated_errors,
    tune_writer,
)
from oppserver.store.sqlite.files import (
    MARK_LOG,
    DatabaseFiles,
    bring_log_into_file,
    refuse_foreign_log,
)
from oppserver.store.sqlite.leads import read_lead_page, read_leads
from oppserver.store.sqlite.library import LIBRARY, sqlite3
from oppserver.store.sqlite.maintenance import copy_open, problems_of
from oppserver.store.sqlite.read import one_snapshot, read_entry, read_key, read_opportunity
from oppserver.store.sqlite.search import read_page
from oppserver.store.sqlite.snapshot import SqliteSnapshot, read_change_numbers
from oppserver.store.sqlite.write import SqliteTransaction

SQLITE_CHECKPOINT_PAGES: Final = 1_000
"""Pages of the log after which it is copied into the file. Source: sqlite.org/wal.html, default."""

SQLITE_LOADING_CACHE_BYTES: Final = 256 << 20
"""Bytes of page cache of the writer while it loads: random ids touch every page of the index."""

SQLITE_LOADING_CHECKPOINT_PAGES: Final = 16_384
"""Pages of the log (64 MB) while it loads. Measured: a page of the index is changed by many
batches and is copied once; with the larger batches, 18,000 opportunities/s became 33,000."""

_T = TypeVar("_T")


class SqliteStore:
    """The promises of ``port.Store`` on one SQLite file."""

    def __init__(self, path: Path, options: StoreOptions) -> None:
        self._path = path
        self._options = options
        self._files = DatabaseFiles(path)
        self._readers = open_engine(self._files, options, writes=False)
        self._writer = open_engine(self._files, options, writes=True)
        self._write_lock = threading.Lock()
        self._catalogue: Catalogue | None = None  # owner: catalogue(); replaced whole, never edited

    @classmethod
    def open(cls, url: str, options: StoreOptions, *, migrate: bool) -> Self:
        """Opens the file of a URL; creates and migrates it where ``migrate`` says so."""
        refuse_old_sqlite()
        path = path_of(url)
        with opening(path), translated_errors(path):
            refuse_foreign_log(path)
        if not migrate and not path.exists():
            raise DatabaseRefused(
                f"There is no database at {path}. 'oppserver db upgrade' creates it."
            )
        store = cls(path, options)
        try:
            store._prepare(migrate=migrate)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        self._readers.dispose()
        self._writer.dispose()
        self._files.close()  # the last connection, which tidies up

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        with self._reader() as connection:
            if len(plan.entries) == 1:
                return [read_entry(connection, plan.entries[0])]
            with one_snapshot(connection):
                return [read_entry(connection, entry) for entry in plan.entries]

    def read(self, work: Callable[[Snapshot], _T]) -> _T:
        with self._pooled() as pooled, one_snapshot(driver_of(pooled)) as connection:
            return work(SqliteSnapshot(connection, pooled.info["stamps"]))

    def change_numbers(self) -> ChangeNumbers:
        with self._reader() as connection:
            return read_change_numbers(connection)

    def timeline_id(self) -> int:
        return 0  # one file has one past

    # --- the other reads

    def opportunity(self, one: str) -> StoredOpportunity | Tombstone | None:
        with self._reader() as connection, one_snapshot(connection):
            return read_opportunity(connection, one)

    def leads(self, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
        with self._reader() as connection:
            return read_leads(connection, ids, columns)

    def search(self, search: Search) -> RenderedPage:
        with self._pooled() as pooled, one_snapshot(driver_of(pooled)) as connection:
            return read_page(connection, search, pooled.info["totals"])

    def search_leads(self, search: LeadSearch) -> RenderedPage:
        with self._reader() as connection, one_snapshot(connection):
            return read_lead_page(connection, search)

    def timeline(self, search: ActivitySearch) -> TimelinePage:
        with self._read() as connection:
            return activities.select_timeline(connection, search)

    def users(self) -> list[User]:
        with self._read() as connection:
            return catalogue_sql.select_users(connection)

    # --- writes

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        with self._write() as connection:
            deadline = connection.info["deadline"]
            deadline.set(self._options.query_timeout_s)
            try:
                transaction = SqliteTransaction(connection, self._catalogue)
                answer = work(transaction)
            finally:
                deadline.set(float("inf"))
        self._catalogue = transaction.cached_catalogue  # what it read is committed now
        return answer

    # --- who may call

    def key(self, access_key: str) -> Key | None:
        if not is_text(access_key):
            return None
        with self._reader() as connection:
            return read_key(connection, access_key)

    def keys(self) -> list[Key]:
        with self._read() as connection:
            return catalogue_sql.select_keys(connection)

    def add_key(
        self, key: Key, *, first_name: str | None = None, last_name: str | None = None
    ) -> Key:
        with self._write() as connection:
            return catalogue_sql.insert_key(
                connection, key, first_name=first_name, last_name=last_name
            )

    def revoke_key(self, access_key: str, *, now: str) -> bool:
        if not is_text(access_key):
            return False
        with self._write() as connection:
            return catalogue_sql.revoke_key(connection, access_key, now=now)

    # --- types and fields

    def catalogue(self) -> Catalogue:
        with self._reader() as connection:
            (version,) = connection.execute("SELECT version FROM catalogue_version").fetchone()
        kept = self._catalogue
        if kept is None or kept.version != version:
            with self._read() as connection:
                kept = self._catalogue = catalogue_sql.select_catalogue(connection)
        return kept

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        with self._write() as connection:
            catalogue_sql.replace_types(connection, types)

    def put_fields(self, fields: Sequence[Field]) -> None:
        with self._write() as connection:
            catalogue_sql.put_fields(connection, fields)

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        with self._write() as connection:
            catalogue_sql.replace_activity_types(connection, types)

    # --- opportunities

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        return self._write_prepared(sqlite_write.prepare(batch, now=now))

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        with self._write() as connection:
            return sqlite_write.delete_opportunities(connection, ids, now=now, by=by)

    def load(
        self,
        batches: Iterable[Sequence[StoredOpportunity]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        def write(batch: sqlite_write.PreparedBatch) -> None:
            on_written(self._write_prepared(batch))

        with self._loading():
            common_batches.write_in_turn(
                batches,
                prepare=lambda batch: sqlite_write.prepare(batch, now=now()),
                write=write,
            )

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[StoredOpportunity]:
        with self._read() as connection:
            return common.select_opportunities(
                connection, event_code=event_code, after_id=after_id, limit=limit
            )

    def count_opportunities(self, *, event_code: int | None) -> int:
        with self._read() as connection:
            return common.count_opportunities(connection, event_code=event_code)

    # --- indexes of searches

    def search_indexes(self) -> list[SearchIndex]:
        with self._read() as connection:
            return catalogue_sql.select_search_indexes(connection)

    def add_search_index(self, index: SearchIndex) -> bool:
        with self._write() as connection:
            return maintenance.add(connection, index)

    def drop_search_index(self, name: str) -> bool:
        with self._write() as connection:
            return maintenance.drop(connection, name)

    # --- the store itself

    def ping(self) -> None:
        with self._reader() as connection:
            self._files.check()
            connection.execute("SELECT version FROM catalogue_version").fetchone()

    def servers(self) -> list[StoreServer]:
        return []

    def library(self) -> StoreLibrary:
        return LIBRARY

    def check(self) -> list[str]:
        with translated_errors(self._path), self._readers.connect() as connection:
            self._files.check()
            connection.info["deadline"].set(float("inf"))
            return problems_of(connection)

    def is_distributed(self) -> bool:
        return False

    def distribute(self, *, shards: int) -> list[str]:
        del shards  # there is nowhere to put them
        raise DatabaseRefused(
            "A SQLite database is one file on one machine. 'db distribute' is for a database on"
            " PostgreSQL with Citus: --database postgresql://..."
        )

    def backup(self, path: Path) -> list[Path]:
        with self._reader(timeout_s=float("inf")) as connection:
            return copy_open(connection, path, mode=self._path.stat().st_mode & 0o777)

    # --- inside

    @contextmanager
    def _pooled(self, *, timeout_s: float | None = None) -> Iterator[PoolProxiedConnection]:
        """A reader, outside a transaction, with the clock set."""
        with translated_errors(self._path):
            self._files.check_lately()
            pooled = self._readers.raw_connection()
            try:
                pooled.info["deadline"].set(timeout_s or self._options.query_timeout_s)
                yield pooled
            finally:
                pooled.close()

    @contextmanager
    def _reader(self, *, timeout_s: float | None = None) -> Iterator[sqlite3.Connection]:
        """A reader's driver connection, as ``_pooled``."""
        with self._pooled(timeout_s=timeout_s) as pooled:
            yield driver_of(pooled)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """A transaction that reads one moment."""
        with translated_errors(self._path), self._readers.begin() as connection:
            self._files.check_lately()
            connection.info["deadline"].set(self._options.query_timeout_s)
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that writes; the file's one write lock is taken at its start."""
        if not self._write_lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise Unavailable("The store is busy with other writes. Try again.")
        try:
            with translated_errors(self._path):
                with self._writer.begin() as connection:
                    changes = driver_of(connection).total_changes
                    yield connection
                    self._seal(connection, changes)
                self._files.check(is_written=True)
        finally:
            self._write_lock.release()

    def _seal(self, connection: Connection, changes: int) -> None:
        """Make sure, right before a commit, that it goes where the next process looks for it."""
        if driver_of(connection).total_changes != changes:
            driver_of(connection).execute(MARK_LOG)
        self._files.check()

    def _write_prepared(self, batch: sqlite_write.PreparedBatch) -> Written:
        with self._write() as connection:
            catalogue = catalogue_sql.select_catalogue(connection)
            missing = common.missing_types_and_fields(batch.references.slots, catalogue)
            return sqlite_write.write_batch(connection, batch, *missing)

    @contextmanager
    def _loading(self) -> Iterator[None]:
        with self._write() as connection:
            maintenance.drop_if_empty(connection)
        self._tune_writer(SQLITE_LOADING_CACHE_BYTES, SQLITE_LOADING_CHECKPOINT_PAGES)
        try:
            yield
        except BaseException:
            with suppress(Unavailable):  # the first error is the one to report
                self._end_loading()
            raise
        self._end_loading()

    def _end_loading(self) -> None:
        self._tune_writer(self._options.sqlite_writer_cache_bytes, SQLITE_CHECKPOINT_PAGES)
        with self._write() as connection:
            maintenance.create_missing(connection)

    def _tune_writer(self, cache_bytes: int, checkpoint_pages: int) -> None:
        with self._write_lock, translated_errors(self._path), self._writer.connect() as connection:
            tune_writer(driver_of(connection), cache_bytes, checkpoint_pages)

    def _prepare(self, *, migrate: bool) -> None:
        with opening(self._path):
            with self._reader() as connection:
                at = revision_of(connection)
            if at != migrations.HEAD:
                self._upgrade(at, migrate=migrate)
            with translated_errors(self._path):
                self._files.hold(
                    self._files.connect(lambda: connect(self._path, self._options, writes=False))
                )
            if migrate and at == migrations.HEAD:
                self._build_missing_indexes()

    def _upgrade(self, at: str | None, *, migrate: bool) -> None:
        refuse_foreign(at, self._path)
        if not migrate:
            migrations.refuse_older(self._path)
        with translated_errors(self._path), self._writer.connect() as connection:
            set_up_file(driver_of(connection))
        with self._write() as writer:
            migrations.upgrade(writer)
        with translated_errors(self._path), self._writer.connect() as connection:
            bring_log_into_file(driver_of(connection))

    def _build_missing_indexes(self) -> None:
        """Finish a load that was cut off."""
        with self._read() as connection:
            if not maintenance.missing(connection):
                return
        with self._write() as connection:
            maintenance.create_missing(connection)
