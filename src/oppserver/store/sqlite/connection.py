"""SQLite files and connections: opening, settings, errors."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, Final

import apsw
import msgspec

from oppserver.contract.errors import DatabaseRefused, InvalidDatabaseUrl, StoreFull, Unavailable
from oppserver.store import migrations
from oppserver.store.port import BUSY_TIMEOUT_S, StoreOptions
from oppserver.store.sqlite.files import DatabaseFiles
from oppserver.store.sqlite.fingerprints import Fingerprints
from oppserver.store.sqlite.library import Connection
from oppserver.store.sqlite.search import Totals

_APPLICATION_ID: Final = 0x4F505053  # "OPPS", in the file's header; `file` and we can tell it

_PROGRESS_OPCODES: Final = 100_000
"""Virtual machine steps between looks at the clock; a 2,000-row read takes about as many."""

_BUSY_PAUSE_S: Final = 0.01

_TRANSIENT: Final = (apsw.BusyError, apsw.LockedError)

_UNUSABLE: Final = (
    apsw.CantOpenError,
    apsw.IOError,
    apsw.ReadOnlyError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.PermissionsError,
)


def path_of(url: str) -> Path:
    """The file of a URL. Raises InvalidDatabaseUrl, or DatabaseRefused when it cannot be a file."""
    scheme, separator, rest = url.partition(":///")
    if scheme != "sqlite" or not separator or not rest or rest == ":memory:" or "?" in rest:
        raise InvalidDatabaseUrl(
            "The database URL names no file of SQLite. Expected sqlite:///FILE, for example"
            " sqlite:///oppserver.db, or sqlite:////srv/oppserver.db with an absolute path"
        )
    path = Path(rest)
    try:
        if not path.parent.is_dir():
            raise DatabaseRefused(f"The folder {path.parent} of the database does not exist")
        if path.is_dir():
            raise DatabaseRefused(f"{path} is a folder, not a database file")
        if path.exists() and not path.is_file():
            raise DatabaseRefused(f"{path} is a device, a pipe or a socket, not a database file")
    except OSError as error:
        raise DatabaseRefused(
            f"The database {path} cannot be opened: {error.strerror or error}"
        ) from None
    return path


# --- connections -------------------------------------------------------------------------------


class _Deadline:
    """When the statement that runs on a connection has to have ended."""

    def __init__(self) -> None:
        self._at = float("inf")

    def set(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def is_over(self) -> bool:
        return time.monotonic() > self._at


class SqliteConnection(Connection):
    """A connection of a store, and what it remembers between its transactions.

    ``deadline`` limits the time of each of its statements. ``totals`` and ``fingerprints`` are what
    searches and bulk reads have found, until something is written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, timeout_s=BUSY_TIMEOUT_S)
        self.deadline: Final = _Deadline()
        self.totals: Final = Totals()
        self.fingerprints: Final = Fingerprints()

    def rows(self, statement: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; a value that is a list is the list of an ``IN``."""
        return self.execute(statement, _bound(values)).fetchall()

    def run(self, statement: str, /, **values: object) -> int:
        """Run a statement; return the number of rows it has written."""
        self.execute(statement, _bound(values))
        return self.changes()

    def run_many(self, statement: str, batch: Sequence[Mapping[str, object]], /) -> None:
        """Run a statement once for each set of values, in order; nothing for none."""
        self.executemany(statement, batch)


def _bound(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return values as the driver takes them: a list as JSON, of which json_each() makes it again.

    An adapter of the driver would do this for the whole process, so for the tests of others too.
    """
    for value in values.values():
        if isinstance(value, list):
            break
    else:
        return values
    return {
        name: msgspec.json.encode(value).decode() if isinstance(value, list) else value
        for name, value in values.items()
    }


class ConnectionPool:
    """Connections to the file: one that writes, or some that read. A thread has one for itself.

    They are opened when they are needed. The one that was used last is used again first, because it
    has its pages at hand. Whoever begins a transaction ends it.
    """

    def __init__(self, files: DatabaseFiles, options: StoreOptions, *, writes: bool) -> None:
        self._files: Final = files
        self._options: Final = options
        self._writes: Final = writes
        self._free: Final[LifoQueue[SqliteConnection | None]] = LifoQueue()
        self._size: Final = 1 if writes else options.readers + options.sqlite_read_parts - 1
        for _ in range(self._size):
            self._free.put(None)  # not opened yet

    def connection(self) -> AbstractContextManager[SqliteConnection]:
        """Take a connection; lend it in a block. Raises Unavailable when none is free in time."""
        try:
            return self._lent(self._free.get(timeout=BUSY_TIMEOUT_S))
        except Empty:
            raise Unavailable("All connections to the store are busy. Try again.") from None

    @contextmanager
    def _lent(self, connection: SqliteConnection | None) -> Iterator[SqliteConnection]:
        try:
            if connection is None:
                connection = self._files.connect(self._connect)
            yield connection
        finally:
            self._free.put(connection)

    def one_more(self, *, busy_max: int) -> AbstractContextManager[SqliteConnection] | None:
        """Take one more connection, if fewer than ``busy_max`` are in use; lend it in a block."""
        if self._size - self._free.qsize() >= busy_max:
            return None
        try:
            connection = self._free.get_nowait()
        except Empty:
            return None
        return self._lent(connection)

    def _connect(self) -> SqliteConnection:
        return connect(self._files.path, self._options, writes=self._writes)

    def close(self) -> None:
        """Close all that are not in use."""
        with suppress(Empty):
            while True:
                connection = self._free.get_nowait()
                if connection is not None:
                    connection.close()


def connect(path: Path, options: StoreOptions, *, writes: bool) -> SqliteConnection:
    """Open a connection that writes, or one that cannot."""
    connection = SqliteConnection(path)
    connection.set_progress_handler(connection.deadline.is_over, _PROGRESS_OPCODES)
    cache_bytes = options.sqlite_writer_cache_bytes if writes else options.sqlite_cache_bytes
    connection.execute("PRAGMA synchronous=FULL")
    # what the writer has read, it changes: it keeps pages of its own, whose memory has a bound
    connection.execute(f"PRAGMA mmap_size={0 if writes else options.sqlite_mmap_bytes}")
    connection.execute(f"PRAGMA cache_size=-{cache_bytes // 1024}")
    connection.execute("PRAGMA temp_store=MEMORY")
    if not writes:
        connection.execute("PRAGMA query_only=ON")
    return connection


def tune_writer(driver: Connection, cache_bytes: int, checkpoint_pages: int) -> None:
    """Sets how much the writer keeps in memory, and how long its log grows between checkpoints."""
    driver.execute(f"PRAGMA cache_size=-{cache_bytes // 1024}")
    driver.execute(f"PRAGMA wal_autocheckpoint={checkpoint_pages}")


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except _TRANSIENT as error:
        raise Unavailable("The store is busy with another write. Try again.") from error
    except apsw.InterruptError as error:
        raise Unavailable("The call took longer in the store than it may. Ask for less.") from error
    except apsw.FullError as error:
        raise StoreFull(f"The disk of the store is full ({path.name}). Free some space.") from error
    except _UNUSABLE as error:
        raise Unavailable(f"The store cannot be used: {error}") from error
    except UnicodeDecodeError as error:
        raise Unavailable(
            "The store cannot be used: a stored text is not UTF-8. 'oppserver db check' looks for"
            " damage."
        ) from error


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """While a store is opened, what is wrong with it is a refusal with the path in it."""
    try:
        yield
    except StoreFull:
        raise
    except Unavailable as error:
        raise DatabaseRefused(f"The database {path} cannot be opened: {error}") from error


def set_up_file(driver: Connection) -> None:
    """Write the settings that the file itself holds: journal mode and application id.

    SQLite does not wait for a process that changes the journal mode at the same moment: each would
    wait for the other (sqlite.org/c3ref/busy_handler.html). So it is asked again here.
    """
    ends = time.monotonic() + BUSY_TIMEOUT_S
    while not _is_in_wal_mode(driver):
        if time.monotonic() > ends:
            raise Unavailable(
                "The journal mode cannot be set to WAL: another process holds the database, or its"
                " file system cannot share memory."
            )
        time.sleep(_BUSY_PAUSE_S)
    driver.execute(f"PRAGMA application_id={_APPLICATION_ID}")


def _is_in_wal_mode(driver: Connection) -> bool:
    """Switch the file to WAL mode; return False while it is busy."""
    try:
        (mode,) = driver.one("PRAGMA journal_mode=WAL")
    except _TRANSIENT:
        return False
    return bool(mode == "wal")


# --- versions ----------------------------------------------------------------------------------


def revision_of(connection: Connection) -> str | None:
    """The schema's revision; None in an empty file, "" in a database that is not ours."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    if "alembic_version" not in tables:
        return "" if tables else None
    (application_id,) = connection.one("PRAGMA application_id")
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row and application_id == _APPLICATION_ID else ""


def refuse_foreign(revision: str | None, path: Path) -> None:
    """Raises DatabaseRefused when a database is not ours, or of a version we do not know."""
    if revision == "":
        raise DatabaseRefused(f"{path} is an SQLite database, but not one of oppserver")
    migrations.refuse_unknown(revision, path)
