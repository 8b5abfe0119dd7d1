"""The embedded engine: SQLite in WAL mode, one writer, a few readers.

A write is on the disk when it returns (``synchronous=FULL``). Readers never wait for the writer.
Numbers behind the choices: docs/performance.md.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeVar

import apsw

from oppserver.contract.columns import Column
from oppserver.contract.errors import DatabaseRefused, Unavailable
from oppserver.contract.model import Catalogue, Key, StoreLibrary, StoreServer
from oppserver.store import migrations
from oppserver.store.port import BUSY_TIMEOUT_S, Snapshot, StoreOptions
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
from oppserver.store.sql.activities import select_activities
from oppserver.store.sql.catalogue import (
    add_search_index,
    select_catalogue,
    select_catalogue_version,
)
from oppserver.store.sql.changes import select_change_numbers
from oppserver.store.sql.store import SqlStore, SqlTransaction
from oppserver.store.sql.users import is_text, select_key
from oppserver.store.sqlite import maintenance
from oppserver.store.sqlite.connection import (
    ConnectionPool,
    SqliteConnection,
    connect,
    opening,
    path_of,
    refuse_foreign,
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
from oppserver.store.sqlite.library import LIBRARY
from oppserver.store.sqlite.parts import PartReaders
from oppserver.store.sqlite.read import one_snapshot, read_leads
from oppserver.store.sqlite.search import find_activities, read_lead_page, read_page
from oppserver.store.sqlite.snapshot import SqliteSnapshot
from oppserver.store.sqlite.write import SqliteTransaction

SQLITE_CHECKPOINT_PAGES: Final = 1_000
"""Pages of the log after which it is copied into the file. Source: sqlite.org/wal.html, default."""

SQLITE_LOADING_CACHE_BYTES: Final = 256 << 20
"""Bytes of page cache of the writer while it loads: random ids touch every page of the index."""

SQLITE_LOADING_CHECKPOINT_PAGES: Final = 16_384
"""Pages of the log (64 MB) while it loads. Measured: a page of the index is changed by many
batches and is copied once; with the larger batches, 18,000 opportunities/s became 33,000."""

_T = TypeVar("_T")


class SqliteStore(SqlStore):
    """The promises of ``port.Store`` on one SQLite file."""

    _transaction = SqliteTransaction

    def __init__(self, path: Path, options: StoreOptions) -> None:
        self._path = path
        self._options = options
        self._files = DatabaseFiles(path)
        self._readers = ConnectionPool(self._files, options, writes=False)
        self._writer = ConnectionPool(self._files, options, writes=True)
        self._parts = PartReaders(parts_max=options.sqlite_read_parts, idle=self._idle_reader)
        self._write_lock = threading.Lock()
        self._catalogue: Catalogue | None = None  # owner: catalogue(); replaced whole, never edited

    @classmethod
    def open(cls, url: str, options: StoreOptions, *, migrate: bool) -> Self:
        """Opens the file of a URL; creates and migrates it where ``migrate`` says so."""
        path = path_of(url)
        with opening(path), translated_errors(path):
            refuse_foreign_log(path)
        if not migrate and not path.exists():
            raise DatabaseRefused(
                f"There is no database at {path.absolute()}. Run the command in its folder, or name"
                " it by --database or OPPSERVER_DATABASE; 'oppserver db upgrade' creates a new one."
            )
        store = cls(path, options)
        try:
            store._prepare(migrate=migrate)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        self._parts.close()
        self._readers.close()
        self._writer.close()
        self._files.close()  # the last connection, which tidies up

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        with self._reader() as connection:
            return self._parts.read(connection, plan.entries)

    def read(self, work: Callable[[Snapshot], _T]) -> _T:
        with self._snapshot() as connection:
            return work(SqliteSnapshot(connection))

    def change_numbers(self) -> ChangeNumbers:
        with self._reader() as connection:
            return select_change_numbers(connection)

    def timeline_id(self) -> int:
        return 0  # one file has one past

    # --- the other reads

    def leads(self, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
        with self._reader() as connection:
            return read_leads(connection, ids, columns)

    def search(self, search: Search) -> RenderedPage:
        with self._snapshot() as connection:
            return read_page(connection, search, connection.totals)

    def search_leads(self, search: LeadSearch) -> RenderedPage:
        with self._snapshot() as connection:
            return read_lead_page(connection, search)

    def search_activities(self, query: ActivityQuery) -> TimelinePage:
        with self._snapshot() as connection:
            total, ids = find_activities(connection, query)
            return TimelinePage(total=total, rows=select_activities(connection, ids))

    def key(self, access_key: str) -> Key | None:
        if not is_text(access_key):
            return None
        with self._reader() as connection:
            return select_key(connection, access_key)

    def catalogue(self) -> Catalogue:
        with self._reader() as connection:
            version = select_catalogue_version(connection)
        kept = self._catalogue
        if kept is None or kept.version != version:
            kept = self._catalogue = self._read(select_catalogue)
        return kept

    def add_search_index(self, index: SearchIndex) -> bool:
        return self._write(lambda c: add_search_index(c, index))

    # --- the store itself

    def ping(self) -> None:
        with self._reader() as connection:
            self._files.check()
            select_catalogue_version(connection)

    def size_bytes(self) -> int:
        return self._files.size_bytes()

    def servers(self) -> list[StoreServer]:
        return []

    def library(self) -> StoreLibrary:
        return LIBRARY

    def engine(self) -> str:
        return str(LIBRARY)

    def check(self) -> list[str]:
        with self._snapshot(timeout_s=float("inf")) as connection:
            self._files.check()
            return maintenance.problems_of(connection)

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
            return maintenance.copy_open(connection, path, mode=self._path.stat().st_mode & 0o777)

    # --- inside

    @contextmanager
    def _reader(self, *, timeout_s: float | None = None) -> Iterator[SqliteConnection]:
        """A reader, outside a transaction, with the clock set."""
        with self._named_errors():
            self._files.check_lately()
            with self._readers.connection() as connection:
                connection.deadline.set(timeout_s or self._options.query_timeout_s)
                yield connection

    def _idle_reader(self) -> AbstractContextManager[SqliteConnection] | None:
        """A reader as ``_reader``, taken at once; None when the cores have enough to do."""
        lent = self._readers.one_more(busy_max=self._options.sqlite_read_parts)
        return None if lent is None else self._with_deadline(lent)

    @contextmanager
    def _with_deadline(
        self, lent: AbstractContextManager[SqliteConnection]
    ) -> Iterator[SqliteConnection]:
        with self._named_errors(), lent as connection:
            connection.deadline.set(self._options.query_timeout_s)
            yield connection

    @contextmanager
    def _snapshot(self, *, timeout_s: float | None = None) -> Iterator[SqliteConnection]:
        """A reader in a transaction that reads one moment."""
        with self._reader(timeout_s=timeout_s) as connection, one_snapshot(connection):
            yield connection

    def _read(self, work: Callable[[SqlConnection], _T]) -> _T:
        with self._snapshot() as connection:
            return work(connection)

    _read_primary = _read

    @contextmanager
    def _writing(self) -> Iterator[SqliteConnection]:
        """A transaction that writes; the file's one write lock is taken at its start."""
        if not self._write_lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise Unavailable("The store is busy with other writes. Try again.")
        try:
            with self._outside_transaction() as connection:
                connection.execute("BEGIN IMMEDIATE")
                changes = connection.total_changes()
                try:
                    yield connection
                    self._seal(connection, changes)
                    connection.execute("COMMIT")
                except BaseException:
                    connection.rollback()
                    raise
                self._files.check(is_written=True)
        finally:
            self._write_lock.release()

    @contextmanager
    def _outside_transaction(self) -> Iterator[SqliteConnection]:
        """The writer, outside a transaction."""
        with self._named_errors(), self._writer.connection() as connection:
            yield connection

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn the driver's errors into ours. Raise StoreReplaced for those of other files."""
        with translated_errors(self._path):
            try:
                yield
            except apsw.Error:
                self._files.check()
                raise

    def _write(self, work: Callable[[SqlConnection], _T]) -> _T:
        with self._writing() as connection:
            return work(connection)

    def _transact(self, work: Callable[[SqlTransaction], _T], *, is_limited: bool) -> _T:
        with self._writing() as connection:
            connection.deadline.set(self._options.query_timeout_s if is_limited else float("inf"))
            try:
                transaction = SqliteTransaction(connection, self._catalogue)
                answer = work(transaction)
            finally:
                connection.deadline.set(float("inf"))
        self._catalogue = transaction.cached_catalogue  # what it read is committed now
        return answer

    def _seal(self, connection: SqliteConnection, changes: int) -> None:
        """Make sure, right before a commit, that it goes where the next process looks for it."""
        if connection.total_changes() != changes:
            connection.execute(MARK_LOG)
        self._files.check()

    @contextmanager
    def _loading(self) -> Iterator[None]:
        self._write(maintenance.drop_if_empty)
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
        self._write(maintenance.create_missing)

    def _tune_writer(self, cache_bytes: int, checkpoint_pages: int) -> None:
        with self._write_lock, self._outside_transaction() as connection:
            tune_writer(connection, cache_bytes, checkpoint_pages)

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
        with self._outside_transaction() as connection:
            set_up_file(connection)
        with self._writing() as connection:
            at = revision_of(connection)  # another process may have made it meanwhile
            if at is None:
                maintenance.create_schema(connection)
            elif at != migrations.HEAD:
                migrations.upgrade_by_text(connection.execute, "sqlite", at, to=migrations.HEAD)
        with self._outside_transaction() as connection:
            bring_log_into_file(connection)

    def _build_missing_indexes(self) -> None:
        """Finish a load that was cut off."""
        if self._read(maintenance.missing):
            self._write(maintenance.create_missing)
