"""``oppserver fetch`` as typed, against a scripted host: files, keys, exit status."""

import json
import re
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyarrow import parquet

from oppserver.transfer.files import opened
from tests.support.both_clients import ACCESS, SECRET
from tests.support.fetching import (
    ENVIRONMENT,
    command,
    fetch,
    files,
    ids_in,
    rows_of,
    started,
    write_ids,
)
from tests.support.running import SCALE, clean_environment, one_line, run_well, serving
from tests.support.scripted_host import IDS, Reply, error, guid, scripted_host
from tests.support.terminal import in_terminal
from tests.support.world import SPARSE_ID, WIDE_CODE, WIDE_ID

NAMES = ["ProspectId", "EmailAddress", "ProspectActivityId", "Status", "CreatedOn", "mx_Custom_1"]

# --- complete ----------------------------------------------------------------------------------


def test_a_file_of_all_rows_in_order(tmp_path: Path) -> None:
    """Rows in the order of the ids, missing ids in a file, a summary, status 0, nothing left."""
    absent = frozenset(IDS[7:4_000:500])
    write_ids(tmp_path, [*IDS, IDS[0].upper(), ""])
    with scripted_host(absent=absent) as host:
        done = fetch(tmp_path, host.url, "--missing", "missing.txt")
    assert done.returncode == 0, done.stderr
    assert ids_in(tmp_path / "out.csv") == [one for one in IDS if one not in absent]
    assert (tmp_path / "missing.txt").read_text().split() == [one for one in IDS if one in absent]
    assert re.fullmatch(
        r"fetched 4,992 opportunities into out\.csv in [\d.]+ s \([\d,]+ ids/s\):"
        r" 8 not found, 1 repeated id asked for once\n",
        done.stderr,
    )
    assert files(tmp_path) == {"ids.txt", "out.csv", "missing.txt"}


@pytest.mark.parametrize(
    "name", ["out.csv", "out.ndjson", "out.parquet", "out.arrow", "out.csv.gz", "out.ndjson.zst"]
)
def test_every_format_has_the_same_rows(tmp_path: Path, name: str) -> None:
    """Names in order, dates that sort, all else as the host has it."""
    write_ids(tmp_path, IDS[:2_100])
    with scripted_host() as host:
        assert fetch(tmp_path, host.url, output=name).returncode == 0
    rows = rows_of(tmp_path / name)
    assert len(rows) == 2_100
    assert list(rows[0]) == NAMES
    assert rows[2_099] == {
        "ProspectId": "a368678f-1e81-4fb8-af0a-4b896f6330e1",
        "EmailAddress": "jane@example.com",
        "ProspectActivityId": IDS[2_099],
        "Status": "Open",
        "CreatedOn": "2023-04-06 15:23:34",
        "mx_Custom_1": f"mx_Custom_1 of {IDS[2_099]}",
    }


@pytest.mark.parametrize("name", ["missing.txt", "missing.txt.gz", "missing.txt.zst"])
def test_missing_ids_may_be_packed(tmp_path: Path, name: str) -> None:
    """The end of its name says how, as with the output."""
    write_ids(tmp_path, IDS[:3])
    with scripted_host(absent=frozenset(IDS[1:3])) as host:
        assert fetch(tmp_path, host.url, "--missing", name).returncode == 0
    with opened(tmp_path / name) as source:
        assert source.bytes.read().decode().split() == IDS[1:3]


@pytest.mark.parametrize("name", ["out.csv", "out.ndjson", "out.parquet", "out.arrow"])
def test_no_id_is_found(tmp_path: Path, name: str) -> None:
    """The file is there, with its columns where the format has them; status 0."""
    write_ids(tmp_path, IDS[:3])
    with scripted_host(absent=frozenset(IDS)) as host:
        assert fetch(tmp_path, host.url, output=name).returncode == 0
    assert rows_of(tmp_path / name) == []


