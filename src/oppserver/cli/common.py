"""What several commands share: the database option and opening the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

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


@contextmanager
def opened_store(database: str | None, *, migrate: bool = True) -> Iterator["Store"]:
    """The store of a command; closed when the command ends."""
    from oppserver.store import StoreOptions, open_store  # noqa: PLC0415 (--help stays quick)

    settings = load_settings({"database": database})
    options = StoreOptions(readers=2, sqlite_mmap_bytes=settings.sqlite_mmap_bytes)
    store = open_store(settings.database, options, migrate=migrate)
    try:
        yield store
    finally:
        store.close()


def now() -> str:
    """This moment in the stored form, UTC."""
    return now_stored(datetime.now(UTC))
