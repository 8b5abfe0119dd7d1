"""The SQLite library of this process: the only module that opens a database file.

The problem: a system drops all locks that a process holds on a file as soon as the process closes
any descriptor of that file (POSIX; sqlite.org/howtocorrupt.html, "Multiple copies of SQLite linked
into the same application"). A SQLite library knows of this and keeps its descriptors open, but
knows only of its own. Two of them in one process therefore undo each other's locks.

The invariant: whatever opens a database file does it by a ``Connection`` of this module: the
store, migrations, backups, and the tests and benchmarks that look into a file themselves. A lint
rule and an import contract in ``pyproject.toml`` hold it.

The library is ``apsw`` on every system (``docs/decisions/0032``). It is SQLite's own interface: a
statement that runs outside of ``BEGIN`` is a transaction of its own, and ``apsw.Error.result`` is
SQLite's code. A package of ``apsw`` that a system or a user has built may use an older SQLite with
the WAL-reset bug, so its version is looked at.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import apsw

from oppserver.contract.limits import SQLITE_FIXED_RELEASES, SQLITE_FIXED_VERSION
from oppserver.contract.model import StoreLibrary
from oppserver.store.port import BUSY_TIMEOUT_S

_MAY_CREATE: Final = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE

_Version = tuple[int, ...]


class Connection(apsw.Connection):
    """A connection to a database, for one thread at a time."""

    def __init__(self, name: Path | str, *, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Open the file at a path, or what SQLite makes of a text: a URI, or ``:memory:``.

        ``timeout_s``: seconds to wait for the locks of others. Raises apsw.Error.
        """
        is_file = isinstance(name, Path)
        super().__init__(
            str(name), flags=_MAY_CREATE if is_file else _MAY_CREATE | apsw.SQLITE_OPEN_URI
        )
        self.set_busy_timeout(int(timeout_s * 1_000))
        # one plan for each statement, whatever its values; else SQLite 3.54 plans most statements
        # anew on every call (measured: a read of one id takes 16 µs without, 4 with it)
        self.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)

    def one(self, statement: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
        """Return the row of a statement that has one row, as aggregates and pragmas have."""
        [row] = self.execute(statement, cast("Sequence[Any]", parameters))
        return cast("tuple[Any, ...]", row)

    def rollback(self) -> None:
        """End the transaction without its changes; nothing where SQLite has ended it already."""
        if self.in_transaction:
            self.execute("ROLLBACK")


def has_wal_reset_bug(version: _Version) -> bool:
    """Return true when two connections of this SQLite can corrupt a database in WAL mode.

    One commits while another one checkpoints; source: sqlite.org/wal.html#walresetbug.
    """
    is_patched = any(
        version[:2] == patched[:2] and version >= patched for patched in SQLITE_FIXED_RELEASES
    )
    return version < SQLITE_FIXED_VERSION and not is_patched


def describe_library(version: str) -> StoreLibrary:
    """Describe the library and its SQLite's version, with a warning of the WAL-reset bug."""
    warning = (
        f"SQLite {version} has the WAL-reset bug, which can corrupt the database"
        " (sqlite.org/wal.html#walresetbug). Install apsw from PyPI, which brings a SQLite of its"
        " own, in place of the one that is here."
    )
    has_bug = has_wal_reset_bug(tuple(map(int, version.split("."))))
    return StoreLibrary(name=apsw.__name__, version=version, warning=warning if has_bug else None)


LIBRARY: Final = describe_library(apsw.sqlite_lib_version())
"""The library of this process."""
