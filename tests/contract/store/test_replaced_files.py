"""The database is removed or replaced under a server or a command: each of them notices."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import pytest

from oppserver.calls.shared.admission import secret_sha256
from oppserver.contract.model import OpportunityType, Role
from oppserver.store import open_store
from oppserver.store.sqlite.library import sqlite3
from tests.support.many import MESSAGE, workers
from tests.support.running import (
    OPPSERVER,
    Answer,
    Keys,
    Server,
    clean_environment,
    events,
    one_line,
    poll,
    run,
    run_well,
    serving,
)
from tests.support.stores import NOW, guid, key, opportunity
from tests.support.writing import CAPTURE, DEAL, capturing, define

NOTICED_WITHIN_S = 1.0
DATABASE = "oppserver.db"
KEYS = Keys("access", "secret")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database, its backup, and one whose last write is in its log: its process was killed."""
    folder = tmp_path_factory.mktemp("prepared")
    store = open_store(f"sqlite:///{folder}/{DATABASE}")
    define(store)
    store.put_types([OpportunityType(event_code=12003, name="Loan")])
    store.add_key(
        key(KEYS.access, secret_sha256=secret_sha256(KEYS.secret), role=Role.ADMINISTRATOR)
    )
    store.backup(folder / "backup.db")
    store.close()
    (folder / "one.ndjson").write_text(line_of(1))
    write_and_die(folder / "killed.db")
    return folder


