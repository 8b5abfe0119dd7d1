"""The connections of a PostgreSQL store: pools, deadlines, repeated calls.

Every call to a server goes through ``Connections``. It decides alone which call is done again.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Final, TypeVar

import psycopg
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from oppserver.contract.errors import DatabaseRefused, StoreFull, Unavailable
from oppserver.store.port import BUSY_TIMEOUT_S, StoreOptions
from oppserver.store.postgres.address import Address
from oppserver.store.postgres.connection import (
    Connect,
    PostgresConnection,
    connecting,
    is_silence,
)
from oppserver.store.postgres.errors import (
    DRIVER_ERRORS,
    is_conflict,
    is_demoted,
    is_lost,
    is_undone,
    raise_named,
    told,
)
from oppserver.store.sql.catalogue import GATE

POSTGRES_GRACE_S: Final = 3.0
"""Seconds that a statement, and the end of a write, is waited for beyond ``query_timeout_s``. Ours:
the server ends what it can end; a frozen one, or one that waits for a standby that is gone, ends
nothing."""

POSTGRES_IDLE_WRITE_S: Final = 30
"""Seconds that a write may wait for its own program, after which the server undoes it. Ours: a
program that is stopped in mid-write keeps all others from writing."""

POSTGRES_RETRIES_MAX: Final = 10
"""Times that a call is done again after a conflict with another. Ours: each time, some other call
has succeeded."""

POSTGRES_RETRY_PAUSE_S: Final = 0.05
"""Seconds of the longest pause before the first of them. It doubles with each. Ours."""

POSTGRES_RETRY_PAUSE_S_MAX: Final = 0.5
"""Seconds of the longest pause before any of them. Ours: ten of them take 4 seconds at most."""

_T = TypeVar("_T")

_WHAT_TO_DO: Final = "Look before you write it again, or repeat it with its Idempotency-Key."


class Connections:
    """The connections of a store: a pool that only reads, and one that writes.

    Owner of both pools, and of ``_lost_at``: when a connection was last found broken. What was
    opened before then is not trusted again, nor what is of an older timeline than the newest that
    is known. ``is_silent`` belongs to whoever watches the server: while it is set, nothing is
    waited for, and calls under way end as on a lost connection. ``connect`` makes a connection;
    without it, it is one to the first host that answers.
    """

    def __init__(
        self,
        address: Address,
        options: StoreOptions,
        *,
        connect: Connect | None = None,
        newest_timeline: Callable[[], int] = lambda: 0,
        pool_wait_s: float | None = None,
    ) -> None:
        self.address: Final = address
        self.connect: Final = connect or connecting(address)
        self._newest_timeline: Final = newest_timeline
        self._deadline_s: Final = options.query_timeout_s + POSTGRES_GRACE_S
        self.is_silent = False
        self._pool_wait_s: Final = BUSY_TIMEOUT_S if pool_wait_s is None else pool_wait_s
        self._lost_at = float("-inf")
        limit_ms = {"statement_timeout": _milliseconds(options.query_timeout_s), "jit": "off"}
        self._readers: Final = self._pool(
            options.readers, limit_ms | {"default_transaction_read_only": "on"}
        )
        self._writers: Final = self._pool(
            options.readers,
            limit_ms
            | {
                "client_min_messages": "warning",  # one at the end of a write is of importance
                "lock_timeout": _milliseconds(BUSY_TIMEOUT_S),
                "idle_in_transaction_session_timeout": _milliseconds(POSTGRES_IDLE_WRITE_S),
            },
        )

    def close(self) -> None:
        """Closes all of them."""
        self._readers.dispose()
        self._writers.dispose()

    # --- calls

    def read(self, work: Callable[[PostgresConnection], _T]) -> _T:
        """Do work on a connection that cannot write; each statement is of its moment."""
        return self._repeated(lambda: self.read_once(work))

    def read_once(
        self,
        work: Callable[[PostgresConnection], _T],
        *,
        first: Callable[[PostgresConnection], None] | None = None,
    ) -> _T:
        """Run work as ``read``, once, with the driver's own errors.

        ``first`` is done before it, on the same connection.
        """
        with self._pooled(self._readers) as driver:
            if first is not None:
                first(driver)
            return work(driver)

    def write(
        self,
        work: Callable[[PostgresConnection], _T],
        *,
        is_limited: bool = True,
        is_gated: bool = True,
    ) -> _T:
        """Does work in a transaction of its own, alone among all that are gated.

        The work is done again from its beginning where it surely left nothing: after a conflict,
        and once when the connection was lost before the transaction's end, or the server is no
        primary any more. No statement is waited for longer than ``query_timeout_s`` and
        POSTGRES_GRACE_S, unless ``is_limited`` is false, and then the end is.
        """

        def once() -> _T:
            with self._pooled(self._writers) as driver, _transaction(driver):
                if not is_limited:
                    lift_limit(driver)
                if is_gated:
                    driver.execute(GATE.encode())
                answer = work(driver)
                self.refuse_old(driver)
                driver.deadline_s = self._deadline_s
                _commit(driver)
            return answer

        return self._repeated(once)

    def refuse_old(self, driver: PostgresConnection) -> None:
        """Raises a lost connection's error for one to a primary that a newer one has replaced."""
        if driver.timeline < self._newest_timeline():
            raise psycopg.OperationalError("there is a newer primary")

    def _repeated(self, once: Callable[[], _T]) -> _T:
        """Does a call, and again where that may help; its last error is raised by its name."""
        was_lost = False
        for conflicts in count():
            try:
                return once()
            except DRIVER_ERRORS as error:
                if is_lost(error) or is_demoted(error):
                    self._lost_at = time.monotonic()
                    if was_lost or self.is_silent:
                        raise_named(error)
                    was_lost = True
                elif is_conflict(error) and conflicts < POSTGRES_RETRIES_MAX:
                    # at random, or the same calls would meet again
                    longest_s = POSTGRES_RETRY_PAUSE_S * 2**conflicts
                    longest_s = min(longest_s, POSTGRES_RETRY_PAUSE_S_MAX)
                    time.sleep(random.uniform(0, longest_s))  # noqa: S311 (no secret)
                else:
                    raise_named(error)
        raise AssertionError("a call is done again a limited number of times")

    # --- inside

    @contextmanager
    def _pooled(self, pool: QueuePool) -> Iterator[PostgresConnection]:
        """A connection of a pool, with the clock set; it goes back unless it was lost."""
        taken = pool.connect()
        driver = taken.driver_connection
        assert isinstance(driver, PostgresConnection)
        driver.deadline_s = self._deadline_s
        try:
            yield driver
        except psycopg.Error as error:
            if is_lost(error):
                driver.close()
            raise
        finally:
            if driver.closed:
                self._lost_at = time.monotonic()
                taken.invalidate()
            taken.close()

    def _pool(self, size: int, settings: Mapping[str, str]) -> QueuePool:
        pool = QueuePool(
            lambda: self.connect(settings, is_over=lambda: self.is_silent),  # type: ignore[arg-type] # psycopg's is a DB-API connection
            pool_size=size,
            max_overflow=0,
            timeout=self._pool_wait_s,
            use_lifo=True,  # the connection that was used last is the likeliest to be alive
            reset_on_return=None,  # every transaction is ended by the one who began it
        )

        def opened(_: object, record: ConnectionPoolEntry) -> None:
            record.info["opened_at"] = time.monotonic()

        def taken(driver: PostgresConnection, record: ConnectionPoolEntry, _: object) -> None:
            is_old = driver.timeline < self._newest_timeline()
            if is_old or record.info["opened_at"] <= self._lost_at:
                raise InvalidatePoolError

        event.listen(pool, "connect", opened)
        event.listen(pool, "checkout", taken)
        return pool


