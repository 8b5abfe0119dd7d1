"""PostgreSQL databases of every version become this one's, whole or not at all."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic import command
from sqlalchemy import Connection, NullPool, create_engine

from oppserver.store import migrations, open_store
from oppserver.store.migrations import tables
from oppserver.store.postgres import migrate as postgres_migrate
from tests.migration import test_migrations as sqlite
from tests.support import postgres

next_version = sqlite.next_version


@pytest.fixture
def url() -> str:
    """A new database with nothing in it."""
    return postgres.shared().empty_database()


def rows(url: str, statement: str) -> list[Any]:
    """The rows that another program reads."""
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def described(url: str) -> tuple[list[Any], list[Any]]:
    """The columns of our tables with all that is known of them, and the indexes."""
    columns = rows(
        url,
        "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default,"
        " collation_name, generation_expression, is_identity FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
    )
    indexes = rows(
        url, "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 2"
    )
    ours = tables.metadata.tables
    return [row for row in columns if row[0] in ours], [row for row in indexes if row[0] in ours]


def with_connection(url: str, work: Any) -> None:
    """Work of SQLAlchemy in one transaction."""
    address = url.replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(address, poolclass=NullPool)
    with engine.begin() as connection:
        work(connection)


def at_revision(url: str, revision: str) -> None:
    """A database as the version of a revision has left it, with data in every table."""

    def upgrade(connection: Connection) -> None:
        config = migrations.alembic_config()
        config.attributes["context"] = {"connection": connection}
        command.upgrade(config, revision)
        sample = sqlite.SAMPLES[revision].replace(sqlite.BLOB, "'\\x7b7d'")
        connection.exec_driver_sql(postgres_migrate._CREATE)
        connection.exec_driver_sql(sample)

    with_connection(url, upgrade)


def test_a_migrated_database_is_the_one_schema(url: str) -> None:
    """The migrations lead to exactly what ``tables.py`` describes."""
    with_connection(url, tables.metadata.create_all)
    columns, indexes = described(url)
    assert {row[0] for row in columns} == set(tables.metadata.tables)
    assert any("hash" in definition for _, definition in indexes)
    other = postgres.shared().empty_database()
    open_store(other).close()
    assert described(other) == (columns, indexes)


@pytest.mark.parametrize("revision", migrations.REVISIONS)
def test_data_of_every_version_is_there_after_the_upgrade(revision: str, url: str) -> None:
    """Values, dates, keys, types, fields and tombstones; the schema is that of a new database."""
    at_revision(url, revision)
    store = open_store(url)
    for index in store.search_indexes():
        assert store.drop_search_index(index.name)
    store.close()
    assert described(url) == described(postgres.shared().migrated_database())
    sqlite.is_whole(url)


def test_an_upgrade_that_fails_changes_nothing(next_version: Path, url: str) -> None:
    """The work of the failing script is undone; the next try is not kept out."""
    at_revision(url, sqlite.THIS)
    before = described(url)
    script = next_version.read_text()
    next_version.write_text(script.replace("pass", "raise RuntimeError('no')"))
    with pytest.raises(RuntimeError, match="no"):
        open_store(url)
    assert described(url) == before
    assert rows(url, "SELECT version_num FROM alembic_version") == [(sqlite.THIS,)]
    next_version.write_text(script)
    open_store(url).close()
    assert rows(url, "SELECT version_num FROM alembic_version") == [("next",)]
    assert rows(url, "SELECT DISTINCT note = 'of ' || id FROM lead") == [(True,)]
