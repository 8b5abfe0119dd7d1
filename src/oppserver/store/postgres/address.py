"""PostgreSQL's URLs: one host or several, and their connection options."""

import re
from collections.abc import Mapping
from typing import Any, Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from oppserver.contract.errors import InvalidDatabaseUrl

POSTGRES_CONNECT_TIMEOUT_S: Final = 10
"""Seconds in which a connection has to be made. Ours: a far network, and a server that starts."""

POSTGRES_SILENCE_S: Final = 30
"""Seconds after which a connection whose other end is silent is given up. Ours: a failover takes
as long; a machine that vanished says nothing."""

POSTGRES_LOOK_S: Final = 2
"""Seconds in which each host of several has to take a connection, and to say what it is. Source:
postgresql.org, libpq, the shortest ``connect_timeout`` that there is; a primary that is looked for
is one that others wait for."""

_DEFAULTS: Final[Mapping[str, str | int]] = {
    "fallback_application_name": "oppserver",
    "connect_timeout": POSTGRES_CONNECT_TIMEOUT_S,
    "keepalives_idle": POSTGRES_SILENCE_S // 3,
    "keepalives_interval": POSTGRES_SILENCE_S // 3,
    "keepalives_count": 2,
    "tcp_user_timeout": POSTGRES_SILENCE_S * 1_000,
}
"""Parameters that a URL may change. Source: postgresql.org, libpq, "Parameter Key Words"."""

_PORTS: Final = re.compile(r"[\d,]*")

_PLACES: Final = ("host", "port", "hostaddr")
"""Parameters of which a URL may have a list."""


class Address:
    """Where a database is and how one connects to it; printed without its password."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters: Final = parameters
        self.conninfo: Final = make_conninfo(**parameters)

    @classmethod
    def of(cls, url: str, defaults: Mapping[str, str | int] = {}) -> Self:
        """The address in a URL, with parameters that it may change. Raises InvalidDatabaseUrl."""
        given = _given(url)
        several = {"connect_timeout": POSTGRES_LOOK_S} if "," in str(given.get("host")) else {}
        return cls({**_DEFAULTS, **several, **defaults, **given, "client_encoding": "utf8"})

    @property
    def wants_primary(self) -> bool:
        """True when only a primary will do; a URL may say that a standby will do."""
        wanted = self._parameters.get("target_session_attrs")
        return wanted in (None, "primary", "read-write")

    def places(self) -> list[Self]:
        """An address for each of its hosts, in order, which takes any kind of server."""
        given = self._parameters
        # a list may be given of each, or, of ports, one for all. Source: libpq, "Multiple Hosts"
        lists = {name: str(given[name]).split(",") for name in _PLACES if given.get(name)}
        number = max([len(lists.get(name, "")) for name in ("host", "hostaddr")], default=1) or 1
        return [
            self._with(
                {name: one[min(n, len(one) - 1)] for name, one in lists.items()}
                | {"target_session_attrs": "any"}
            )
            for n in range(number)
        ]

    def of_primary(self) -> Self:
        """The same address, which connects to nothing but a primary."""
        return self._with({"target_session_attrs": "primary"})

    def _with(self, parameters: Mapping[str, Any]) -> Self:
        return type(self)({**self._parameters, **parameters})

    def __str__(self) -> str:
        hosts = str(self._parameters.get("host") or "").split(",")
        ports = str(self._parameters.get("port") or "").split(",")
        ports *= len(hosts) if len(ports) == 1 else 1
        places = [host + (port and f":{port}") for host, port in zip(hosts, ports, strict=True)]
        return f"postgresql://{','.join(places)}/{self._parameters.get('dbname') or ''}"


def _given(url: str) -> Mapping[str, Any]:
    """The parameters that a URL gives. Raises InvalidDatabaseUrl, without a part of the password.

    A password that is not percent-encoded may have ended up in the place, and would be shown.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        given = {}
    place = f"{given.get('host') or ''}/{given.get('dbname') or ''}"
    numbers = [len(str(given.get(name) or "").split(",")) for name in _PLACES]
    if numbers[1] > 1 and numbers[1] not in (numbers[0], numbers[2]):
        raise InvalidDatabaseUrl(
            f"The database URL names {numbers[0]} hosts and {numbers[1]} ports. Give each host its"
            " port, postgresql://USER@HOST1:PORT1,HOST2:PORT2/DATABASE, or one port to all"
        )
    if not given or "@" in place or not _PORTS.fullmatch(str(given.get("port") or "")):
        raise InvalidDatabaseUrl(
            "The database URL is not one of PostgreSQL. Expected"
            " postgresql://USER:PASSWORD@HOST:PORT/DATABASE, where what is no letter or digit in a"
            " name or password is percent-encoded"
        )
    return given
