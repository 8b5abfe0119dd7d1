"""Calls that standbys answer: own writes are always seen, whatever happens to the servers."""

import operator
import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from oppserver.store import open_store
from tests.support import standbys
from tests.support.running import (
    Answer,
    Keys,
    Server,
    asking,
    create_key,
    events,
    group,
    poll,
    serving,
)
from tests.support.standbys import Family, Member
from tests.support.stores import field, guid, opportunity, scaled
from tests.support.writing import DEAL, UPDATE, fields

IDS = [guid(number) for number in range(1, 101)]
MESSAGE = asking(group(IDS, "Status", code=DEAL))
NOW = "2024-02-29 13:05:09"


@pytest.fixture
def family() -> Iterator[Family]:
    """A primary and two standbys, with a hundred opportunities of one type."""
    with standbys.family(standbys=2) as made:
        filled(made.primary.url)
        yield made


def filled(url: str) -> None:
    store = open_store(url)
    store.put_fields([field(1, event_code=DEAL)])
    batch = [opportunity(n, event_code=DEAL, status="Open") for n in range(1, 101)]
    store.write_opportunities(batch, now=NOW)
    store.close()


@contextmanager
def nodes(family: Family, folder: Path, *flags: str, number: int = 1) -> Iterator[list[Server]]:
    """Servers over one primary and its standbys, which all are read."""
    keys = create_key(folder, database=family.primary.url)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(serving(folder, *family.flags, *_EVERY_ROW, *flags, keys=keys))
            for _ in range(number)
        ]
        for server in servers:
            for standby in family.standbys:
                wait_for(server, standby, "in use")
        yield servers


def state_of(server: Server, member: Member) -> Any:
    """The report of a server about one of the servers of its store."""
    ready = server.get("/health/ready")
    assert ready.status == 200, ready.body
    [state] = [
        one["state"] for one in ready.json["storeServers"] if one["server"] == member.address
    ]
    return state


def wait_for(server: Server, member: Member, state: str) -> None:
    poll(lambda: state_of(server, member) == state or None, what=f"{member.address} {state}")


def counted(server: Server, name: str, member: Member) -> float:
    """A metric of one of the servers of the store."""
    text = server.call("GET", "/metrics").body.decode()
    found = re.search(rf'^{name}{{.*"{re.escape(member.address)}".*}} (\S+)$', text, re.MULTILINE)
    assert found, text
    return float(found[1])


def reads(server: Server, members: Sequence[Member]) -> float:
    return sum(counted(server, "oppserver_store_reads_total", member) for member in members)


def read_until(server: Server, what: str, reached: Any) -> None:
    """Calls, which all are answered well, until a state is reached."""

    def called() -> bool | None:
        answer = server.post(MESSAGE)
        assert answer.status == 200, answer.body
        [entry] = answer.json
        assert entry["RecordCount"] == 100
        return True if reached() else None

    poll(called, what=what)


# --- all is well -------------------------------------------------------------------------------


def test_standbys_answer_what_is_read(family: Family, tmp_path: Path) -> None:
    """Each of them; the primary reads no opportunity. Metrics and health tell which do."""
    with nodes(family, tmp_path) as [server]:
        before = family.primary.lookups()
        for standby in family.standbys:
            # a session reports its look-ups once a second
            read_until(server, "look-ups", lambda: standby.lookups() > 3)  # noqa: B023 (called in this turn of the loop)
            assert reads(server, [standby]) > 0
        assert reads(server, [family.primary]) == 0
        assert family.primary.lookups() == before
        for member in [family.primary, *family.standbys]:
            assert counted(server, "oppserver_store_server_in_use", member) == 1
        assert counted(server, "oppserver_standby_behind_bytes", family.standby) == 0
        told = server.get("/health/ready").json["storeServers"]
        assert [one["role"] for one in told] == ["primary", "standby", "standby"]
        assert [one.get("bytesBehind") for one in told] == [None, 0, 0]


_EVERY_ROW = ("--row-cache-bytes", "0")
"""A read is a read of the store, however often it is asked."""


class Writer:
    """Ends with an error when it has missed a write.

    Changes an opportunity of its own by one node, and reads it by all, again and again.
    """

    def __init__(self, nodes: Sequence[Server], number: int) -> None:
        self.rounds = 0
        self._nodes = nodes
        self._id = IDS[number]
        self._message = asking(group([self._id], "mx_Custom_1", code=DEAL))

    def run(self, ended: threading.Event) -> None:
        for self.rounds in count(1):
            if ended.is_set():
                return
            writes = self._nodes[self.rounds % len(self._nodes)]
            value = f"round {self.rounds}"
            written = writes.post(self._update(value), path=UPDATE)
            assert written.status == 200, written.body
            for server in self._nodes:
                [entry] = server.post(self._message).json
                [row] = entry["Opportunities"]
                assert row["mx_Custom_1"] == value

    def _update(self, value: str) -> dict[str, Any]:
        return {"ProspectOpportunityId": self._id, "Fields": fields(c1=value)}


