"""The meaning of PostgreSQL's errors: calls to repeat, and errors for callers.

A caller hears no internals: host names, users and statements are in the cause, which the log has.
"""

import re
from typing import Final, NoReturn

import psycopg
from psycopg import errors
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from oppserver.contract.errors import InvalidValue, StoreFull, StoreUnreachable, Unavailable

POOLER_REFUSED: Final = (
    "a pooler changes its connections between transactions. PgBouncer needs pool_mode = session"
    " for this database; or name PostgreSQL's own port"
)

DriverError = psycopg.Error | PoolTimeoutError
"""Errors of a call to the server that are not ours."""

DRIVER_ERRORS: Final = (psycopg.Error, PoolTimeoutError)
"""The same, for ``except``."""

_CONFLICTS: Final = (errors.SerializationFailure, errors.DeadlockDetected)

_ENDS: Final = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)

_CONNECTION_CLASS: Final = "08"

_RESOURCE_CLASS: Final = "53"

_REFUSED: Final = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry|permission denied"
    r'|(role|database) "[^"]*" (does not exist|is not permitted)|does not support SSL'
)
"""Codes of a server that refuses the connection.

The driver has no codes for what comes before a session. What a server says in another language is
not known, and is tried again."""


def is_conflict(error: DriverError) -> bool:
    """Return true when a call failed only because another was under way; a repeat may succeed."""
    return isinstance(error, _CONFLICTS)


def is_busy(error: DriverError) -> bool:
    """Return true when no connection was free in time."""
    return isinstance(error, PoolTimeoutError)


def is_undone(error: DriverError) -> bool:
    """Return true when the server has undone a transaction because it was left alone."""
    return isinstance(error, errors.IdleInTransactionSessionTimeout)


def is_lost(error: DriverError) -> bool:
    """Return true when the connection is lost, so that the same call on a new one may succeed."""
    if isinstance(error, _ENDS):
        return True
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_CONNECTION_CLASS)


def is_demoted(error: DriverError) -> bool:
    """Return true when the server takes no writes (any more); nothing was done, another one may."""
    return isinstance(error, errors.ReadOnlySqlTransaction)


def is_refusal(error: BaseException) -> bool:
    """Return true when a connection was refused for a reason that does not pass by itself."""
    return isinstance(error, psycopg.OperationalError) and bool(_REFUSED.search(str(error)))


def is_missing(error: BaseException) -> bool:
    """Return true when the database, or a table in it, does not exist."""
    if isinstance(error, errors.UndefinedTable):
        return True
    return is_refusal(error) and 'database "' in str(error)


def raise_named(error: DriverError) -> NoReturn:
    """Raises what a driver's error is in our tree; a fault of ours is raised as it is."""
    if isinstance(error, PoolTimeoutError):
        raise Unavailable("All connections to the store are busy. Try again.") from None
    if is_conflict(error) or isinstance(error, errors.LockNotAvailable):
        raise Unavailable("The store is busy with other writes. Try again.") from error
    if isinstance(error, errors.QueryCanceled):
        raise Unavailable("The call took longer in the store than it may. Ask for less.") from error
    if isinstance(error, errors.ProgramLimitExceeded):
        raise InvalidValue(
            "A value is longer than an index of searches takes, 2,700 bytes. Shorten it, or have"
            " the index dropped by whoever runs the server."
        ) from error
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):  # the driver's own, no code
        raise InvalidValue(
            "A value has the character U+0000 in it, which no value here has. Send it without."
        ) from error
    if isinstance(error, errors.FeatureNotSupported):
        raise InvalidValue(
            "The store is spread over several machines and cannot do this across them, such as sort"
            " opportunities by a column of their leads. Ask for it in another way."
        ) from error
    if isinstance(error, errors.DiskFull):
        raise StoreFull("The disk of the store is full. Free some space.") from error
    if isinstance(error, errors.InvalidSqlStatementName | errors.DuplicatePreparedStatement):
        raise StoreUnreachable from psycopg.OperationalError(POOLER_REFUSED)
    if is_lost(error) or (error.sqlstate or "").startswith(_RESOURCE_CLASS):
        raise StoreUnreachable from error
    if isinstance(error, errors.ReadOnlySqlTransaction | errors.InsufficientPrivilege):
        raise Unavailable("The store cannot be written to. Try again.") from error
    raise error


def told(error: BaseException | None) -> str:
    """A driver's error in one line, for whoever runs the program."""
    return " ".join(str(error).split())