@pytest.fixture
def folder(prepared: Path, tmp_path: Path) -> Path:
    """The prepared files."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    return tmp_path


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


def remove(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink()


def move_away(folder: Path, *names: str) -> None:
    (folder / "away").mkdir(exist_ok=True)
    for name in names:
        (folder / name).rename(folder / "away" / name)


def move_back(folder: Path) -> None:
    for one in sorted((folder / "away").iterdir()):
        one.rename(folder / one.name)


def new_empty_file(folder: Path) -> None:
    (folder / "empty").touch()
    (folder / "empty").rename(folder / DATABASE)


def copy_a_backup_over(folder: Path) -> None:
    shutil.copyfile(folder / "backup.db", folder / DATABASE)


def move_a_backup_there(folder: Path) -> None:
    (folder / "backup.db").rename(folder / DATABASE)


def empty(folder: Path) -> None:
    os.truncate(folder / DATABASE, 0)


def write_a_text_over(folder: Path) -> None:
    (folder / DATABASE).write_bytes(b"no database\n" * 100_000)


def copy_another_program_s_over(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "theirs.db")) as theirs:
        theirs.execute("CREATE TABLE theirs (x)")
    shutil.copyfile(folder / "theirs.db", folder / DATABASE)


def put_a_backup_there(folder: Path) -> None:
    remove(folder, *ALL)
    move_a_backup_there(folder)


ALL = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm")

WAYS: dict[str, Callable[[Path], None]] = {
    "all removed": lambda folder: remove(folder, *ALL),
    "the file removed": lambda folder: remove(folder, DATABASE),
    "the log removed": lambda folder: remove(folder, f"{DATABASE}-wal"),
    "the index of the log removed": lambda folder: remove(folder, f"{DATABASE}-shm"),
    "log and index removed": lambda folder: remove(folder, *ALL[1:]),
    "all moved away": lambda folder: move_away(folder, *ALL),
    "the file moved away": lambda folder: move_away(folder, DATABASE),
    "a backup moved there": move_a_backup_there,
    "a backup copied over it": copy_a_backup_over,
    "an empty file moved there": new_empty_file,
    "all removed, a backup moved there": put_a_backup_there,
    "emptied": empty,
    "a text written over it": write_a_text_over,
    "the database of another program copied over it": copy_another_program_s_over,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_write_to_files_that_are_gone_is_not_acknowledged(
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


def test_a_probe_notices_without_any_write(server: Server, folder: Path) -> None:
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


def stored(database: Path, ids: list[str]) -> set[str]:
    """The ids that a sound database has."""
    store = open_store(f"sqlite:///{database}", migrate=False)
    assert store.check() == []
    found = {one for one in ids if store.opportunity(one) is not None}
    store.close()
    return found


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


WRITE_AND_DIE = f"""
import os, sys
from oppserver.store import open_store
from tests.support.stores import NOW, opportunity
store = open_store(sys.argv[1])
store.write_opportunities([opportunity(n) for n in range(100)], now=NOW)
print("written", flush=True)
os.kill(os.getpid(), {signal.SIGKILL.value})
"""


def write_and_die(database: Path) -> None:
    """A process that has a write acknowledged and is killed: the write is in the log."""
    done = subprocess.run(
        [sys.executable, "-c", WRITE_AND_DIE, f"sqlite:///{database}"],
        env=clean_environment() | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "written\n", done.stderr
    assert Path(f"{database}-wal").stat().st_size > 0


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


def line_of(number: int) -> str:
    """A line of an import."""
    members = {"ProspectActivityId": guid(number), "EventCode": DEAL, "ProspectId": guid(1)}
    return json.dumps({**members, "Status": "Open"}) + "\n"


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


# --- the start ---------------------------------------------------------------------------------

COMMANDS = [
    ("import", "one.ndjson"),
    ("serve", "--port", "0"),
    ("db", "upgrade"),
    ("db", "check"),
    ("key", "create", "--email", "a@example.com"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_log_of_another_database_is_refused(command: tuple[str, ...], folder: Path) -> None:
    """Beside a database that it is not of: one line, and both files stay as they were."""
    database, log = folder / "backup.db", folder / "backup.db-wal"
    shutil.copyfile(folder / "killed.db-wal", log)
    before = database.read_bytes(), log.read_bytes()
    line = one_line(run(*command, "--database", "sqlite:///backup.db", folder=folder))
    assert "backup.db-wal is damaged, or the log of another database than backup.db" in line
    assert (database.read_bytes(), log.read_bytes()) == before


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("beside", ["nothing", "an empty file"])
@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_a_log_without_its_database_is_refused(
    companion: str, beside: str, command: tuple[str, ...], folder: Path
) -> None:
    """It may be all that is left of acknowledged writes, which SQLite would delete."""
    left = folder / f"new.db{companion}"
    shutil.copyfile(folder / f"killed.db{companion}", left)
    before = left.read_bytes()
    if beside == "an empty file":
        (folder / "new.db").touch()
    line = one_line(run(*command, "--database", "sqlite:///new.db", folder=folder))
    assert f"new.db{companion} is there" in line
    assert left.read_bytes() == before
    assert (folder / "new.db").exists() == (beside == "an empty file")


def test_the_own_log_of_a_killed_process_is_read(folder: Path) -> None:
    """A crash leaves a log of the same database: nothing has to be done, nothing is missing."""
    ids = [guid(n) for n in range(100)]
    assert stored(folder / "killed.db", ids) == set(ids)
    write_and_die(folder / DATABASE)
    assert stored(folder / DATABASE, ids) == set(ids)


@pytest.mark.parametrize("kind", ["FIFO", "folder", "device", "noise", "text", "long name"])
def test_a_path_that_is_no_database_is_refused(kind: str, tmp_path: Path) -> None:
    """One line and exit status 1, from every command."""
    path = tmp_path / "strange.db"
    (tmp_path / "one.ndjson").write_text("")
    match kind:
        case "FIFO":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "device":
            path = Path("/dev/zero")
        case "noise":
            path.write_bytes(os.urandom(8_192))
        case "text":
            path.write_text("no database " * 1_000)
        case "long name":
            path = tmp_path / ("x" * 300)
    for command in COMMANDS:
        one_line(run(*command, "--database", f"sqlite:///{path}", folder=tmp_path))


@pytest.mark.parametrize("strange", ["folder", "noise"])
def test_something_strange_in_the_place_of_the_log(strange: str, folder: Path) -> None:
    """A folder is refused in one line. What is no log is written over, as SQLite does."""
    log = folder / f"{DATABASE}-wal"
    if strange == "folder":
        log.mkdir()
        one_line(run("db", "check", folder=folder))
        one_line(run("import", "one.ndjson", folder=folder))
    else:
        log.write_bytes(os.urandom(8_192))
        assert run_well("db", "check", folder=folder) == "ok\n"


def test_files_and_folders_that_cannot_be_written(folder: Path) -> None:
    """A user who may only read gets one line from each command, also from those that only read."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    for one in (folder, *folder.iterdir()):
        one.chmod(0o755 if one.is_dir() else 0o644)
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
            pytest.skip("another user cannot reach the folder")
    for command in COMMANDS:
        done = subprocess.run(
            [OPPSERVER, *command],
            cwd=folder,
            env=clean_environment() | {"HOME": "/"},
            capture_output=True,
            text=True,
            check=False,
            user=65_534,
            group=65_534,
        )
        assert DATABASE in one_line(done)
