"""Indexes, integrity and copies of a SQLite file.

They are missing while a load into an empty store is under way: built once at its end they cost a
tenth of what each row would. A load that was cut off leaves them missing; the next store that opens
the file to write builds them, and so does a write that needs one.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Index
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError
from sqlalchemy.schema import CreateIndex

from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.limits import SQLITE_BACKUP_STEP_PAGES
from oppserver.store import schema
from oppserver.store.queries import SearchIndex
from oppserver.store.sql import catalogue as catalogue_sql
from oppserver.store.sql.checks import broken_promises
from oppserver.store.sqlite.files import MARK_LOG
from oppserver.store.sqlite.fingerprints import give_identity
from oppserver.store.sqlite.library import sqlite3
from oppserver.store.sqlite.read import one_snapshot

INDEXES: Final[tuple[Index, ...]] = tuple(
    sorted(
        (
            index
            for table in (schema.lead, schema.opportunity)
            for index in table.indexes
            if not index.unique
        ),
        key=lambda index: str(index.name),
    )
)
"""Indexes of the schema that only make reads quick, by name. Operators may have added others."""

_KEPT: Final = frozenset({"opportunity_by_change_number"})
"""Indexes that stay while a store is loaded: new rows append to them, and changes need them."""

_BUILT_IN: Final = {
    str(index.name): str(CreateIndex(index).compile(dialect=sqlite.dialect())) for index in INDEXES
}


def missing(connection: Connection) -> Mapping[str, str]:
    """The indexes that the file should have and has not: the statement of each by its name."""
    there = _there(connection)
    return {name: sql for name, sql in _wanted(connection).items() if name not in there}


def create_missing(connection: Connection) -> None:
    """Build what is missing; next to nothing when nothing is."""
    statements = missing(connection).values()
    for statement in statements:
        connection.exec_driver_sql(statement)
    if statements:
        connection.exec_driver_sql(MARK_LOG)  # such a change is not counted by SQLite


def drop_if_empty(connection: Connection) -> None:
    """Drops the indexes of a store without opportunities, but those that cost a load nothing."""
    if connection.exec_driver_sql("SELECT 1 FROM opportunity LIMIT 1").first() is None:
        for name in _wanted(connection).keys() & _there(connection) - _KEPT:
            _drop(connection, name)


def add(connection: Connection, index: SearchIndex) -> bool:
    """Builds an operator's index; False when there is one of that name."""
    is_new = catalogue_sql.insert_search_index(connection, index)
    if is_new:
        connection.exec_driver_sql(catalogue_sql.create_statement(index))
    return is_new


def drop(connection: Connection, name: str) -> bool:
    """Drop an operator's index, which a load may have dropped; False when no index has the name."""
    is_known = catalogue_sql.delete_search_index(connection, name)
    if is_known:
        _drop(connection, name)
    return is_known


def _drop(connection: Connection, name: str) -> None:
    connection.exec_driver_sql(f'DROP INDEX IF EXISTS "{name}"')


def _wanted(connection: Connection) -> Mapping[str, str]:
    added = catalogue_sql.select_search_indexes(connection)
    return _BUILT_IN | {index.name: catalogue_sql.create_statement(index) for index in added}


def _there(connection: Connection) -> set[str]:
    statement = "SELECT name FROM sqlite_schema WHERE type = 'index'"
    return set(connection.exec_driver_sql(statement).scalars())


def problems_of(connection: Connection) -> list[str]:
    """List the faults, one line each; empty when all holds. A damaged file lists only damage."""
    damage = _damage(connection)
    if damage:
        return damage
    return [
        *(
            f"the index {name} is missing: an import into an empty store is under way, or was cut"
            " off; 'oppserver db upgrade' builds it"
            for name in missing(connection)
        ),
        *broken_promises(connection),
    ]


def _damage(connection: Connection) -> list[str]:
    try:
        lines = list(connection.exec_driver_sql("PRAGMA integrity_check").scalars())
    except DatabaseError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error.orig)]
    return [] if lines == ["ok"] else lines


