"""The primary is lost, replaced, or there twice: what becomes of calls."""

import select
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from oppserver.contract.errors import DatabaseRefused, InvalidDatabaseUrl, Unavailable
from oppserver.contract.model import OpportunityType
from oppserver.store import Store, StoreOptions, open_store
from oppserver.store.queries import Plan
from oppserver.store.row_cache import RowCache
from tests.support import postgres, standbys
from tests.support.failing_over import body, names_in, refused_well, serving_on
from tests.support.running import poll, run
from tests.support.standbys import DATABASE, Family, Member
from tests.support.stores import NOW, entry, guid, ids_read, opportunity
from tests.support.writing import CAPTURE

HASTY = StoreOptions(query_timeout_s=1.0)


@pytest.fixture
def family() -> Iterator[Family]:
    """A primary whose commits wait for its standby."""
    with standbys.family(standbys=1) as made:
        made.primary.wait_for_standbys()
        yield made


@contextmanager
def opened(url: str) -> Iterator[Store]:
    store = open_store(url, HASTY)
    try:
        yield store
    finally:
        store.close()


def write(store: Store, number: int) -> None:
    store.write_opportunities([opportunity(number)], now=NOW)


def write_in_the_end(store: Store, number: int) -> None:
    """Writes, again and again while that is Unavailable."""

    def written() -> bool | None:
        try:
            write(store, number)
        except Unavailable:
            return None
        return True

    poll(written, what="a write")


def ids_on(member: Member) -> list[str]:
    found = member.ask("SELECT coalesce(json_agg(id ORDER BY id), '[]') FROM opportunity")
    return list(found)


# --- a write that nobody has confirmed ---------------------------------------------------------


def test_a_commit_whose_wait_was_cancelled_is_not_acknowledged(
    family: Family, tmp_path: Path
) -> None:
    """PostgreSQL says success with a warning; the caller gets 503, and repeats it by its key."""
    with serving_on(tmp_path, family.primary.url) as server, ThreadPoolExecutor(1) as threads:
        family.standby.freeze()
        key = uuid4().hex
        sent = threads.submit(server.post, body("one"), path=CAPTURE, Idempotency_Key=key)
        waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        poll(lambda: family.primary.ask(f"SELECT pg_cancel_backend(pid) {waiting}"), what="it")
        refused = sent.result()
        refused_well(refused)
        assert "not where it would survive a failover" in refused.message
        family.standby.thaw()
        repeated = server.post(body("one"), path=CAPTURE, Idempotency_Key=key)
        assert (repeated.status, repeated.headers["idempotent-replayed"]) == (200, "true")
    assert names_in(family.primary.url) == ["one"]


def test_a_commit_that_waits_for_a_standby_that_is_gone_ends(
    family: Family, tmp_path: Path
) -> None:
    """With 503, after ``query_timeout_s`` and 3 seconds; nobody sees what is not confirmed."""
    with serving_on(tmp_path, family.primary.url) as server:
        family.standby.kill()
        key = uuid4().hex
        refused = server.post(body("one"), path=CAPTURE, Idempotency_Key=key)
        refused_well(refused)
        assert "has not confirmed in time" in refused.message
        assert names_in(family.primary.url) == []
        family.standby.start()

        def repeated() -> bool | None:
            answer = server.post(body("one"), path=CAPTURE, Idempotency_Key=key)
            if answer.status == 200:
                return True
            refused_well(answer)
            return None

        poll(repeated, what="the write")
    assert names_in(family.primary.url) == ["one"]


# --- two primaries -----------------------------------------------------------------------------


def test_a_server_that_starts_takes_the_newer_of_two_primaries(family: Family) -> None:
    """Whichever comes first in the URL, and however quickly it answers."""
    family.standby.promote()
    family.primary.set("synchronous_standby_names", "")
    with opened(family.every_host) as store:
        write(store, 1)
    assert ids_on(family.standby) == [guid(1)]
    assert ids_on(family.primary) == []


