"""A PostgreSQL primary and its standbys for tests: killed, frozen, promoted, held back."""

import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from oppserver.store import open_store
from tests.support import postgres
from tests.support.running import poll

DATABASE: Final = "kept"
MIGRATED: Final = "migrated"

_SETTINGS: Final = ("wal_keep_size=64MB", "max_connections=50")


class Member:
    """One server of a pair, running, or killed. Owner: the pair."""

    def __init__(self, folder: Path, *, primary: "Member | None" = None) -> None:
        self._folder: Final = folder
        self._starts = 0
        self.cluster: postgres.Cluster = postgres.Cluster(
            folder, _SETTINGS, primary=None if primary is None else primary.cluster
        )
        self.start()

    @property
    def url(self) -> str:
        """Where its copy of the database is."""
        return self.cluster.url(DATABASE)

    @property
    def address(self) -> str:
        """The same, as servers are shown."""
        return f"postgresql://127.0.0.1:{self.cluster.port}/{DATABASE}"

    def ask(self, statement: str, *, database: str = DATABASE) -> Any:
        """The one value that a statement answers; None where it answers no row."""
        with psycopg.connect(self.cluster.url(database), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            row = done.fetchone() if done.description else None
            return None if row is None else row[0]

    # --- what happens to it

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        self._starts += 1
        self._process = self.cluster.start(self._folder / f"log-{self._starts}")

    def kill(self) -> None:
        """Ends it at once, whatever it is doing."""
        processes = self._all()
        for one in processes:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self._process.wait()
        # they hold shared memory until the last has ended, which init may take seconds to notice
        poll(lambda: all(map(_has_ended, processes)) or None, what="the end of a server")

    def freeze(self) -> None:
        """Stops all its processes. Its system still takes connections and what is sent."""
        for one in self._all():
            one.suspend()

    def thaw(self) -> None:
        """Lets it go on."""
        for one in self._all():
            one.resume()

    def pause(self) -> None:
        """Has a standby receive what is written, and not apply it."""
        self.ask("SELECT pg_wal_replay_pause()")
        state = "SELECT pg_get_wal_replay_pause_state()"
        poll(lambda: self.ask(state) == "paused" or None, what="the pause")

    def resume(self) -> None:
        """Has it apply what it has received."""
        self.ask("SELECT pg_wal_replay_resume()")

    def follow(self, primary: "Member") -> None:
        """Has a standby follow another primary, as whoever looks after a failover does."""
        self.set("primary_conninfo", f"host=127.0.0.1 port={primary.cluster.port} user=postgres")

    def join(self, primary: "Member") -> None:
        """Makes a standby of one that was killed, from a new copy, at the same address."""
        folder = self._folder / f"copy-{self._starts}"
        self.cluster = postgres.Cluster(
            folder, _SETTINGS, primary=primary.cluster, port=self.cluster.port
        )
        self.start()

    def wait_for_standbys(self) -> None:
        """Has commits wait for a standby from now on; returns when there is one."""
        self.set("synchronous_standby_names", "*")
        synchronous = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        poll(lambda: self.ask(synchronous), what="a synchronous standby")

    def promote(self) -> None:
        """Makes a primary of it; returns when it is one."""
        assert self.ask("SELECT pg_promote()")

    def set(self, setting: str, value: str) -> None:
        """Changes one of its settings."""
        self.ask(f"ALTER SYSTEM SET {setting} = '{value}'")
        self.ask("SELECT pg_reload_conf()")
        poll(lambda: self.ask(f"SHOW {setting}") == value or None, what=f"{setting} = {value}")

    # --- what is seen of it

    def lookups(self) -> int:
        """The number of times that opportunities were looked up by id on it."""
        found = self.ask("SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'opportunity'")
        assert isinstance(found, int)
        return found

    def has_all_of(self, other: "Member") -> bool:
        """Return whether it has applied all that another one has written."""
        written = other.ask("SELECT pg_current_wal_insert_lsn()")
        return bool(self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{written}'"))

    def _all(self) -> list[psutil.Process]:
        """Its processes, the one that starts others first, so that no new ones come."""
        try:
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def _has_ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Family:
    """A primary with a migrated, empty database, and standbys of it. Whoever makes it stops it."""

    def __init__(self, *, standbys: int) -> None:
        self._folder: Final = Path(
            tempfile.mkdtemp(prefix="oppserver-postgres-", dir=postgres.memory())
        )
        self._members: Final[list[Member]] = []
        self._numbers: Final = count(1)
        try:
            self.primary: Final = self._add(None)
            self._create(MIGRATED, template="template0")
            open_store(self.primary.cluster.url(MIGRATED)).close()
            self._create(DATABASE, template=MIGRATED)
            self.standbys: Final = [self._add(self.primary) for _ in range(standbys)]
        except BaseException:
            self.stop()
            raise

    @property
    def standby(self) -> Member:
        """The first of them."""
        return self.standbys[0]

    @property
    def members(self) -> list[Member]:
        """All of them, the first primary first."""
        return list(self._members)

    @property
    def every_host(self) -> str:
        """Where the database is, whichever of them is the primary."""
        hosts = ",".join(f"127.0.0.1:{one.cluster.port}" for one in self._members)
        return f"postgresql://postgres@{hosts}/{DATABASE}"

    @property
    def flags(self) -> list[str]:
        """The options with which ``oppserver serve`` uses all of it."""
        read = [part for one in self.standbys for part in ("--read-database", one.url)]
        return ["--database", self.primary.url, *read]

    def stop(self) -> None:
        """Ends all servers and forgets what was in them."""
        for member in self._members:
            member.kill()
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """The name of a new, migrated database on all of them, soon."""
        name = f"kept_{next(self._numbers)}"
        self._create(name, template=MIGRATED)
        return name

    def _create(self, name: str, *, template: str) -> None:
        self.primary.ask(
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY", database="postgres"
        )

    def _add(self, primary: Member | None) -> Member:
        member = Member(self._folder / f"member-{len(self._members)}", primary=primary)
        self._members.append(member)
        return member


@contextmanager
def family(*, standbys: int = 1) -> Iterator[Family]:
    """A family of its own while the block runs."""
    made = Family(standbys=standbys)
    try:
        yield made
    finally:
        made.stop()


@functools.cache
def shared() -> Family:
    """The primary and the standby that tests share which harm neither; started when asked for."""
    return Family(standbys=1)


def stop_shared() -> None:
    """Ends the shared ones, if there are any."""
    if shared.cache_info().currsize:
        shared().stop()
        shared.cache_clear()
