"""Positions in PostgreSQL's log: written by a primary, applied by a standby.

A standby that has reached the primary's position has every write that had returned when the
primary was asked. The log forks when a standby is promoted, and positions go on from there in each
branch; the number of the timeline names the branch. PostgreSQL does not show a standby's timeline
to an ordinary role, so we leave a mark in each: a row that only its followers have.
"""

from typing import Final, NamedTuple

from oppserver.contract.errors import StoreUnreachable
from oppserver.store.postgres.connection import PostgresConnection


class Position(NamedTuple):
    """A place in the log, in bytes, and its timeline. One that is higher is later."""

    timeline: int
    byte: int


BEGINNING: Final = Position(timeline=0, byte=0)

_NO_BYTE: Final = "'0/0'::pg_lsn"

_POSITION: Final = (
    # up to where it is flushed: every commit that has returned is, and standbys get no more
    "SELECT substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8),"
    f" (pg_current_wal_flush_lsn() - {_NO_BYTE})::bigint WHERE NOT pg_is_in_recovery()"
).encode()

_REPLICATION_STATE: Final = (
    "SELECT pg_is_in_recovery(),"
    f" (coalesce(pg_last_wal_replay_lsn(), {_NO_BYTE}) - {_NO_BYTE})::bigint,"
    f" (coalesce(pg_last_wal_receive_lsn(), {_NO_BYTE}) - {_NO_BYTE})::bigint"
).encode()

_IDENTITY: Final = (
    b"SELECT (SELECT system_identifier FROM pg_control_system()), id FROM database_identity"
)

_MARK: Final = b"SELECT holder FROM oppserver_lease WHERE name = 'timeline'"

_LEAVE_MARK: Final = (
    b"INSERT INTO oppserver_lease AS kept (name, holder, expires_at)"
    b" SELECT 'timeline', substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8), 'infinity'"
    b" ON CONFLICT (name) DO UPDATE SET holder = excluded.holder"
)


class ReplicationState(NamedTuple):
    """The progress of a server. ``is_standby``: it follows another one and takes no writes."""

    is_standby: bool
    replayed_byte: int
    received_byte: int


def read_position(driver: PostgresConnection) -> Position:
    """Return the position of a primary. Raises StoreUnreachable when the server is no primary."""
    row = driver.execute(_POSITION, prepare=True).fetchone()
    if row is None:
        raise StoreUnreachable(
            "The store cannot be written to: its server is a standby. Try again."
        )
    return Position(timeline=int(row[0], 16), byte=row[1])


def read_replication_state(driver: PostgresConnection) -> ReplicationState:
    """Return the progress of a server, now."""
    row = driver.execute(_REPLICATION_STATE, prepare=True).fetchone()
    assert row is not None, "a SELECT without FROM has one row"
    return ReplicationState(*row)


def read_identity(driver: PostgresConnection) -> tuple[int, str]:
    """Return the identity that a primary shares with its standbys, and with no other server."""
    row = driver.execute(_IDENTITY).fetchone()
    assert row is not None, "the migrations have made the row"
    return row[0], row[1]


def read_mark(driver: PostgresConnection) -> int:
    """The timeline whose mark a server has; 0 when it has none."""
    row = driver.execute(_MARK).fetchone()
    return 0 if row is None else int(row[0], 16)


def leave_mark(driver: PostgresConnection) -> None:
    """Marks the primary's timeline. Waits for no standby: one that is away would be waited for."""
    driver.execute(b"BEGIN READ WRITE")
    try:
        driver.execute(b"SET LOCAL synchronous_commit = local")
        driver.execute(_LEAVE_MARK)
        driver.commit()
    finally:
        if not driver.closed:
            driver.rollback()
