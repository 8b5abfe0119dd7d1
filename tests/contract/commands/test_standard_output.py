"""Where results and errors go: readers that leave, full devices, closed outputs; no secrets."""

import json
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.import_lines import line
from tests.support.running import (
    OPPSERVER,
    clean_environment,
    one_line,
    poll,
    run,
    run_well,
)

ROWS = 40_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store whose export is longer than a pipe holds."""
    made = tmp_path_factory.mktemp("printed")
    (made / "in.ndjson").write_text("".join(f"{line(n)}\n" for n in range(ROWS)))
    (made / "one.ndjson").write_text(f"{line(1)}\n")
    run_well("import", "in.ndjson", folder=made)
    return made


def typed(folder: Path, command: str, redirected: str) -> "subprocess.CompletedProcess[str]":
    """A command in a shell, with what is behind it; its own exit status, as the shell says it."""
    words = shlex.join([OPPSERVER, *shlex.split(command)])
    return subprocess.run(
        ["bash", "-c", f"{words} {redirected}; exit ${{PIPESTATUS[0]}}"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("export", id="F8"),
        "export --format csv --output /dev/stdout",
        "export --output /dev/fd/1 --format ndjson",
        "type list --json",
        "--help",
        "db distribute --dry-run --database postgresql://host/database",
    ],
)
def test_f8_a_reader_that_leaves_ends_a_command_quietly(folder: Path, command: str) -> None:
    """By SIGPIPE, as it ends ``cat``: nothing is said."""
    done = typed(folder, command, "2> said | (exec 0<&-)")
    said = [one for one in (folder / "said").read_text().splitlines() if "shards" not in one]
    assert (done.returncode, said) == (141, []), said


OUTPUTS = {"> /dev/full": "No space left on device", ">&-": "it is closed"}


@pytest.mark.parametrize("redirected", OUTPUTS)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param("export", id="F8"),
        "type list",
        "type export",
        "key list --json",
        "import one.ndjson",
        "serve --help",
        "--version",
    ],
)
def test_f8_an_output_that_takes_nothing_is_one_line(
    folder: Path, command: str, redirected: str
) -> None:
    """On a full device, and where the output was closed before."""
    done = typed(folder, command, redirected)
    said = f"oppserver: the standard output cannot be written: {OUTPUTS[redirected]}"
    assert one_line(done) == said


def test_f8_a_key_that_nobody_has_seen_is_revoked(tmp_path: Path) -> None:
    """Its secret cannot be shown again."""
    said = one_line(typed(tmp_path, "key create --email a@example.com", "> /dev/full"))
    assert said.endswith("So nobody has the new key, and it is revoked. Run it again.")
    [key] = json.loads(run_well("key", "list", "--json", folder=tmp_path))
    assert key["revokedOn"]


@pytest.mark.parametrize("redirected", ["2> /dev/full", "2>&-", "2> >(exec 0<&-)"])
def test_f8_a_command_does_its_work_where_nobody_hears_of_it(folder: Path, redirected: str) -> None:
    """Lines on stderr are lost, and nothing else."""
    done = typed(folder, "export --output out.csv", redirected)
    assert done.returncode == 0
    assert (folder / "out.csv").read_text().count("\n") == ROWS + 1


def test_f8_a_server_answers_while_its_log_cannot_be_written(tmp_path: Path) -> None:
    """A full disk of logs stops no call."""
    with Path("/dev/full").open("wb") as full:
        server = subprocess.Popen(
            [OPPSERVER, "serve", "--port", "0"],
            cwd=tmp_path,
            env=clean_environment(),
            stderr=full,
        )
        try:
            port = poll(lambda: _port_of(server.pid), what="the server")
            for _ in range(3):
                with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10) as answer:
                    assert answer.status == 200
        finally:
            server.terminate()
            assert server.wait(30) == 0


def _port_of(pid: int) -> int | None:
    """The port on which a process listens."""
    sockets = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(one.readlink().name.removeprefix("socket:[").removesuffix("]"))
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        cells = row.split()
        if cells[3] == "0A" and cells[9] in sockets:
            return int(cells[1].partition(":")[2], 16)
    return None


# --- secrets ------------------------------------------------------------------------------------

SPELLINGS = [
    pytest.param("host=db user=app password=hunter2", id="F10"),
    "PASSWORD = 'hunter2' host=db",
    "hunter2",
    "app:hunter2@db/opportunities",
    "mysql://app:hunter2@db/opportunities",
    "postgresql+asyncpg://app:hunter2@db/opportunities",
    "postgresql:host=db password=hunter2",
    "postgresql://app:hun@ter2hunter2@db/x",
    "postgresql://127.0.0.1:1/x?user=app&password=hunter2",
    "jdbc:postgresql://db/x?user=app&password=hunter2",
    "sqlite://app:hunter2@db/x",
    "sqlite:///x.db?password=hunter2",
    '{"host": "db", "password": "hunter2"}',
    "{'host': 'db', 'password': 'hunter2'}",
    "OPPSERVER_DATABASE=postgresql://app:hunter2@db/x",
]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_f10_a_database_that_cannot_be_used_shows_no_password(tmp_path: Path, spelled: str) -> None:
    """However it is spelled, and wherever it was put."""
    said = one_line(
        run("type", "list", environment={"OPPSERVER_DATABASE": spelled}, folder=tmp_path)
    )
    assert "hunter2" not in said
    if "password" in spelled:
        done = run("export", spelled, folder=tmp_path)
        assert done.returncode == 2
        assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    "variable", ["OPPSERVER_PORT", "OPPSERVER_RATE_LIMIT_STORE", "OPPSERVER_LOG_LEVEL"]
)
def test_f10_a_secret_in_the_wrong_variable_is_not_shown(tmp_path: Path, variable: str) -> None:
    """A refused value is repeated without its secrets."""
    for value in ("postgresql://app:hunter2@db/x", "password=hunter2", '{"secretKey":"hunter2"}'):
        said = one_line(run("serve", environment={variable: value}, folder=tmp_path))
        assert variable in said
        assert "hunter2" not in said
