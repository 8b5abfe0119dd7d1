"""The world of one test: a store, and all that a server remembers. It ends with the test."""

from pathlib import Path
from typing import Final

from oppserver import telemetry
from oppserver.api.app import services_of
from oppserver.api.dispatcher import Dispatcher
from oppserver.calls.shared.call import Services, Sources
from oppserver.config import Settings
from oppserver.rate_limit.window import MovingWindow
from oppserver.store import StoreOptions, open_store
from oppserver.testing.faults import Faults
from oppserver.testing.journal import Arrivals
from oppserver.testing.options import Chosen
from oppserver.testing.sources import Clock, Ids

_FILES: Final = ("", "-wal", "-shm")


class World:
    """A store of its own, a dispatcher to it, a clock, ids, faults, and the calls that came."""

    def __init__(self, database: Path, options: Chosen, metrics: telemetry.Metrics) -> None:
        settings = Settings(database=f"sqlite:///{database}", rate_limit=options.rate_limit)
        self._database: Final = database
        self.has_ended = False
        self.clock: Final = Clock()
        self.ids: Final = Ids()
        self.faults: Final = Faults()
        self.arrivals: Final = Arrivals()
        if options.now is not None:
            self.clock.set(options.now)
        if options.seed is not None:
            self.ids.seed(options.seed)
        self.store: Final = open_store(
            settings.database, StoreOptions(readers=settings.worker_threads + 1)
        )
        self.dispatcher: Final = Dispatcher(settings, self._services(settings, metrics))

    def _services(self, settings: Settings, metrics: telemetry.Metrics) -> Services:
        limit = settings.rate_limit
        return services_of(
            settings,
            self.store,
            rate_limiter=MovingWindow(
                calls=limit.calls, window_s=limit.window_s, clock_ns=self.clock.elapsed_ns
            )
            if limit
            else None,
            metrics=metrics,
            sources=Sources(
                now=self.clock.now,
                new_id=self.ids.new_id,
                new_request_id=self.ids.new_request_id,
            ),
        )

    def end(self) -> None:
        """Waits for the calls under way, and removes the store."""
        self.has_ended = True
        self.dispatcher.close()
        self.store.close()
        for suffix in _FILES:
            Path(f"{self._database}{suffix}").unlink(missing_ok=True)
