"""One connection to a PostgreSQL server, and the requirements for a server."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, Protocol, TypeVar, cast

import psycopg
from psycopg.abc import PQGen
from psycopg.types.string import ByteaBinaryLoader

from oppserver.contract.errors import DatabaseRefused, StoreUnreachable
from oppserver.store.postgres.address import POSTGRES_LOOK_S, Address
from oppserver.store.postgres.errors import POOLER_REFUSED

POSTGRES_VERSION_MIN: Final = 12
"""Source: postgresql.org/docs/12/release-12.html: the first with stored generated columns."""

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

_POOLER_LOOKS: Final = 5
"""Looks at which processes serve two connections. Chosen: others may use the pooler meanwhile."""

_T = TypeVar("_T")


_IN_LIST: Final = re.compile(r"IN \(SELECT value FROM json_each\(:(\w+)\)\)")

_PARAMETER: Final = re.compile(r"""'[^']*'|"[^"]*"|(?<!:):([a-z]\w*)""")
"""A parameter, or what may only look as if it held one."""


@lru_cache(maxsize=1_024)
def translated(statement: str) -> bytes:
    """A statement of ``store/sql`` in the form of the driver; a list of values is an array."""
    text = _IN_LIST.sub(r"= ANY(:\1)", statement.replace("%", "%%"))
    return _PARAMETER.sub(lambda found: _named(found[0], found[1]), text).encode()


def _named(text: str, name: str | None) -> str:
    return text if name is None else f"%({name})s"


class PostgresConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for its server until ``is_over`` says that this has no end.

    It is asked ten times a second while nothing comes, and not while anything does. An answer that
    does not begin within ``deadline_s`` is not waited for either.
    """

    is_over: Callable[[], bool] = staticmethod(lambda: False)
    deadline_s = float("inf")
    timeline = 0
    """That of a primary, or whose mark a standby has (``position.py``)."""
    was_warned = False
    """True when a warning has come; callers reset it before."""

    def rows(self, statement: str, /, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; a value that is a list is the list of an ``IN``."""
        return self.cursor(binary=True).execute(translated(statement), values).fetchall()

    def run(self, statement: str, /, **values: object) -> int:
        """Run a statement; return the number of rows it has written."""
        return self.execute(translated(statement), values).rowcount

    def run_many(self, statement: str, batch: Sequence[Mapping[str, object]], /) -> None:
        """Run a statement once for each set of values, in order; nothing for none."""
        self.cursor().executemany(translated(statement), batch)

    def note_warning(self, notice: psycopg.errors.Diagnostic) -> None:
        """Takes what a server says beside its answers. Its words may be in any language."""
        self.was_warned |= notice.severity_nonlocalized == "WARNING"

    def wait(self, gen: PQGen[_T], *limits: Any, **named_limits: Any) -> _T:
        """Wait as the driver does, but raise GivenUp at the deadline."""
        ends_at = time.monotonic() + self.deadline_s

        def is_over() -> bool:
            return self.is_over() or time.monotonic() > ends_at

        try:
            return super().wait(_until(gen, is_over), *limits, **named_limits)
        except GivenUp:
            self.close()
            raise


class Connect(Protocol):
    """Makes a connection to a database with settings, which is given up when it is over."""

    def __call__(
        self, settings: Mapping[str, str], *, is_over: Callable[[], bool]
    ) -> PostgresConnection:
        """Raises StoreUnreachable, with the driver's error as its cause."""
        ...


def connect(
    address: Address, settings: Mapping[str, str], *, is_over: Callable[[], bool]
) -> PostgresConnection:
    """A new connection, outside a transaction, which waits until it is over.

    Raises StoreUnreachable, with the driver's error as its cause.
    """
    try:
        connection = PostgresConnection.connect(address.conninfo, autocommit=True)
    except psycopg.Error as error:
        raise StoreUnreachable from error
    connection.is_over = is_over
    connection.deadline_s = POSTGRES_LOOK_S
    connection.add_notice_handler(connection.note_warning)
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


def connecting(address: Address) -> Connect:
    """Return the function that connects to an address."""
    return partial(connect, address)


def refuse_unfit(driver: PostgresConnection, address: Address) -> None:
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


def refuse_pooler(driver: PostgresConnection, address: Address, connect_again: Connect) -> None:
    """Raise DatabaseRefused behind a pooler that changes connections between transactions.

    Settings, prepared statements and read-only connections belong to a session there as well. A
    pooler gives its own process id in place of the server's. Its mode is seen by a second
    connection: while the first is open, it gets the same process only if that is shared.
    """
    [(first,)] = driver.execute(b"SELECT pg_backend_pid()").fetchall()
    if first == driver.info.backend_pid:
        return
    second = connect_again({}, is_over=lambda: False)
    try:
        for _ in range(_POOLER_LOOKS):
            [(other,)] = second.execute(b"SELECT pg_backend_pid()").fetchall()
            [(own,)] = driver.execute(b"SELECT pg_backend_pid()").fetchall()
            if other == own or own != first:
                raise DatabaseRefused(f"The database {address} cannot be used: {POOLER_REFUSED}.")
    finally:
        second.close()


class GivenUp(psycopg.OperationalError):
    """A server was waited for in vain; the connection is closed."""


def is_silence(error: BaseException | None) -> bool:
    """Return true when an error means that a server took the request and answered nothing."""
    return isinstance(error, GivenUp | psycopg.errors.ConnectionTimeout)


def _until(gen: PQGen[_T], is_over: Callable[[], bool]) -> PQGen[_T]:
    """The driver's steps, as they are, but for the end.

    A step yields what it waits for, and is sent what has come: nothing, each 0.1 s, if nothing has.
    """
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and is_over():
                raise GivenUp("the server has not answered in time")
            wanted = gen.send(ready)
    except StopIteration as end:
        return cast("_T", end.value)
