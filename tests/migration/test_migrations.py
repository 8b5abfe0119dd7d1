"""Databases of every version become this one's, whole or not at all; newer ones are left alone."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_mock_engine
from sqlalchemy.schema import ExecutableDDLElement

from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.model import DataType, Field, OpportunityType, Role, StoredOpportunity
from oppserver.store import migrations, open_store, schema
from oppserver.store.migrations import tables
from oppserver.store.queries import ChangeNumbers
from oppserver.store.sqlite.connection import set_up_file
from oppserver.store.sqlite.library import Connection
from tests.support import stores
from tests.support.schemas import created, described, revision_in
from tests.support.stores import LATER, NOW, everything, guid, lead, opportunity, owner

# --- what a schema is --------------------------------------------------------------------------


def test_a_new_database_is_the_one_schema(tmp_path: Path) -> None:
    """``schema.sql`` makes exactly what ``tables.py`` describes."""
    with closing(Connection(tmp_path / "fresh.db")) as database:

        def execute(element: ExecutableDDLElement, *_: Any) -> None:
            database.execute(str(element.compile(dialect=engine.dialect)))

        engine = create_mock_engine("sqlite://", execute)
        tables.metadata.create_all(engine, checkfirst=False)
    fresh = described(tmp_path / "fresh.db")
    assert set(fresh) == set(tables.metadata.tables)
    assert len(fresh["opportunity"]["generated"]) == 2
    assert fresh["opportunity"]["indexes"]
    assert described(created(tmp_path / "new.db")) == fresh


def test_the_migrations_lead_to_a_new_database(tmp_path: Path) -> None:
    """From an empty file on they make the same tables, with the same rows, as ``schema.sql``."""
    path = at_revision(tmp_path / "migrated.db", migrations.HEAD, rows="")
    new = created(tmp_path / "new.db")
    assert described(path) == described(new)
    assert rows_of(path) == rows_of(new)


def rows_of(path: Path) -> dict[str, list[Any]]:
    """The rows of every table; the identity, which is random, by its form alone."""
    with closing(Connection(path)) as database:
        named = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        found: dict[str, list[Any]] = {
            name: database.execute(f'SELECT * FROM "{name}"').fetchall()
            for name in sorted(name for (name,) in named)
        }
    [(identity,)] = found.pop("database_identity")
    assert UUID(identity).version == 4
    return found


def test_the_names_of_the_schema_are_those_of_the_tables() -> None:
    """Statements are built from names that no database has to be asked for."""
    columns = tables.opportunity.columns
    assert [one.name for one in columns if one.computed is None] == list(schema.OPPORTUNITY_WRITTEN)
    assert {one.name for one in columns} == schema.OPPORTUNITY_COLUMNS
    required = [one.name for one in columns if not one.nullable]
    assert required == list(schema.OPPORTUNITY_REQUIRED)
    assert [one.name for one in tables.lead.columns] == list(schema.LEAD_COLUMNS)


def test_the_revisions_are_the_scripts_in_one_line() -> None:
    """Every script is named in REVISIONS, each builds on the one before, and HEAD is the last."""
    scripts = ScriptDirectory.from_config(migrations.alembic_config())
    in_order = list(scripts.walk_revisions())[::-1]
    assert tuple(script.revision for script in in_order) == migrations.REVISIONS
    before = [script.down_revision for script in in_order]
    assert before == [None, *migrations.REVISIONS[:-1]]
    assert scripts.get_heads() == [migrations.HEAD]


# --- from every version to this one ------------------------------------------------------------

BLOB = "x'7b7d'"

SAMPLES = {
    "0001": f"""
        INSERT INTO "user" (id, email, is_active) VALUES
            ('{owner(1)}', 'owner@example.com', true), ('{owner(2)}', NULL, false),
            ('{guid(1, kind=3)}', 'key@example.com', true);
        INSERT INTO api_key VALUES
            ('access', '{"0" * 64}', '{guid(1, kind=3)}', 'user', '{NOW}', NULL);
        INSERT INTO lead (id, email) VALUES ('{lead(1)}', 'lead@example.com'), ('{lead(2)}', NULL);
        INSERT INTO opportunity_type (event_code, name) VALUES (12000, 'Home loan');
        INSERT INTO field (event_code, schema_name, display_name, data_type, is_mandatory,
            sequence, options) VALUES
            (12000, 'mx_Custom_7', 'Size', 'Number', true, 3, '["a","b"]');
        UPDATE catalogue_version SET version = 5;
        INSERT INTO opportunity (id, event_code, version, lead_id, lead_email, owner_id, status,
            created_on, modified_on, created_by, modified_by, mx_custom_7, mx_custom_250, note)
        VALUES
            ('{guid(1)}', 12000, 3, '{lead(1)}', 'lead@example.com', '{owner(1)}', 'Open',
             '{NOW}', '{LATER}', 'c', 'm', '7', 'last', 'note'),
            ('{guid(2)}', 12000, 1, '{lead(2)}', NULL, NULL, NULL,
             '{NOW}', '{NOW}', NULL, NULL, NULL, NULL, NULL);
        INSERT INTO deleted_opportunity (id, event_code, version, deleted_on, deleted_by) VALUES
            ('{guid(3)}', 12000, 2, '{NOW}', NULL);
    """
}
SAMPLES["0002"] = f"""
    {SAMPLES["0001"]}
    INSERT INTO activity_type VALUES (201, 'Phone call');
    INSERT INTO activity VALUES
        ('{guid(1, kind=4)}', 201, '{lead(1)}', '{guid(1)}', 'note', '{owner(1)}', 'c',
         '{NOW}', '{LATER}', '{{"mx_Custom_1":"x"}}');
    INSERT INTO kept_answer VALUES ('key', 'request', {BLOB}, '{NOW}');
    INSERT INTO search_index VALUES ('search_status', '["status"]');
    CREATE INDEX search_status ON opportunity (event_code, status, modified_on, id);
