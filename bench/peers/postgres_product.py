"""The product on PostgreSQL: its servers, its databases of two sizes, and what they cost.

The server is the one that the tests use, durable here. Rows are imported by the product's command
up to the smaller size; the larger database is a copy of it in which rows are repeated under new
random ids, by a statement of the server. Kept data is used again.
"""

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psutil

from bench.contest import Sample
from bench.options import IDS, SEED, TYPES
from bench.peers.product import Keys, Product, create_keys, run_command
from bench.processes import Children, PeerMissing
from bench.progress import Progress, step
from tests.support.postgres import Cluster, PostgresMissing

_CHUNK_ROWS: Final = 250_000
_SMALL: Final = "small"
_LARGE: Final = "large"
_COMPUTED: Final = "('id', 'change_number', 'created_on_answer', 'modified_on_answer')"


class Primary:
    """A durable server with the databases of a run, and a standby when one is asked for."""

    def __init__(self, children: Children, folder: Path, scratch: Path, *, rows: int) -> None:
        self._children: Final = children
        self._scratch: Final = scratch
        self._settings: Final = _settings(rows)
        self.cluster: Final = _cluster(folder, self._settings)
        self.process: Final = self._started("postgres-product", self.cluster)
        self._keys: dict[str, Keys] = {}
        self._standby: tuple[Cluster, subprocess.Popen[bytes]] | None = None

    def standby(self) -> tuple[Cluster, subprocess.Popen[bytes]]:
        """A copy of the server that follows it, made when it is first asked for."""
        if self._standby is None:
            with step("copy the server to a standby"):
                folder = self._scratch / "standby"
                cluster = _cluster(folder, self._settings, primary=self.cluster)
            self._standby = cluster, self._started("postgres-standby", cluster)
        return self._standby

    def drop_standby(self) -> None:
        """Ends the standby and gives its room back."""
        if self._standby is not None:
            self._children.stop(self._standby[1])
            shutil.rmtree(self._scratch / "standby", ignore_errors=True)
            self._standby = None

    # --- databases

    def small(self, lines: Path) -> tuple[str, float | None]:
        """The URL of the imported database, and the seconds of that; None where it was there."""
        if self._is_there(_SMALL):
            return self.cluster.url(_SMALL), None
        seconds = self._import(lines)
        self.ask("VACUUM (FREEZE, ANALYZE)", "unfinished")
        self.ask(f"ALTER DATABASE unfinished RENAME TO {_SMALL}")
        return self.cluster.url(_SMALL), seconds

    def import_again(self, lines: Path) -> float:
        """The seconds of an import whose database is thrown away."""
        seconds = self._import(lines)
        self.ask("DROP DATABASE unfinished")
        return seconds

    def _import(self, lines: Path) -> float:
        self._anew("unfinished", "template0")
        with step("import into PostgreSQL"):
            started = time.perf_counter()
            run_command("import", str(lines), "--database", self.cluster.url("unfinished"))
            return time.perf_counter() - started

    def large(self, rows: int) -> str:
        """The URL of the grown database."""
        name = f"{_LARGE}_{rows}"
        if not self._is_there(name):
            self._anew("unfinished", _SMALL)
            with step(f"repeat rows in PostgreSQL up to {rows:,}") as progress:
                self._grow("unfinished", rows, progress)
            self.ask(f"ALTER DATABASE unfinished RENAME TO {name}")
        return self.cluster.url(name)

    def _is_there(self, name: str) -> bool:
        return bool(self.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"))

    def _anew(self, name: str, template: str) -> None:
        self.ask(f"DROP DATABASE IF EXISTS {name}")
        self.ask(f"CREATE DATABASE {name} TEMPLATE {template}")

    def _grow(self, database: str, rows: int, progress: Progress) -> None:
        ask = self.ask
        [[listed]] = ask(
            "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position)"
            " FROM information_schema.columns WHERE table_name = 'opportunity'"
            f" AND column_name NOT IN {_COMPUTED}",
            database,
        )
        indexes = ask(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'opportunity'"
            " AND indexname <> 'opportunity_pkey'",
            database,
        )
        for name, _ in indexes:
            ask(f"DROP INDEX {name}", database)
        ask("ALTER TABLE opportunity DROP CONSTRAINT opportunity_pkey", database)
        ask(f"CREATE TABLE source AS SELECT {listed} FROM opportunity", database)
        [[done]] = [[of_source]] = ask("SELECT count(*) FROM opportunity", database)
        while done < rows:
            size = min(_CHUNK_ROWS, rows - done, of_source)
            ask(
                f"INSERT INTO opportunity (id, change_number, {listed})"
                f" SELECT gen_random_uuid()::text, {done} + row_number() OVER (), {listed}"
                f" FROM source LIMIT {size}",
                database,
            )
            done += size
            progress.update(done, rows)
        ask("DROP TABLE source", database)
        ask(f"UPDATE change_counter SET last_number = {done}", database)
        ask("ALTER TABLE opportunity ADD PRIMARY KEY (id)", database)
        for _, definition in indexes:
            ask(definition, database)
        ask("VACUUM (FREEZE, ANALYZE)", database)
        ask("CHECKPOINT", database)

    # --- the product on it

    def product(self, url: str, more: Sequence[str] = ()) -> Product:
        """A server of the product over a database, not started."""
        if url not in self._keys:
            self._keys[url] = create_keys(url)
        return Product(self._children, url, self._keys[url], more)

    def samples(self, url: str, number: int, ids: int = IDS) -> list[Sample]:
        """Calls: each asks for ``ids`` random rows of one type; types take turns."""
        database = url.rpartition("/")[2]
        [[rows]] = self.ask("SELECT count(*) FROM opportunity", database)
        wanted = 2 * number * ids + 20_000
        percent = min(100.0, 100.0 * wanted / rows)
        found = self.ask(
            "SELECT id, event_code FROM opportunity"
            f" TABLESAMPLE BERNOULLI ({percent}) REPEATABLE ({SEED})",
            database,
        )
        chance = random.Random(SEED)
        by_type = {code: [one for one, of in found if of == code] for code in TYPES}
        return [
            Sample(event_code=code, ids=chance.sample(by_type[code], ids))
            for code in (TYPES[turn % len(TYPES)] for turn in range(number))
        ]

    def sizes(self, url: str) -> dict[str, float]:
        """Bytes for each row: of opportunities with all that belongs to them, and of leads."""
        database = url.rpartition("/")[2]
        sizes = {}
        for table in ("opportunity", "lead"):
            [[rows, heap, indexes, by_id]] = self.ask(
                f"SELECT count(*), pg_table_size('{table}'), pg_indexes_size('{table}'),"
                f" pg_relation_size('{table}_pkey') FROM {table}",
                database,
            )
            sizes[f"{table}_rows"] = rows
            for name, size in (("heap", heap), ("indexes", indexes), ("by_id", by_id)):
                sizes[f"{table}_{name}_bytes"] = round(size / rows, 1)
        return sizes

    # --- asking

    def ask(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of a statement, on a connection of its own, outside of a transaction."""
        import psycopg

        with psycopg.connect(self.cluster.url(database), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def _started(self, name: str, cluster: Cluster) -> subprocess.Popen[bytes]:
        process = self._children.start(
            name, cluster.command, stop_signal=signal.SIGINT, user_id=cluster.user_id
        )
        self._children.wait_until(name, process, lambda: _answers(cluster))
        return process


def _cluster(folder: Path, settings: Sequence[str], primary: Cluster | None = None) -> Cluster:
    try:
        return Cluster(folder, settings, primary=primary)
    except PostgresMissing as error:
        raise PeerMissing(str(error)) from None


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    """Processor time of a process and of all that it has started, and that still runs."""
    root = psutil.Process(process.pid)
    total = 0.0
    for one in (root, *root.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def _answers(cluster: Cluster) -> bool:
    import psycopg

    try:
        psycopg.connect(cluster.url()).close()
    except psycopg.OperationalError:
        return False
    return True


def _settings(rows: int) -> list[str]:
    buffers_mb = min(8_192, max(512, rows * 2 // 1_000))  # 2 KB a row holds table and indexes
    return [
        "fsync=on",
        "full_page_writes=on",
        f"shared_buffers={buffers_mb}MB",
        "maintenance_work_mem=1GB",
        "max_wal_size=16GB",
        "checkpoint_timeout=1h",
        "random_page_cost=1.1",
        f"effective_cache_size={2 * buffers_mb}MB",
        "max_connections=100",
    ]
