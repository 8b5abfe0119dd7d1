"""The files of a SQLite database: a store uses those that it has opened, and no others.

**The problem.** A database is three files: ``s.db``, its log ``s.db-wal`` and the log's index
``s.db-shm``. SQLite opens them once. When somebody removes or replaces one of them, SQLite goes on
with the old ones, which have no name any more: what is written there is lost when the process
ends. And a log that lies beside another database is applied to that database without a word.

**The invariant.** A write is acknowledged, and a read answered, only while all three paths lead to
the files that are open, and the file holds the database that the log is of.

**Why it holds.**

- Device and inode tell a file. An inode is not given to a new file while somebody has it open, and
  one connection, the anchor, has all three open as long as the store does. While it does, no other
  process can be the last to close the database, so SQLite removes no log by itself.
- A write looks right before its commit, and again before it is acknowledged. So what is
  acknowledged was committed to files that still had their names.
- A file that was copied over keeps its inode. So when its size or time has changed, as checkpoints
  do too, the identity in the file is held against the identity that the anchor reads.
- Each write writes the identity once more, so every log says which database it is of. A log that
  is found at the start is opened only when it says the same as the file beside it.
- The last connection that is closed copies the log into the file and removes it by its *path*. So
  when other files have the paths, the anchor is never closed: the process ends with it.

**What breaks it.** A file that is damaged in its middle is noticed after seconds only: while a
checkpoint writes the right file, it looks the same. A raw copy of the file has the identity of the
original. Copied over the original, or given its log, it is taken for it. ``oppserver db backup``
makes no such copy.
"""

import ctypes
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import apsw

from oppserver.contract.errors import DatabaseRefused, StoreReplaced
from oppserver.contract.limits import SQLITE_FILES_LOOK_S
from oppserver.store.sqlite.library import Connection

MARK_LOG: Final = "UPDATE database_identity SET rowid = rowid % 2 + 1"
"""Writes the identity once more, so that the log has it. The number of its row changes, because
SQLite writes no page that stays as it was."""

_LOG_HEADER_BYTES: Final = 32
"""Source: sqlite.org/fileformat2.html, 4.1. A log that is no longer holds nothing."""

_TRIES: Final = 3

_PAUSE_S: Final = 0.02
"""A page that is read while a checkpoint writes it may be torn, so it is read again."""

_CHECKPOINT_S: Final = 5.0
"""Seconds for which a file may be unreadable. Chosen: above the longest checkpoint of a load."""

_OTHER: Final = (apsw.NotADBError, apsw.SQLError)
"""SQLite's errors for another file: no database, or no such table, as in one without a byte."""

_FileId = tuple[int, int]

_C = TypeVar("_C", bound=Connection)


