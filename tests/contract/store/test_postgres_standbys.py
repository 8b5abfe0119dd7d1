"""A store on a primary and its standbys: which server a read goes to, and what is refused."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oppserver.contract.errors import DatabaseRefused, StoreUnreachable
from oppserver.contract.model import ServerState
from oppserver.store import StoreOptions
from oppserver.store.port import Snapshot
from oppserver.store.postgres.engine import PostgresStore
from oppserver.store.postgres.replicas import servers as postgres_servers
from oppserver.store.postgres.replicas import standby as postgres_standby
from oppserver.store.queries import Plan
from tests.support import postgres, standbys
from tests.support.running import poll, run, run_well, serving
from tests.support.standbys import Family, Member
from tests.support.stores import NOW, entry, guid, ids_read, opportunity, wait_until

IDS = [guid(1), guid(2)]
PLAN = Plan(entries=(entry(IDS),))


@pytest.fixture
def name() -> str:
    """The name of a new database on the servers that all share."""
    return standbys.shared().new_database()


@pytest.fixture
def store(name: str) -> Iterator[PostgresStore]:
    """A store with two opportunities, whose standby is in use."""
    family = standbys.shared()
    store = opened(family.primary, [family.standby], name=name)
    store.write_opportunities([opportunity(n) for n in (1, 2)], now=NOW)
    yield store
    store.close()


def opened(
    primary: Member, read: list[Member], *, name: str = standbys.DATABASE, **options: Any
) -> PostgresStore:
    """A store that reads standbys, which all are in use."""
    urls = tuple(member.cluster.url(name) for member in read)
    store = PostgresStore.open(
        primary.cluster.url(name), StoreOptions(read_urls=urls, **options), migrate=False
    )
    wait_until(lambda: states(store) == [ServerState.IN_USE] * (1 + len(read)))
    return store


def states(store: PostgresStore) -> list[ServerState]:
    return [server.state for server in store.servers()]


def server_of_reads(store: PostgresStore) -> int:
    """The port of the server that reads go to."""
    [(port,)] = store._servers.read(lambda c: c.rows("SELECT current_setting('port')"))
    return int(port)


# --- which server ------------------------------------------------------------------------------


def test_every_read_goes_to_the_standby(store: PostgresStore) -> None:
    """All calls that read opportunities, leads, users and activities; and each sees the writes."""
    family = standbys.shared()
    assert server_of_reads(store) == family.standby.cluster.port
    for number in range(10, 40):
        store.write_opportunities([opportunity(number)], now=NOW)
        assert ids_read(store, [guid(number)]) == [guid(number)]
        assert store.read(lambda snapshot: snapshot.id_statuses(IDS)).keys() == set(IDS)
        assert store.opportunity(guid(number)) is not None
    assert states(store) == [ServerState.IN_USE] * 2


def test_no_free_connection_to_a_standby_is_no_wait(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary is read, and the standby is kept."""
    family = standbys.shared()
    monkeypatch.setattr(postgres_standby, "STANDBY_POOL_WAIT_S", 0.01)
    store = opened(family.primary, [family.standby], name=name, readers=1)
    [standby] = store._servers._standbys
    with standby._connections._readers.connect():
        assert server_of_reads(store) == family.primary.cluster.port
    assert server_of_reads(store) == family.standby.cluster.port
    assert states(store) == [ServerState.IN_USE] * 2
    store.close()


