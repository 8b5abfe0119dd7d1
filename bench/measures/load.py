"""The server under several clients: calls a second, and the memory it takes."""

import statistics
import threading
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import psutil

from bench.contest import Form, Sample
from bench.database import samples_of
from bench.load import Outcome
from bench.peers import bare
from bench.pressure import CLIENTS, median_rate, outcomes, press, write_requests
from bench.progress import step, tell
from bench.result import Result
from bench.stage import Stage

_MEMORY_CLIENTS = 16


def eight_clients(stage: Stage) -> Result:
    """Calls a second of 8 clients against bare statements of SQLite on one core, in turns.

    Both ask for 2,000 ids each. One client is reported beside them.
    """
    samples = stage.samples(stage.database())
    requests = _requests(stage, "bulk.msgpack", samples)
    statements = bare.forms(stage.database())
    one: list[Outcome] = []
    eight: list[Outcome] = []
    alone: list[float] = []
    with step(f"bare statements, 1 client and {CLIENTS} clients, in turns"):
        for _ in range(stage.options.load_rounds):
            seconds = stage.options.load_s / len(statements)
            alone.append(max(_rate(form, samples, seconds) for form in statements))
            one.append(_load(stage, requests, 1))
            eight.append(_load(stage, requests, CLIENTS))
    each = [b.calls_per_s / a for a, b in zip(alone, eight, strict=True)]
    rate_bare, rate_one, rate_eight = statistics.median(alone), median_rate(one), median_rate(eight)
    tell(f"{rate_bare:.0f} statements/s, {rate_one:.0f} calls/s with 1, {rate_eight:.0f} with 8")
    found = rate_eight / rate_bare
    return Result(
        name="clients",
        figure=f"{found:.2f}\u00d7 ({min(each):.2f} to {max(each):.2f})",
        value=found,
        note=(
            f"{rate_eight:.0f} calls/s against {rate_bare:.0f} statements/s;"
            f" one client {rate_one:.0f} calls/s"
        ),
        raw={"one": outcomes(one), "eight": outcomes(eight), "statements_per_s": alone},
    )


def _rate(form: Form, samples: Sequence[Sample], seconds: float) -> float:
    """Return how often a form answers in a second, in this process."""
    prepared = cycle([form.prepare(sample) for sample in samples])
    answers, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        form.answer(next(prepared))
        answers += 1
    return answers / (time.perf_counter() - begun)


def one_id(stage: Stage) -> Result:
    """Calls a second of 8 clients that ask for one id each."""
    samples = samples_of(stage.database(), 512, ids=1)
    requests = _requests(stage, "one.msgpack", samples)
    with step(f"one-id calls, {CLIENTS} clients"):
        taken = [_load(stage, requests, CLIENTS) for _ in range(stage.options.load_rounds)]
    rates = [outcome.calls_per_s for outcome in taken]
    return Result(
        name="one-id",
        figure=f"{median_rate(taken):,.0f} calls/s ({min(rates):,.0f} to {max(rates):,.0f})",
        value=median_rate(taken),
        note=f"p50 {statistics.median(taken[0].latencies_ms):.2f} ms",
        raw={"eight": outcomes(taken)},
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
        note=(f"highest RssAnon; besides, up to {mapped:,.0f} MB of RssFile, mapped pages"),
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


def _requests(stage: Stage, name: str, samples: Sequence[Sample]) -> Path:
    product = stage.product()
    return write_requests(stage.scratch(name), [product.request(one.body) for one in samples])


def _load(
    stage: Stage, requests: Path, connections: int, *, seconds: float | None = None
) -> Outcome:
    port = stage.product().port
    return press(port, requests, connections, seconds=seconds or stage.options.load_s)
