"""Opening a store: the only place that knows the engines."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from oppserver.contract.errors import DatabaseRefused, InvalidDatabaseUrl
from oppserver.store.port import Store, StoreOptions

_EXPECTED: Final = (
    "sqlite:///FILE, for example sqlite:///oppserver.db, or postgresql://USER@HOST/DATABASE"
)

__all__ = ["Store", "StoreOptions", "distribution_script", "open_store"]


def open_store(url: str, options: StoreOptions | None = None, *, migrate: bool = True) -> Store:
    """The store at a URL: ``sqlite:///relative.db``, ``postgresql://user@host/database``.

    Creates and migrates it, unless ``migrate`` is false; then a store that is missing or not of
    this version is refused. Raises InvalidDatabaseUrl or DatabaseRefused.
    """
    scheme, separator, _ = url.partition("://")
    if scheme == "sqlite":
        if options is not None and options.read_urls:
            raise DatabaseRefused(
                "--read-database goes with PostgreSQL only. An SQLite database is one file, which"
                " every process reads."
            )
        from oppserver.store.sqlite.engine import SqliteStore  # noqa: PLC0415 (an engine loads when asked)

        return SqliteStore.open(url, options or StoreOptions(), migrate=migrate)
    if scheme in ("postgresql", "postgres"):
        with _driver_wanted():
            from oppserver.store.postgres.engine import PostgresStore  # noqa: PLC0415 (as above)
        return PostgresStore.open(url, options or StoreOptions(), migrate=migrate)
    # nothing but a scheme is repeated: what is no URL may have a password anywhere
    is_url = bool(separator) and scheme.isascii() and scheme.replace("+", "").isalnum()
    wrong = (
        f"No engine for the database URL scheme '{scheme}'" if is_url else "The database is no URL"
    )
    raise InvalidDatabaseUrl(f"{wrong}. Expected {_EXPECTED}")


def distribution_script(url: str, *, shards: int) -> list[str]:
    """The SQL of ``Store.distribute``, statement by statement. Needs no server and no driver.

    Raises DatabaseRefused for a database that is not on PostgreSQL.
    """
    if url.partition("://")[0] not in ("postgresql", "postgres"):
        raise DatabaseRefused(
            "'db distribute' is for a database on PostgreSQL with Citus: --database postgresql://..."
        )
    from oppserver.store.postgres.citus import layout as postgres_layout  # noqa: PLC0415 (an engine loads when asked)

    return postgres_layout.script(shards)


@contextmanager
def _driver_wanted() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise DatabaseRefused(
            "PostgreSQL's driver is not installed: pip install 'psycopg[binary]'"
        ) from None
