"""The sockets that a server listens on, of one process and of several that share a port."""

import socket
import sys
from typing import Final

from oppserver.config import Settings
from oppserver.contract.errors import AddressRefused

_BACKLOG: Final = 2_048

BALANCES_BY_PORT: Final = sys.platform == "linux"
"""Whether the kernel shares connections out among the sockets of one port (socket(7)).

Measured with 2 processes and bursts of 8 connections: with a socket each, the fuller process gets 5
of 8 on average; with one socket for both, it gets all 8 in 4 bursts of 10.
"""


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say. Raises AddressRefused."""
    return _bound(settings, settings.port, shares_port=False, listens=True)


def reserve(settings: Settings) -> socket.socket:
    """A socket that keeps a port for several processes and does not listen itself.

    Raises AddressRefused when the port is taken, also by others that would share it.
    """
    with listen(settings) as alone:
        port = port_of(alone)
    return _bound(settings, port, shares_port=True, listens=False)


def listen_beside(settings: Settings, port: int) -> socket.socket:
    """One more socket that listens on a reserved port. Raises AddressRefused."""
    return _bound(settings, port, shares_port=True, listens=True)


def port_of(bound: socket.socket) -> int:
    """The port of a socket."""
    port: int = bound.getsockname()[1]
    return port


def url_of(settings: Settings, listener: socket.socket) -> str:
    """The URL of a socket that listens."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if settings.ssl_certfile else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _bound(settings: Settings, port: int, *, shares_port: bool, listens: bool) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shares_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((settings.host, port))
        if listens:
            bound.listen(_BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise AddressRefused(
            f"Cannot listen on {settings.host} port {port}: {error.strerror or error}."
            " Choose another with --host and --port."
        ) from None
    return bound
