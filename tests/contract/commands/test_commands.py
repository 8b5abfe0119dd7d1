"""The commands as typed: types, fields, the store, the demo, and what they say of bad input."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from oppserver.contract import example
from oppserver.store.sqlite.library import Connection
from tests.support.import_lines import line
from tests.support.running import (
    OPPSERVER,
    clean_environment,
    one_line,
    poll,
    run,
    run_well,
    unprivileged,
)
from tests.support.world import WIDE_CODE

# --- help --------------------------------------------------------------------------------------


def test_help_names_every_command(tmp_path: Path) -> None:
    """``oppserver --help`` and no argument at all teach the same."""
    text = run_well("--help", folder=tmp_path)
    for command in (
        "demo",
        "serve",
        "key",
        "user",
        "type",
        "field",
        "activity-type",
        "import",
        "export",
        "db",
    ):
        assert re.search(rf"^\s+{command}\s", text, re.MULTILINE), command
    assert "oppserver demo" in text
    assert run_well("--version", folder=tmp_path).startswith("oppserver ")
    assert list(tmp_path.iterdir()) == []


# --- types and fields --------------------------------------------------------------------------


def test_types_and_fields(tmp_path: Path) -> None:
    """Created, listed, changed without losing what is not named."""
    run_well("type", "create", "12001", "--name", "Home loan", folder=tmp_path)
    run_well("type", "create", "12001", folder=tmp_path)
    assert json.loads(run_well("type", "list", "--json", folder=tmp_path)) == [
        {"eventCode": 12001, "name": "Home loan", "opportunities": 0}
    ]
    add = ("field", "add", "12001", "MX_custom_7")
    run_well(*add, "--display-name", "Deal size", "--data-type", "Number", folder=tmp_path)
    run_well(*add, folder=tmp_path)
    [field] = json.loads(run_well("field", "list", "12001", "--json", folder=tmp_path))
    assert field["schemaName"] == "mx_Custom_7"
    assert (field["displayName"], field["dataType"]) == ("Deal size", "Number")
    assert "Deal size" in run_well("field", "list", "12001", folder=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("field", "add", "12001", "Status"), "another --display-name"),
        (("field", "add", "12001", "mx_Custom_251"), "mx_Custom_1 to mx_Custom_250"),
        (("field", "add", "12999", "mx_Custom_1"), "no type 12999"),
        (("field", "list", "12999"), "no type 12999"),
    ],
)
def test_fields_that_cannot_be(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """One line that says what can be."""
    run_well("type", "create", "12001", folder=tmp_path)
    assert said in one_line(run(*arguments, folder=tmp_path))


# --- the store ---------------------------------------------------------------------------------


def test_check_and_backup(filled_folder: Path, tmp_path: Path) -> None:
    """A sound store is ok; its backup is a whole store; a backup overwrites nothing."""
    database = ("--database", f"sqlite:///{filled_folder}/oppserver.db")
    assert run_well("db", "check", *database, folder=tmp_path) == "ok\n"
    run_well("db", "backup", "copy.db", *database, folder=tmp_path)
    copy = ("--database", "sqlite:///copy.db")
    assert run_well("db", "check", *copy, folder=tmp_path) == "ok\n"
    both = [run_well("export", *which, folder=tmp_path) for which in (database, copy)]
    assert both[0] == both[1] != ""
    assert "copy.db exists already" in one_line(
        run("db", "backup", "copy.db", *database, folder=tmp_path)
    )


def test_a_damaged_store_is_reported(tmp_path: Path) -> None:
    """``db check`` names what is wrong and ends with 1."""
    (tmp_path / "opportunities.ndjson").write_bytes(example.opportunities())
    run_well("import", "opportunities.ndjson", folder=tmp_path)
    with closing(Connection(tmp_path / "oppserver.db")) as connection:
        connection.execute("UPDATE lead SET email = 'other@example.com'")
    done = run("db", "check", folder=tmp_path)
    assert done.returncode == 1
    assert "3 opportunities whose EmailAddress is not that of its lead" in done.stdout


READ_ONLY_COMMANDS = [
    ("key", "list"),
    ("key", "revoke", "x"),
    ("user", "list"),
    ("type", "list"),
    ("type", "show", "12001"),
    ("type", "export"),
    ("activity-type", "list"),
    ("field", "list", "12001"),
    ("export",),
    ("db", "check"),
    ("db", "backup", "x.db"),
]


@pytest.mark.parametrize("arguments", READ_ONLY_COMMANDS, ids=" ".join)
def test_a_command_that_only_looks_creates_no_store(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A mistyped path is reported, not filled with an empty store."""
    line = one_line(run(*arguments, folder=tmp_path))
    assert f"There is no database at {tmp_path}/oppserver.db. Run the command in its folder" in line
    assert list(tmp_path.iterdir()) == []


