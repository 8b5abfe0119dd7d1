"""``oppserver import`` of a large file: killed, interrupted, and watched."""

import os
import pty
import random
import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from oppserver.cli.files import IMPORT_BATCH_ROWS_DEFAULT
from oppserver.store import open_store
from tests.support.import_lines import line
from tests.support.running import OPPSERVER, SCALE, clean_environment, run, run_well


@pytest.fixture(scope="module")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three batches and a bit."""
    path = tmp_path_factory.mktemp("large") / "large.ndjson"
    with path.open("w") as file:
        for number in range(3 * IMPORT_BATCH_ROWS_DEFAULT + 10):
            file.write(
                line(number, EmailAddress=f"{number}@example.com", mx_Custom_1=number) + "\n"
            )
    return path


def start_import(folder: Path, file: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [OPPSERVER, "import", str(file)],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def count(folder: Path) -> int:
    """The number of stored opportunities, as another process sees it; 0 while there is no store."""
    try:
        store = open_store(f"sqlite:///{folder}/oppserver.db", migrate=False)
    except Exception:  # noqa: BLE001 (being created at this moment: nothing is stored)
        return 0
    try:
        return store.count_opportunities(event_code=None)
    finally:
        store.close()


@pytest.mark.slow
def test_a_killed_import_can_be_run_again(tmp_path: Path, large_file: Path) -> None:
    """SIGKILL at any moment leaves whole batches; the second run completes them."""
    chance = random.Random(7)
    for kill in range(max(3, int(3 * SCALE))):
        folder = tmp_path / str(kill)
        folder.mkdir()
        process = start_import(folder, large_file)
        time.sleep(chance.uniform(0.3, 3.0))  # the kill comes when it comes
        process.kill()
        process.communicate()
        assert count(folder) % IMPORT_BATCH_ROWS_DEFAULT in (0, 10)
        run_well("db", "upgrade", folder=folder)
        assert run_well("db", "check", folder=folder) == "ok\n"
    run_well("import", str(large_file), folder=folder)
    assert count(folder) == 3 * IMPORT_BATCH_ROWS_DEFAULT + 10
    assert run_well("db", "check", folder=folder) == "ok\n"


def test_ctrl_c_says_how_far_it_came(tmp_path: Path, large_file: Path) -> None:
    """The batch under way is finished, its end is reported, and the store is whole."""
    process = start_import(tmp_path, large_file)
    deadline = time.monotonic() + 30
    while count(tmp_path) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    match = re.search(r"interrupted\. ([\d,]+) opportunities of it are stored\. Run it again", said)
    assert match is not None, said
    assert int(match[1].replace(",", "")) == count(tmp_path) > 0
    assert run_well("db", "check", folder=tmp_path) == "ok\n"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path, large_file: Path) -> None:
    """Four times the lines take hardly more memory: what is kept is the batches under way."""

    def peak_mb(lines: Path) -> float:
        folder = tmp_path / lines.stem
        folder.mkdir()
        process = start_import(folder, lines)
        watched = psutil.Process(process.pid)
        peak = 0.0
        while process.poll() is None:
            try:
                memory = watched.memory_full_info()
            except psutil.Error:
                break
            peak = max(peak, memory.uss / 1e6)
            time.sleep(0.05)  # a look reads the whole map of its memory
        process.communicate()
        assert process.returncode == 0
        return peak

    small, big = peak_mb(large_file), tmp_path / "big.ndjson"
    with big.open("w") as file:
        for _ in range(4):  # the same ids again: the store stays as large, the file does not
            file.write(large_file.read_text())
    assert peak_mb(big) < small + 100


def test_progress_is_shown_on_a_terminal_only(tmp_path: Path, large_file: Path) -> None:
    """A bar with how much is stored on a terminal; not a byte of it into a pipe."""
    terminal, inner = pty.openpty()
    process = subprocess.Popen(
        [OPPSERVER, "import", str(large_file)],
        cwd=tmp_path,
        env=clean_environment() | {"TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=inner,
    )
    os.close(inner)
    shown = bytearray()
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # the other end was closed: the command has ended
            break
        shown += piece
    os.close(terminal)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"importing" in shown
    assert f"{IMPORT_BATCH_ROWS_DEFAULT:,} stored".encode() in shown
    assert out == b"imported 150,010 opportunities: 150,010 created, 0 replaced\n"
    piped = run("import", str(large_file), folder=tmp_path)
    assert piped.returncode == 0
    assert piped.stderr == ""
