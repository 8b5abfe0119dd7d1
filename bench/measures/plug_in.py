"""The pytest plug-in: what a run of tests pays for its server, beside the start of the command."""

import statistics
import subprocess
import sys
from typing import Final

import msgspec

from bench.measures.lifecycle import command_starts
from bench.processes import PeerMissing
from bench.progress import step
from bench.result import Result
from bench.stage import Stage

_RUNS: Final = 5
_TEST: Final = """
import json, time
from pathlib import Path

def test_it(request):
    started = time.perf_counter()
    server = request.getfixturevalue("oppserver")
    start = time.perf_counter() - started
    resets = []
    for _ in range(20):
        server.add_opportunity(12000)
        started = time.perf_counter()
        server.reset()
        resets.append(time.perf_counter() - started)
    Path("times.json").write_text(json.dumps({"start": start, "resets": resets}))
"""


class _Times(msgspec.Struct):
    """Seconds of one run."""

    start: float
    resets: list[float]


def test_server(stage: Stage) -> Result:
    """Seconds that the first test waits for its server, against the start of the command."""
    command_s = statistics.median(command_starts(stage))
    folder = stage.scratch("plug-in")
    folder.mkdir()
    (folder / "test_it.py").write_text(_TEST)
    runs = []
    with step(f"pytest with a server, {_RUNS} times"):
        for _ in range(_RUNS):
            done = subprocess.run(
                [sys.executable, "-m", "pytest", "-q"], cwd=folder, capture_output=True, check=False
            )
            if done.returncode != 0:
                raise PeerMissing(done.stdout.decode(errors="replace")[-300:])
            runs.append(msgspec.json.decode((folder / "times.json").read_bytes(), type=_Times))
    start_s = statistics.median(run.start for run in runs[1:])  # the first one fills the cache
    reset_ms = 1_000 * statistics.median(one for run in runs for one in run.resets)
    return Result(
        name="plug-in",
        figure=f"{start_s / command_s:.2f}\u00d7 ({start_s:.2f} s); reset {reset_ms:.1f} ms",
        value=start_s / command_s,
        raw={"command_s": command_s, "runs": msgspec.to_builtins(runs)},
    )
