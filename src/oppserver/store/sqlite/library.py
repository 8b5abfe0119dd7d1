"""The SQLite library of this process: the only module that imports one.

The problem: a system drops all locks that a process holds on a file as soon as the process closes
any descriptor of that file (POSIX; sqlite.org/howtocorrupt.html, "Multiple copies of SQLite linked
into the same application"). A SQLite library knows of this and keeps its descriptors open, but
knows only of its own. Two of them in one process therefore undo each other's locks.

The invariant: whatever opens a database file takes the library from here: the store, SQLAlchemy's
engines, migrations, backups, and the tests and benchmarks that look into a file themselves. A
lint rule and an import contract in ``pyproject.toml`` hold it.

The library is ``pysqlite3`` where it is installed, because the SQLite of most Pythons has the
WAL-reset bug; else the standard library's, with a warning when its SQLite lacks the fix
(``docs/decisions/0032``). Both have the same DB-API. Differences that matter: ``pysqlite3`` gives
primary result codes as ``sqlite_errorcode``, the standard library extended ones; it has no
``serialize`` and no ``setlimit``.
"""

from typing import TYPE_CHECKING, Final

from oppserver.contract.limits import SQLITE_FIXED_RELEASES, SQLITE_FIXED_VERSION
from oppserver.contract.model import StoreLibrary

if TYPE_CHECKING:  # pysqlite3 has no types; those of the standard library are the same
    import sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:  # there is no wheel of it for this system
        import sqlite3

__all__ = ["LIBRARY", "has_wal_reset_bug", "sqlite3"]

_Version = tuple[int, ...]


def has_wal_reset_bug(version: _Version) -> bool:
    """Return true when two connections of this SQLite can corrupt a database in WAL mode.

    One commits while another one checkpoints; source: sqlite.org/wal.html#walresetbug.
    """
    is_patched = any(
        version[:2] == patched[:2] and version >= patched for patched in SQLITE_FIXED_RELEASES
    )
    return version < SQLITE_FIXED_VERSION and not is_patched


def describe_library(version: _Version) -> StoreLibrary:
    """Describe a SQLite library, with a warning when it has the WAL-reset bug."""
    text = ".".join(map(str, version))
    warning = (
        f"SQLite {text} has the WAL-reset bug, which can corrupt the database"
        " (sqlite.org/wal.html#walresetbug). Install pysqlite3 0.6.1 or later, or use a Python"
        f" with SQLite {'.'.join(map(str, SQLITE_FIXED_VERSION))} or later."
    )
    return StoreLibrary(
        name=sqlite3.__name__.partition(".")[0],
        version=text,
        warning=warning if has_wal_reset_bug(version) else None,
    )


LIBRARY: Final = describe_library(sqlite3.sqlite_version_info)
"""The library of this process."""
