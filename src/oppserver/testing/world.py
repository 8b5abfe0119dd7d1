"""The world of one test: a clock, ids, a store, and all that a server remembers until its end."""

import random
import threading
import time
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from oppserver import telemetry
from oppserver.api.app import services_of
from oppserver.api.dispatcher import Dispatcher
from oppserver.calls.shared.call import Services, Sources
from oppserver.config import Settings
from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.errors import InvalidInput
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.names import quoted
from oppserver.rate_limit.window import MovingWindow
from oppserver.store import StoreOptions, open_store
from oppserver.testing.faults import Faults
from oppserver.testing.journal import Arrivals
from oppserver.testing.options import Chosen

_FILES: Final = ("", "-wal", "-shm")

_SECOND_NS: Final = 1_000_000_000


class Clock:
    """The server's clock: the time of all that it writes, and of its rate limit.

    It is the world's until it is set, and then stands still until it is advanced. Safe from several
    threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: datetime | None = None  # where it stands; None: it runs
        self._ahead = timedelta()  # of the world, while it runs
        self._ahead_ns = 0  # of the world's monotonic clock, while it runs
        self._elapsed_ns = 0  # while it stands

    def __repr__(self) -> str:
        return f"<Clock {self.now().isoformat()}, {'stands' if self.is_frozen else 'runs'}>"

    @property
    def is_frozen(self) -> bool:
        """True when the clock is stopped."""
        return self._at is not None

    def now(self) -> datetime:
        """The server's present moment, UTC."""
        return self._at or datetime.now(UTC) + self._ahead

    def elapsed_ns(self) -> int:
        """Nanoseconds since some moment; never less than before, also when it is set back."""
        return self._elapsed_ns if self._at else time.monotonic_ns() + self._ahead_ns

    def set(self, at: datetime | str) -> None:
        """Stands still at a moment.

        A text is in one of the API's forms, ``2026-11-24 15:00:00`` for example, or a day. What has
        no zone is UTC. Raises InvalidInput.
        """
        moment = _moment(at)
        with self._lock:
            self._elapsed_ns = self.elapsed_ns() + max(0, _nanoseconds(moment - self.now()))
            self._at = moment

    def advance(self, by: float | timedelta) -> None:
        """Goes forward by seconds; it stands or runs on as before.

        It takes what ``time.sleep`` takes: put in its place, code that waits does so in no time.
        """
        step = by if isinstance(by, timedelta) else timedelta(seconds=by)
        if step < timedelta():
            raise InvalidInput(f"A clock does not advance by {step}. Set it back with set().")
        with self._lock:
            if self._at is None:
                self._ahead += step
                self._ahead_ns += _nanoseconds(step)
            else:
                self._at += step
                self._elapsed_ns += _nanoseconds(step)

    def run(self) -> None:
        """Is the world's again."""
        with self._lock:
            self._ahead_ns = self.elapsed_ns() - time.monotonic_ns()
            self._ahead = timedelta()
            self._at = None


def _moment(at: datetime | str) -> datetime:
    if isinstance(at, str):
        try:
            return datetime.fromisoformat(datetime_to_stored(at)).replace(tzinfo=UTC)
        except ValueError as error:
            raise InvalidInput(f"The clock cannot be set to {quoted(at)}: {error}") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _nanoseconds(step: timedelta) -> int:
    return step // timedelta(microseconds=1) * (_SECOND_NS // 1_000_000)


class Ids:
    """The source of ids for new opportunities, leads, activities and users.

    They are random until a seed or a list is given. Safe from several threads; calls that come side
    by side get theirs in no fixed order.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next: deque[str] = deque()
        self._chance: random.Random | None = None
        self._requests = 0  # named so far, since there is a seed

    def seed(self, seed: int) -> None:
        """From now on, the same ids after the same seed; those of requests are numbers."""
        with self._lock:
            self._chance = random.Random(seed)  # noqa: S311 (nothing secret)
            self._requests = 0

    def then(self, *ids: str | UUID) -> None:
        """The next ids, in order, before any others. Raises InvalidInput when one is no GUID."""
        guids = []
        for one in ids:
            guid = canonical_guid(str(one))
            if guid is None:
                raise InvalidInput(f"{quoted(one)} is no GUID")
            guids.append(guid)
        with self._lock:
            self._next.extend(guids)

    def new_id(self) -> str:
        """The next id."""
        with self._lock:
            if self._next:
                return self._next.popleft()
            if self._chance is None:
                return str(uuid4())
            return str(UUID(int=self._chance.getrandbits(128), version=4))

    def new_request_id(self) -> str:
        """The name of the next request that comes without one."""
        with self._lock:
            if self._chance is None:
                return uuid4().hex
            self._requests += 1
            return f"request-{self._requests}"


class World:
    """A store of its own, a dispatcher to it, a clock, ids, faults, and the calls that came."""

    def __init__(
        self,
        settings: Settings,
        options: Chosen,
        metrics: telemetry.Metrics,
        *,
        file: Path | None,
        calls_max: int | None = None,
    ) -> None:
        """``file`` is the SQLite database of this world alone, which goes with it; None: it stays.

        ``calls_max`` bounds the calls that are noted.
        """
        settings = replace(settings, rate_limit=options.rate_limit)
        if file is not None:
            settings = replace(settings, database=f"sqlite:///{file}")
        self._file: Final = file
        self.has_ended = False
        self.clock: Final = Clock()
        self.ids: Final = Ids()
        self.faults: Final = Faults()
        self.arrivals: Final = Arrivals(calls_max=calls_max)
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
        """Waits for the calls under way, and closes the store; removes it if it is this world's."""
        self.has_ended = True
        self.dispatcher.close()
        self.store.close()
        for suffix in _FILES if self._file else ():
            Path(f"{self._file}{suffix}").unlink(missing_ok=True)