class Writers:
    """Writers at work."""

    def __init__(self, nodes: Sequence[Server], pool: ThreadPoolExecutor, number: int) -> None:
        self._ended = threading.Event()
        self._writers = [Writer(nodes, one) for one in range(number)]
        self._threads = [pool.submit(writer.run, self._ended) for writer in self._writers]

    def wait_for_rounds(self, number: int = 3) -> None:
        """Until each of them has done some more; fails with what one of them has failed with."""
        wanted = [writer.rounds + number for writer in self._writers]

        def done() -> bool | None:
            for thread in self._threads:
                if thread.done():
                    thread.result()
            so_far = (writer.rounds for writer in self._writers)
            return all(map(operator.ge, so_far, wanted)) or None

        poll(done, what="more rounds of all writers")

    def end(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.result()


@contextmanager
def writing(nodes: Sequence[Server], number: int = 4) -> Iterator[Writers]:
    """Writers at work while the block runs; it fails if one of them has missed a write."""
    with ThreadPoolExecutor(number) as pool:
        writers = Writers(nodes, pool, number)
        try:
            yield writers
        finally:
            writers.end()


def test_own_writes_are_seen_whatever_standbys_have(family: Family, tmp_path: Path) -> None:
    """By every node, while one standby or both apply nothing, and when they go on."""
    first, second = family.standbys
    with nodes(family, tmp_path, number=2) as servers, writing(servers) as writers:
        for _ in range(scaled(2)):
            writers.wait_for_rounds()
            first.pause()
            wait_for(servers[0], first, "behind")
            writers.wait_for_rounds()
            second.pause()
            wait_for(servers[1], second, "behind")
            writers.wait_for_rounds()
            assert servers[0].post(MESSAGE).status == 200
            second.resume()
            first.resume()
            for server in servers:
                poll(
                    lambda: "in use" in {state_of(server, one) for one in family.standbys} or None,  # noqa: B023 (called in this turn of the loop)
                    what="a standby that has caught up",
                )


def test_a_revoked_key_is_refused_by_the_next_call(family: Family, tmp_path: Path) -> None:
    """Keys are the primary's: a standby that applies nothing keeps none alive."""
    with nodes(family, tmp_path) as [server]:
        key = create_key(tmp_path, database=family.primary.url)
        for standby in family.standbys:
            standby.pause()
        assert server.post(MESSAGE, keys=key).status == 200
        store = open_store(family.primary.url)
        store.revoke_key(key.access, now=NOW)
        store.close()
        assert server.post(MESSAGE, keys=key).status == 401


# --- standbys fail -----------------------------------------------------------------------------


def test_standbys_that_are_killed_and_come_back(family: Family, tmp_path: Path) -> None:
    """No call fails: the other one is read, then the primary; they are taken back by themselves."""
    first, second = family.standbys
    with nodes(family, tmp_path, "--workers", "2") as [server]:
        first.kill()
        read_until(server, "the loss", lambda: state_of(server, first) == "lost")
        second.kill()
        read_until(server, "the loss", lambda: state_of(server, second) == "lost")
        read_until(server, "reads of the primary", lambda: reads(server, [family.primary]) > 0)
        for standby in family.standbys:
            standby.start()
        for standby in family.standbys:
            read_until(server, "the return", lambda: state_of(server, standby) == "in use")  # noqa: B023 (called in this turn of the loop)
        [lost, *_] = events(server, "standby_left_out")
        assert (lost["standby"], lost["state"]) == (first.address, "lost")
        assert events(server, "standby_in_use")


def test_a_standby_that_is_frozen_holds_no_call(family: Family, tmp_path: Path) -> None:
    """Calls that wait for one are answered by another server; it is read again when it goes on."""
    frozen = family.standby
    with nodes(family, tmp_path) as [server]:
        frozen.freeze()
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: server.post(MESSAGE).status, range(16)))
        assert answers == [200] * 16
        wait_for(server, frozen, "lost")
        frozen.thaw()
        wait_for(server, frozen, "in use")


def test_a_standby_that_is_promoted_is_read_no_more(family: Family, tmp_path: Path) -> None:
    """Not even over connections that were there before: what it is given is not the store's."""
    first, second = family.standbys
    with nodes(family, tmp_path) as [server]:
        read_until(server, "a connection", lambda: reads(server, [first]) > 0)
        first.promote()
        first.ask("UPDATE opportunity SET status = 'Lost'")
        for _ in range(10):
            answer = server.post(MESSAGE)
            assert answer.status == 200
            assert b"Lost" not in answer.body
        wait_for(server, first, "no standby")
        assert events(server, "standby_left_out")[-1]["state"] == "no standby"
        before = reads(server, [second])
        read_until(server, "reads of the other", lambda: reads(server, [second]) > before + 5)


