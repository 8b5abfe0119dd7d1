"""One server process: its log, store, rate limit and metrics, put together and served."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from pathlib import Path

from oppserver import telemetry
from oppserver.api.app import create_app
from oppserver.api.server import listen, serve
from oppserver.config import Settings
from oppserver.console.access import access_of, new_secret
from oppserver.console.app import ConsoleShare
from oppserver.contract.limits import SQLITE_READ_PARTS_MAX
from oppserver.contract.model import SHARDS_RISKS
from oppserver.rate_limit.shared import open_shared_window
from oppserver.rate_limit.window import KeyedRateLimiter, MovingWindow
from oppserver.store import Store, StoreOptions, open_store


def serve_alone(settings: Settings) -> None:
    """The only process of a server. Raises an OperatorError when it cannot serve."""
    telemetry.start_logging(form=settings.log_format, level=settings.log_level)
    limit = settings.rate_limit
    window = MovingWindow(calls=limit.calls, window_s=limit.window_s) if limit else None
    with ExitStack() as stack:
        run_server(
            settings,
            open_listener=lambda: listen(settings),
            machine_window=window,
            metrics=telemetry.Metrics(),
            on_listening=lambda url, store: tell_listening(settings, url, store),
            share=ConsoleShare(new_secret(), _folder_of(stack)),
        )


def _folder_of(stack: ExitStack) -> Callable[[], Path]:
    """Return what makes a temporary folder when it is first wanted, and gives it from then on."""

    @cache
    def folder() -> Path:
        made = tempfile.TemporaryDirectory(prefix="oppserver-console-", ignore_cleanup_errors=True)
        return Path(stack.enter_context(made))

    return folder


def run_server(
    settings: Settings,
    *,
    open_listener: Callable[[], socket.socket],
    machine_window: KeyedRateLimiter | None,
    metrics: telemetry.Metrics,
    on_listening: Callable[[str, Store], None],
    share: ConsoleShare,
) -> None:
    """Open the store and serve until the process is ended.

    ``machine_window`` counts the calls of this machine; None: there is no limit. ``share`` is what
    the consoles of all workers have in common. Raises an OperatorError when it cannot serve.
    """
    options = StoreOptions(
        readers=settings.worker_threads,
        query_timeout_s=settings.query_timeout_s,
        sqlite_mmap_bytes=settings.sqlite_mmap_bytes,
        sqlite_cache_bytes=settings.sqlite_cache_bytes,
        sqlite_read_parts=settings.sqlite_read_parts or _read_parts(settings.workers),
        read_urls=settings.read_database or (),
        on_server=metrics.store_server,
    )
    with (
        closing(open_store(settings.database, options)) as store,
        _limiter(settings, machine_window, metrics) as limiter,
    ):
        serve(
            settings,
            create_app(settings, store, rate_limiter=limiter, metrics=metrics, share=share),
            open_listener(),
            on_listening=lambda url: on_listening(url, store),
        )


def _read_parts(workers: int) -> int:
    """Give each worker its share of the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(max(1, cores // workers), SQLITE_READ_PARTS_MAX)


def tell_listening(settings: Settings, url: str, store: Store) -> None:
    """Log that calls are answered from now on, and where; what to worry about comes before it."""
    library = store.library()
    if library and library.warning:
        telemetry.logger().warning("library_unsafe", hint=library.warning)
    if not store.keys():
        telemetry.logger().warning(
            "no_keys", hint="every call gets 401; 'oppserver key create --email A' makes a key"
        )
    if store.is_distributed():
        telemetry.logger().warning(
            "experimental_shards",
            hint=f"the database is distributed, where {SHARDS_RISKS}; keep no data on it that you"
            " cannot lose",
        )
    shared = settings.rate_limit_store
    telemetry.logger().info(
        "listening",
        url=url,
        database=settings.database,
        rate_limit=str(settings.rate_limit or "off"),
        **({"library": str(library)} if library else {}),
        **({"rate_limit_store": str(shared)} if shared else {}),
        **({"read_databases": len(settings.read_database)} if settings.read_database else {}),
        **({"workers": settings.workers} if settings.workers > 1 else {}),
        documents=f"{url}/docs",
        **({"console": f"{url}/console"} if access_of(settings).mode != "off" else {}),
    )


@contextmanager
def _limiter(
    settings: Settings, machine_window: KeyedRateLimiter | None, metrics: telemetry.Metrics
) -> Iterator[KeyedRateLimiter | None]:
    """Return the counter of calls: of this machine, or of the configured store."""
    limit, where = settings.rate_limit, settings.rate_limit_store
    if limit is None or machine_window is None or where is None:
        yield machine_window
        return
    window = open_shared_window(
        where,
        calls=limit.calls,
        window_s=limit.window_s,
        connections=settings.worker_threads + 1,  # the thread that looks for a lost store
        alone=machine_window,
        on_alone=metrics.counted_alone,
    )
    with closing(window):
        yield window
