"""Copies of a SQLite store: backups of one in use, and copies of a closed one for tests.

A backup is made under a temporary name in the folder of its file. It gets the file's name when it
is whole, has its own identity, was checked and is on the disk. So a backup that is killed at any
moment, or that meets a full disk, leaves nothing under that name.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.limits import SQLITE_BACKUP_STEP_PAGES
from oppserver.store.sqlite_library import sqlite3
from oppserver.store.sqlite_read import one_moment
from oppserver.store.sqlite_stamps import give_identity

COMPANIONS: Final = ("-wal", "-shm", "-journal")
"""What SQLite adds to a database's name for the files that it keeps beside it."""

_UNFINISHED: Final = (".oppserver-backup-", ".part")
"""How the name of an unfinished copy begins and ends."""


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
        return others
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise DatabaseRefused(f"The backup to {copy} failed: {reason or error}") from None


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
        with one_moment(connection):
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
