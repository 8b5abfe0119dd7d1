"""What several commands share: their options, opening the store, printing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
import typer

from oppserver.config import load_settings
from oppserver.contract.dates import now_stored

if TYPE_CHECKING:
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
    finally:
        store.close()


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
