"""Commands and a server on PostgreSQL, as typed: what is moved there, refused, and not told."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from oppserver.contract import example
from tests.support import postgres, stores
from tests.support.databases import database_of, kept_in
from tests.support.running import (
    Answer,
    Server,
    asking,
    create_key,
    group,
    poll,
    run,
    run_well,
    serving,
)
from tests.support.world import WIDE_CODE, WIDE_ID, fill

SECRET = "s3cr%2Ft"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose database is a new one on PostgreSQL."""
    return kept_in(tmp_path, "postgres")


# --- from SQLite, and back ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all.ndjson", "all.csv.gz", "all.parquet"])
def test_what_is_moved_from_sqlite_is_the_same(
    name: str, filled_folder: Path, folder: Path
) -> None:
    """An export of SQLite, imported into PostgreSQL, exports the same bytes; and so back."""
    sqlite, back = ("--database", database_of(filled_folder)), ("--database", "sqlite:///back.db")
    run_well("export", *sqlite, "--output", name, folder=folder)
    moved = run_well("import", name, folder=folder)
    assert moved == "imported 6 opportunities: 6 created, 0 replaced\n"
    run_well("export", "--output", f"again-{name}", folder=folder)
    assert (folder / f"again-{name}").read_bytes() == (folder / name).read_bytes()
    run_well("import", f"again-{name}", *back, folder=folder)
    exports = [run_well("export", *where, folder=folder) for where in (sqlite, (), back)]
    assert exports[0] == exports[1] == exports[2] != ""
    assert run_well("db", "check", folder=folder) == "ok\n"


def test_the_commands_work_there(folder: Path) -> None:
    """Types, fields, keys, the import of the example, its list, and the check."""
    (folder / "opportunities.ndjson").write_bytes(example.opportunities())
    run_well("import", "opportunities.ndjson", folder=folder)
    run_well("type", "create", "12001", "--name", "Home loan", folder=folder)
    run_well("field", "add", "12001", "mx_Custom_7", "--data-type", "Number", folder=folder)
    keys = create_key(folder)
    types = json.loads(run_well("type", "list", "--json", folder=folder))
    assert [one["eventCode"] for one in types] == [12001, 12003]
    assert keys.access in run_well("key", "list", folder=folder)
    assert run_well("db", "upgrade", folder=folder) == "the store is up to date\n"
    assert run_well("db", "check", folder=folder) == "ok\n"


def test_a_backup_is_refused(folder: Path) -> None:
    """With the programs that make one."""
    line = one_line("db", "backup", "copy", folder=folder)
    assert "pg_dump" in line
    assert not (folder / "copy").exists()


# --- refused -----------------------------------------------------------------------------------


def one_line(*arguments: str, folder: Path) -> str:
    """The one line of a command that was refused."""
    done = run(*arguments, folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert SECRET not in line
    return line


@pytest.mark.parametrize("command", [("db", "upgrade"), ("key", "list"), ("serve", "--port", "0")])
def test_a_command_without_a_server_says_so(command: Sequence[str], tmp_path: Path) -> None:
    """One line, exit status 1, no password."""
    database = f"postgresql://u:{SECRET}@127.0.0.1:1/x"
    line = one_line(*command, "--database", database, folder=tmp_path)
    assert line.startswith("oppserver: The database postgresql://127.0.0.1:1/x cannot be opened")


def test_a_password_is_not_logged(tmp_path: Path) -> None:
    """A server that listens names its database without it."""
    server = postgres.shared()
    name = server.migrated_database().rpartition("/")[2]
    database = server.cluster.url(name, user=f"postgres:{SECRET}")
    with serving(tmp_path, "--database", database) as running:
        [listening] = [line for line in running.log() if line["event"] == "listening"]
        assert listening["database"] == database.replace(SECRET, "[hidden]")
        assert SECRET not in running.log_file.read_text()


def test_o4_a_missing_driver_is_told() -> None:
    """With the command that installs it. Here it is hidden, as if it were not installed."""
    process = stores.start_python(
        "import sys; sys.modules['psycopg'] = None\n"
        "sys.argv = ['oppserver', 'key', 'list', '--database', 'postgresql://host/x']\n"
        "from oppserver.cli.main import main; main()"
    )
    status, output, errors = stores.ended(process)
    assert (status, output) == (1, "")
    assert errors == (
        "oppserver: PostgreSQL's driver is not installed: pip install 'psycopg[binary]'\n"
    )


# --- a server whose database goes away ---------------------------------------------------------


@pytest.fixture
def database() -> Iterator[postgres.Server]:
    """A PostgreSQL server that nobody else uses."""
    server = postgres.Server()
    yield server
    server.stop()


def read(server: Server) -> Answer:
    return server.post(asking(group([WIDE_ID], "Status", code=WIDE_CODE)))


def test_a_server_outlives_its_database(database: postgres.Server, tmp_path: Path) -> None:
    """503 with ``Retry-After`` while it is away, and nothing of where it is; then 200 again."""
    url = database.migrated_database(is_kept=True)
    fill(tmp_path, url)
    keys = create_key(tmp_path, database=url)
    with serving(tmp_path, "--database", url, keys=keys) as server:
        assert read(server).status == 200
        database.crash()
        refused = read(server)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        for internal in ("127.0.0.1", "postgres", str(database.cluster.port)):
            assert internal not in refused.body.decode().lower()
        assert server.get("/health/ready").status == 503
        assert server.get("/health/live").status == 200
        [line, *_] = [line for line in server.log() if line["event"] == "unavailable"]
        assert "refused" in line["cause"]
        database.start()
        poll(lambda: read(server).status == 200 or None, what="an answer")
        assert server.get("/health/ready").status == 200