def test_a_primary_that_is_replaced_while_it_lives_is_left(family: Family) -> None:
    """Soon after the promotion, though its connections are as good as before; also by reads."""
    family.primary.set("synchronous_standby_names", "")
    with opened(family.every_host) as store:
        write(store, 1)
        poll(lambda: family.standby.has_all_of(family.primary) or None, what="the standby")
        family.standby.promote()
        family.standby.ask(f"UPDATE opportunity SET id = '{guid(2)}'")
        poll(lambda: ids_read(store, [guid(1), guid(2)]) == [guid(2)] or None, what="the move")
        write(store, 3)
    assert ids_on(family.standby) == [guid(2), guid(3)]
    assert ids_on(family.primary) == [guid(1)]


def test_an_old_primary_is_not_used_even_when_it_is_the_only_one(family: Family) -> None:
    """Whoever has seen the newer one waits for it: it has what was acknowledged since."""
    with opened(family.every_host) as store:
        family.primary.kill()
        family.standby.promote()
        write_in_the_end(store, 1)
        family.standby.kill()
        family.primary.start()
        with pytest.raises(Unavailable, match="no primary now") as refused:
            write(store, 2)
        assert "is an old primary, of timeline 1; 2 has begun" in str(refused.value.__cause__)
        with pytest.raises(Unavailable, match="no primary now"):
            ids_read(store, [guid(1)])
        family.standby.start()
        write_in_the_end(store, 2)
    assert ids_on(family.standby) == [guid(1), guid(2)]


def test_what_is_known_of_types_is_forgotten_with_the_old_primary(family: Family) -> None:
    """A version that only the old one had may come again, and be of other types."""
    family.primary.set("synchronous_standby_names", "")
    with opened(family.every_host) as store:
        write(store, 1)
        poll(lambda: family.standby.has_all_of(family.primary) or None, what="the standby")
        family.standby.kill()
        store.put_types([OpportunityType(event_code=12_001, name="lost")])
        assert 12_001 in store.catalogue().types
        family.primary.kill()
        family.standby.start()
        family.standby.promote()

        def put() -> bool | None:
            try:
                store.put_types([OpportunityType(event_code=12_002, name="new")])
            except Unavailable:
                return None
            return True

        poll(put, what="a type")
        assert {12_001, 12_002} & set(store.catalogue().types) == {12_002}


def test_a_version_that_was_lost_and_comes_again_is_another(family: Family) -> None:
    """Rows that were kept and tags that were given with the old primary are of no use after it."""
    family.primary.set("synchronous_standby_names", "")
    plan = Plan(entries=(entry([guid(1)], "ProspectId", "ProspectActivityId", "Status"),))
    hot = RowCache(bytes_max=1 << 20, on_read=lambda _kept, _fetched: None)
    with opened(family.every_host) as store:
        store.write_opportunities([opportunity(1, status="Open")], now=NOW)
        poll(lambda: family.standby.has_all_of(family.primary) or None, what="the standby")
        family.standby.kill()
        store.write_opportunities([opportunity(1, status="Lost")], now=NOW)
        old = store.read(lambda moment: moment.fingerprint(plan))
        rows = [hot.bulk_read(store, plan) for _ in range(4)][-1].rows
        numbers = store.change_numbers()
        assert b'"Lost"' in rows[0].json
        family.primary.kill()
        family.standby.start()
        family.standby.promote()

        def written() -> bool | None:
            try:
                store.write_opportunities([opportunity(1, status="Won")], now=NOW)
            except Unavailable:
                return None
            return True

        poll(written, what="a write")
        assert store.change_numbers() == numbers
        assert b'"Won"' in hot.bulk_read(store, plan).rows[0].json
        assert store.read(lambda moment: moment.fingerprint(plan)) != old


# --- one address that moves --------------------------------------------------------------------


