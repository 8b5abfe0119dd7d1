"""Logs and metrics: their only writer.

A log line is one JSON object (or one line of text) on stderr. Keys and passwords that stand in a
URL or a message are replaced before anything is written, also in lines of the HTTP server and of
libraries.
"""

import logging
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO, cast

import msgspec
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor, WrappedLogger

import oppserver
from oppserver.contract.model import ServerState, StoreLibrary, StoreServer
from oppserver.contract.secrets import hide_secrets

LOGGED_CHARACTERS_MAX: Final = 32_000
"""Characters of one value of a log line. Chosen: a long traceback; a caller cannot fill the log."""

LOGGED_PATH_CHARACTERS_MAX: Final = 500
"""Characters of a logged path. Chosen: every path of the API has fewer than a hundred."""


def shorten(text: str, characters_max: int = LOGGED_CHARACTERS_MAX) -> str:
    """The beginning of a long text with its length, and without secrets.

    A password that is cut off in the middle is hidden too: the end of the URL is unknown, so the
    text is read as if its ``@`` followed.
    """
    if len(text) <= characters_max:
        return text
    begin = hide_secrets(text[:characters_max] + "@").removesuffix("@")
    return f"{begin}… ({len(text):,} characters)"


def start_logging(*, form: str, level: str, worker: int | None = None) -> None:
    """Sends every log line of the process, ours and libraries', to stderr in one form.

    ``form``: json, text, or auto (text on a terminal, else json). ``worker``: the number that every
    line bears, where there are several. A line is one write, so that those of several processes do
    not mix.
    """
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else _json
    )
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide,
    ]
    if worker is not None:
        shared.insert(0, _numbered(worker))
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _LogFile(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    _LOGGERS[:] = [structlog.get_logger()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)


class _LogFile:
    """A log whose disk is full, or whose reader has gone, loses lines; calls go on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write a line, or drop it."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Hand over what is written, or drop it."""
        with suppress(OSError):
            self._file.flush()


def logger() -> Any:
    """The program's logger: ``logger().info("event", name=value)``."""
    return _LOGGERS[-1]


def log_to(take: Callable[[Mapping[str, Any]], None]) -> None:
    """Gives every line of ours to ``take``, as long as the process lives.

    For a server inside of a program that has logs of its own: nothing of them is touched. ``take``
    may be called by several threads at once.
    """
    last: Processor = _taking(take)
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        _hide,
        last,
    ]
    _LOGGERS[:] = [structlog.wrap_logger(None, processors=processors)]


_LOGGERS: Final[list[Any]] = [structlog.get_logger()]
"""The one logger. Owners: start_logging() and log_to(). It is kept, because a new one is bound anew
for each line."""