BAD_DATABASES = [
    ("nonsense", "sqlite:///FILE"),
    ("mysql://localhost/x", "'mysql'"),
    ("sqlite://", "sqlite:///FILE"),
    ("sqlite:///:memory:", "sqlite:///FILE"),
    ("sqlite:///no/such/folder/x.db", "folder no/such/folder"),
    ("sqlite:///.", "is a folder"),
    ("sqlite:///notes.txt", "notes.txt"),
    ("sqlite:///foreign.db", "not one of oppserver"),
    ("sqlite:///newer.db", "newer version"),
]


@pytest.mark.parametrize(("url", "said"), BAD_DATABASES)
@pytest.mark.parametrize("command", ["serve", "import", "key"])
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str, said: str, command: str) -> None:
    """One clear line, exit status 1, and not a byte of the folder is changed."""
    (tmp_path / "notes.txt").write_text("not a database " * 100)
    with closing(Connection(tmp_path / "foreign.db")) as connection:
        connection.execute("CREATE TABLE other (x)")
    run_well("db", "upgrade", "--database", "sqlite:///newer.db", folder=tmp_path)
    with closing(Connection(tmp_path / "newer.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    (tmp_path / "rows.ndjson").write_bytes(example.opportunities())
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    arguments = {
        "serve": ("serve", "--port", "0"),
        "import": ("import", "rows.ndjson"),
        "key": ("key", "create", "--email", "a@example.com"),
    }[command]
    line = one_line(run(*arguments, "--database", url, folder=tmp_path))
    assert said in line
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """One line with the path in it."""
    if os.geteuid() == 0:
        # root may write anywhere, but not below a file of /proc
        database = "sqlite:////proc/sys/oppserver.db"
    else:
        tmp_path.chmod(0o500)
        database = f"sqlite:///{tmp_path}/oppserver.db"
    line = one_line(run("type", "create", "12001", "--database", database, folder=tmp_path))
    assert "oppserver.db" in line


def test_a_full_disk(tmp_path: Path) -> None:
    """An import that meets the end of the disk says so, and the store stays sound."""
    rows = [
        json.dumps(
            {
                "ProspectActivityId": f"{n:08x}-0000-4000-8000-000000000000",
                "EventCode": 12000,
                "ProspectId": f"{n:08x}-0000-4000-8000-000000000001",
                "OpportunityNote": "x" * 1_000,
            }
        )
        for n in range(20_000)
    ]
    (tmp_path / "rows.ndjson").write_text("\n".join(rows))
    run_well("db", "upgrade", folder=tmp_path)

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))

    done = subprocess.run(
        [OPPSERVER, "import", "rows.ndjson"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=small_files,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("oppserver: ")
    assert run_well("db", "check", folder=tmp_path) == "ok\n"


# --- the demo ----------------------------------------------------------------------------------


def test_the_demo_shows_the_page_s_request_and_answer(tmp_path: Path) -> None:
    """``oppserver demo --exit`` ends with 0, leaves nothing, and prints what it promises."""
    environment = clean_environment() | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [OPPSERVER, "demo", "--exit", "--port", "0", "--opportunities", "3000"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert example.request().decode().strip() in done.stdout
    answer = json.dumps(json.loads(example.response()), indent=2)
    assert answer in done.stdout
    assert "2,000 opportunities in one call, out of 3,000" in done.stdout
    for part in ("accessKey", "secretKey", "/docs", "/openapi.json", "curl -s"):
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_demo_serves_until_ctrl_c(tmp_path: Path) -> None:
    """Its curl works while it serves; Ctrl-C ends the server and removes the folder."""
    environment = clean_environment() | {"TMPDIR": str(tmp_path)}
    output = tmp_path / "output.txt"
    folder = tmp_path / "temporary"
    folder.mkdir()
    with output.open("w") as printed:
        process = subprocess.Popen(
            [OPPSERVER, "demo", "--port", "0", "--opportunities", "50"],
            cwd=tmp_path,
            env=environment | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        try:
            poll(
                lambda: "until Ctrl-C" in output.read_text() or None, what="the demo", timeout_s=60
            )
            text = output.read_text()
            curl = text[text.index("curl -s") :].split("\n\n")[0]
            answered = subprocess.run(
                ["bash", "-c", curl], capture_output=True, check=True, timeout=30
            ).stdout
            assert json.loads(answered) == json.loads(example.response())
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()
    assert "Traceback" not in output.read_text()
    assert list(folder.iterdir()) == []


def test_python_m_oppserver(tmp_path: Path) -> None:
    """``python -m oppserver`` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "oppserver", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("oppserver ")


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("--help", None),
        ("type list --json", None),
        ("import -", f"{line(1)}\nnot JSON\n"),
        ("import - --on-error skip --json", f"{line(1)}\n"),
        ("key create --role king", None),
        ("export --database sqlite:///none.db", None),
        ("serve --port 99999", None),
    ],
)
def test_a_forked_command_does_what_a_new_process_does(
    filled_folder: Path, tmp_path: Path, typed: str, text: str | None
) -> None:
    """``run`` forks, other tests start anew: status, output and complaint are the same."""
    for name in ("forked", "anew"):
        (tmp_path / name).mkdir()
        shutil.copy(filled_folder / "oppserver.db", tmp_path / name)
    forked = run(*typed.split(), folder=tmp_path / "forked", text=text)
    anew = subprocess.run(
        [OPPSERVER, *typed.split()],
        cwd=tmp_path / "anew",
        env=clean_environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (forked.returncode, forked.stdout) == (anew.returncode, anew.stdout)
    assert forked.stderr.replace("/forked/", "/anew/") == anew.stderr


def test_a_reader_of_our_output_may_leave(filled_folder: Path) -> None:
    """``oppserver export | head -1`` is no error."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{OPPSERVER}' export | head -c 10"],
        cwd=filled_folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_wide_code_is_listed(filled_folder: Path) -> None:
    """``type list`` counts what each type has."""
    listed = json.loads(run_well("type", "list", "--json", folder=filled_folder))
    by_code = {one["eventCode"]: one["opportunities"] for one in listed}
    assert by_code[12003] == 3
    assert by_code[12001] == 0
    assert by_code[WIDE_CODE] == 2


# --- messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "said"),
    [
        pytest.param(1, "imported 1 opportunity: 1 created, 0 replaced", id="O12"),
        (0, "imported 0 opportunities: 0 created, 0 replaced"),
        (2, "imported 2 opportunities: 2 created, 0 replaced"),
        (1_500, "imported 1,500 opportunities: 1,500 created, 0 replaced"),
    ],
)
def test_o12_numbers_and_nouns_agree(tmp_path: Path, number: int, said: str) -> None:
    """``import``, and ``export`` behind it."""
    (tmp_path / "in.ndjson").write_text("".join(f"{line(n)}\n" for n in range(number)))
    assert run("import", "in.ndjson", folder=tmp_path).stdout == f"{said}\n"
    done = run("export", folder=tmp_path)
    assert done.stderr == said.partition(":")[0].replace("imported", "exported") + "\n"


def test_o12_a_store_that_is_elsewhere_is_named_whole(tmp_path: Path) -> None:
    """From a wrong folder, the place that was looked at is shown, and what names another."""
    for database in (None, "sqlite:///data.db", "sqlite:///../x.db"):
        more = () if database is None else ("--database", database)
        said = one_line(run("type", "list", *more, folder=tmp_path))
        assert f"There is no database at {tmp_path}/" in said
        assert "--database" in said


@pytest.mark.parametrize("more", [("--exit",), (), ("--opportunities", "50000000")])
def test_o10_the_demo_looks_at_its_port_first(tmp_path: Path, more: tuple[str, ...]) -> None:
    """Nothing is generated for a port that is taken; the cure is a flag that it has."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = one_line(run("demo", "--port", str(port), *more, folder=tmp_path))
    assert said.startswith(f"oppserver: The demo cannot listen on port {port}: ")
    assert said.endswith("--port 0 takes a free one.")


def test_o10_a_port_that_may_not_be_used(tmp_path: Path) -> None:
    """The kernel keeps the first ports for root, unless it is set up otherwise."""
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    done = unprivileged("demo", "--port", "1", "--exit", folder=tmp_path)
    assert (done.returncode == 0) == (first <= 1)
    if done.returncode:
        assert "Permission denied" in one_line(done)
