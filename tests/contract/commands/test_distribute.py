"""``oppserver db distribute``, and the rules that a sharded database asks of schema and statements.

Citus itself is not here: a stand-in has the names that are asked, and remembers. Each statement of
the store's tests is held to the rules of Citus (``tests/support/sharding.py``).
"""

from contextlib import closing
from pathlib import Path
from shutil import copytree

import psycopg
import pytest
from sqlalchemy import UniqueConstraint

from oppserver.store import Store, open_store
from oppserver.store.migrations import tables
from oppserver.store.postgres.citus import layout as postgres_layout
from tests.support import postgres, sharding, stores
from tests.support.databases import database_of, execute, kept_in
from tests.support.running import events, one_line, poll, run, run_well, serving
from tests.support.sharding import BrokenRule, broken_rules
from tests.support.stores import NOW, lead, opportunity

database, store = stores.database, stores.store

STAND_IN = Path(__file__).parents[2] / "citus"
LAID_OUT = [
    'reference "user"',
    "reference api_key",
    "reference opportunity_type",
    "reference activity_type",
    "reference field",
    "distributed opportunity by id with none in 32",
    "distributed deleted_opportunity by id with opportunity in as many",
    "distributed activity by id with opportunity in as many",
    "distributed lead by id with opportunity in as many",
]
MOVED = "".join(f"distributed {line.split()[1].strip(chr(34))}\n" for line in LAID_OUT)