class DatabaseFiles:
    """The three files that a store has open. Owner of the anchor, which is closed last.

    Before ``hold`` only the database's own file is known.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path.absolute()
        self._log, self._index = _companions(path)
        self._known: Final[dict[Path, _FileId]] = {}
        self._anchor: Connection | None = None
        self._lock: Final = threading.Lock()  # of the anchor
        self._verified: tuple[int, int] | None = None  # size and time of the file
        self._unreadable_since: float | None = None
        self._looked_at = float("-inf")

    def connect(self, open_connection: Callable[[], _C]) -> _C:
        """Open a connection to the same file as the other connections. Raises StoreReplaced."""
        for _ in range(_TRIES):
            before = _file_id(self.path)
            if before != self._known.get(self.path, before):
                break
            connection = open_connection()
            after = _file_id(self.path)
            if after is not None and before in (None, after):  # None: SQLite has created it
                self._known[self.path] = after
                return connection
            _never_close(connection)
        raise _replaced(self.path, _stat(self.path))

    def size_bytes(self) -> int:
        """The bytes of the database and its log."""
        found = (_stat(path) for path in (self.path, self._log))
        return sum(one.st_size for one in found if one is not None)

    def hold(self, anchor: Connection) -> None:
        """Take the anchor, and remember the files that are open from now on."""
        anchor.execute("PRAGMA mmap_size=0")  # it remembers the identity, whatever the file says
        _read_identity(anchor)  # opens the log and its index
        self._anchor = anchor
        (mode,) = anchor.one("PRAGMA journal_mode")
        for companion in (self._log, self._index) if mode == "wal" else ():
            found = _file_id(companion)
            if found is None:
                raise _replaced(companion, None)
            self._known[companion] = found
        self.check()

    def check(self, *, is_written: bool = False) -> None:
        """Raise StoreReplaced unless all paths lead to the files that are open.

        ``is_written``: a commit was made already, so that its outcome is not known.
        """
        try:
            self._check()
        except StoreReplaced as error:
            # the cause is for the log; what strangers get names no path
            raise StoreReplaced(error.where, is_written=is_written) from OSError(error.where)
        self._looked_at = time.monotonic()

    def _check(self) -> None:
        for path, known in self._known.items():
            found = _stat(path)
            if found is None or _id_of(found) != known:
                raise _replaced(path, found)
            if path == self.path and (found.st_size, found.st_mtime_ns) != self._verified:
                self._verify(found)

    def check_lately(self) -> None:
        """Check, unless that was done a moment ago; what reads do."""
        if time.monotonic() - self._looked_at > SQLITE_FILES_LOOK_S:
            self.check()

    def close(self) -> None:
        """Close the anchor, the last connection, unless other files have the paths."""
        anchor, self._anchor = self._anchor, None
        if anchor is None:
            return
        if self._are_others_there():
            _never_close(anchor)
        else:
            anchor.close()

    # --- inside

    def _verify(self, found: os.stat_result) -> None:
        """Raise StoreReplaced unless the file holds the database that the anchor reads."""
        if self._anchor is None:
            return
        for turn in range(_TRIES):
            time.sleep(_PAUSE_S if turn else 0)
            identity = self._identity_of_anchor()
            in_file = _identity_in_file(self.path)
            if in_file == identity or (not in_file and self._may_be_in_the_log(found)):
                self._verified = found.st_size, found.st_mtime_ns
                self._unreadable_since = None
                return
            if in_file is None and self._is_under_a_checkpoint():
                return  # not verified: the next check looks again
        raise self._written_over()

    def _identity_of_anchor(self) -> str:
        """Return the identity of what is open. Raises StoreReplaced when it cannot be read."""
        assert self._anchor is not None
        try:
            with self._lock:
                return _read_identity(self._anchor)
        except (*_OTHER, apsw.CorruptError):
            raise self._written_over() from None  # others: it was held up, or the disk failed

    def _written_over(self) -> StoreReplaced:
        return StoreReplaced(f"{self.path} was written over with something else")

    def _may_be_in_the_log(self, found: os.stat_result) -> bool:
        """Return true when the file may not hold the identity yet: all writes are in the log."""
        return self._verified is None and found.st_size > 0

    def _is_under_a_checkpoint(self) -> bool:
        """Return true while the file may be unreadable because a checkpoint writes its pages.

        A checkpoint writes the first page first: until its last page the file does not fit its
        header, and cannot be read without the log.
        """
        now = time.monotonic()
        since = self._unreadable_since = self._unreadable_since or now
        return now - since < _CHECKPOINT_S

    def _are_others_there(self) -> bool:
        found = {path: _file_id(path) for path in self._known}
        if any(found[path] not in (None, known) for path, known in self._known.items()):
            return True
        try:
            self._verified = None
            self.check()
        except (StoreReplaced, apsw.Error):
            return all(found.values())  # copied over; where one is missing, nobody took its place
        return False


def bring_log_into_file(writer: Connection) -> None:
    """Write what a new database has in its log into the file, so that the file says whose it is.

    Where others read, it is left to a later checkpoint.
    """
    writer.one("PRAGMA wal_checkpoint(TRUNCATE)")


def refuse_foreign_log(path: Path) -> None:
    """Raise DatabaseRefused when a log lies at the path that is of no database, or of another."""
    left = [one for one in _companions(path) if os.path.lexists(one)]
    database = _stat(path)  # later than the log, which is made later than the database
    if left and (database is None or database.st_size == 0):
        what = "There is no database at" if database is None else "There is nothing in"
        raise DatabaseRefused(
            f"{what} {path}, but {left[0]} is there and may hold what a database lacks that was"
            f" here. Put that database back, or move {_listed(left)} away."
        )
    log, _ = _companions(path)
    found = _stat(log)
    if found is not None and found.st_size > _LOG_HEADER_BYTES and not _is_log_of(path):
        raise DatabaseRefused(
            f"{log} is damaged, or the log of another database than {path}, which it would damage."
            f" Put the database back that it is of, or move {_listed(left)} away."
        )


def _is_log_of(path: Path) -> bool:
    """Tell whether a database and the log beside it have one identity, as far as both have one.

    Read by a connection that cannot write, because a usual one would apply the log to the file
    when it is closed.
    """
    in_file = _identity_in_file(path)
    if not in_file:
        return True  # all in the log, or the log is another database's: opening shows it
    try:
        return _identity_at(f"{_uri(path)}?mode=ro") == in_file
    except (*_OTHER, apsw.CorruptError):
        return False
    except apsw.Error:
        return True


def _identity_in_file(path: Path) -> str | None:
    """Return the identity that a file holds without its log.

    Empty when the file is another database or none; None when it cannot be read, as it is while a
    checkpoint writes its pages.
    """
    try:
        return _identity_at(f"{_uri(path)}?mode=ro&immutable=1")
    except _OTHER:
        return ""
    except apsw.Error:
        return None


def _identity_at(uri: str) -> str:
    with closing(Connection(uri)) as connection:
        return _read_identity(connection)


def _read_identity(connection: Connection) -> str:
    # as bytes, which a damaged file may have of any kind
    row = connection.execute("SELECT CAST(id AS BLOB) FROM database_identity").fetchone()
    return row[0].decode(errors="replace") if row else ""


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.resolve()))}"


def _companions(path: Path) -> tuple[Path, Path]:
    """Return the log and its index; SQLite has them beside the file that a link leads to."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal"), real.with_name(f"{real.name}-shm")


def _stat(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 (half the price of Path.stat, and asked often)
    except OSError:
        return None


def _file_id(path: Path) -> _FileId | None:
    found = _stat(path)
    return None if found is None else _id_of(found)


def _id_of(found: os.stat_result) -> _FileId:
    return found.st_dev, found.st_ino


def _replaced(path: Path, found: object) -> StoreReplaced:
    return StoreReplaced(f"{path} was {'removed' if found is None else 'replaced by another file'}")


def _listed(paths: list[Path]) -> str:
    return " and ".join(map(str, paths))


def _never_close(connection: Connection) -> None:
    """Keep a connection until the process ends: its end would remove the log of others."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
