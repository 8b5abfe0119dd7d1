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
from importlib.resources import files
from pathlib import Path
from typing import Final
from uuid import uuid4

import apsw

from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.limits import SQLITE_BACKUP_STEP_PAGES
from oppserver.store import migrations
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.catalogue import create_statement, select_search_indexes
from oppserver.store.sql.checks import broken_promises, unformed_values
from oppserver.store.sqlite.files import MARK_LOG
from oppserver.store.sqlite.fingerprints import give_identity
from oppserver.store.sqlite.library import Connection
from oppserver.store.sqlite.read import one_snapshot

_KEPT: Final = frozenset({"opportunity_by_change_number"})
"""Indexes that stay while a store is loaded: new rows append to them, and changes need them."""

_STATEMENTS: Final = tuple(
    statement.strip()
    for statement in files(__package__).joinpath("schema.sql").read_text("utf-8").split(";\n")
    if statement.strip()
)
"""The statements that make the schema of a new file, in order."""

INDEXES: Final = {
    statement.split()[2]: statement
    for statement in sorted(_STATEMENTS)
    if statement.startswith("CREATE INDEX") and statement.split()[4] in ("lead", "opportunity")
}
"""Indexes of the schema that only make reads quick, by name: their statements. Operators may have
added others."""

_INDEXES_THERE: Final = "SELECT name FROM sqlite_schema WHERE type = 'index'"


def create_schema(connection: SqlConnection) -> None:
    """Make the tables of a new file, in the transaction that is open on its connection.

    Twenty times quicker than the migrations, which lead to the same.
    """
    for statement in _STATEMENTS:
        connection.run(statement)
    connection.run("INSERT INTO database_identity (id) VALUES (:id)", id=str(uuid4()))
    connection.run("INSERT INTO alembic_version VALUES (:revision)", revision=migrations.HEAD)


def missing(connection: SqlConnection) -> Mapping[str, str]:
    """The indexes that the file should have and has not: the statement of each by its name."""
    there = _there(connection)
    return {name: sql for name, sql in _wanted(connection).items() if name not in there}


def create_missing(connection: SqlConnection) -> None:
    """Build what is missing; next to nothing when nothing is."""
    statements = missing(connection).values()
    for statement in statements:
        connection.run(statement)
    if statements:
        connection.run(MARK_LOG)  # such a change is not counted by SQLite


def drop_if_empty(connection: SqlConnection) -> None:
    """Drops the indexes of a store without opportunities, but those that cost a load nothing."""
    if not connection.rows("SELECT 1 FROM opportunity LIMIT 1"):
        for name in _wanted(connection).keys() & _there(connection) - _KEPT:
            connection.run(f'DROP INDEX IF EXISTS "{name}"')


def _wanted(connection: SqlConnection) -> Mapping[str, str]:
    added = select_search_indexes(connection)
    return INDEXES | {index.name: create_statement(index) for index in added}


def _there(connection: SqlConnection) -> set[str]:
    return {name for (name,) in connection.rows(_INDEXES_THERE)}


def problems_of(connection: SqlConnection) -> list[str]:
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
        *unformed_values(connection),
    ]


def _damage(connection: SqlConnection) -> list[str]:
    try:
        lines = [line for (line,) in connection.rows("PRAGMA integrity_check")]
    except apsw.CorruptError as error:
        return [str(error)]
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
    with closing(Connection(copy)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        give_identity(connection)


def copy_open(connection: Connection, copy: Path, *, mode: int) -> list[Path]:
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
    except (OSError, apsw.Error) as error:
        raise DatabaseRefused(f"The backup to {copy} failed: {_reason(error)}") from None
    return others


def _reason(error: OSError | apsw.Error) -> str:
    """Describe an error. A step of a backup knows SQLite's code alone; its text is of no error."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, apsw.FullError):
        return "the disk is full"
    if isinstance(error, apsw.IOError):
        return "the disk cannot be read or written"
    return str(error)


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


def _fill(connection: Connection, unfinished: Path) -> None:
    """Copy all pages, of one moment, give the copy its identity, and check it.

    It is copied in steps, so that a signal ends it soon; the transaction keeps the moment, and
    steps that others' writes come between are not begun anew.
    """
    with closing(Connection(unfinished)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # it is flushed once, when it is whole
        with one_snapshot(connection):
            connection.one("SELECT id FROM database_identity")
            with copy.backup("main", connection, "main") as backup:
                while not backup.done:
                    backup.step(SQLITE_BACKUP_STEP_PAGES)
        give_identity(copy)
        (found,) = next(copy.execute("PRAGMA quick_check(1)"))
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