WARNING = (
    "warning: shards are experimental: acknowledged writes can be lost, members of rows can be"
    " named wrongly, and rows that a server keeps in memory can be stale\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose database is a new one on PostgreSQL."""
    return kept_in(tmp_path, "postgres")


@pytest.fixture
def coordinator(folder: Path) -> Path:
    """The same, with what stands in for Citus."""
    extensions = postgres.shared().folder_of_extensions("extension")
    copytree(STAND_IN, extensions, dirs_exist_ok=True)
    with psycopg.connect(database_of(folder), autocommit=True) as connection:
        connection.execute(
            "SELECT set_config('extension_control_path', %s, false)",
            (f"{extensions.parent}:$system",),
        )
        connection.execute("CREATE EXTENSION citus")
    return folder


def asked(folder: Path) -> list[str]:
    """The requests to the stand-in, in order."""
    return [row[0] for row in execute(folder, "SELECT what FROM asked ORDER BY place")]


def distributed(folder: Path, *flags: str) -> str:
    """The output of the command on stdout; on stderr it warns."""
    done = run("db", "distribute", "--experimental", *flags, folder=folder)
    assert (done.returncode, done.stderr) == (0, WARNING)
    return done.stdout


# --- the command -------------------------------------------------------------------------------


def test_tables_are_laid_out_once(coordinator: Path) -> None:
    """Each as it is to lie, and what was moved gives its room back; a second time does nothing."""
    assert distributed(coordinator) == MOVED
    assert asked(coordinator)[: len(LAID_OUT)] == LAID_OUT
    assert len(asked(coordinator)) == 2 * len(LAID_OUT)
    again = distributed(coordinator)
    assert again == "the tables are distributed already\n"
    assert len(asked(coordinator)) == 2 * len(LAID_OUT)
    assert run_well("db", "check", folder=coordinator) == "ok\n"


@pytest.mark.parametrize("more", [[], ["--shards", "8"]])
def test_without_the_flag_nothing_is_distributed(more: list[str], coordinator: Path) -> None:
    """One line says why, what to use in its place, and which flag does it all the same."""
    line = one_line(run("db", "distribute", *more, folder=coordinator))
    for part in (
        "acknowledged writes can be lost",
        "members of rows can be named wrongly",
        "in memory can be stale",
        "Keep one PostgreSQL database, with standbys",
        "--experimental",
    ):
        assert part in line
    assert asked(coordinator) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_on_shards_warns_once(workers: int, coordinator: Path) -> None:
    """At its start, with the same reasons, whoever has laid the tables out."""
    script = run_well("db", "distribute", "--dry-run", folder=coordinator)
    with serving(coordinator, "--workers", str(workers)) as server:
        assert events(server, "experimental_shards") == []
    with psycopg.connect(database_of(coordinator), autocommit=True) as connection:
        connection.execute(script.encode())
    with serving(coordinator, "--workers", str(workers)) as server:
        poll(lambda: events(server, "experimental_shards") or None, what="the warning")
        poll(lambda: len(events(server, "worker_ready")) >= workers - 1 or None, what="workers")
        [warning] = events(server, "experimental_shards")
        assert warning["level"] == "warning"
        assert WARNING.partition("experimental: ")[2].strip() in warning["hint"]


def test_tables_that_are_missing_are_laid_out(coordinator: Path) -> None:
    """A layout that was begun is finished; what lies as it is to is left alone."""
    execute(coordinator, "SELECT create_reference_table('field')")
    told = distributed(coordinator)
    assert told == MOVED.replace("distributed field\n", "")
    assert asked(coordinator).count("reference field") == 1


def test_the_number_of_shards(coordinator: Path) -> None:
    """It is that of the first table; the others go with it."""
    distributed(coordinator, "--shards", "128")
    assert "distributed opportunity by id with none in 128" in asked(coordinator)


def test_a_dry_run_prints_what_psql_can_run(coordinator: Path) -> None:
    """The SQL alone on stdout, which lays out the same; and again, which does nothing."""
    printed = run("db", "distribute", "--dry-run", folder=coordinator)
    assert printed.returncode == 0
    assert printed.stderr == f"{WARNING}nothing was done: this is for psql on the coordinator\n"
    assert asked(coordinator) == []
    for _ in range(2):
        with psycopg.connect(database_of(coordinator), autocommit=True) as connection:
            connection.execute(printed.stdout.encode())
    assert asked(coordinator)[: len(LAID_OUT)] == LAID_OUT
    assert len(asked(coordinator)) == 3 * len(LAID_OUT)
    told = distributed(coordinator)
    assert told == "the tables are distributed already\n"


def test_a_dry_run_needs_no_server(tmp_path: Path) -> None:
    """Nobody is asked, so nobody has to be there."""
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    printed = run_well("db", "distribute", "--dry-run", "--database", url, folder=tmp_path)
    assert printed.startswith("BEGIN;\n")
    assert printed.count("create_distributed_table") == len(postgres_layout.BY_ID)


def test_o11_a_dry_run_needs_no_driver() -> None:
    """The SQL can be printed where psycopg is not installed; here it is hidden."""
    command = ["oppserver", "db", "distribute", "--dry-run", "--database", "postgresql://c/x"]
    process = stores.start_python(
        f"import sys; sys.modules['psycopg'] = None; sys.argv = {command}\n"
        "from oppserver.cli.main import main; main()"
    )
    status, output, errors = stores.ended(process)
    assert status == 0, errors
    assert output.startswith("BEGIN;\n")
    assert output.count("create_distributed_table") == len(postgres_layout.BY_ID)


@pytest.mark.parametrize("more", ["--experimental", "--dry-run"])
def test_sqlite_is_refused(more: str, tmp_path: Path) -> None:
    """Its database is on one machine."""
    run_well("db", "upgrade", folder=tmp_path)
    refused = run("db", "distribute", more, folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    told = refused.stderr.removeprefix(WARNING)
    assert "is for a database on PostgreSQL with Citus" in told
    assert told.count("\n") == 1


def test_a_server_without_citus_is_refused(folder: Path) -> None:
    """The error names the statement that corrects it."""
    refused = run("db", "distribute", "--experimental", folder=folder)
    assert refused.returncode == 1
    assert "CREATE EXTENSION citus" in refused.stderr


def test_a_database_that_is_not_migrated_is_refused(tmp_path: Path) -> None:
    """Its tables would not be there."""
    url = postgres.shared().empty_database()
    refused = run("db", "distribute", "--experimental", "--database", url, folder=tmp_path)
    assert refused.returncode == 1
    assert "'oppserver db upgrade' creates it" in refused.stderr


OTHERS = {
    "a worker": ("UPDATE pg_dist_local_group SET groupid = 3", "Name the coordinator"),
    "another column": (
        "SELECT create_distributed_table('opportunity', 'lead_id')",
        "The table opportunity is distributed in another way",
    ),
    "elsewhere": (
        """INSERT INTO pg_dist_partition
        VALUES ('opportunity', 'h', 'id', 2, 's'), ('activity', 'h', 'id', 5, 's')""",
        "together with opportunity",
    ),
    "spread, not whole": (
        "SELECT create_distributed_table('field', 'schema_name')",
        "it is to lie as a reference table",
    ),
    "not local": (
        "SELECT create_reference_table('catalogue_version')",
        "it is to lie on the coordinator alone",
    ),
    "too old": (
        "UPDATE pg_extension SET extversion = '12.1-1' WHERE extname = 'citus'",
        "oppserver needs 14 or later",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_lies_otherwise_is_refused(other: str, coordinator: Path) -> None:
    """One line says what is wrong and how to correct it; nothing is moved."""
    statement, told = OTHERS[other]
    execute(coordinator, statement)
    before = asked(coordinator)
    refused = run("db", "distribute", "--experimental", folder=coordinator)
    assert refused.returncode == 1
    assert told in refused.stderr
    assert refused.stderr.removeprefix(WARNING).count("\n") == 1
    assert asked(coordinator) == before


def test_a_check_of_a_sharded_database(coordinator: Path) -> None:
    """It finds the same faults by looking rows up by their ids."""
    with closing(open_store(database_of(coordinator))) as opened:
        opened.write_opportunities(
            [opportunity(n, lead_email=f"{n}@example.com") for n in (1, 2)], now=NOW
        )
    broken = [
        "UPDATE lead SET email = 'other@example.com' WHERE id = :lead",
        """INSERT INTO activity (id, event_code, lead_id, opportunity_id, created_on, modified_on)
        VALUES ('a', 1, 'nobody', 'nothing', '', '')""",
    ]
    for statement in broken:
        values = {"lead": lead(1)} if ":lead" in statement else {}
        execute(coordinator, statement, **values)
    plain = run("db", "check", folder=coordinator)
    distributed(coordinator)
    sharded = run("db", "check", folder=coordinator)
    assert plain.stdout == sharded.stdout
    assert len(plain.stdout.splitlines()) == 3


# --- the rules ---------------------------------------------------------------------------------


def test_every_table_has_a_place() -> None:
    """One of three, whatever tables there will be."""
    placed = [
        *postgres_layout.BY_ID,
        *postgres_layout.ON_EVERY_MACHINE,
        *postgres_layout.ON_THE_COORDINATOR,
    ]
    assert sorted(placed) == sorted(tables.metadata.tables)


@pytest.mark.parametrize("table", postgres_layout.BY_ID)
def test_what_is_unique_has_the_key_in_it(table: str) -> None:
    """The key is first in the primary key and in all that is unique; nothing refers elsewhere."""
    found = tables.metadata.tables[table]
    assert next(iter(found.primary_key)).name == sharding.KEY
    for constraint in found.constraints:
        if isinstance(constraint, UniqueConstraint):
            assert sharding.KEY in constraint.columns
    assert not found.foreign_keys
    assert all(not index.unique or sharding.KEY in index.columns for index in found.indexes)
    assert all(column.default is None and not column.identity for column in found.columns)


def test_migrations_keep_the_rules() -> None:
    """From an empty database to this version's schema."""
    url = postgres.shared().empty_database()
    with sharding.watched():
        open_store(url).close()


def test_the_tests_of_the_store_are_watched(store: Store, request: pytest.FixtureRequest) -> None:
    """A statement that breaks a rule fails the test that sends it."""
    if request.node.callspec.params["database"] == "postgres":
        statement = (
            b"SELECT o.id FROM unnest('{}'::text[]) AS a LEFT JOIN opportunity AS o ON o.id = a"
        )
        with pytest.raises(BrokenRule, match="reads all of it"):
            store._connections.read(lambda driver: driver.execute(statement))  # type: ignore[attr-defined] # it is of PostgreSQL


KEPT = [
    "SELECT id FROM opportunity WHERE id = ANY(%s)",
    'SELECT o.id FROM opportunity o LEFT JOIN "user" u ON u.id = o.owner_id WHERE o.id = ANY(%s)',
    "SELECT o.id FROM opportunity o JOIN deleted_opportunity d ON d.id = o.id",
    "SELECT o.id FROM opportunity o WHERE o.lead_id IN (SELECT l.id FROM lead l WHERE email = %s)",
    "INSERT INTO lead (id, email) SELECT v, %s FROM unnest(%s) AS v ON CONFLICT (id) DO NOTHING",
    "UPDATE lead SET email = %s WHERE id = %s",
    "SELECT version FROM catalogue_version WHERE id = 1 FOR UPDATE",
    'SELECT row_to_json((SELECT t FROM (SELECT o.id AS "Id") AS t)) FROM opportunity AS o',
    "SELECT page.* FROM (SELECT o.id FROM opportunity AS o) AS page",
    "SELECT to_json(o.id) FROM opportunity AS o",
]
BROKEN = {
    "SELECT o.id FROM unnest(%s) WITH ORDINALITY AS a(id, n) LEFT JOIN opportunity o ON o.id = a.id"
    "": "reads all of it",
    "SELECT o.id FROM opportunity o LEFT JOIN lead l ON l.id = o.lead_id": "something else",
    "SELECT o.id FROM opportunity o, lead l WHERE l.email = o.lead_email": "something else",
    "SELECT (SELECT email FROM lead l WHERE l.id = o.lead_id) FROM opportunity o": "outside of it",
    "SELECT 1 FROM opportunity o WHERE EXISTS (SELECT FROM activity a WHERE a.lead_id = o.lead_id)"
    "": "outside of it",
    "SELECT id FROM opportunity WHERE id = ANY(%s) FOR UPDATE": "FOR UPDATE",
    "WITH RECURSIVE c AS (SELECT min(event_code) FROM opportunity UNION ALL SELECT 1 FROM c)"
    " SELECT * FROM c": "recursive",
    "UPDATE opportunity SET modified_on = now()": "not a parameter",
    "INSERT INTO lead (id, email) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET created_on ="
    " clock_timestamp()": "not a parameter",
    "INSERT INTO lead (id, email) VALUES (gen_random_uuid(), %s)": "not a parameter",
    "INSERT INTO lead (email) VALUES (%s)": "without its id",
    "INSERT INTO lead (id, email) VALUES (%s, %s) ON CONFLICT (email) DO NOTHING": "a conflict",
    "UPDATE lead SET id = %(id)s, email = %(email)s WHERE id = %(_id)s": "lead.id is set",
    "MERGE INTO lead USING x ON x.id = lead.id WHEN MATCHED THEN DELETE": "merge into",
    'SELECT row_to_json(t) FROM opportunity AS o CROSS JOIN LATERAL (SELECT o.id AS "Id") AS t'
    "": "a row of t is taken whole",
    'SELECT left(row_to_json(t)::text, -1) FROM opportunity o, LATERAL (SELECT o.id AS "Id") t'
    "": "a row of t is taken whole",
    "SELECT json_agg(t ORDER BY t.id) FROM (SELECT o.id FROM opportunity AS o) AS t"
    "": "a row of t is taken whole",
    "SELECT to_jsonb(t.*) FROM (SELECT o.id FROM opportunity AS o) AS t": "a row of t is taken",
    "SELECT row_to_json(r) FROM (SELECT t AS r FROM (SELECT o.id FROM opportunity o) t) AS u"
    "": "a row of t is taken whole",
    "WITH c AS (SELECT o.id FROM opportunity AS o) SELECT row_to_json(c) FROM c": "a row of c is",
    "SELECT row_to_json((SELECT t FROM (SELECT o.id AS id) AS t, opportunity)) FROM opportunity o"
    "": "a row of t is taken whole",
    "SELECT row_to_json(ROW(o.id, o.status)) FROM opportunity AS o": "a ROW has no names",
    "SELECT pg_advisory_lock(1)": "advisory",
    "LISTEN changed": "listen",
    "CREATE UNIQUE INDEX one ON lead (email)": "without the key",
    "CREATE SEQUENCE numbers": "CREATE SEQUENCE",
    "CREATE TABLE t (id bigserial PRIMARY KEY)": "sequence",
    "CREATE TABLE t (id text REFERENCES lead (id))": "foreign key",
}


@pytest.mark.parametrize("statement", KEPT)
def test_what_keeps_the_rules(statement: str) -> None:
    """No rule is said to be broken where none is."""
    assert broken_rules(statement) == ()


@pytest.mark.parametrize("statement", BROKEN)
def test_what_breaks_a_rule(statement: str) -> None:
    """Each rule finds what it is there for."""
    assert BROKEN[statement] in "; ".join(broken_rules(statement))