class MovingAddress:
    """An address that leads to one server or another, as a proxy or a virtual one does."""

    def __init__(self, to: Member) -> None:
        self._port = to.cluster.port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._near: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}/{DATABASE}"

    def move(self, to: Member) -> None:
        """Leads elsewhere, and ends the connections that there are."""
        self.move_to_port(to.cluster.port)

    def move_to_port(self, port: int) -> None:
        """The same, to whatever listens there."""
        self._port = port
        for one in self._near:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._near.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.move_to_port(0)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with self._listener, suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._near.append(near)
                carrier = threading.Thread(target=self._carry, args=(near, self._port))
                self._threads.append(carrier)
                carrier.start()

    @staticmethod
    def _carry(near: socket.socket, port: int) -> None:
        with near, suppress(OSError), socket.create_connection(("127.0.0.1", port)) as far:
            while True:
                ready, _, _ = select.select([near, far], [], [])
                for one in ready:
                    data = one.recv(65_536)
                    if not data:
                        return
                    (far if one is near else near).sendall(data)


@pytest.fixture
def address(family: Family) -> Iterator[MovingAddress]:
    """An address that leads to the primary."""
    made = MovingAddress(family.primary)
    yield made
    made.close()


def test_an_address_that_moves_is_followed(family: Family, address: MovingAddress) -> None:
    """To the standby that was promoted; and not back to the old primary."""
    family.primary.set("synchronous_standby_names", "")
    with opened(address.url) as store:
        write(store, 1)
        poll(lambda: family.standby.has_all_of(family.primary) or None, what="the standby")
        address.move(family.standby)
        with pytest.raises(Unavailable, match="The store"):
            write(store, 2)
        family.standby.promote()
        write_in_the_end(store, 2)
        address.move(family.primary)
        with pytest.raises(Unavailable, match="no primary now"):
            write(store, 3)
        address.move(family.standby)
        write(store, 3)
    assert ids_on(family.standby) == [guid(1), guid(2), guid(3)]
    assert ids_on(family.primary) == [guid(1)]


def test_another_cluster_is_not_written_to(family: Family, address: MovingAddress) -> None:
    """Whatever an address leads to: what was opened is used until it is opened anew."""
    other = postgres.shared().migrated_database()
    port = int(other.rpartition("/")[0].rpartition(":")[2])
    url = address.url.rpartition("/")[0] + "/" + other.rpartition("/")[2]
    family.primary.ask(f"CREATE DATABASE {other.rpartition('/')[2]} TEMPLATE {standbys.MIGRATED}")
    with opened(url) as store:
        write(store, 1)
        address.move_to_port(port)
        with pytest.raises(Unavailable, match="no primary now") as refused:
            write(store, 2)
        assert "is of another cluster" in str(refused.value.__cause__)
    with opened(url) as store:
        write(store, 2)


# --- opening -----------------------------------------------------------------------------------


def test_a_database_without_a_primary_is_not_opened(family: Family) -> None:
    """One line names each host and what it is."""
    family.primary.kill()
    with pytest.raises(DatabaseRefused) as refused:
        open_store(family.every_host)
    said = str(refused.value)
    assert f"{family.standby.address} is a standby" in said
    assert family.primary.address in said
    assert "\n" not in said


def test_a_standby_can_be_opened_to_look_at(family: Family, tmp_path: Path) -> None:
    """``target_session_attrs=any`` in the URL says so; it is not written to."""
    url = f"{family.standby.url}?target_session_attrs=any"
    with opened(url) as store:
        assert store.check() == []
        with pytest.raises(Unavailable, match="cannot be written to"):
            write(store, 1)
    done = run("export", "--database", family.standby.url, folder=tmp_path)
    assert (done.returncode, "hot standby mode" in done.stderr) == (1, True)


def test_hosts_and_ports_have_to_fit() -> None:
    """Two hosts and three ports are refused before anything is asked of them."""
    with pytest.raises(InvalidDatabaseUrl, match="2 hosts and 3 ports"):
        open_store("postgresql://u:secret@one:1,two:2/db?port=1,2,3")
