"""The connections of a PostgreSQL store: pools, deadlines, repeated calls.

Every call to a server goes through ``Connections``. It decides alone which call is done again.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, Transaction, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from oppserver.contract.errors import DatabaseRefused, StoreFull, Unavailable
from oppserver.store.port import BUSY_TIMEOUT_S, StoreOptions
from oppserver.store.postgres.address import Address
from oppserver.store.postgres.connection import (
    Connect,
    DeadlineConnection,
    Driver,
    connecting,
    is_silence,
)
from oppserver.store.postgres.errors import (
    DRIVER_ERRORS,
    DriverError,
    is_conflict,
    is_demoted,
    is_lost,
    is_undone,
    raise_named,
    told,
)
from oppserver.store.sql.lookups import GATE

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
        self._readers: Final = self._engine(
            options.readers,
            limit_ms | {"default_transaction_read_only": "on"},
            "AUTOCOMMIT",
        )
        self._moments: Final = self._readers.execution_options(isolation_level="REPEATABLE READ")
        self._writers: Final = self._engine(
            options.readers,
            limit_ms
            | {
                "client_min_messages": "warning",  # one at the end of a write is of importance
                "lock_timeout": _milliseconds(BUSY_TIMEOUT_S),
                "idle_in_transaction_session_timeout": _milliseconds(POSTGRES_IDLE_WRITE_S),
            },
            "READ COMMITTED",
        )

    def close(self) -> None:
        """Closes all of them."""
        self._readers.dispose()
        self._writers.dispose()

    # --- calls

    def fetch(self, work: Callable[[Driver], _T]) -> _T:
        """Does work on a driver's connection that cannot write; each statement is of its moment."""
        return self._repeated(lambda: self.fetch_once(work))

    def read(self, work: Callable[[Connection], _T], *, is_limited: bool = True) -> _T:
        """Does work that reads one moment; unless ``is_limited``, statements take any time."""
        return self._repeated(lambda: self.read_once(work, is_limited=is_limited))

    def fetch_once(
        self, work: Callable[[Driver], _T], *, first: Callable[[Driver], None] | None = None
    ) -> _T:
        """Run work as ``fetch``, once, with the driver's own errors.

        ``first`` is done before it, on the same connection, in a transaction of its own.
        """
        pooled = self._readers.raw_connection()
        try:
            driver = pooled.driver_connection
            assert isinstance(driver, DeadlineConnection)
            driver.deadline_s = self._deadline_s
            if first is not None:
                first(driver)
            return work(driver)
        except psycopg.Error as error:
            if is_lost(error):
                self._lose(error)
                pooled.invalidate(error)
            raise
        finally:
            pooled.close()

    def read_once(
        self,
        work: Callable[[Connection], _T],
        *,
        is_limited: bool = True,
        first: Callable[[Driver], None] | None = None,
    ) -> _T:
        """Run work as ``read``, once, with the driver's own errors."""
        try:
            with self._moments.connect() as connection:
                if first is not None:
                    driver = _with_deadline(connection)
                    with _no_transaction(driver):
                        first(driver)
                with connection.begin():
                    self._limit(connection, is_limited=is_limited)
                    return work(connection)
        except DRIVER_ERRORS as error:
            self._lose(error)
            raise

    def write(
        self,
        work: Callable[[Connection], _T],
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
            with self._writers.connect() as connection:
                driver = _with_deadline(connection)
                with connection.begin() as transaction:
                    self._limit(connection, is_limited=is_limited)
                    if is_gated:
                        connection.exec_driver_sql(GATE)
                    answer = work(connection)
                    self.refuse_old(driver)
                    driver.deadline_s = self._deadline_s
                    _commit(transaction, driver)
            return answer

        return self._repeated(once)

    def refuse_old(self, driver: DeadlineConnection) -> None:
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
                    self._lose(error)
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

    def _limit(self, connection: Connection, *, is_limited: bool) -> None:
        """Sets how long statements of a transaction may take, by the server's clock and by ours."""
        _with_deadline(connection).deadline_s = self._deadline_s if is_limited else float("inf")
        if not is_limited:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")

    def _lose(self, error: DriverError) -> None:
        if is_lost(error) or is_demoted(error):
            self._lost_at = time.monotonic()

    def _engine(self, size: int, settings: Mapping[str, str], isolation_level: Any) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: self.connect(settings, is_over=lambda: self.is_silent),
            isolation_level=isolation_level,
            pool_size=size,
            max_overflow=0,
            pool_timeout=self._pool_wait_s,
            pool_use_lifo=True,  # the connection that was used last is the likeliest to be alive
            pool_reset_on_return=None,  # every transaction is ended by the one who began it
            poolclass=QueuePool,
            use_native_hstore=False,  # it would look for a type that we do not have
            hide_parameters=True,  # an error is logged, what callers send is not
        )

        def opened(_: object, record: ConnectionPoolEntry) -> None:
            record.info["opened_at"] = time.monotonic()

        def taken(driver: DeadlineConnection, record: ConnectionPoolEntry, _: object) -> None:
            is_old = driver.timeline < self._newest_timeline()
            if is_old or record.info["opened_at"] <= self._lost_at:
                raise InvalidatePoolError

        event.listen(engine, "connect", opened)
        event.listen(engine, "checkout", taken)
        return engine


@contextmanager
def _no_transaction(driver: Driver) -> Iterator[None]:
    """Statements of the block are of a moment each, on a connection that else is of one."""
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1_000)))


def _with_deadline(connection: Connection) -> DeadlineConnection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, DeadlineConnection)
    return driver


def _commit(transaction: Transaction, driver: DeadlineConnection) -> None:
    """Makes a write durable; where nobody knows whether it is, it is not done again.

    A commit that was not waited for to its end, because somebody has cancelled the wait for
    standbys, is a success with a warning (postgresql.org, "Synchronous Replication"): the first
    primary has it, and may be the only one.
    """
    driver.was_warned = False
    try:
        transaction.commit()
    except DBAPIError as error:
        if is_silence(error.orig):
            raise Unavailable(
                "The store has not confirmed in time that a write is durable: it may be there or"
                f" not. {_WHAT_TO_DO}"
            ) from error.orig
        if is_lost(error) and not is_undone(error):
            raise Unavailable(
                "The connection to the store broke while a write was made durable: it may be"
                f" there or not. {_WHAT_TO_DO}"
            ) from error.orig
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
