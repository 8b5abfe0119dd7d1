"""Bringing a PostgreSQL database to this version's schema, once, however many processes open it.

Who migrates has a lease: a row with an expiry, which is renewed while it works and is gone when it
has ended. A process that died is waited for no longer than its lease. The table of leases is also
what tells a database of ours from another's.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final
from uuid import uuid4

import psycopg

from oppserver.contract.errors import DatabaseRefused, Unavailable
from oppserver.store import migrations
from oppserver.store.postgres.connection import PostgresConnection
from oppserver.store.postgres.connections import Connections
from oppserver.store.postgres.read import in_one_snapshot
from oppserver.store.sql import SqlConnection

MIGRATION_LEASE_S: Final = 15
"""Seconds after which a process that migrates and has not said so again counts as dead. Ours."""

MIGRATION_WAIT_S: Final = 120
"""Seconds to wait for another process that migrates. Ours: most migrations take a second; one that
builds an index over many rows takes minutes, and whoever starts servers starts them again."""

_POLL_S: Final = 0.05

_OUR_TABLE: Final = "oppserver_lease"

_CREATE: Final = (
    f"CREATE TABLE IF NOT EXISTS {_OUR_TABLE}"
    " (name text PRIMARY KEY, holder text NOT NULL, expires_at timestamptz NOT NULL)"
)

_TAKE: Final = (
    f"INSERT INTO {_OUR_TABLE} AS kept (name, holder, expires_at)"
    " VALUES ('migration', :holder, :expires_at)"
    " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at"
    " WHERE kept.expires_at < :now OR kept.holder = excluded.holder"
)

_RELEASE: Final = f"DELETE FROM {_OUR_TABLE} WHERE name = 'migration' AND holder = :holder"

_REVISION: Final = "SELECT version_num FROM alembic_version"

_TABLES: Final = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
"""
"""The tables and views in the schema that new tables go to, without those of extensions."""


def prepare(connections: Connections, *, migrate: bool) -> None:
    """Sees to it that the database is of this version. Raises DatabaseRefused."""
    at = _revision(connections)
    if at == migrations.HEAD:
        return
    migrations.refuse_unknown(at, connections.address)
    if not migrate:
        _refuse_unmigrated(at, connections)
    _create_leases(connections)
    holder = uuid4().hex
    if _has_lease(connections, holder):
        try:
            with _renewed(connections, holder):
                connections.write(lambda c: _upgrade(c, holder), is_gated=False, is_limited=False)
        except BaseException:
            with suppress(Unavailable):  # the first error is the one to report
                _release(connections, holder)
            raise


def _refuse_unmigrated(revision: str | None, connections: Connections) -> None:
    if revision is None:
        raise DatabaseRefused(
            f"The database {connections.address} is empty. 'oppserver db upgrade' creates it."
        )
    migrations.refuse_older(connections.address)


# --- versions ----------------------------------------------------------------------------------


def _revision(connections: Connections) -> str | None:
    """The schema's revision; None in an empty database. Raises DatabaseRefused for another's."""
    address = connections.address

    def look(connection: SqlConnection) -> str | None:
        if connection.rows("SELECT current_schema()") == [(None,)]:
            raise DatabaseRefused(f"The database {address} has no schema for the tables")
        tables = {table for (table,) in connection.rows(_TABLES)}
        if tables and _OUR_TABLE not in tables:
            raise DatabaseRefused(
                f"The database {address} holds tables of something else. oppserver needs a"
                " database, or a schema, of its own."
            )
        if "alembic_version" not in tables:
            return None
        return next((at for (at,) in connection.rows(_REVISION)), None)

    return connections.read(in_one_snapshot(look))


def _upgrade(connection: PostgresConnection, holder: str) -> None:
    """Migrates in one transaction, which counts only if the lease is still ours at its end."""
    migrations.upgrade(connection, "postgresql+psycopg", use_native_hstore=False)
    if connection.run(_RELEASE, holder=holder) != 1:
        raise Unavailable("Another process has taken over the migration of the store. Try again.")


# --- the lease ---------------------------------------------------------------------------------


def _create_leases(connections: Connections) -> None:
    # two that create it at once may both find that it is not there; then one of them fails
    with suppress(psycopg.IntegrityError, psycopg.ProgrammingError):
        connections.write(lambda c: c.run(_CREATE), is_gated=False)


def _has_lease(connections: Connections, holder: str) -> bool:
    """Waits for the lease; False when, meanwhile, another process has done the work."""
    ends = time.monotonic() + MIGRATION_WAIT_S
    while not connections.write(lambda c: _take(c, holder), is_gated=False):
        if time.monotonic() > ends:
            raise Unavailable(
                "Another process is bringing the store up to date. Try again when it has ended."
            )
        time.sleep(_POLL_S)
    if _revision(connections) != migrations.HEAD:
        return True
    _release(connections, holder)
    return False


def _release(connections: Connections, holder: str) -> None:
    connections.write(lambda c: c.run(_RELEASE, holder=holder), is_gated=False)


def _take(connection: SqlConnection, holder: str) -> bool:
    """Takes the lease when it is free, expired or ours, by the server's clock."""
    [(now,)] = connection.rows("SELECT clock_timestamp()")
    expires_at = now + timedelta(seconds=MIGRATION_LEASE_S)
    return connection.run(_TAKE, holder=holder, expires_at=expires_at, now=now) == 1


@contextmanager
def _renewed(connections: Connections, holder: str) -> Iterator[None]:
    """Renews the lease, on a thread of its own, while the block runs."""
    done = threading.Event()

    def renew() -> None:
        # a renewal that fails is no harm: whether the lease was kept is looked at in the end
        with suppress(Unavailable):
            while not done.wait(MIGRATION_LEASE_S / 3):
                connections.write(lambda c: _take(c, holder), is_gated=False)

    thread = threading.Thread(target=renew, name="lease")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