"""
SAMPLES["0003"] = SAMPLES["0002"]  # the row of the new table comes with the script
SAMPLES["0004"] = f"""
    {SAMPLES["0003"]}
    UPDATE opportunity SET change_number = CASE WHEN id = '{guid(2)}' THEN 1 ELSE 2 END;
    UPDATE deleted_opportunity SET change_number = 3;
    UPDATE change_counter SET last_number = 3;
"""
SAMPLES["0005"] = SAMPLES["0004"]  # a column that no field has a value in
SAMPLES["0006"] = SAMPLES["0005"]  # indexes alone
SAMPLES["0007"] = SAMPLES["0006"].replace(
    "INSERT INTO activity_type VALUES", "INSERT INTO activity_type (event_code, name) VALUES"
)
"""For each revision, rows in all its tables that mean the same. A new revision needs its own.

The SQL is of every engine, but for ``BLOB``.
"""

HELD = [
    StoredOpportunity(
        id=guid(1),
        event_code=12_000,
        lead_id=lead(1),
        lead_email="lead@example.com",
        owner_id=owner(1),
        owner_email="owner@example.com",
        status="Open",
        note="note",
        created_on=NOW,
        modified_on=LATER,
        created_by="c",
        modified_by="m",
        slots={"mx_custom_7": "7", "mx_custom_250": "last"},
    ),
    StoredOpportunity(
        id=guid(2), event_code=12_000, lead_id=lead(2), created_on=NOW, modified_on=NOW
    ),
]
"""The opportunities of each sample."""


def at_revision(path: Path, revision: str, rows: str | None = None) -> Path:
    """A database as the version of a revision has left it, with rows; by default in every table."""
    with closing(Connection(path)) as database:
        migrations.upgrade_by_text(database.execute, "sqlite", None, to=revision)
        set_up_file(database)
        database.execute(SAMPLES[revision] if rows is None else rows)
    return path


def is_whole(url: str) -> None:
    """The database has all that the samples hold, and takes more."""
    store = open_store(url)
    assert everything(store) == HELD
    assert stores.value(store, 1, "ModifiedOn") == "3/1/2024 12:00:00 AM"
    assert stores.value(store, 1, "CreatedOn") == "2/29/2024 1:05:09 PM"
    key = store.key("access")
    assert key is not None
    assert (key.email, key.role, key.user_is_active) == ("key@example.com", Role.USER, True)
    catalogue = store.catalogue()
    assert catalogue.version >= 5
    assert catalogue.types == {12_000: OpportunityType(event_code=12_000, name="Home loan")}
    assert catalogue.fields[12_000]["mx_Custom_7"] == Field(
        event_code=12_000,
        schema_name="mx_Custom_7",
        display_name="Size",
        data_type=DataType.NUMBER,
        is_mandatory=True,
        sequence=3,
        options=("a", "b"),
    )
    changed = [(guid(2), 1, None), (guid(1), 2, None), (guid(3), 3, NOW)]
    assert [(one.id, one.number, one.deleted_on) for one in stores.changes(store)] == changed
    assert store.change_numbers() == ChangeNumbers(last=3, addresses=0)
    assert store.check() == []
    written = store.write_opportunities([opportunity(1), opportunity(3)], now=NOW)
    assert (written.created, written.replaced) == (1, 1)
    assert store.check() == []
    store.close()


@pytest.mark.parametrize("revision", migrations.REVISIONS)
def test_data_of_every_version_is_there_after_the_upgrade(revision: str, tmp_path: Path) -> None:
    """Values, dates, keys, types, fields and tombstones; the schema is that of a new database."""
    path = at_revision(tmp_path / "old.db", revision)
    store = open_store(f"sqlite:///{path}")
    for index in store.search_indexes():
        assert store.drop_search_index(index.name)
    store.close()
    new = created(tmp_path / "new.db")
    assert described(path) == described(new)
    is_whole(f"sqlite:///{path}")


# --- the next version, which is not written yet ------------------------------------------------

THIS = migrations.HEAD

NEXT = '''"""The next version: a column more, and what is in it."""

import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("lead", sa.Column("note", sa.Text))
    op.execute("UPDATE lead SET note = 'of ' || id")
    {last}
'''


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program as its next version would be: one script more. The value is its file."""
    copied = tmp_path / "migrations"
    shutil.copytree(Path(migrations.__file__).parent, copied)
    script = copied / "versions" / "next.py"
    script.write_text(NEXT.format(head=THIS, last="pass"))

    def config() -> Config:
        made = Config()
        made.set_main_option("script_location", str(copied))
        made.set_main_option("path_separator", "os")
        return made

    monkeypatch.setattr(migrations, "alembic_config", config)
    monkeypatch.setattr(migrations, "REVISIONS", (*migrations.REVISIONS, "next"))
    monkeypatch.setattr(migrations, "HEAD", "next")
    return script


