"""The embedded engine: SQLite in WAL mode, one writer, a few readers.

A write is on the disk when it returns (``synchronous=FULL``). Readers never wait for the writer. The
hot calls (a key, the catalogue's version, the bulk read) go straight to the driver; the rest goes
through SQLAlchemy. Numbers behind the choices: docs/performance.md.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from oppserver.contract.columns import Column
from oppserver.contract.errors import DatabaseRefused, InvalidDatabaseUrl, StoreFull, Unavailable
from oppserver.contract.limits import BUSY_TIMEOUT_S, SQLITE_VERSION_MIN
from oppserver.contract.model import (
    Catalogue,
    Field,
    Key,
    Opportunity,
    OpportunityType,
    Plan,
    PlannedEntry,
    RenderedRows,
    Role,
    Written,
)
from oppserver.store import common, migrations, sqlite_write
from oppserver.store.port import StoreOptions

_APPLICATION_ID: Final = 0x4F505053  # "OPPS", in the file's header; `file` and we can tell it

_JSON_OBJECT_COLUMNS_MAX: Final = 63
"""A function takes at most 127 arguments in many builds of SQLite: 63 names and values."""

_PROGRESS_OPCODES: Final = 100_000
"""Virtual machine steps between looks at the clock; a 2,000-row read takes about as many."""

_TRANSIENT: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


class SqliteStore:
    """The promises of ``port.Store`` on one SQLite file."""

    def __init__(self, path: Path, options: StoreOptions) -> None:
        self._path = path
        self._options = options
        self._readers = _engine(path, options, writes=False)
        self._writer = _engine(path, options, writes=True)
        self._write_lock = threading.Lock()
        self._catalogue: Catalogue | None = None  # owner: catalogue(); replaced whole, never edited

    @classmethod
    def open(cls, url: str, options: StoreOptions, *, migrate: bool) -> Self:
        """Opens the file of a URL; creates and migrates it where ``migrate`` says so."""
        if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
            needed = ".".join(map(str, SQLITE_VERSION_MIN))
            raise DatabaseRefused(
                f"This Python comes with SQLite {sqlite3.sqlite_version}; oppserver needs {needed}"
                " or later. Use a newer Python or SQLite."
            )
        path = _path_of(url)
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

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        with self._reader() as connection:
            if len(plan.entries) == 1:
                return [_read_entry(connection, plan.entries[0])]
            connection.execute("BEGIN")
            try:
                return [_read_entry(connection, entry) for entry in plan.entries]
            finally:
                connection.rollback()

    # --- who may call

    def key(self, access_key: str) -> Key | None:
        with self._reader() as connection:
            row = connection.execute(
                "SELECT k.access_key, k.secret_sha256, k.user_id, u.email, k.role, u.is_active,"
                ' k.created_on, k.revoked_on FROM api_key k JOIN "user" u ON u.id = k.user_id'
                " WHERE k.access_key = ?",
                (access_key,),
            ).fetchone()
        if row is None:
            return None
        return Key(
            access_key=row[0],
            secret_sha256=row[1],
            user_id=row[2],
            email=row[3],
            role=Role(row[4]),
            user_is_active=bool(row[5]),
            created_on=row[6],
            revoked_on=row[7],
        )

    def keys(self) -> list[Key]:
        with self._read() as connection:
            return common.select_keys(connection)

    def add_key(self, key: Key) -> Key:
        with self._write() as connection:
            return common.insert_key(connection, key)

    def revoke_key(self, access_key: str, *, now: str) -> bool:
        with self._write() as connection:
            return common.revoke_key(connection, access_key, now=now)

    # --- types and fields

    def catalogue(self) -> Catalogue:
        with self._reader() as connection:
            (version,) = connection.execute("SELECT version FROM catalogue_version").fetchone()
        kept = self._catalogue
        if kept is None or kept.version != version:
            with self._read() as connection:
                kept = self._catalogue = _select_catalogue(connection)
        return kept

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        with self._write() as connection:
            common.replace_types(connection, types)

    def put_fields(self, fields: Sequence[Field]) -> None:
        with self._write() as connection:
            known = _select_catalogue(connection).types
            missing = sorted({one.event_code for one in fields} - known.keys())
            if missing:
                common.replace_types(
                    connection,
                    [
                        OpportunityType(event_code=code, name=f"Opportunity {code}")
                        for code in missing
                    ],
                )
            common.replace_fields(connection, fields)

    # --- opportunities

    def write_opportunities(self, batch: Sequence[Opportunity], *, now: str) -> Written:
        with self._write() as connection:
            catalogue = _select_catalogue(connection)
            types, fields = common.missing_types_and_fields(batch, catalogue)
            if types:
                common.replace_types(connection, types)
            if fields:
                common.replace_fields(connection, fields)
            common.write_owners(connection, batch)
            return sqlite_write.write_opportunities(connection, batch, now=now)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        with self._write() as connection:
            return sqlite_write.delete_opportunities(connection, ids, now=now, by=by)

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[Opportunity]:
        with self._read() as connection:
            return common.select_opportunities(
                connection, event_code=event_code, after_id=after_id, limit=limit
            )

    def count_opportunities(self, *, event_code: int | None) -> int:
        with self._read() as connection:
            return common.count_opportunities(connection, event_code=event_code)

    # --- the store itself

    def ping(self) -> None:
        with self._reader() as connection:
            connection.execute("SELECT version FROM catalogue_version").fetchone()

    def check(self) -> list[str]:
        with self._read(timeout_s=float("inf")) as connection:
            driver = _driver(connection)
            problems = [row[0] for row in driver.execute("PRAGMA integrity_check")]
            problems = [] if problems == ["ok"] else problems
            return problems + sqlite_write.broken_promises(driver)

    def backup(self, path: Path) -> None:
        if path.exists():
            raise DatabaseRefused(f"{path} exists already; a backup does not overwrite a file")
        with self._read(timeout_s=float("inf")) as connection:
            try:
                target = sqlite3.connect(path)
                try:
                    _driver(connection).backup(target)
                finally:
                    target.close()
            except (sqlite3.Error, OSError) as error:
                path.unlink(missing_ok=True)
                raise DatabaseRefused(f"The backup to {path} failed: {error}") from None
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    # --- inside

    @contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        """A reader's driver connection, outside a transaction, with the clock set."""
        with _named_errors(self._path):
            pooled = self._readers.raw_connection()
            try:
                pooled.info["deadline"].set(self._options.query_timeout_s)
                connection = pooled.driver_connection
                assert isinstance(connection, sqlite3.Connection)
                yield connection
            finally:
                pooled.close()

    @contextmanager
    def _read(self, *, timeout_s: float | None = None) -> Iterator[Connection]:
        """A transaction that reads one moment."""
        with _named_errors(self._path), self._readers.begin() as connection:
            connection.info["deadline"].set(timeout_s or self._options.query_timeout_s)
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        """A transaction that writes; the file's one write lock is taken at its start."""
        with _named_errors(self._path), self._write_lock, self._writer.begin() as connection:
            yield connection

    def _prepare(self, *, migrate: bool) -> None:
        with _opening(self._path):
            with self._reader() as connection:
                at = _revision(connection)
            if at == migrations.HEAD:
                return
            _refuse_foreign(at, self._path)
            if not migrate:
                raise DatabaseRefused(
                    f"The database {self._path} is of an older version of oppserver."
                    " 'oppserver db upgrade' brings it up to date."
                )
            self._set_up_file()
            with self._write() as writer:
                migrations.upgrade(writer)

    def _set_up_file(self) -> None:
        """What is kept in the file itself: the journal mode and whose file it is."""
        with self._writer.connect() as connection:
            driver = _driver(connection)
            driver.execute("PRAGMA journal_mode=WAL")
            driver.execute(f"PRAGMA application_id={_APPLICATION_ID}")


