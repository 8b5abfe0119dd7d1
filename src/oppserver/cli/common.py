"""Options, opening the store, printing: shared by several commands."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec
import typer

from oppserver.config import load_settings
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import DatabaseRefused, StoreReplaced
from oppserver.transfer.outputs import Place, leftovers_of, place_of, refuse_inputs

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from oppserver.store.port import Store

Database: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The store. [env: OPPSERVER_DATABASE; default: sqlite:///oppserver.db]",
        show_default=False,
    ),
]

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

INTERRUPTED_STATUS: Final = 130
"""The exit status after Ctrl-C: 128 and the number of the signal."""

_SQLITE: Final = "sqlite:///"

_STORE_SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""Endings that SQLite adds to the name of a store. Source: sqlite.org/tempfiles.html."""

_LEFTOVERS_SHOWN_MAX: Final = 5


@contextmanager
def opened_store(
    database: str | None, *, migrate: bool = True, read_databases: Sequence[str] | None = None
) -> Iterator["Store"]:
    """The store of a command; closed when the command ends.

    Standbys are read by those commands that name some, or none for those of the environment.
    """
    from oppserver.store import StoreOptions, open_store  # noqa: PLC0415 (--help stays quick)

    read = None if read_databases is None else " ".join(read_databases) or None
    settings = load_settings({"database": database, "read_database": read})
    options = StoreOptions(
        readers=2,
        sqlite_mmap_bytes=settings.sqlite_mmap_bytes,
        read_urls=() if read_databases is None else settings.read_database or (),
    )
    store = open_store(settings.database, options, migrate=migrate)
    try:
        yield store
    except StoreReplaced as error:
        raise DatabaseRefused(
            f"{error.where} while this command used it, and what the command wrote last may be"
            " lost. Put the database in order, and run the command again."
        ) from None
    finally:
        store.close()


def store_file(database: str) -> Path | None:
    """The file of a store, where it is one."""
    if not database.startswith(_SQLITE):
        return None
    return Path(database.removeprefix(_SQLITE).partition("?")[0])


def store_files(database: str | None) -> list[Path]:
    """The files of a command's store, where it has some."""
    file = store_file(load_settings({"database": database}).database)
    return [] if file is None else [Path(f"{file}{suffix}") for suffix in _STORE_SUFFIXES]


def check_output(path: Path, *, option: str, others: Sequence[Path]) -> Place:
    """Looks where an output leads before a command begins, and reports what killed runs have left.

    Raises InvalidInput when it is one of ``others``, InvalidFile when it cannot be written.
    """
    refuse_inputs(path, option=option, others=others)
    place = place_of(path)
    if left := leftovers_of(place):
        shown = ", ".join(map(str, left[:_LEFTOVERS_SHOWN_MAX]))
        more = len(left) - _LEFTOVERS_SHOWN_MAX
        typer.echo(
            f"oppserver: runs that were killed have left unfinished files of {path}: {shown}"
            f"{f' and {more} more' if more > 0 else ''}. Nothing reads them; remove them.",
            err=True,
        )
    return place


@contextmanager
def progress_bar(
    what: str,
    *columns: "ProgressColumn",
    total: int | None,
    speed_period_s: float = 30.0,
    **fields: Any,
) -> Iterator[Callable[..., None]]:
    """A bar on stderr where that is a terminal, with columns behind it; elsewhere nothing.

    Yields the function that moves it, from any thread: ``completed=``, ``total=``, and the fields
    that columns show.
    """
    from rich import progress  # noqa: PLC0415 (--help stays quick)
    from rich.console import Console  # noqa: PLC0415 (as above)

    shown = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        *columns,
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
        speed_estimate_period=speed_period_s,
    )
    with shown:
        yield partial(shown.update, shown.add_task(what, total=total, **fields))


def now() -> str:
    """The present moment in the stored form, UTC."""
    return now_stored(datetime.now(UTC))


def print_json(value: object) -> None:
    """One JSON value on stdout."""
    typer.echo(msgspec.json.encode(value).decode())


def print_table(rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """Rows as aligned columns on stdout, tab-free, so that a pipe can cut and grep them."""
    if not rows:
        typer.echo(empty, err=True)
        return
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return str(value)
