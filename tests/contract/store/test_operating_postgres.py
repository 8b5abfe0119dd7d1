"""The commands for PostgreSQL in docs/operating.md, typed as they are, on real servers.

The shell is an administrator's; the role ``oppserver`` owns its database and nothing else. Of the
page's text, hosts are replaced by those of this machine, and TLS is left out: the servers lack it.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

from oppserver.contract import example
from tests.support import postgres
from tests.support.bulk_reads import FIRST, SECOND, THIRD, rows
from tests.support.running import Keys, Server, clean_environment, group, make_certificate, poll
from tests.support.valkeys import running_valkey

PAGE: Final = Path(__file__).parents[3] / "docs" / "operating.md"
ALL_HOSTS: Final = ("db", "db1", "db2", "db3")


@dataclass
class Site:
    """Database servers, and an administrator's shell beside them."""

    folder: Path
    clusters: dict[str, postgres.Cluster] = field(default_factory=dict)
    """By the host that the page gives them."""
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def add(self, host: str, *, primary: postgres.Cluster | None = None) -> None:
        """Starts a server; a standby, where a primary is given."""
        cluster = postgres.Cluster(self.folder / host, primary=primary)
        self.clusters[host] = cluster
        self.processes.append(cluster.start(self.folder / f"{host}.log"))

    def url(self, database: str = "oppserver", *, user: str = "oppserver", host: str = "db") -> str:
        return self.clusters[host].url(database, user=user)

    def ask(self, statement: str, database: str = "oppserver", *, user: str = "postgres") -> Any:
        """The rows that a statement answers."""
        with psycopg.connect(self.url(database, user=user)) as connection:
            return connection.execute(statement.encode()).fetchall()

    @property
    def environment(self) -> Mapping[str, str]:
        """That of a shell from which ``psql`` reaches the server as its administrator."""
        folders = (postgres.programs(), Path(sys.executable).parent)
        return clean_environment() | {
            "PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.clusters["db"].port),
            "PGUSER": "postgres",
            "OPPSERVER_PORT": "0",
            "OPPSERVER_RATE_LIMIT": "off",
        }

    def here(self, script: str) -> str:
        """A script of the page with this machine's hosts."""
        for host in ALL_HOSTS:
            if host in self.clusters:
                place = f"127.0.0.1:{self.clusters[host].port}"
                script = script.replace(f"@{host}.example.com", f"@{place}")
                script = script.replace(f",{host}.example.com", f",{place}")
        return script.replace("?sslmode=verify-full", "")

    def typed(self, script: str, **more: str) -> str:
        """Runs a script to its end; what it printed."""
        done = subprocess.run(
            ["bash", "-e", "-c", self.here(script)],
            cwd=self.folder,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self, script: str, **more: str) -> Iterator[Server]:
        """Runs a script whose last command serves, while the block runs."""
        assert "oppserver serve" in script
        log_file = Path(tempfile.mkstemp(suffix=".log", dir=self.folder)[1])
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                ["bash", "-e", "-c", self.here(script)],
                cwd=self.folder,
                env={**self.environment, **more},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        server = Server(process=process, url="", log_file=log_file)

        def listening() -> str | None:
            ended = process.poll()
            found = [line["url"] for line in server.log() if line["event"] == "listening"]
            assert ended is None, log_file.read_text()
            return found[0] if found else None

        try:
            server.url = poll(listening, what="the server", timeout_s=120)
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def key(self, database_url: str) -> Keys:
        """A key, made as the page makes it."""
        command = "oppserver key create --email dashboard@example.com --role reader --json"
        made = json.loads(self.typed(command, OPPSERVER_DATABASE=database_url))
        return Keys(made["accessKey"], made["secretKey"])


def block_with(words: str) -> str:
    """The page's only block of commands that has some words; what is installed is here already."""
    found = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    [block] = [one for one in found if words in one]
    return re.sub(r"^pip install .*\n", "", block, flags=re.MULTILINE)


TYPED: Final = (
    "CREATE ROLE oppserver",
    "pg_dump",
    "pg_restore",
    "oppserver type export > types.json",
    "--read-database 'postgresql",
    "OPPSERVER_READ_DATABASE",
    "oppserver serve --workers 4",
    "limits.example.com",
    "sudo -u oppserver",
    "--ssl-certfile",
    "oppserver index add",
)
"""Words of the blocks that tests of this module type: all there are."""


def test_o2_every_block_of_commands_is_typed() -> None:
    """A new block needs a test that types it. Blocks with output are typed in tests/project."""
    pages = [PAGE, PAGE.with_name("formats.md"), PAGE.with_name("changes.md")]
    text = "".join(page.read_text() for page in pages)
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        assert any(words in block for words in TYPED), block