@contextmanager
def _transaction(driver: PostgresConnection) -> Iterator[None]:
    """A transaction, which is undone unless the block ends it."""
    driver.execute(b"BEGIN ISOLATION LEVEL READ COMMITTED")
    try:
        yield
    finally:
        if not driver.closed:
            driver.rollback()


def lift_limit(driver: PostgresConnection) -> None:
    """Let the statements of a transaction take any time."""
    driver.deadline_s = float("inf")
    driver.execute(b"SET LOCAL statement_timeout = 0")


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1_000)))


def _commit(driver: PostgresConnection) -> None:
    """Makes a write durable; where nobody knows whether it is, it is not done again.

    A commit that was not waited for to its end, because somebody has cancelled the wait for
    standbys, is a success with a warning (postgresql.org, "Synchronous Replication"): the first
    primary has it, and may be the only one.
    """
    driver.was_warned = False
    try:
        driver.commit()
    except psycopg.Error as error:
        if is_silence(error):
            raise Unavailable(
                "The store has not confirmed in time that a write is durable: it may be there or"
                f" not. {_WHAT_TO_DO}"
            ) from error
        if is_lost(error) and not is_undone(error):
            raise Unavailable(
                "The connection to the store broke while a write was made durable: it may be"
                f" there or not. {_WHAT_TO_DO}"
            ) from error
        raise
    if driver.was_warned:
        raise Unavailable(
            f"A write is there, but not where it would survive a failover. {_WHAT_TO_DO}"
        )


@contextmanager
def opening(address: Address) -> Iterator[None]:
    """While a store is opened, what is wrong with it is a refusal that names it, and the cause."""
    try:
        yield
    except StoreFull:
        raise
    except Unavailable as error:
        cause = told(error.__cause__) if error.__cause__ else str(error)
        raise DatabaseRefused(f"The database {address} cannot be opened: {cause}") from error