COMPANIONS: Final = ("-wal", "-shm", "-journal")
"""Endings that SQLite adds to a database's name for the files beside it."""

_UNFINISHED: Final = (".oppserver-backup-", ".part")
"""The beginning and the end of an unfinished copy's name."""


def copy_closed(closed: Path, copy: Path) -> None:
    """Copy a store that nobody has open; the copy is whole, not yet durable.

    A tenth of the price of a backup, which may be made while the store is in use and survives the
    loss of power.
    """
    shutil.copyfile(closed, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        give_identity(connection)


def copy_open(connection: sqlite3.Connection, copy: Path, *, mode: int) -> list[Path]:
    """Write a durable store with what is in another at this moment, while others use that one.

    ``mode`` has the permission bits of the new file. Returns the unfinished copies of other
    backups in the same folder. Raises DatabaseRefused; then nothing has the name of the copy.
    """
    try:
        _refuse_taken(copy)
        others = unfinished_copies(copy.parent)
        with _unfinished(copy.parent, mode) as unfinished:
            _fill(connection, unfinished)
            _flush(unfinished)
            _give_name(unfinished, copy)
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise DatabaseRefused(f"The backup to {copy} failed: {reason or error}") from None
    return others


def unfinished_copies(folder: Path) -> list[Path]:
    """The copies in a folder that are under way, or whose backup was killed."""
    begin, end = _UNFINISHED
    return sorted(folder.glob(f"{begin}*{end}"))


def _refuse_taken(copy: Path) -> None:
    """Raise DatabaseRefused when something has the name, or SQLite would open it with the copy."""
    if os.path.lexists(copy):
        raise _already_there(copy)
    for companion in COMPANIONS:
        beside = copy.with_name(f"{copy.name}{companion}")
        if os.path.lexists(beside):
            raise DatabaseRefused(
                f"{beside} is there, and is no part of the backup: SQLite would read the two"
                " together. Move it away, or give the backup another name."
            )
        database = Path(str(copy).removesuffix(companion))
        if database != copy and os.path.lexists(database):
            raise DatabaseRefused(
                f"SQLite would take {copy} for a part of {database}. Give the backup another name."
            )


def _already_there(copy: Path) -> DatabaseRefused:
    return DatabaseRefused(f"{copy} exists already; a backup does not overwrite a file")


@contextmanager
def _unfinished(folder: Path, mode: int) -> Iterator[Path]:
    """A new empty file of a random name, which is gone when the block ends."""
    begin, end = _UNFINISHED
    path = folder / f"{begin}{secrets.token_hex(8)}{end}"
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode | 0o600))
    try:
        yield path
    finally:
        for companion in ("", *COMPANIONS):
            with suppress(OSError):
                path.with_name(f"{path.name}{companion}").unlink()


def _fill(connection: sqlite3.Connection, unfinished: Path) -> None:
    """Copy all pages, of one moment, give the copy its identity, and check it.

    It is copied in steps, so that a signal ends it soon; the transaction keeps the moment, and
    steps that others' writes come between are not begun anew.
    """
    with closing(sqlite3.connect(unfinished)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # it is flushed once, when it is whole
        with one_snapshot(connection):
            connection.execute("SELECT id FROM database_identity").fetchone()
            connection.backup(copy, pages=SQLITE_BACKUP_STEP_PAGES, progress=lambda *_: None)
        give_identity(copy)
        (found,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            damage = found.splitlines()[-1]
            raise DatabaseRefused(
                f"The database is damaged, and so would be a backup of it: {damage}."
                " 'oppserver db check' shows all of it."
            )


def _flush(path: Path) -> None:
    """Put a file, or the names of a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_name(unfinished: Path, copy: Path) -> None:
    """Give a whole copy its name, unless something got that name meanwhile."""
    try:
        os.link(unfinished, copy)
    except FileExistsError:
        raise _already_there(copy) from None
    except OSError:  # a file system without hard links
        if os.path.lexists(copy):
            raise _already_there(copy) from None
        unfinished.rename(copy)
    _flush(copy.parent)
