"""The rate limit that several machines share, and its behaviour while its store is lost.

The problem. N machines must let through at most ``calls`` calls of a key in any ``window_s``
seconds, together, and tell each caller what is left. The store that counts for all of them
(``redis.py``) can be killed, frozen, full or unreachable. An outage of a counter must not become
an outage of the API, and must not lift the limit.

The invariant. While the store counts, every call is counted there, by the store's own clock, in one
atomic step. While it is lost, every machine counts alone with the same limit. So N machines allow
at most N times the limit, and once more in a window around the loss or the return.

Why it holds. A call waits at most ``RATE_LIMIT_STORE_TIMEOUT_S`` for the store; one failure makes
the store lost, and from then on calls do not ask it. One thread tries it with a real count, because
a store that answers but does not count is still lost. The next call after its success is shared
again.

What breaks it. Different limits on the machines, for as long as they differ. A store clock that is
set back locks callers out for at most one window; set forward, it forgets as much. A Redis cluster
has no single place for the script, and is refused at the start.
"""

import threading
from collections.abc import Callable
from typing import Final, Protocol

from oppserver import telemetry
from oppserver.contract.errors import InvalidSetting, RateLimitStoreLost, RateLimitStoreRefused
from oppserver.rate_limit.address import RATE_LIMIT_STORE_TIMEOUT_S, RateLimitStore
from oppserver.rate_limit.window import KeyedRateLimiter, RateWindow

RATE_LIMIT_STORE_RETRY_S: Final = 1.0
"""Seconds between tries to reach a shared limit's store that was lost. Ours."""

_TRIAL_KEY: Final = ""  # no access key is empty


class SharedStore(Protocol):
    """A moving window outside of all machines."""

    def count(self, key: str) -> RateWindow:
        """Counts a call that comes now, in one round trip; safe from several threads.

        Raises RateLimitStoreLost, after bounded time, when it cannot be counted.
        """
        ...

    def close(self) -> None:
        """Ends its connections."""
        ...


class SharedWindow:
    """Counts in the store; while it is lost, each machine holds the limit alone.

    A call that meets the loss waits for the time limit of the store; the calls after it do not: a
    thread tries the store, once a second, until it counts again. Why so: decision 0020.
    """

    def __init__(
        self,
        store: SharedStore,
        *,
        alone: KeyedRateLimiter,
        on_alone: Callable[[], None],
        retry_s: float = RATE_LIMIT_STORE_RETRY_S,
    ) -> None:
        self._store: Final = store
        self._alone: Final = alone
        self._on_alone: Final = on_alone
        self._retry_s: Final = retry_s
        self._lock: Final = threading.Lock()  # guards the next two
        self._is_lost = False
        self._seeker: threading.Thread | None = None
        self._closing: Final = threading.Event()

    @property
    def is_lost(self) -> bool:
        """True when this machine alone counts the calls."""
        return self._is_lost

    def try_store(self) -> None:
        """Asks the store for the first time.

        A store that is away now may come back, and is lost until then. Raises
        RateLimitStoreRefused when the fault will not go away by itself.
        """
        try:
            self._store.count(_TRIAL_KEY)
        except RateLimitStoreRefused:
            raise
        except RateLimitStoreLost as error:
            self._lose(error)

    def count(self, key: str) -> RateWindow:
        """Counts a call that comes now."""
        if not self._is_lost:
            try:
                return self._store.count(key)
            except RateLimitStoreLost as error:
                self._lose(error)
        self._on_alone()
        return self._alone.count(key)

    def close(self) -> None:
        """Ends the thread that looks for the store, and the store's connections."""
        self._closing.set()
        with self._lock:
            seeker = self._seeker
        if seeker is not None:
            seeker.join(2 * RATE_LIMIT_STORE_TIMEOUT_S)
        self._store.close()

    def _lose(self, error: RateLimitStoreLost) -> None:
        with self._lock:
            if self._is_lost or self._closing.is_set():
                return
            self._is_lost = True
            self._seeker = threading.Thread(
                target=self._seek,
                name="oppserver-rate-limit-store",
                daemon=True,  # a name server that is silent must not keep the process from ending
            )
            self._seeker.start()
        telemetry.logger().warning(
            "rate_limit_store_lost",
            cause=str(error),
            hint="until it is back, each machine holds the limit alone",
        )

    def _seek(self) -> None:
        """Counts a trial call until that succeeds: a store that answers may still not count."""
        while not self._closing.wait(self._retry_s):
            try:
                self._store.count(_TRIAL_KEY)
            except RateLimitStoreLost:
                continue
            with self._lock:
                self._is_lost = False
            telemetry.logger().info("rate_limit_store_back")
            return


def open_shared_window(
    where: RateLimitStore,
    *,
    calls: int,
    window_s: int,
    connections: int,
    alone: KeyedRateLimiter,
    on_alone: Callable[[], None],
) -> SharedWindow:
    """The window in a store, which was tried. Raises InvalidSetting or RateLimitStoreRefused."""
    try:
        from oppserver.rate_limit.redis import RedisWindow  # noqa: PLC0415 (loads when asked)
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            f"--rate-limit-store: '{where}' needs what is not installed here ({error.name}):"
            " pip install valkey"
        ) from None
    store = RedisWindow(where, calls=calls, window_s=window_s, connections=connections)
    window = SharedWindow(store, alone=alone, on_alone=on_alone)
    try:
        window.try_store()
    except BaseException:
        window.close()
        raise
    return window