def test_a_read_waits_for_a_standby_that_is_a_little_behind(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read as soon as it has what was written."""
    family = standbys.shared()
    monkeypatch.setattr(postgres_servers, "STANDBY_WAIT_S", 20)
    family.standby.pause()
    try:
        store.write_opportunities([opportunity(3)], now=NOW)
        found: list[Any] = []
        reading = threading.Thread(target=lambda: found.append(ids_read(store, [guid(3)])))
        reading.start()
        wait_until(lambda: store._servers._standbys[0].reads_under_way == 1)
    finally:
        family.standby.resume()
    reading.join()
    assert found == [[guid(3)]]
    assert store._servers._standbys[0].server.reads >= 0
    assert store.servers()[0].reads == 0


def test_a_standby_that_was_passed_over_shows_no_old_moment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read on it begins anew, also on a connection whose last read was given to another."""
    monkeypatch.setattr(postgres_servers, "STANDBY_WAIT_S", 0)
    family = standbys.shared()
    store = opened(family.primary, [family.standby], name=name, readers=1)
    count = "SELECT count(*) FROM opportunity"

    def counted() -> object:
        return store._servers.read(lambda c: c.rows(count)[0][0])

    for number in range(1, 4):
        family.standby.pause()
        store.write_opportunities([opportunity(number)], now=NOW)
        assert counted() == number
        family.standby.resume()
        wait_until(lambda: states(store)[1] is ServerState.IN_USE)
        assert counted() == number
    store.close()


def test_what_a_standby_ends_for_the_sake_of_others_is_read_on_the_primary(
    store: PostgresStore, name: str
) -> None:
    """A moment that would keep a standby from applying a clean-up is begun again elsewhere."""
    family = standbys.shared()
    standby, primary = family.standby, family.primary
    standby.set("max_standby_streaming_delay", "0")
    turns: list[int] = []

    def work(snapshot: Snapshot) -> int:
        turns.append(1)
        [rows] = snapshot.bulk_read(PLAN)
        if len(turns) == 1:
            primary.ask("UPDATE opportunity SET status = 'Won'", database=name)
            primary.ask("VACUUM opportunity", database=name)
            wait_until(lambda: standby.has_all_of(primary))
        assert snapshot.bulk_read(PLAN)[0].json == rows.json
        return rows.count

    try:
        assert store.read(work) == 2
        assert len(turns) == 2
    finally:
        standby.set("max_standby_streaming_delay", "30s")


def test_standbys_are_read_in_turns() -> None:
    """All of them; one that follows another history of the log is never read."""
    with standbys.family(standbys=2) as family:
        store = opened(family.primary, family.standbys)
        ports = {server_of_reads(store) for _ in range(4)}
        assert ports == {one.cluster.port for one in family.standbys}
        store.close()
        _diverge(family)
        _, other = family.standbys
        after = PostgresStore.open(
            family.standby.url, StoreOptions(read_urls=(other.url,)), migrate=False
        )
        for number in range(3):
            after.write_opportunities([opportunity(number, status="true")], now=NOW)
            assert server_of_reads(after) == family.standby.cluster.port
        assert states(after) == [ServerState.IN_USE, ServerState.BEHIND]
        after.close()


def _diverge(family: Family) -> None:
    """Has the second standby receive what the first has not, which then becomes the primary."""
    first, second = family.standbys
    first.kill()
    old = opened(family.primary, [second])
    old.write_opportunities([opportunity(n, status="untrue") for n in range(2_000)], now=NOW)
    wait_until(lambda: second.has_all_of(family.primary))
    old.close()
    family.primary.kill()
    first.start()
    first.promote()
    ahead = "SELECT pg_last_wal_replay_lsn()"
    assert first.ask(f"SELECT pg_current_wal_flush_lsn() < '{second.ask(ahead)}'")


def test_a_primary_that_has_become_a_standby_is_none() -> None:
    """A store that is opened on it is refused."""
    family = standbys.shared()
    with pytest.raises(DatabaseRefused, match="hot standby mode"):
        opened(family.standby, [family.standby])


# --- refused at the start ----------------------------------------------------------------------


def refused(folder: Path, *read: str, database: str | None = None) -> str:
    """The one line of a server that does not start."""
    database = database or standbys.shared().primary.url
    flags = [part for one in read for part in ("--read-database", one)]
    done = run("serve", "--port", "0", "--database", database, *flags, folder=folder)
    assert done.returncode == 1, done.stderr
    [line] = done.stderr.splitlines()
    assert "s3cret" not in line
    return line


def test_a_read_database_that_is_none_of_ours(tmp_path: Path) -> None:
    """One line for a URL, a password, a database that are wrong, and for another database."""
    family = standbys.shared()
    port = family.standby.cluster.port
    good = family.standby.url
    line = refused(tmp_path, good, "postgresql://u:s3cret@host@x/y")
    assert "Read database 2: The database URL is not one of PostgreSQL" in line
    line = refused(tmp_path, f"postgresql://guarded:s3cret@127.0.0.1:{port}/kept")
    assert f"The read database postgresql://127.0.0.1:{port}/kept cannot be opened" in line
    assert "password authentication failed" in line
    other = postgres.shared().migrated_database()
    line = refused(tmp_path, other)
    assert "is no copy of the database" in line
    line = refused(tmp_path, good, database="sqlite:///oppserver.db")
    assert "--read-database goes with PostgreSQL only" in line


def test_a_database_that_a_standby_has_not_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is waited for, for a while; then the start is refused."""
    monkeypatch.setattr(postgres_standby, "STANDBY_OPEN_S", 0.2)
    family = standbys.shared()
    with pytest.raises(DatabaseRefused, match='database "nowhere" does not exist'):
        PostgresStore.open(
            family.primary.url,
            StoreOptions(read_urls=(family.standby.cluster.url("nowhere"),)),
            migrate=False,
        )


def test_a_standby_that_is_away_at_the_start(tmp_path: Path) -> None:
    """The server serves without it, and says so; a primary among standbys is left out too."""
    family = standbys.shared()
    run_well("type", "create", "12000", "--database", family.primary.url, folder=tmp_path)
    gone = f"postgresql://127.0.0.1:{postgres.free_port()}/kept"
    flags = ["--database", family.primary.url, "--read-database", gone]
    with serving(tmp_path, *flags, "--read-database", family.primary.url) as server:
        told = server.get("/health/ready").json["storeServers"]
        assert [one["state"] for one in told] == ["in use", "lost", "no standby"]
        left_out = [line for line in server.log() if line["event"] == "standby_left_out"]
        assert [line["state"] for line in left_out] == ["lost", "no standby"]


def test_the_variable_takes_several(tmp_path: Path) -> None:
    """With blanks between the URLs."""
    family = standbys.shared()
    environment = {
        "OPPSERVER_DATABASE": family.primary.url,
        "OPPSERVER_READ_DATABASE": f"{family.standby.url} {family.primary.url}",
    }
    with serving(tmp_path, environment=environment) as server:
        assert len(server.get("/health/ready").json["storeServers"]) == 3


def test_a_store_without_any_server_is_unreachable() -> None:
    """A read that no server can answer says so at once."""
    with standbys.family() as family:
        store = opened(family.primary, [family.standby])
        family.standby.kill()
        family.primary.kill()
        for _ in range(2):
            with pytest.raises(StoreUnreachable):
                store.bulk_read(PLAN)
        store.close()


def test_the_servers_of_a_store_are_shown(tmp_path: Path) -> None:
    """Servers are shown as a table or as JSON; the exit status says whether all can be read."""
    family = standbys.shared()
    primary_only = ("--database", family.primary.url)
    assert run_well("db", "servers", *primary_only, folder=tmp_path) == ""
    flags = (*primary_only, "--read-database", family.standby.url)
    poll(
        lambda: run("db", "servers", *flags, folder=tmp_path).returncode == 0 or None,
        what="a standby that has all",
    )
    [primary, standby] = json.loads(run_well("db", "servers", *flags, "--json", folder=tmp_path))
    assert primary["role"] == "primary"
    assert standby == {
        "server": family.standby.address,
        "role": "standby",
        "state": "in use",
        "bytesBehind": 0,
    }
    done = run("db", "servers", *flags, "--read-database", family.primary.url, folder=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].split()[1:4] == ["standby", "no", "standby"]
