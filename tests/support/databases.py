"""The database of a folder: a file in it, or one on the PostgreSQL server of the tests.

A test names a folder, wherever its data is. A module runs on more engines than SQLite by saying
so::

    ENGINES = ["sqlite", "postgres"]
"""

from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, text

from oppserver.store.sqlite.library import Connection
from tests.support import postgres

_ELSEWHERE: dict[Path, str] = {}
"""The databases that are not in their folder. Owner: ``kept_in``, for as long as the tests run."""


def kept_in(folder: Path, engine: str) -> Path:
    """The folder, whose database is of an engine from now on."""
    if engine == "postgres":
        _ELSEWHERE[folder] = postgres.shared().migrated_database(is_kept=True)
    return folder


def database_of(folder: Path) -> str:
    """The URL of a folder's database."""
    return _ELSEWHERE.get(folder, f"sqlite:///{folder}/oppserver.db")


def environment_of(folder: Path) -> dict[str, str]:
    """The variable that names a folder's database to a command."""
    return {"OPPSERVER_DATABASE": _ELSEWHERE[folder]} if folder in _ELSEWHERE else {}


def execute(folder: Path, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """Run a statement of another program in a folder's database; return its rows."""
    url = database_of(folder)
    if url.startswith("sqlite"):
        with closing(Connection(Path(url.removeprefix("sqlite:///")))) as database:
            return database.execute(statement, values).fetchall()
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool
    )
    with engine.begin() as connection:
        done = connection.execute(text(statement), values)
        return [tuple(row) for row in done] if done.returns_rows else []