def is_the_example(server: Server) -> None:
    """The server answers the opportunities of the documented page."""
    [found] = rows(server, group([FIRST, SECOND], "Status"))
    assert [row["ProspectActivityId"] for row in found] == [FIRST, SECOND]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A server that was set up as the page says, with the opportunities of its example."""
    folder = Path(tempfile.mkdtemp(prefix="oppserver-site-", dir=postgres.memory()))
    made = Site(folder)
    try:
        made.add("db")
        made.clusters["db1"] = made.clusters["db"]
        set_up = block_with("CREATE ROLE oppserver")
        made.typed(set_up.replace("oppserver serve\n", ""))
        (folder / "opportunities.ndjson").write_bytes(example.opportunities())
        made.typed("oppserver import opportunities.ndjson", OPPSERVER_DATABASE=made.url())
        yield made
    finally:
        for process in made.processes:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        shutil.rmtree(folder)


# --- the commands ------------------------------------------------------------------------------


def test_the_set_up(site: Site) -> None:
    """The role owns the database and is no administrator; its server answers."""
    [role] = site.ask(
        "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = 'oppserver'"
    )
    assert role == (False, False, False)
    *_, upgrade, serve = block_with("CREATE ROLE oppserver").splitlines()
    assert (upgrade, serve) == ("oppserver db upgrade", "oppserver serve")
    export = next(line for line in block_with("CREATE ROLE").splitlines() if "export" in line)
    keys = site.key(site.url())
    with site.serving(f"{export}\n{serve}") as server:
        server.keys = keys
        is_the_example(server)


def test_a_backup_and_its_restore(site: Site) -> None:
    """The role serves, writes, adds indexes and upgrades what an administrator has restored."""
    keys = site.key(site.url())
    site.typed(block_with("pg_dump"), OPPSERVER_DATABASE=site.url())
    with site.serving(block_with("pg_restore")) as server:
        server.keys = keys  # they are in the backup
        is_the_example(server)
        restored = {"OPPSERVER_DATABASE": site.url("oppserver_restored")}
        site.typed("oppserver db upgrade", **restored)
        site.typed("oppserver index add Status", **restored)
        site.typed("oppserver import opportunities.ndjson", **restored)
        is_the_example(server)
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert site.ask(owners, "oppserver_restored") == [("oppserver",)]
    identity = "SELECT id FROM database_identity"
    assert site.ask(identity) != site.ask(identity, "oppserver_restored")
    assert re.fullmatch(r"[0-9a-f-]{36}", site.ask(identity, "oppserver_restored")[0][0])


def test_a_move_from_sqlite(site: Site, tmp_path: Path) -> None:
    """Types and opportunities are in the other database afterwards."""
    site.typed("createdb --owner=oppserver --template=template0 moved")
    sqlite = f"sqlite:///{tmp_path / 'oppserver.db'}"
    site.typed("oppserver import opportunities.ndjson", OPPSERVER_DATABASE=sqlite)
    commands = block_with("oppserver type export > types.json")
    commands = commands.replace("postgresql://…", site.url("moved"))
    site.typed(commands, OPPSERVER_DATABASE=sqlite)
    exported = [
        site.typed("oppserver export", OPPSERVER_DATABASE=url)
        for url in (sqlite, site.url("moved"))
    ]
    assert exported[0] == exported[1]
    assert THIRD in exported[0]


@pytest.fixture(scope="module")
def standbys(site: Site) -> Site:
    """The same site with two standbys that follow."""
    for host in ("db2", "db3"):
        site.add(host, primary=site.clusters["db"])
    return site


@pytest.mark.parametrize("words", ["--read-database", "OPPSERVER_READ_DATABASE"])
def test_a_server_with_standbys(words: str, standbys: Site) -> None:
    """Each that is named is read, but for today's primary."""
    keys = standbys.key(standbys.url())
    with standbys.serving(block_with(words)) as server:
        server.keys = keys
        is_the_example(server)

        def states() -> list[str] | None:
            ready = server.call("GET", "/health/ready").json
            found = [one["state"] for one in ready["storeServers"]]
            return found if found.count("in use") > 1 else None

        wanted = {
            "--read-database": ["in use", "in use", "in use"],
            "OPPSERVER_READ_DATABASE": ["in use", "no standby", "in use"],
        }
        poll(lambda: states() == wanted[words] or None, what="the standbys")
        is_the_example(server)


# --- other blocks ------------------------------------------------------------------------------


def test_several_workers(site: Site) -> None:
    """They answer on one port."""
    assert "```sh\noppserver serve --workers 4\n```" in PAGE.read_text()
    keys = site.key(site.url())
    with site.serving("oppserver serve --workers 4", OPPSERVER_DATABASE=site.url()) as server:
        server.keys = keys
        is_the_example(server)


def test_one_limit_for_several_machines(site: Site, tmp_path: Path) -> None:
    """The calls of all workers are counted in the shared store, whose TLS is left out here."""
    keys = site.key(site.url())
    with running_valkey(tmp_path) as shared:
        there = "rediss://oppserver:PASSWORD@limits.example.com:6379/0"
        script = block_with("limits.example.com").replace(there, shared.url)
        more = {"OPPSERVER_DATABASE": site.url(), "OPPSERVER_RATE_LIMIT": "1000/60"}
        with site.serving(script, **more) as server:
            server.keys = keys
            is_the_example(server)
            assert shared.command("DBSIZE") > 0


def test_a_certificate(site: Site) -> None:
    """The server speaks TLS on every interface."""
    make_certificate(site.folder, "server.pem", "server.key")
    keys = site.key(site.url())
    script = block_with("--ssl-certfile").replace("--port 8443", "--port 0")
    with site.serving(script, OPPSERVER_DATABASE=site.url()) as server:
        assert server.url.startswith("https://")
        server.keys = keys
        is_the_example(server)


def test_an_index_and_a_key_of_a_service(site: Site, tmp_path: Path) -> None:
    """An index of two columns; a key in the database of the service, as its user makes it."""
    database = {"OPPSERVER_DATABASE": site.url()}
    site.typed(block_with("oppserver index add"), **database)
    assert "mx_Custom_2" in site.typed("oppserver index list", **database)
    script = block_with("sudo -u oppserver").replace("sudo -u oppserver ", "env ")
    script = script.replace("/var/lib/oppserver", str(tmp_path))
    printed = site.typed(script.replace("/opt/oppserver/bin/", ""))
    assert printed.count("Key ") == 2
    assert (tmp_path / "oppserver.db").exists()
