"""One connection to a PostgreSQL server: how it is opened, and what a server needs to be fit."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol

import psycopg
from psycopg.types.string import ByteaBinaryLoader

from oppserver.contract.errors import DatabaseRefused, StoreUnreachable
from oppserver.contract.limits import POSTGRES_LOOK_S, POSTGRES_VERSION_MIN
from oppserver.store.postgres_address import Address
from oppserver.store.postgres_patience import PatientConnection

Driver = psycopg.Connection[tuple[Any, ...]]

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


class Connect(Protocol):
    """Makes a connection to a database with settings, which is given up when it is over."""

    def __call__(
        self, settings: Mapping[str, str], *, is_over: Callable[[], bool]
    ) -> PatientConnection:
        """Raises StoreUnreachable, with the driver's error as its cause."""
        ...


def connect(
    address: Address, settings: Mapping[str, str], *, is_over: Callable[[], bool]
) -> PatientConnection:
    """A new connection, outside a transaction, which waits until it is over.

    Raises StoreUnreachable, with the driver's error as its cause.
    """
    try:
        connection = PatientConnection.connect(address.conninfo, autocommit=True)
    except psycopg.Error as error:
        raise StoreUnreachable from error
    connection.is_over = is_over
    connection.patience_s = POSTGRES_LOOK_S
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
    """What connects to an address."""
    return partial(connect, address)


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
