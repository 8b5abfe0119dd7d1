"""Copies of a SQLite store: backups of one in use, and copies of a closed one for tests."""

import shutil
from contextlib import closing, suppress
from pathlib import Path

from oppserver.contract.errors import DatabaseRefused
from oppserver.store.sqlite_library import sqlite3
from oppserver.store.sqlite_stamps import give_identity


def copy_closed(closed: Path, copy: Path) -> None:
    """A store of its own with what is in one that is closed; it is whole, not yet durable.

    A tenth of the price of a backup, which may be made while the store is in use and survives the
    loss of power.
    """
    shutil.copyfile(closed, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        give_identity(connection)


def copy_open(connection: sqlite3.Connection, copy: Path) -> None:
    """A durable store of its own with what is in one at this moment, while others use it.

    Raises DatabaseRefused; then there is no file that was not there before.
    """
    if copy.exists():
        raise DatabaseRefused(f"{copy} exists already; a backup does not overwrite a file")
    try:
        with closing(sqlite3.connect(copy)) as target:
            connection.backup(target)
            give_identity(target)
    except BaseException as error:
        with suppress(OSError):  # there may be no such folder
            copy.unlink()
        if isinstance(error, sqlite3.Error):
            raise DatabaseRefused(f"The backup to {copy} failed: {error}") from None
        raise
