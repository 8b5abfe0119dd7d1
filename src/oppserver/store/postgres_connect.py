"""PostgreSQL's URLs and connections: how they are opened and kept, and how a call is made on one.

Every call to a server goes through ``Connections``. It decides alone which call is done again.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.string import ByteaBinaryLoader
from sqlalchemy import Connection, Engine, Transaction, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from oppserver.contract.errors import DatabaseRefused, InvalidDatabaseUrl, StoreFull, Unavailable
from oppserver.contract.limits import (
    BUSY_TIMEOUT_S,
    POSTGRES_CONNECT_TIMEOUT_S,
    POSTGRES_IDLE_WRITE_S,
    POSTGRES_RETRIES_MAX,
    POSTGRES_RETRY_PAUSE_S,
    POSTGRES_RETRY_PAUSE_S_MAX,
    POSTGRES_SILENCE_S,
    POSTGRES_VERSION_MIN,
)
from oppserver.store.port import StoreOptions
from oppserver.store.postgres_errors import is_conflict, is_lost, is_undone, raise_named, told

_T = TypeVar("_T")
Driver = psycopg.Connection[tuple[Any, ...]]

_DEFAULTS: Final[Mapping[str, str | int]] = {
    "fallback_application_name": "oppserver",
    "connect_timeout": POSTGRES_CONNECT_TIMEOUT_S,
    "keepalives_idle": POSTGRES_SILENCE_S // 3,
    "keepalives_interval": POSTGRES_SILENCE_S // 3,
    "keepalives_count": 2,
    "tcp_user_timeout": POSTGRES_SILENCE_S * 1_000,
}
"""Parameters that a URL may change. Source: postgresql.org, libpq, "Parameter Key Words"."""

_DURABLE: Final = (
    b"SELECT set_config('synchronous_commit', 'on', false)"
    b" WHERE current_setting('synchronous_commit') = 'off'"
)
"""A write is durable when it returns; how many servers have it by then is the operator's choice."""

_SHARDED: Final = (
    b"SELECT set_config('citus.multi_shard_modify_mode', 'sequential', false),"
    b" set_config('citus.max_adaptive_executor_pool_size', '1', false)"
    b" FROM pg_extension WHERE extname = 'citus'"
)
"""On a sharded database a connection here has one to each machine, over which shards take turns.

Measured on 32 shards, 2,000 ids: 63 ms in place of 90. And what a transaction wrote to a machine
is found by all that it does there later.
"""

GATE: Final = "SELECT version FROM catalogue_version WHERE id = 1 FOR UPDATE"
"""What a write does first: one row's lock, held to its end, lets one write in at a time.

So nothing that it reads changes before it ends. Numbers: docs/decisions.
"""


# --- one connection ----------------------------------------------------------------------------


class Address:
    """Where a database is and how one connects to it; printed without its password."""

    def __init__(self, url: str) -> None:
        given = _given(url)
        self._parameters: Final[dict[str, Any]] = {
            **_DEFAULTS,
            **given,
            "client_encoding": "utf8",
        }
        self.conninfo: Final = make_conninfo(**self._parameters)

    def __str__(self) -> str:
        place = [self._parameters.get(name) or "" for name in ("host", "port", "dbname")]
        host, port, database = map(str, place)
        return f"postgresql://{host}{port and f':{port}'}/{database}"