# --- the primary fails -------------------------------------------------------------------------


def test_reads_go_on_without_the_primary(family: Family, tmp_path: Path) -> None:
    """With what was written before it died, keys and types too; writes are 503 until it is back."""
    with nodes(family, tmp_path) as [server]:
        update = {"ProspectOpportunityId": IDS[0], "Fields": fields(c1="the last")}
        assert server.post(update, path=UPDATE).status == 200
        family.primary.kill()
        [entry] = server.post(asking(group(IDS[:1], "mx_Custom_1", code=DEAL))).json
        assert entry["Opportunities"][0]["mx_Custom_1"] == "the last"
        read_until(server, "the loss", lambda: state_of(server, family.primary) == "lost")
        assert server.get("/v2/OpportunityManagement.svc/GetOpportunityTypes").status == 200
        assert server.post(MESSAGE, keys=Keys("nobody", "x")).status == 401
        refused = server.post(update, path=UPDATE)
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) >= 1
        family.primary.start()
        read_until(server, "the return", lambda: state_of(server, family.primary) == "in use")
        assert server.post(update, path=UPDATE).status == 200
        assert [len(events(server, name)) for name in ("primary_lost", "primary_back")] == [1, 1]


def test_a_primary_that_is_frozen_holds_no_call(family: Family, tmp_path: Path) -> None:
    """Reads that wait for it are answered by a standby, and writes are 503."""
    update = {"ProspectOpportunityId": IDS[0], "Fields": fields(c1="new")}
    with nodes(family, tmp_path) as [server]:
        assert server.post(update, path=UPDATE).status == 200
        family.primary.freeze()
        with ThreadPoolExecutor(8) as pool:
            writes = [pool.submit(server.post, update, path=UPDATE) for _ in range(8)]
            reads = [pool.submit(server.post, MESSAGE) for _ in range(16)]
        assert [one.result().status for one in writes] == [503] * 8
        assert [one.result().status for one in reads] == [200] * 16
        wait_for(server, family.primary, "lost")
        family.primary.thaw()
        wait_for(server, family.primary, "in use")


def test_a_standby_that_lacks_what_was_seen_does_not_stand_in(
    family: Family, tmp_path: Path
) -> None:
    """Without the primary, a read is 503 rather than one that misses an own write."""
    with nodes(family, tmp_path) as [server]:
        for standby in family.standbys:
            standby.pause()
        update = {"ProspectOpportunityId": IDS[0], "Fields": fields(c1="the last")}
        assert server.post(update, path=UPDATE).status == 200
        family.primary.kill()
        answer = server.post(MESSAGE)
        assert (answer.status, answer.exception_type) == (503, "MXServiceUnavailableException")
        assert "retry-after" in answer.headers
        family.standby.resume()

        def read() -> Answer | None:
            answer = server.post(asking(group(IDS[:1], "mx_Custom_1", code=DEAL)))
            return answer if answer.status == 200 else None

        answered = poll(read, what="a standby that has caught up")
        assert b"the last" in answered.body


def test_a_new_primary_is_found_and_its_standbys_are_read(family: Family, tmp_path: Path) -> None:
    """Where the URL names several hosts; a standby is read again when it follows the new one."""
    first, second = family.standbys
    hosts = ",".join(f"127.0.0.1:{member.cluster.port}" for member in (family.primary, first))
    both = f"postgresql://postgres@{hosts}/{standbys.DATABASE}?target_session_attrs=read-write"
    with nodes(family, tmp_path, "--database", both) as [server]:
        read_until(server, "reads", lambda: reads(server, family.standbys) > 0)
        family.primary.kill()
        first.promote()
        update = {"ProspectOpportunityId": IDS[0], "Fields": fields(c1="new")}

        def written() -> bool | None:
            answer = server.post(update, path=UPDATE)
            assert answer.status in (200, 503)
            return answer.status == 200 or None

        poll(written, what="a write on the new primary")
        assert first.ask(f"SELECT mx_custom_1 FROM opportunity WHERE id = '{IDS[0]}'") == "new"
        wait_for(server, second, "behind")
        wait_for(server, first, "no standby")
        second.follow(first)
        wait_for(server, second, "in use")
        before = reads(server, [second])
        read_until(server, "reads of the standby", lambda: reads(server, [second]) > before)
        [entry] = server.post(asking(group(IDS[:1], "mx_Custom_1", code=DEAL))).json
        assert entry["Opportunities"][0]["mx_Custom_1"] == "new"