def _taking(take: Callable[[Mapping[str, Any]], None]) -> Processor:
    def last(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        take(event)
        raise structlog.DropEvent

    return last


def _numbered(worker: int) -> Processor:
    def number(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.setdefault("worker", worker)
        return event

    return number


def _hide(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if name == "timestamp" or value is None or isinstance(value, (int, float)):
            continue
        text = value if isinstance(value, str) else repr(value)
        shown = hide_secrets(shorten(text))
        if shown != value and (shown != text or isinstance(value, str)):
            event[name] = shown
    return event


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


class SharedMetrics(NamedTuple):
    """Where a worker counts: a file for each kind of metric and each worker's ``number``."""

    folder: Path
    number: int


class Metrics:
    """The metrics of a server, in Prometheus's terms.

    ``shared``: the folder in which the workers of one server count together; any of them tells the
    sum. A worker that is started again goes on counting where it ended.
    """

    def __init__(self, shared: SharedMetrics | None = None) -> None:
        self._shared: Final = shared
        self._registry: Final = CollectorRegistry()
        if shared is not None:
            _count_in_files(shared)
        else:
            self._registry.register(_Processes(lambda: [os.getpid()]))
        self._calls: Final = Counter(
            "oppserver_calls", "Calls answered.", ("call", "status"), registry=self._registry
        )
        self._of_calls: Final[dict[tuple[str, int], tuple[Counter, Histogram, Counter]]] = {}
        self._seconds: Final = Histogram(
            "oppserver_call_seconds",
            "Seconds from a call's first byte to its answer's last.",
            ("call",),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self._registry,
        )
        self._bytes: Final = Counter(
            "oppserver_answer_bytes",
            "Bytes of answers' bodies.",
            ("call",),
            registry=self._registry,
        )
        self._rows: Final = Counter(
            "oppserver_bulk_read_ids",
            "Ids of bulk reads, by where rows came from.",
            ("source",),
            registry=self._registry,
        )
        self._alone: Final = Counter(
            "oppserver_calls_counted_alone",
            "Calls counted by one machine alone, without the shared store.",
            registry=self._registry,
        )
        self._reads: Final = Counter(
            "oppserver_store_reads",
            "Reads that a server of the store has served, with standbys.",
            ("server", "role"),
            registry=self._registry,
        )
        self._in_use: Final = Gauge(
            "oppserver_store_server_in_use",
            "Processes that use a server of the store.",
            ("server", "role"),
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._behind: Final = Gauge(
            "oppserver_standby_behind_bytes",
            "Bytes of the log that a standby had not applied.",
            ("server",),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._build: Final = Gauge(
            "oppserver_build_info",
            "The version of oppserver and of Python, as labels; always 1.",
            ("version", "python"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._build.labels(oppserver.__version__, platform.python_version()).set(1)
        self._library: Final = Gauge(
            "oppserver_store_library_info",
            "The SQLite library and its SQLite's version, as labels; always 1.",
            ("library", "version"),
            registry=self._registry,
            multiprocess_mode="livemax",
        )
        self._threads: Final = Gauge(
            "oppserver_worker_threads",
            "Threads that run calls. More calls under way than these wait for one.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._store_bytes: Final = Gauge(
            "oppserver_store_bytes",
            "Bytes that the store takes, as of now; SQLite's log too.",
            registry=self._registry,
            multiprocess_mode="mostrecent",
        )
        self.in_flight: Final = Gauge(
            "oppserver_calls_in_flight",
            "Calls under way.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )

    def called(self, *, call: str, status: int, seconds: float, body_bytes: int) -> None:
        """Counts one answered call."""
        counters = self._of_calls.get((call, status))
        if counters is None:  # to look a counter up takes longer than to count
            counters = self._of_calls[call, status] = (
                self._calls.labels(call, str(status)),
                self._seconds.labels(call),
                self._bytes.labels(call),
            )
        calls, observed_seconds, answer_bytes = counters
        calls.inc()
        observed_seconds.observe(seconds)
        answer_bytes.inc(body_bytes)

    def rows_read(self, kept: int, fetched: int) -> None:
        """Counts the ids of a bulk read: those of kept rows, and those that the store looked up."""
        self._rows.labels("memory").inc(kept)
        self._rows.labels("store").inc(fetched)

    def counted_alone(self) -> None:
        """Counts one call whose rate limit one machine held alone."""
        self._alone.inc()

    def has_threads(self, number: int) -> None:
        """Record the number of worker threads of this process."""
        self._threads.set(number)

    def has_library(self, library: StoreLibrary) -> None:
        """Record the library that reads and writes the store."""
        self._library.labels(library.name, library.version).set(1)

    def store_takes(self, size_bytes: int) -> None:
        """Record the size of the store."""
        self._store_bytes.set(size_bytes)

    def store_server(self, server: StoreServer) -> None:
        """Record the state of one server of a store."""
        role = "primary" if server.is_primary else "standby"
        self._reads.labels(server.address, role).inc(server.reads)
        self._in_use.labels(server.address, role).set(server.state is ServerState.IN_USE)
        if server.bytes_behind is not None:
            self._behind.labels(server.address).set(server.bytes_behind)

    def exposition(self) -> bytes:
        """All of it, in the Prometheus text format."""
        if self._shared is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        together.register(_Processes(lambda: _processes_in(self._shared)))
        multiprocess.MultiProcessCollector(  # type: ignore[no-untyped-call]  # as the library is
            together, path=str(self._shared.folder)
        )
        return generate_latest(together)


class _Processes(Collector):
    """The usual ``process_`` metrics, for all processes of a server together.

    Times of start are the oldest, all else is a sum. A process that has ended counts for nothing.
    """

    def __init__(self, process_ids: Callable[[], Sequence[int]]) -> None:
        self._process_ids: Final = process_ids

    def collect(self) -> Iterable[Metric]:
        """The metrics, as the library asks for them."""
        found: dict[str, list[Metric]] = {}
        for process_id in self._process_ids():
            one = ProcessCollector(pid=partial(int, process_id), registry=None)
            for metric in one.collect():
                found.setdefault(metric.name, []).append(metric)
        for name, metrics in found.items():
            values_of = [sample.value for metric in metrics for sample in metric.samples]
            together = metrics[0]
            value = min(values_of) if name == _STARTED else sum(values_of)
            together.samples = [together.samples[0]._replace(value=value)]
            yield together


_STARTED: Final = "process_start_time_seconds"

_PROCESS_FILE: Final = "process-{}"


def _processes_in(shared: SharedMetrics | None) -> list[int]:
    """The ids of the processes that count in a folder."""
    assert shared is not None, "a server alone has no folder"
    texts = [file.read_text() for file in shared.folder.glob(_PROCESS_FILE.format("*"))]
    return [int(text) for text in texts if text]  # one that is being written is empty


def _count_in_files(shared: SharedMetrics) -> None:
    """Has the library keep values of this process in files of the folder, by the worker's number.

    The library itself would take the process's id, and the files of all that ever ran would stay.
    What was under way in the process before is forgotten, what it has counted is not.
    """
    folder = str(shared.folder)
    process = shared.folder / _PROCESS_FILE.format(shared.number)
    beside = process.with_name(f".{process.name}")
    beside.write_text(str(os.getpid()))
    beside.replace(process)  # whole at once: another worker may read it
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # where the library looks for it
    multiprocess.mark_process_dead(shared.number, folder)  # type: ignore[no-untyped-call]  # as it is
    values.ValueClass = values.MultiProcessValue(  # type: ignore[no-untyped-call]  # as it is
        process_identifier=lambda: shared.number
    )
