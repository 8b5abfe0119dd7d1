"""The schema of a database file, and files made by this version."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

from oppserver.store import open_store
from oppserver.store.sqlite.library import Connection


def described(path: Path) -> dict[str, Any]:
    """The schema of a file: all that SQLite knows of its tables, columns and indexes."""
    with closing(Connection(path)) as database:

        def rows(statement: str, *parameters: str) -> list[tuple[Any, ...]]:
            return database.execute(statement, parameters).fetchall()

        schema = {}
        for name, kind, columns, without_rowid, strict in rows(
            "SELECT name, type, ncol, wr, strict FROM pragma_table_list WHERE schema = 'main'"
        ):
            if name == "alembic_version" or name.startswith("sqlite_"):
                continue
            indexes = rows('SELECT name, "unique", origin, partial FROM pragma_index_list(?)', name)
            [(sql,)] = rows("SELECT sql FROM sqlite_schema WHERE name = ?", name)
            schema[name] = {
                "table": (kind, columns, without_rowid, strict),
                "columns": rows(
                    'SELECT name, type, "notnull", dflt_value, pk, hidden'
                    " FROM pragma_table_xinfo(?)",
                    name,
                ),
                "generated": re.findall(r"(\w+) \w+ GENERATED ALWAYS AS (.*?),? *\n", sql),
                "indexes": {
                    index: (more, rows("SELECT * FROM pragma_index_xinfo(?)", index))
                    for index, *more in indexes
                },
            }
        return schema


def created(path: Path) -> Path:
    """A new database, as the first open makes it."""
    open_store(f"sqlite:///{path}").close()
    return path


def revision_in(path: Path) -> list[Any]:
    """The version in the file."""
    with closing(Connection(path)) as database:
        return database.execute("SELECT version_num FROM alembic_version").fetchall()
