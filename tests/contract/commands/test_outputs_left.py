"""Files that runs leave beside an output: killed runs, two at once, and those of other programs."""

import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import outputs
from tests.support.fetching import fetch, files, ids_in, write_ids
from tests.support.outputs import GOOD, ROWS, export, rows_in
from tests.support.running import OPPSERVER, clean_environment, one_line, poll, run
from tests.support.scripted_host import IDS, scripted_host

store = outputs.store


def can_unshare() -> bool:
    try:
        done = subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def on_its_way(folder: Path, store: str, prefix: Sequence[str] = ()) -> Iterator[Path]:
    """An export to out.csv that has begun; it is killed at the end of the block."""
    before = set(folder.glob(".out.csv.*"))
    words = [OPPSERVER, "export", "--database", store, "--output", "out.csv"]
    process = subprocess.Popen(
        [*prefix, *words], cwd=folder, env=clean_environment(), stderr=subprocess.DEVNULL
    )
    try:
        yield poll(
            lambda: next(iter(set(folder.glob(".out.csv.*")) - before), None), what="the export"
        )
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("prefix", [(), ("unshare", "--pid", "--fork", "--kill-child")])
def test_f2_a_killed_export_is_run_again(
    tmp_path: Path, store: str, prefix: tuple[str, ...]
) -> None:
    """Also in a container, where every run has the process id 1.

    What the killed ones left is named in one line, and is still there afterwards.
    """
    if prefix and not can_unshare():
        pytest.skip("no process namespaces here")
    left = []
    for _ in range(2):
        with on_its_way(tmp_path, store, prefix) as unfinished:
            pass
        left.append(unfinished.name)
    words = ["export", "--database", store, "--output", "out.csv"]
    done = subprocess.run(
        [*prefix, OPPSERVER, *words],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, summary = done.stderr.splitlines()
    assert told == (
        "oppserver: runs that were killed have left unfinished files of out.csv:"
        f" {', '.join(sorted(left))}. Nothing reads them; remove them."
    )
    assert summary == f"exported {ROWS:,} opportunities"
    assert files(tmp_path) == {"out.csv", *left}
    assert rows_in((tmp_path / "out.csv").read_bytes(), "out.csv") == ROWS


def test_f2_two_runs_at_once_do_not_meet(tmp_path: Path, store: str) -> None:
    """The second ends while the first stands still; neither removes or reports the other's file."""
    words = [OPPSERVER, "export", "--database", store, "--output", "out.csv"]
    first = subprocess.Popen(
        words, cwd=tmp_path, env=clean_environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        unfinished = poll(lambda: next(tmp_path.glob(".out.csv.*"), None), what="the first")
        first.send_signal(signal.SIGSTOP)
        done = export(tmp_path, store, "out.csv")
        assert (done.returncode, done.stderr) == (0, f"exported {ROWS:,} opportunities\n")
        assert unfinished.exists()
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
    assert (first.returncode, said) == (0, f"exported {ROWS:,} opportunities\n")
    assert rows_in((tmp_path / "out.csv").read_bytes(), "out.csv") == ROWS
    assert files(tmp_path) == {"out.csv"}


def test_f2_files_that_only_look_like_leftovers_are_left_alone(tmp_path: Path, store: str) -> None:
    """Nothing is removed or reported that is not named as our own."""
    names = [".out.csv.part", ".out.csv.backup.part", "out.csv.part", ".out.0123456789abcdef.part"]
    for name in names:
        (tmp_path / name).write_text("precious")
    done = export(tmp_path, store, "out.csv")
    assert done.stderr == f"exported {ROWS:,} opportunities\n"
    assert files(tmp_path) == {"out.csv", *names}
    assert all((tmp_path / name).read_text() == "precious" for name in names)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_other_commands_report_leftovers(tmp_path: Path, more: tuple[str, ...]) -> None:
    """``import`` and ``fetch``, before they begin; results on stdout stay as they are."""
    (tmp_path / "in.ndjson").write_text(f"{GOOD}\n")
    (tmp_path / ".in.ndjson.rejects.ndjson.0123456789abcdef.part").touch()
    (tmp_path / ".missing.fedcba9876543210.part").touch()
    done = run("import", "in.ndjson", "--on-error", "skip", *more, folder=tmp_path)
    assert ".in.ndjson.rejects.ndjson.0123456789abcdef.part" in done.stderr
    assert "unfinished" not in done.stdout
    write_ids(tmp_path, IDS[:3])
    with scripted_host() as host:
        done = fetch(tmp_path, host.url, "--missing", "missing", *more)
    assert ".missing.fedcba9876543210.part" in done.stderr
    assert len(list(tmp_path.glob(".*.part"))) == 2


def test_a_part_of_somebody_else_is_kept(tmp_path: Path) -> None:
    """A file that has the name of a fetch's part, and no journal, is not written over."""
    (tmp_path / "out.csv.part").write_text("precious")
    write_ids(tmp_path, IDS[:3])
    with scripted_host() as host:
        done = fetch(tmp_path, host.url)
        assert host.requests == []
        assert "out.csv.part is there, and is not of a run that can go on" in one_line(done)
        assert (tmp_path / "out.csv.part").read_text() == "precious"
        assert files(tmp_path) == {"ids.txt", "out.csv.part"}
        assert fetch(tmp_path, host.url, "--restart").returncode == 0
    assert files(tmp_path) == {"ids.txt", "out.csv"}


def test_a_link_and_its_file_are_one_output(tmp_path: Path) -> None:
    """Two fetches at once are noticed, whichever names they were given."""
    (tmp_path / "link.csv").symlink_to("out.csv")
    write_ids(tmp_path, IDS[:3])
    is_second_over = threading.Event()

    def answer(request: Any) -> Any:
        is_second_over.wait(60)
        return host.rows(request)

    with scripted_host(answer=answer) as host:
        first = threading.Thread(target=fetch, args=(tmp_path, host.url))
        first.start()
        poll(lambda: host.requests or None, what="the first call")
        done = fetch(tmp_path, host.url, output="link.csv")
        is_second_over.set()
        first.join(60)
    assert "link.csv is being made by another process" in one_line(done)
    assert ids_in(tmp_path / "out.csv") == IDS[:3]
    assert files(tmp_path) == {"ids.txt", "out.csv", "link.csv"}