def test_ids_from_stdin_and_numbers_for_programs(tmp_path: Path) -> None:
    """``--ids -`` and ``--json``."""
    with scripted_host(absent=frozenset(IDS[:2])) as host:
        done = fetch(tmp_path, host.url, "--ids", "-", "--json", text="\n".join(IDS))
    told = json.loads(done.stdout)
    assert told.pop("seconds") > 0
    assert told == {
        "state": "complete",
        "ids": 5_000,
        "fetched": 4_998,
        "missing": 2,
        "unread": 0,
    }


def test_from_the_real_server_and_back_into_a_store(filled_folder: Path, tmp_path: Path) -> None:
    """A file that was fetched with EventCode can be imported."""
    keys = json.loads(
        run_well("key", "create", "--email", "f@example.com", "--json", folder=filled_folder)
    )
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    write_ids(tmp_path, [WIDE_ID, SPARSE_ID])
    with serving(filled_folder, "--rate-limit", "25/5") as server:
        columns = "EventCode,Status,Owner,OpportunityNote,CreatedOn,ModifiedOn,mx_Custom_1"
        done = subprocess.run(
            [
                *command(server.url, "--keys-file", "keys.json", "--rate-limit", "learn"),
                *("--event-code", str(WIDE_CODE), "--columns", columns, "--output", "out.ndjson"),
            ],
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "imported 2 opportunities" in run_well("import", "out.ndjson", folder=tmp_path)


def test_what_passes_does_not_show(tmp_path: Path) -> None:
    """A host that fails now and then is tried again, which is reported once; the file is whole."""
    replies = (Reply(503), error(429), Reply(200, b""))
    write_ids(tmp_path)
    with scripted_host(*replies) as host:
        done = fetch(tmp_path, host.url)
    assert done.returncode == 0
    first, summary = done.stderr.splitlines()
    assert first.endswith("It is tried for 300 s.")
    assert summary.startswith("fetched 5,000")
    assert ids_in(tmp_path / "out.csv") == IDS


# --- failed ------------------------------------------------------------------------------------

FAILURES = [
    (error(401, kind="MXInvalidAccessDetailsException"), "Check both keys"),
    (error(400, "'Statsu' is no column", kind="MXUnknownAttributeException"), "'Statsu'"),
    (Reply(200, b"<html>"), "cannot be understood"),
]


@pytest.mark.parametrize(("reply", "said"), FAILURES)
def test_nothing_can_be_read(tmp_path: Path, reply: Reply, said: str) -> None:
    """Status 1, the host's words, and no file is left."""
    write_ids(tmp_path)
    with scripted_host(answer=lambda _: reply) as host:
        done = fetch(tmp_path, host.url)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert files(tmp_path) == {"ids.txt"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--output", "out.txt"), "--format csv, ndjson, parquet, arrow"),
        (("--output", "out.parquet.gz"), "without .gz"),
        (("--output", "-"), "--output has to be a file"),
        (("--output", "no/such/folder/out.csv"), "cannot be made"),
        (("--ids", "nowhere.txt"), "nowhere.txt cannot be read"),
        (("--columns", ","), "columns is empty"),
        (("--host", "ftp://x"), "is not a host"),
        (("--rate-limit", "many"), "--rate-limit: 'many'"),
        (("--keys-file", "nowhere.json"), "nowhere.json cannot be read"),
        (("--keys-file", "ids.txt"), "has no key pair"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, more: tuple[str, str], said: str) -> None:
    """Exit status 1 before anything is sent."""
    write_ids(tmp_path)
    with scripted_host() as host:
        done = fetch(tmp_path, host.url, *more)
        assert host.requests == []
    assert said in one_line(done)
    assert files(tmp_path) == {"ids.txt"}


def test_an_id_that_is_none(tmp_path: Path) -> None:
    """Line and value are named; nothing was asked for."""
    write_ids(tmp_path, [*IDS[:3], "24cf277e"])
    with scripted_host() as host:
        done = fetch(tmp_path, host.url)
        assert host.requests == []
    assert done.returncode == 1
    assert "ids.txt, line 4: '24cf277e' is no GUID" in done.stderr


# --- keys --------------------------------------------------------------------------------------


def test_without_keys(tmp_path: Path) -> None:
    """Both ways to give them are named."""
    write_ids(tmp_path)
    done = subprocess.run(
        command("http://127.0.0.1:1"),
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    for part in ("OPPSERVER_ACCESS_KEY", "OPPSERVER_SECRET_KEY", "--keys-file"):
        assert part in done.stderr


KEY_FILES = [
    f'{{"accessKey":"{ACCESS}","secretKey":"{SECRET}"}}\n',
    f'{{\n  "secretKey": "{SECRET}",\n  "accessKey": "{ACCESS}"\n}}\n',
    f"accessKey  {ACCESS}\nsecretKey  {SECRET}\n",
    f"accessKey={ACCESS}\nsecretKey={SECRET}\n",
]


@pytest.mark.parametrize("text", KEY_FILES)
def test_a_file_of_keys(tmp_path: Path, text: str) -> None:
    """The output of ``key create`` in either form is read; no key is in the list of processes."""
    (tmp_path / "keys").write_text(text)
    write_ids(tmp_path)
    arguments: list[str] = []

    def answer(request: Any) -> Reply:
        arguments.extend(
            argument
            for process in psutil.Process().children(recursive=True)
            for argument in process.cmdline()
        )
        return host.rows(request)

    with scripted_host(answer=answer) as host:
        done = subprocess.run(
            command(host.url, "--keys-file", "keys", "--keys-in", "query"),
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert host.requests[0].query == {"accessKey": ACCESS, "secretKey": SECRET}
    assert arguments
    assert not {ACCESS, SECRET} & set(arguments)


# --- in a terminal -----------------------------------------------------------------------------


def test_the_bar_in_a_terminal(tmp_path: Path) -> None:
    """Rate, missing count and time left while it runs; the summary stays."""
    write_ids(tmp_path, [guid(n) for n in range(40_000)])
    with scripted_host(absent=frozenset(IDS[:12]), delay_s=0.1) as host:
        lines, status = in_terminal(command(host.url), folder=tmp_path, environment=ENVIRONMENT)
    assert status == 0, lines
    bar = r"fetching .*\d+/40000 [\d,]+/s, 12 not found \d:\d\d:\d\d"
    assert any(re.match(bar, line) for line in lines), lines
    assert lines[-1].startswith("fetched 39,988 opportunities into out.csv")


# --- at the host's limit -----------------------------------------------------------------------

WINDOWS = max(2, min(10, round(2 * SCALE)))
"""Two in the short form; ten, which are 500,000 ids, at five times the length."""


@pytest.mark.slow
def test_a_fetch_is_as_fast_as_the_limit_allows(tmp_path: Path) -> None:
    """25 calls in 5 s: each done once, and no window of 5 s is lost, also on a busy machine.

    The last call can only begin when all the windows before it have gone.
    """
    ids = [guid(n) for n in range(WINDOWS * 25 * 2_000 + 1)]
    write_ids(tmp_path, ids)
    with scripted_host(limit=(25, 5.0)) as host:
        done = fetch(tmp_path, host.url, "--rate-limit", "learn", "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        print(told)  # with pytest -rP
        assert (told["fetched"], len(host.counted)) == (len(ids), WINDOWS * 25 + 1)
        assert told["seconds"] < 5 * (WINDOWS + 1)


# --- memory ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_parquet_in_bounded_memory(tmp_path: Path) -> None:
    """A Parquet file of 1,000,000 rows (in the long form) within 300 MB resident."""
    number = int(100_000 * SCALE)
    write_ids(tmp_path, [guid(n) for n in range(number)])
    peak = 0
    with (
        scripted_host() as host,
        started(tmp_path, *command(host.url, output="out.parquet")) as process,
    ):
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                peak = max(peak, watched.memory_info().rss)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
            host.requests.clear()
        assert process.returncode == 0
    assert parquet.ParquetFile(tmp_path / "out.parquet").metadata.num_rows == number
    assert 0 < peak <= 300 << 20, f"{peak >> 20} MB"
