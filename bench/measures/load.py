"""The server under several clients: calls a second, and the memory it takes."""

import statistics
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench.database import samples_of
from bench.load import Outcome, Task
from bench.progress import step, tell
from bench.result import Result
from bench.stage import Stage
from bench.wire import BadAnswer

_WARM_S = 1.0
_CLIENTS = 8
_MEMORY_CLIENTS = 16


def eight_clients(stage: Stage) -> Result:
    """Calls a second of 8 clients against 1, 2,000 ids each, in turns."""
    requests = _requests(stage, "bulk.msgpack", stage.samples(stage.database()))
    one: list[Outcome] = []
    eight: list[Outcome] = []
    with step(f"1 client and {_CLIENTS} clients, in turns"):
        for _ in range(stage.options.load_rounds):
            one.append(_load(stage, requests, 1))
            eight.append(_load(stage, requests, _CLIENTS))
    each = [b.calls_per_s / a.calls_per_s for a, b in zip(one, eight, strict=True)]
    rate_one, rate_eight = _rate(one), _rate(eight)
    tell(f"{rate_one:.0f} calls/s with 1, {rate_eight:.0f} with {_CLIENTS}")
    found = rate_eight / rate_one
    return Result(
        name="clients",
        figure=f"{found:.2f}\u00d7 ({min(each):.2f} to {max(each):.2f})",
        value=found,
        note=f"{rate_eight:.0f} calls/s against {rate_one:.0f} calls/s",
        raw={"one": _outcomes(one), "eight": _outcomes(eight)},
    )


def one_id(stage: Stage) -> Result:
    """Calls a second of 8 clients that ask for one id each."""
    samples = samples_of(stage.database(), 512, ids=1)
    requests = _requests(stage, "one.msgpack", samples)
    with step(f"one-id calls, {_CLIENTS} clients"):
        taken = [_load(stage, requests, _CLIENTS) for _ in range(stage.options.load_rounds)]
    rates = [outcome.calls_per_s for outcome in taken]
    return Result(
        name="one-id",
        figure=f"{_rate(taken):,.0f} calls/s ({min(rates):,.0f} to {max(rates):,.0f})",
        value=_rate(taken),
        note=f"p50 {statistics.median(taken[0].latencies_ms):.2f} ms",
        raw={"eight": _outcomes(taken)},
    )


def resident_memory(stage: Stage) -> Result:
    """The most memory of a fresh server under 16 clients with 2,000 ids each."""
    stage.stop_product()
    requests = _requests(stage, "bulk.msgpack", stage.samples(stage.database()))
    process = stage.product().process
    assert process is not None
    with step(f"memory under {_MEMORY_CLIENTS} clients"):
        watch = _MemoryWatch(process.pid)
        watch.start()
        outcome = _load(stage, requests, _MEMORY_CLIENTS, seconds=2 * stage.options.load_s)
        watch.end()
    anonymous, mapped = watch.anonymous_bytes / 1e6, watch.mapped_bytes / 1e6
    return Result(
        name="resident",
        figure=f"{anonymous:.0f} MB",
        value=anonymous,
        note=(
            f"highest RssAnon; besides, up to {mapped:,.0f} MB of RssFile: the mapped pages of the"
            " database (the kernel's page cache, shared and reclaimable) and of libraries"
        ),
        raw={
            "rss_anon_bytes": watch.anonymous_bytes,
            "rss_file_bytes": watch.mapped_bytes,
            "rss_bytes": watch.resident_bytes,
            "calls_per_s": outcome.calls_per_s,
        },
    )


class _MemoryWatch(threading.Thread):
    """Keeps the most memory that a process took, looking 50 times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._ended = threading.Event()
        self.anonymous_bytes = 0
        self.mapped_bytes = 0
        self.resident_bytes = 0

    def run(self) -> None:
        while not self._ended.wait(0.02):
            anonymous, mapped = _resident(self._pid)
            self.anonymous_bytes = max(self.anonymous_bytes, anonymous)
            self.mapped_bytes = max(self.mapped_bytes, mapped)
            self.resident_bytes = max(self.resident_bytes, anonymous + mapped)

    def end(self) -> None:
        """Stops looking."""
        self._ended.set()
        self.join()


def _resident(pid: int) -> tuple[int, int]:
    """(anonymous, file-backed) bytes of a process; all its own where the system does not say."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return psutil.Process(pid).memory_info().rss, 0
    found = {}
    for line in status.read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("RssAnon", "RssFile", "RssShmem"):
            found[name] = int(rest.split()[0]) * 1_024
    return found["RssAnon"] + found["RssShmem"], found["RssFile"]


def _requests(stage: Stage, name: str, samples: Sequence[Any]) -> Path:
    product = stage.product()
    path = stage.scratch(name)
    path.write_bytes(msgspec.msgpack.encode([product.request(one.body) for one in samples]))
    return path


def _load(
    stage: Stage, requests: Path, connections: int, *, seconds: float | None = None
) -> Outcome:
    task = Task(
        port=stage.product().port,
        connections=connections,
        warm_s=_WARM_S,
        seconds=seconds or stage.options.load_s,
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


def _rate(outcomes: Sequence[Outcome]) -> float:
    return statistics.median(outcome.calls_per_s for outcome in outcomes)


def _outcomes(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "calls": outcome.calls,
            "seconds": outcome.seconds,
            "client_cpu_s": round(outcome.cpu_s, 3),
            "p50_ms": round(statistics.median(outcome.latencies_ms), 3),
            "p95_ms": round(statistics.quantiles(outcome.latencies_ms, n=20)[18], 3),
        }
        for outcome in outcomes
    ]
