"""The database is removed or replaced under a server or a command: each of them notices."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from oppserver.store import open_store
from tests.support import replacing
from tests.support.many import MESSAGE, workers
from tests.support.replacing import (
    ALL,
    DATABASE,
    KEYS,
    WAYS,
    line_of,
    move_away,
    move_back,
    remove,
    stored,
    write_and_die,
)
from tests.support.running import (
    OPPSERVER,
    Answer,
    Server,
    clean_environment,
    events,
    one_line,
    poll,
    run,
    run_well,
    serving,
)
from tests.support.stores import NOW, guid, opportunity
from tests.support.writing import CAPTURE, capturing

prepared, folder = replacing.prepared, replacing.folder

NOTICED_WITHIN_S = 1.0


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    """A server that has written."""
    with serving(folder, keys=KEYS) as running:
        assert capture(running).status == 200
        yield running


def capture(server: Server) -> Answer:
    """A write."""
    return server.post(capturing(), path=CAPTURE)


def captured(server: Server) -> str:
    """The id of an opportunity whose creation was acknowledged."""
    answer = capture(server)
    assert answer.status == 200, answer.body
    return str(answer.json["CreatedOpportunityId"])


def ready(server: Server) -> int:
    """The status of the probe."""
    return server.get("/health/ready").status


@pytest.mark.parametrize("way", WAYS)
def test_f3_a_write_to_files_that_are_gone_is_not_acknowledged(
    way: str, server: Server, folder: Path
) -> None:
    """The very next write is 503, and within a second reads and the probe are too."""
    WAYS[way](folder)
    refused = capture(server)
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "removed or replaced" in refused.message
    assert str(folder) not in refused.message
    assert DATABASE not in refused.message
    assert ready(server) == 503
    poll(
        lambda: server.post(MESSAGE).status == 503 or None,
        what="a read that is refused",
        timeout_s=NOTICED_WITHIN_S,
    )
    assert capture(server).status == 503
    assert server.get("/health/live").status == 200
    [*_, line] = events(server, "unavailable")
    assert str(folder / DATABASE) in line["cause"]


def test_f3_a_probe_notices_without_any_write(server: Server, folder: Path) -> None:
    """The very next probe after the file was removed is 503."""
    assert ready(server) == 200
    remove(folder, DATABASE)
    assert ready(server) == 503


def test_files_that_come_back_are_used_again(server: Server, folder: Path) -> None:
    """The same files at the same paths: calls go on without a restart, and nothing is lost."""
    ids = [captured(server)]
    for names in (ALL, (DATABASE,), ALL[1:]):
        move_away(folder, *names)
        assert capture(server).status == 503
        move_back(folder)
        assert ready(server) == 200
        ids.append(captured(server))
    assert server.stop() == 0
    assert stored(folder / DATABASE, ids) == set(ids)


@pytest.mark.parametrize("way", ["log and index removed", "the index of the log removed"])
def test_a_server_whose_log_was_removed_saves_it_at_its_end(
    way: str, server: Server, folder: Path
) -> None:
    """Acknowledged writes are in the file when the server has ended in order."""
    ids = [captured(server) for _ in range(3)]
    WAYS[way](folder)
    assert capture(server).status == 503
    assert server.stop() == 0
    assert stored(folder / DATABASE, ids) == set(ids)


def test_a_server_whose_file_was_moved_leaves_the_log(server: Server, folder: Path) -> None:
    """The log has the last writes; the next start is refused until it is beside its database."""
    ids = [captured(server) for _ in range(3)]
    move_away(folder, DATABASE)
    assert capture(server).status == 503
    assert server.stop() == 0
    assert f"{DATABASE}-wal is there" in one_line(run("serve", "--port", "0", folder=folder))
    move_away(folder, *ALL[1:])
    assert stored(folder / "away" / DATABASE, ids) == set(ids)


def test_an_old_server_does_no_harm_to_the_new_database(server: Server, folder: Path) -> None:
    """Its end leaves the log of the database that has taken the place of its own."""
    WAYS["all removed, a backup moved there"](folder)
    write_and_die(folder / DATABASE)
    assert capture(server).status == 503
    assert server.stop() == 0
    ids = [guid(n) for n in range(100)]
    assert stored(folder / DATABASE, ids) == set(ids)


def test_the_log_of_an_old_server_is_not_read_with_a_new_database(
    server: Server, folder: Path
) -> None:
    """A backup that was moved over the file, beside the old log: the next start is refused."""
    WAYS["a backup moved there"](folder)
    before = (folder / DATABASE).read_bytes()
    assert server.stop() == 0
    line = one_line(run("serve", "--port", "0", folder=folder))
    assert f"{DATABASE}-wal is damaged, or the log of another database" in line
    remove(folder, *ALL[1:])
    assert (folder / DATABASE).read_bytes() == before
    assert run_well("db", "check", folder=folder) == "ok\n"


def test_all_workers_notice(folder: Path) -> None:
    """Each of them refuses reads within a second, and writes at once."""
    with workers(folder, keys=KEYS) as server:
        assert capture(server).status == 200
        remove(folder, *ALL)
        since = len(server.log())

        def all_refuse() -> bool | None:
            assert capture(server).status == 503
            server.post(MESSAGE)
            lines = server.log()[since:]
            refused = {
                (line["worker"], line["call"]) for line in lines if line.get("status") == 503
            }
            return len(refused) == 4 or None

        poll(all_refuse, what="refused reads and writes of both workers")


# --- commands ----------------------------------------------------------------------------------


def feed(stdin: IO[str], numbers: range) -> None:
    """Sends lines until all are sent, or nobody reads them."""
    with suppress(BrokenPipeError), stdin:
        stdin.writelines(map(line_of, numbers))


@pytest.mark.parametrize("way", ["all removed", "a backup moved there", "the log removed"])
def test_an_import_stops_when_its_database_is_gone(way: str, folder: Path) -> None:
    """It ends with one line that names the file, and tells nobody that it has imported."""
    process = subprocess.Popen(
        [OPPSERVER, "import", "-"],
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.writelines(map(line_of, range(60_000)))
    process.stdin.flush()
    log = folder / f"{DATABASE}-wal"
    poll(lambda: (log.exists() and log.stat().st_size > 1 << 20) or None, what="a written batch")
    WAYS[way](folder)
    feeder = threading.Thread(target=feed, args=(process.stdin, range(60_000, 150_000)))
    feeder.start()
    assert process.stdout is not None
    assert process.stderr is not None
    told, complaint = process.stdout.read(), process.stderr.read()
    process.wait()
    feeder.join()
    process.stdout.close()
    process.stderr.close()
    assert process.returncode == 1, complaint
    assert told == ""
    [line] = complaint.splitlines()
    assert str(folder / DATABASE) in line or DATABASE in line
    assert "while this command used it" in line


def test_a_pull_stops_when_its_database_is_gone(folder: Path, tmp_path: Path) -> None:
    """It ends with one line that names the file."""
    store = open_store(f"sqlite:///{folder}/{DATABASE}")
    store.write_opportunities([opportunity(n) for n in range(12_000)], now=NOW)
    store.close()
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with serving(folder, keys=KEYS) as host:
        process = subprocess.Popen(
            [OPPSERVER, "pull", "--host", host.url, "--event-code", "12000", "--rate-limit", "2/1"],
            cwd=mirror,
            env=clean_environment()
            | {"OPPSERVER_ACCESS_KEY": KEYS.access, "OPPSERVER_SECRET_KEY": KEYS.secret},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        state = mirror / f"{DATABASE}.pull-12000.json"
        poll(lambda: state.exists() or process.poll() is not None or None, what="a first batch")
        for one in ALL:
            (mirror / one).unlink()
        _, complaint = process.communicate()
    assert process.returncode == 1, complaint
    [line] = complaint.splitlines()
    assert DATABASE in line
    assert "while this command used it" in line
