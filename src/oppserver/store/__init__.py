"""Opening a store: the only place that knows the engines by name."""

from oppserver.contract.errors import InvalidDatabaseUrl
from oppserver.store.port import Store, StoreOptions

__all__ = ["Store", "StoreOptions", "open_store"]


def open_store(url: str, options: StoreOptions | None = None, *, migrate: bool = True) -> Store:
    """The store at a URL: ``sqlite:///relative.db`` or ``sqlite:////absolute.db``.

    Creates and migrates it, unless ``migrate`` is false; then a store that is missing or not of
    this version is refused. Raises InvalidDatabaseUrl or DatabaseRefused.
    """
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        from oppserver.store.sqlite import SqliteStore  # noqa: PLC0415 (an engine loads when asked)

        return SqliteStore.open(url, options or StoreOptions(), migrate=migrate)
    raise InvalidDatabaseUrl(
        f"No engine for the database URL scheme '{scheme}'. Expected sqlite:///FILE, for example"
        " sqlite:///oppserver.db"
    )