def _given(url: str) -> Mapping[str, Any]:
    """The parameters that a URL gives. Raises InvalidDatabaseUrl, without a part of the password.

    A password that is not percent-encoded may have ended up in the place, and would be shown.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = {}
    place = f"{given.get('host') or ''}/{given.get('dbname') or ''}"
    if not given or "@" in place or not re.fullmatch(r"[\d,]*", str(given.get("port") or "")):
        raise InvalidDatabaseUrl(
            "The database URL is not one of PostgreSQL. Expected"
            " postgresql://USER:PASSWORD@HOST:PORT/DATABASE, where what is no letter or digit in a"
            " name or password is percent-encoded"
        )
    return given


def _connect(address: Address, settings: Mapping[str, str]) -> Driver:
    """A new connection, outside a transaction. Raises Unavailable."""
    try:
        connection: Driver = psycopg.connect(address.conninfo, autocommit=True)
    except psycopg.Error as error:
        raise Unavailable("The store cannot be reached now. Try again.") from error
    try:
        # set by a statement and not as options of the connection, which poolers do not pass on
        pairs = [part for setting in settings.items() for part in setting]
        calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        connection.execute(f"SELECT {calls}".encode(), pairs)
        connection.execute(_DURABLE)
        connection.execute(_SHARDED)
    except BaseException:
        connection.close()
        raise
    # rendered rows are handed over as they are; nothing else that is read is of this type
    connection.adapters.register_loader("json", ByteaBinaryLoader)
    return connection


def refuse_unfit(driver: Driver, address: Address) -> None:
    """Raises DatabaseRefused for a server that lacks what the statements need."""
    version = driver.info.server_version // 10_000
    if version < POSTGRES_VERSION_MIN:
        raise DatabaseRefused(
            f"The database {address} is on PostgreSQL {version}; oppserver needs"
            f" {POSTGRES_VERSION_MIN} or later."
        )
    encoding = driver.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseRefused(
            f"The database {address} has the encoding {encoding}; oppserver needs UTF8."
            " CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0 makes one."
        )


# --- all of them -------------------------------------------------------------------------------


class Connections:
    """The connections of a store: a pool that only reads, and one that writes.

    Owner of both pools, and of ``_lost_at``: when a connection was last found broken. What was
    opened before then is not trusted again.
    """

    def __init__(self, address: Address, options: StoreOptions) -> None:
        self.address: Final = address
        self._lost_at = float("-inf")
        limit_ms = {"statement_timeout": _milliseconds(options.query_timeout_s), "jit": "off"}
        self._readers: Final = self._engine(
            options.readers, limit_ms | {"default_transaction_read_only": "on"}, "AUTOCOMMIT"
        )
        self._moments: Final = self._readers.execution_options(isolation_level="REPEATABLE READ")
        self._writers: Final = self._engine(
            options.readers,
            limit_ms
            | {
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

        def once() -> _T:
            pooled = self._readers.raw_connection()
            try:
                driver = pooled.driver_connection
                assert isinstance(driver, psycopg.Connection)
                return work(driver)
            except psycopg.Error as error:
                if is_lost(error):
                    pooled.invalidate(error)
                raise
            finally:
                pooled.close()

        return self._repeated(once)

    def read(self, work: Callable[[Connection], _T], *, is_limited: bool = True) -> _T:
        """Does work that reads one moment; unless ``is_limited``, statements take any time."""

        def once() -> _T:
            with self._moments.begin() as connection:
                _limit(connection, is_limited=is_limited)
                return work(connection)

        return self._repeated(once)

    def write(
        self,
        work: Callable[[Connection], _T],
        *,
        is_limited: bool = True,
        is_gated: bool = True,
    ) -> _T:
        """Does work in a transaction of its own, alone among all that are gated.

        The work is done again from its beginning where it surely left nothing: after a conflict,
        and once when the connection was lost before the transaction's end.
        """

        def once() -> _T:
            with self._writers.connect() as connection, connection.begin() as transaction:
                _limit(connection, is_limited=is_limited)
                if is_gated:
                    connection.exec_driver_sql(GATE)
                answer = work(connection)
                _commit(transaction)
            return answer

        return self._repeated(once)

    def _repeated(self, once: Callable[[], _T]) -> _T:
        """Does a call, and again where that may help; its last error is raised by its name."""
        was_lost = False
        for conflicts in count():
            try:
                return once()
            except (DBAPIError, psycopg.Error, PoolTimeoutError) as error:
                if is_lost(error):
                    self._lost_at = time.monotonic()
                    if was_lost:
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

    def _engine(self, size: int, settings: Mapping[str, str], isolation_level: Any) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://",
            creator=lambda: _connect(self.address, settings),
            isolation_level=isolation_level,
            pool_size=size,
            max_overflow=0,
            pool_timeout=BUSY_TIMEOUT_S,
            pool_use_lifo=True,  # the connection that was used last is the likeliest to be alive
            pool_reset_on_return=None,  # every transaction is ended by the one who began it
            poolclass=QueuePool,
            use_native_hstore=False,  # it would look for a type that we do not have
            hide_parameters=True,  # an error is logged, what callers send is not
        )

        def opened(_: object, record: ConnectionPoolEntry) -> None:
            record.info["opened_at"] = time.monotonic()

        def taken(_: object, record: ConnectionPoolEntry, __: object) -> None:
            if record.info["opened_at"] <= self._lost_at:
                raise InvalidatePoolError

        event.listen(engine, "connect", opened)
        event.listen(engine, "checkout", taken)
        return engine


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1_000)))


def _limit(connection: Connection, *, is_limited: bool) -> None:
    if not is_limited:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")


def _commit(transaction: Transaction) -> None:
    """Makes a write durable; where nobody knows whether it is, it is not done again."""
    try:
        transaction.commit()
    except DBAPIError as error:
        if is_lost(error) and not is_undone(error):
            raise Unavailable(
                "The connection to the store broke while a write was made durable: it may be"
                " there or not. Look before you write it again."
            ) from error.orig
        raise


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
