"""The address of the shared rate limit's store: a URL, read, and shown without its password."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

RATE_LIMIT_STORE_TIMEOUT_S: Final = 0.25
"""Seconds to wait for a connection to the shared limit's store, and for its answer. Ours: a
thousand times what it takes on one network, and a wait that a caller hardly notices."""

_PLAIN: Final = ("redis", "valkey")

_TLS: Final = ("rediss", "valkeys")

_PORT_DEFAULT: Final = 6379

_DATABASE_MAX: Final = 65_535

EXPECTED: Final = (
    "expected redis://HOST:PORT/NUMBER, rediss://… (TLS), valkey://…, valkeys://… (TLS) or"
    " unix:///PATH, with USER:PASSWORD@ before the host where it is needed; what is no letter or"
    " digit in a password is percent-encoded"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RateLimitStore:
    """A Redis or Valkey server: ``host`` and ``port``, or the ``path`` of its socket.

    ``ca_file`` None: the certificates that the system trusts. ``str()`` and ``repr()`` do not hold
    the password.
    """

    scheme: str
    host: str = ""
    port: int = _PORT_DEFAULT
    path: str = ""
    database: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None

    @property
    def is_tls(self) -> bool:
        """True when the connection is encrypted and the server has to prove its identity."""
        return self.scheme in _TLS

    def __str__(self) -> str:
        secret = ":[hidden]" if self.password is not None else ""
        user = f"{self.username or ''}{secret}@" if self.username or secret else ""
        if self.path:
            return f"{self.scheme}://{user}{self.path}?db={self.database}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}:{self.port}/{self.database}"


def parse_rate_limit_store(text: str) -> RateLimitStore:
    """The store of a URL. Raises ValueError, which repeats nothing of the URL: it holds a password.

    In the query: ``ssl_ca_certs=FILE`` with TLS, and ``db=NUMBER`` with a socket.
    """
    try:
        url = urlsplit(text.strip())
        port = url.port
        query = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query)))
    except ValueError:
        raise ValueError(EXPECTED) from None
    if url.fragment or url.scheme not in (*_PLAIN, *_TLS, "unix"):
        raise ValueError(EXPECTED)
    is_socket = url.scheme == "unix"
    number = query.pop("db", "") if is_socket else url.path.removeprefix("/")
    ca_file = query.pop("ssl_ca_certs", None) if url.scheme in _TLS else None
    if query or bool(url.hostname) == is_socket or (is_socket and url.path in ("", "/")):
        raise ValueError(EXPECTED)
    if ca_file is not None and not Path(ca_file).is_file():
        raise ValueError("there is no such file as ssl_ca_certs names")
    return RateLimitStore(
        scheme=url.scheme,
        host=unquote(url.hostname or ""),
        port=_PORT_DEFAULT if port is None else port,
        path=unquote(url.path) if is_socket else "",
        database=_database(number),
        username=_unquoted(url, "username"),
        password=_unquoted(url, "password"),
        ca_file=Path(ca_file) if ca_file is not None else None,
    )


def _database(text: str) -> int:
    if text == "":
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= _DATABASE_MAX):
        raise ValueError(EXPECTED)
    return int(text)


def _unquoted(url: SplitResult, name: str) -> str | None:
    value: str | None = getattr(url, name)
    return unquote(value) if value else None
