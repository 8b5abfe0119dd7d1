"""The empty store that every world begins with: made once, kept for the next run."""

import os
import shutil
from contextlib import closing, suppress
from pathlib import Path

import oppserver
from oppserver.contract.errors import DatabaseRefused
from oppserver.store import migrations, open_store


def make_empty(database: Path, *, kept_in: Path | None) -> None:
    """A store with nothing in it, at a path where no file is.

    Making one takes 0.15 s, most of it the import of what migrates. So a copy is kept in a folder,
    where there is one; one that cannot be opened is made anew.
    """
    kept = None if kept_in is None else kept_in / _name()
    if kept is not None and kept.is_file():
        shutil.copyfile(kept, database)
        with suppress(DatabaseRefused):
            _open(database)
            return
        database.unlink()
    _open(database)
    if kept is not None:
        whole = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copyfile(database, whole)
        whole.replace(kept)  # at once: other processes may look for it


def _open(database: Path) -> None:
    """Creates it, or migrates it, or makes sure that it is one."""
    with closing(open_store(f"sqlite:///{database}")) as store:
        store.ping()


def _name() -> str:
    """Another one for each version of what makes it."""
    return f"empty-{oppserver.__version__}-{migrations.HEAD}.db"
