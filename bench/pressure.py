"""Calls by several clients at once, by the load client of ``bench/load.py``."""

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.load import Outcome, Task
from bench.wire import BadAnswer

CLIENTS: Final = 8
_WARM_S: Final = 1.0


def write_requests(path: Path, requests: Sequence[bytes]) -> Path:
    """Requests, whole as they go over the wire, in the file that the load client reads."""
    path.write_bytes(msgspec.msgpack.encode(requests))
    return path


def press(port: int, requests: Path, connections: int, *, seconds: float) -> Outcome:
    """Loads a server after a second of warming. Raises BadAnswer when any call fails."""
    task = Task(
        port=port,
        connections=connections,
        warm_s=_WARM_S,
        seconds=seconds,
        requests=str(requests),
    )
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.json.encode(task),
        stdout=subprocess.PIPE,
        check=True,
    )
    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    if outcome.failures or not outcome.calls:
        raise BadAnswer(f"{outcome.failures} of {outcome.calls} calls under load failed")
    return outcome


def median_rate(taken: Sequence[Outcome]) -> float:
    """Calls a second, the median of several runs."""
    return statistics.median(outcome.calls_per_s for outcome in taken)


def outcomes(taken: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Runs, for the file of results."""
    return [
        {
            "calls": outcome.calls,
            "seconds": outcome.seconds,
            "client_cpu_s": round(outcome.cpu_s, 3),
            "p50_ms": round(statistics.median(outcome.latencies_ms), 3),
            "p95_ms": round(statistics.quantiles(outcome.latencies_ms, n=20)[18], 3),
        }
        for outcome in taken
    ]
