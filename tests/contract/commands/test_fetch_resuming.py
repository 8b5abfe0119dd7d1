"""``oppserver fetch`` that was killed, stopped or refused goes on with what it has."""

import json
import random
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.fetching import command, fetch, files, ids_in, rows_of, started, write_ids
from tests.support.running import SCALE, poll
from tests.support.scripted_host import (
    IDS,
    Reply,
    Request,
    ScriptedHost,
    error,
    guid,
    scripted_host,
)


def journal_lines(folder: Path, output: str = "out.csv") -> int:
    with suppress(FileNotFoundError):
        return (folder / f"{output}.journal").read_bytes().count(b"\n")
    return 0


def wait_for_lines(folder: Path, number: int, output: str = "out.csv") -> None:
    poll(lambda: journal_lines(folder, output) >= number or None, what="finished chunks")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_kills_at_any_moment(tmp_path: Path, name: str) -> None:
    """Killed again and again, the file is in the end the one that no kill has met.

    No chunk that was finished is asked for again, and no row is there twice.
    """
    chunks = int(30 * max(SCALE, 0.5))
    ids = [guid(n) for n in range(2_000 * chunks)]
    chance = random.Random(6)
    write_ids(tmp_path, ids)
    absent = frozenset(ids[::1_000])
    with scripted_host(absent=absent, delay_s=0.03) as host:
        finished = 1  # the journal's first line is the job's
        while finished <= chunks - 6:
            with started(tmp_path, *command(host.url, output=name)) as process:
                aim = finished + chance.randrange(1, 6)
                wait_for_lines(tmp_path, aim, name)
                process.send_signal(signal.SIGKILL)
            finished = journal_lines(tmp_path, name)
        kept = _finished_ids(tmp_path, name, ids)
        host.requests.clear()
        done = fetch(tmp_path, host.url, "--missing", "missing.txt", output=name)
        assert done.returncode == 0, done.stderr
        assert "calls of an earlier run kept" in done.stderr
        asked = [one for request in host.requests for one in request.ids]
    assert sorted(asked) == sorted(set(ids) - kept)
    found = [row["ProspectActivityId"] for row in rows_of(tmp_path / name)]
    assert found == [one for one in ids if one not in absent]
    assert (tmp_path / "missing.txt").read_text().split() == [one for one in ids if one in absent]
    assert files(tmp_path) == {"ids.txt", name, "missing.txt"}


def _finished_ids(folder: Path, name: str, ids: list[str]) -> set[str]:
    """The ids of the chunks whose lines are whole in the journal."""
    lines = (folder / f"{name}.journal").read_bytes()
    whole = lines[: lines.rfind(b"\n")].splitlines()[1:]
    chunks = [json.loads(line)["chunk"] for line in whole]
    assert len(set(chunks)) == len(chunks)
    return {one for chunk in chunks for one in ids[chunk * 2_000 : (chunk + 1) * 2_000]}


def unfinished(folder: Path, host: ScriptedHost) -> None:
    """A run of which two of three chunks are finished."""
    write_ids(folder)
    host.answer = lambda request: error(400, "no") if IDS[-1] in request.ids else host.rows(request)
    done = fetch(folder, host.url)
    assert done.returncode == 3, done.stderr
    assert "4,000 of 5,000 ids are read and kept in out.csv.part" in done.stderr
    assert "Run the same command again to go on." in done.stderr
    assert files(folder) == {"ids.txt", "out.csv.part", "out.csv.journal"}
    host.answer = None
    host.requests.clear()


def test_partial_then_complete(tmp_path: Path) -> None:
    """Status 3 keeps what was read; the next run asks for the rest."""
    with scripted_host() as host:
        unfinished(tmp_path, host)
        assert fetch(tmp_path, host.url).returncode == 0
        assert [request.ids for request in host.requests] == [IDS[4_000:]]
    assert ids_in(tmp_path / "out.csv") == IDS


def test_data_that_was_damaged_is_read_again(tmp_path: Path) -> None:
    """The second chunk of the part is not what the journal says: it alone is asked for again."""
    with scripted_host() as host:
        unfinished(tmp_path, host)
        part = tmp_path / "out.csv.part"
        data = bytearray(part.read_bytes())
        data[-100] ^= 1
        part.write_bytes(data)
        assert fetch(tmp_path, host.url).returncode == 0
        assert sorted(request.ids for request in host.requests) == [IDS[2_000:4_000], IDS[4_000:]]
    assert ids_in(tmp_path / "out.csv") == IDS


@pytest.mark.parametrize("lost", [b"", b'{"chunk":9', b"nonsense\n"])
def test_a_torn_journal(tmp_path: Path, lost: bytes) -> None:
    """A line that was cut off counts for nothing, and neither does what follows it in the part."""
    with scripted_host() as host:
        unfinished(tmp_path, host)
        journal = tmp_path / "out.csv.journal"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[:2]) + lost)
        assert fetch(tmp_path, host.url).returncode == 0
        assert sorted(request.ids for request in host.requests) == [IDS[2_000:4_000], IDS[4_000:]]
    assert ids_in(tmp_path / "out.csv") == IDS


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--columns", "Status"), "with other columns"),
        (("--event-code", "12001"), "with other event code"),
        (("--format", "ndjson"), "with other format"),
    ],
)
def test_another_job_does_not_mix_in(tmp_path: Path, more: tuple[str, str], said: str) -> None:
    """It is refused with what differs; ``--restart`` throws the old one away."""
    with scripted_host() as host:
        unfinished(tmp_path, host)
        done = fetch(tmp_path, host.url, *more)
        assert done.returncode == 1
        assert said in done.stderr
        assert "--restart" in done.stderr
        assert host.requests == []
        assert fetch(tmp_path, host.url, *more, "--restart").returncode == 0
        assert len(host.requests) == 3


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    """The second says so, and the first goes on."""
    write_ids(tmp_path)
    second_has_ended = threading.Event()

    def answer(request: Request) -> Reply:
        second_has_ended.wait(60)
        return host.rows(request)

    with (
        scripted_host(answer=answer) as host,
        started(tmp_path, *command(host.url)) as first,
    ):
        poll(lambda: host.requests or None, what="the first call")
        done = fetch(tmp_path, host.url)
        second_has_ended.set()
        assert done.returncode == 1
        assert "is being made by another process" in done.stderr
        assert first.wait(60) == 0
    assert ids_in(tmp_path / "out.csv") == IDS


def test_ctrl_c_keeps_what_was_read(tmp_path: Path) -> None:
    """Status 130, and the next run goes on."""
    write_ids(tmp_path, [guid(n) for n in range(60_000)])
    with scripted_host(delay_s=0.05) as host:
        with started(tmp_path, *command(host.url)) as process:
            wait_for_lines(tmp_path, 3)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
        kept = journal_lines(tmp_path) - 1
        host.requests.clear()
        assert fetch(tmp_path, host.url).returncode == 0
        assert len(host.requests) == 30 - kept
    assert len(ids_in(tmp_path / "out.csv")) == 60_000


def test_a_chunk_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    """The first of three chunks fails for good: the two behind it are read; then it alone."""
    write_ids(tmp_path)
    with scripted_host() as host:
        host.answer = lambda request: (
            error(500, "x", kind="Oops") if IDS[0] in request.ids else host.rows(request)
        )
        assert fetch(tmp_path, host.url).returncode == 3
        host.answer = None
        host.requests.clear()
        assert fetch(tmp_path, host.url).returncode == 0
        assert [request.ids for request in host.requests] == [IDS[:2_000]]
    assert ids_in(tmp_path / "out.csv") == IDS
