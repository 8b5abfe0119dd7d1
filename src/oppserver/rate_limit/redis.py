"""The shared rate limit in Redis or Valkey: one script, one round trip, one clock.

The only module that knows the client library, which ``oppserver[redis]`` brings. Why the window is
not that of the library ``limits``: decision 0019.
"""

from typing import Any, Final, Never

from valkey import BlockingConnectionPool, Valkey
from valkey.connection import Connection, SSLConnection, UnixDomainSocketConnection
from valkey.exceptions import (
    AuthenticationError,
    AuthorizationError,
    InvalidResponse,
    MovedError,
    NoPermissionError,
    ValkeyError,
)

from oppserver.contract.errors import RateLimitStoreLost, RateLimitStoreRefused
from oppserver.rate_limit.address import RATE_LIMIT_STORE_TIMEOUT_S, RateLimitStore
from oppserver.rate_limit.window import RateWindow, digest_of

_MICROSECONDS: Final = 1_000_000

_COUNT: Final = """
-- The moments of a key's calls, oldest first, in microseconds of this server's clock.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local calls, window = tonumber(ARGV[1]), tonumber(ARGV[2])

-- The clock was set back: the moments move with it, as if the newest were now. Else callers would
-- be locked out until it has caught up. %.0f, because Lua prints large numbers in short.
local ahead = (tonumber(redis.call('LINDEX', KEYS[1], -1)) or now) - now
if ahead > 0 then
    local moments = redis.call('LRANGE', KEYS[1], 0, -1)
    redis.call('DEL', KEYS[1])
    for _, moment in ipairs(moments) do
        redis.call('RPUSH', KEYS[1], string.format('%.0f', tonumber(moment) - ahead))
    end
end

local oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
while oldest and oldest <= now - window do
    redis.call('LPOP', KEYS[1])
    oldest = tonumber(redis.call('LINDEX', KEYS[1], 0))
end

local counted = redis.call('LLEN', KEYS[1])
local is_free = counted < calls
if is_free then
    redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
    counted = counted + 1
end
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) + 1)
return {is_free and 1 or 0, counted, (oldest or now) + window - now}
"""

_REFUSALS: Final = (
    AuthenticationError,
    AuthorizationError,
    InvalidResponse,  # it is another kind of server
    MovedError,  # it is a cluster, whose parts this client does not know
    NoPermissionError,
)
"""Errors that do not pass by themselves."""


class RedisWindow:
    """The moving window of all machines that name the same server, limit and window.

    A key is stored as a hash, with the moments of at most ``calls`` calls, and expires with the
    window. The library's connections are made when they are needed, and again after they broke.
    """

    def __init__(
        self, where: RateLimitStore, *, calls: int, window_s: int, connections: int
    ) -> None:
        self._where: Final = where
        self._calls: Final = calls
        self._window_s: Final = window_s
        self._pool: Final = BlockingConnectionPool(  # type: ignore[no-untyped-call]  # as it is
            max_connections=connections, timeout=RATE_LIMIT_STORE_TIMEOUT_S, **_connecting(where)
        )
        self._count: Final = Valkey(connection_pool=self._pool).register_script(_COUNT)

    def count(self, key: str) -> RateWindow:
        """Counts a call that comes now. Raises RateLimitStoreLost."""
        name = f"oppserver:rate:{self._calls}/{self._window_s}:{digest_of(key).hex()}"
        try:
            is_free, counted, free_in_us = self._count(
                keys=[name], args=[self._calls, self._window_s * _MICROSECONDS]
            )
        except (ValkeyError, OSError) as error:
            self._refuse(error)
        return RateWindow(
            calls=self._calls,
            window_s=self._window_s,
            remaining=max(0, self._calls - counted),
            reset_s=-(-free_in_us // _MICROSECONDS),
            is_exceeded=not is_free,
        )

    def close(self) -> None:
        """Ends the connections."""
        self._pool.disconnect()

    def _refuse(self, error: Exception) -> Never:
        if isinstance(error, _REFUSALS) or "DB index" in str(error):
            raise RateLimitStoreRefused(
                f"The rate limit cannot be kept in {self._where}: {error}. Mend --rate-limit-store."
            ) from error
        raise RateLimitStoreLost(f"{self._where}: {error}") from error


def _connecting(where: RateLimitStore) -> dict[str, Any]:
    """Return the library's options of a connection."""
    common: dict[str, Any] = {
        "db": where.database,
        "username": where.username,
        "password": where.password,
        "socket_timeout": RATE_LIMIT_STORE_TIMEOUT_S,
    }
    if where.path:
        return common | {"connection_class": UnixDomainSocketConnection, "path": where.path}
    common |= {
        "host": where.host,
        "port": where.port,
        "socket_connect_timeout": RATE_LIMIT_STORE_TIMEOUT_S,
        "socket_keepalive": True,
    }
    if not where.is_tls:
        return common | {"connection_class": Connection}
    return common | {
        "connection_class": SSLConnection,
        "ssl_check_hostname": True,  # the library's default is not to
        "ssl_ca_certs": str(where.ca_file) if where.ca_file else None,
    }