def _path_of(url: str) -> Path:
    scheme, separator, rest = url.partition(":///")
    if scheme != "sqlite" or not separator or not rest or rest == ":memory:" or "?" in rest:
        raise InvalidDatabaseUrl(
            f"The database URL '{url}' names no file. Expected sqlite:///FILE, for example"
            " sqlite:///oppserver.db, or sqlite:////srv/oppserver.db with an absolute path"
        )
    path = Path(rest)
    if not path.parent.is_dir():
        raise DatabaseRefused(f"The folder {path.parent} of the database does not exist")
    if path.is_dir():
        raise DatabaseRefused(f"{path} is a folder, not a database file")
    return path


# --- connections -------------------------------------------------------------------------------


class _Deadline:
    """When the statement that runs on a connection has to have ended."""

    def __init__(self) -> None:
        self._at = float("inf")

    def set(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def passed(self) -> bool:
        return time.monotonic() > self._at


def _engine(path: Path, options: StoreOptions, *, writes: bool) -> Engine:
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(path, options, writes=writes),
        pool_size=1 if writes else options.readers,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_S,
        pool_reset_on_return=None,  # _reader() leaves no transaction, begin() ends its own
        poolclass=QueuePool,
    )

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    def connected(driver: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        deadline = record.info["deadline"] = _Deadline()
        driver.set_progress_handler(deadline.passed, _PROGRESS_OPCODES)

    event.listen(engine, "begin", begin)
    event.listen(engine, "connect", connected)
    return engine


def _connect(path: Path, options: StoreOptions, *, writes: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,  # transactions begin where we say, not where the driver guesses
        check_same_thread=False,  # a pooled connection is used by one thread at a time
    )
    cache_bytes = options.sqlite_writer_cache_bytes if writes else options.sqlite_cache_bytes
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA mmap_size={options.sqlite_mmap_bytes}")
    connection.execute(f"PRAGMA cache_size=-{cache_bytes // 1024}")
    connection.execute("PRAGMA temp_store=MEMORY")
    if not writes:
        connection.execute("PRAGMA query_only=ON")
    return connection


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except PoolTimeoutError:
        raise Unavailable("All connections to the store are busy. Try again.") from None
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if code in _TRANSIENT:
            raise Unavailable("The store is busy with another write. Try again.") from error
        if code == sqlite3.SQLITE_INTERRUPT:
            raise Unavailable(
                "The call took longer in the store than it may. Ask for less."
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreFull(
                f"The disk of the store is full ({path.name}). Free some space."
            ) from error
        if code in (
            sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_IOERR,
            sqlite3.SQLITE_READONLY,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_PERM,
        ):
            raise Unavailable(f"The store cannot be used: {cause}") from error
        raise


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """While a store is opened, what is wrong with it is a refusal with the path in it."""
    try:
        yield
    except StoreFull:
        raise
    except Unavailable as error:
        raise DatabaseRefused(f"The database {path} cannot be opened: {error}") from error


# --- versions ----------------------------------------------------------------------------------


def _revision(connection: sqlite3.Connection) -> str | None:
    """The schema's revision; None in an empty file, "" in a database that is not ours."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
    if "alembic_version" not in tables:
        return "" if tables else None
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row and application_id == _APPLICATION_ID else ""


def _refuse_foreign(revision: str | None, path: Path) -> None:
    if revision == "":
        raise DatabaseRefused(f"{path} is an SQLite database, but not one of oppserver")
    if revision is not None and revision not in migrations.REVISIONS:
        raise DatabaseRefused(
            f"The database {path} is of a newer version (schema {revision}) than this oppserver"
            f" (schema {migrations.HEAD}). Use the newer oppserver."
        )


def _select_catalogue(connection: Connection) -> Catalogue:
    version = connection.exec_driver_sql("SELECT version FROM catalogue_version").scalar_one()
    return common.select_catalogue(connection, version=version)


# --- the bulk read -----------------------------------------------------------------------------


def _read_entry(connection: sqlite3.Connection, entry: PlannedEntry) -> RenderedRows:
    # canonical GUIDs need no escaping, so this is the JSON array of them
    ids = '["' + '","'.join(entry.ids) + '"]'
    json, count = connection.execute(
        bulk_read_statement(entry.columns), (ids, entry.event_code)
    ).fetchone()
    return RenderedRows(count=count, json=json)


@lru_cache(maxsize=256)
def bulk_read_statement(columns: tuple[Column, ...]) -> str:
    """The statement that reads and renders the rows of one entry: one row, ``(json, count)``.

    Parameters: the ids as a JSON array, the event code. ``CROSS JOIN`` fixes the join's order, and
    with it the order of the rows (sqlite.org/optoverview.html, "Manual control of query plans").
    The cast hands the text over as bytes, which are not decoded and encoded again.
    """
    return (
        f"SELECT CAST(json_group_array({_row_json(columns)}) AS BLOB), count(*)"
        " FROM json_each(?) AS asked CROSS JOIN opportunity AS o ON o.id = asked.value"
        ' LEFT JOIN "user" AS u ON u.id = o.owner_id'
        " WHERE o.event_code = ?"
    )


def _row_json(columns: tuple[Column, ...]) -> str:
    pairs = [f"'{column.name}', {_column_sql(column)}" for column in columns]
    parts = [
        f"json_object({', '.join(pairs[start : start + _JSON_OBJECT_COLUMNS_MAX])})"
        for start in range(0, len(pairs), _JSON_OBJECT_COLUMNS_MAX)
    ]
    if len(parts) == 1:
        return parts[0]
    # Every value is a string or null, so the only braces at an object's ends are its own.
    members = " || ',' || ".join(f"trim({part}, '{{}}')" for part in parts)
    return f"json('{{' || {members} || '}}')"


def _column_sql(column: Column) -> str:
    match column.stored:
        case "owner_email":
            return "u.email"
        case "event_code":
            return "CAST(o.event_code AS TEXT)"
        case "created_on" | "modified_on":
            return f"o.{column.stored}_answer"
        case stored:
            return f"o.{stored}"