def leads(path: Path) -> list[Any]:
    """The rows of the table that the next version changes."""
    with closing(Connection(path)) as database:
        return database.execute("SELECT * FROM lead ORDER BY id").fetchall()


def test_a_next_version_upgrades_a_database_of_this_one(next_version: Path, tmp_path: Path) -> None:
    """Opening it brings the schema and the data to the new version, once."""
    path = at_revision(tmp_path / "old.db", THIS)
    open_store(f"sqlite:///{path}").close()
    upgraded = [
        (lead(1), "lead@example.com", f"of {lead(1)}"),
        (lead(2), None, f"of {lead(2)}"),
    ]
    assert [(row[0], row[1], row[-1]) for row in leads(path)] == upgraded
    assert revision_in(path) == [("next",)]
    next_version.unlink()  # a script that is not there cannot run a second time
    is_whole(f"sqlite:///{path}")


def test_an_upgrade_that_fails_changes_nothing(next_version: Path, tmp_path: Path) -> None:
    """The work of the failing script is undone; the database is of the old version."""
    path = at_revision(tmp_path / "old.db", THIS)
    schema, held = described(path), leads(path)
    script = next_version.read_text().replace("pass", "raise RuntimeError('no')")
    next_version.write_text(script)
    with pytest.raises(RuntimeError, match="no"):
        open_store(f"sqlite:///{path}")
    assert (described(path), leads(path)) == (schema, held)
    assert revision_in(path) == [(THIS,)]


def test_without_migration_an_older_database_is_refused(next_version: Path, tmp_path: Path) -> None:
    """A command that only reads does not upgrade; the refusal names the command that does."""
    path = at_revision(tmp_path / "old.db", THIS)
    before = path.read_bytes()
    with pytest.raises(DatabaseRefused, match=r"older version.* 'oppserver db upgrade'"):
        open_store(f"sqlite:///{path}", migrate=False)
    assert path.read_bytes() == before
