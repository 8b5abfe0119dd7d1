"""The HTTP server around the application: TLS, signals, an orderly end."""

import asyncio
import ctypes
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from oppserver import telemetry
from oppserver.api.observe import Application
from oppserver.api.protocol import ServerConfig
from oppserver.config import Settings
from oppserver.contract.errors import AddressRefused

MALLOC_KEPT_BUFFER_BYTES_MAX: Final = 32 << 20
"""Bytes up to which a freed buffer is kept for the next call. Source: mallopt(3), its maximum."""

MALLOC_KEPT_BYTES: Final = 64 << 20
"""Bytes of freed memory that are kept at a heap's end. Ours: 16 answers and their copies."""


def uvicorn_config(
    application: Application, settings: Settings, *, shutdown_timeout_s: int
) -> ServerConfig:
    """Uvicorn's settings for the application."""
    return ServerConfig(
        application,
        head_timeout_s=settings.head_timeout_s,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,  # it would log the query, and with it keys; ours is in api/observe.py
        log_config=None,
        server_header=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=list(settings.trusted_proxies or ()),
        timeout_graceful_shutdown=shutdown_timeout_s,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
    )


_BACKLOG: Final = 2_048

BALANCES_BY_PORT: Final = sys.platform == "linux"
"""True where the kernel shares connections out among the sockets of one port (socket(7)).

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


_M_TRIM_THRESHOLD: Final = -1  # of malloc.h

_M_MMAP_THRESHOLD: Final = -3


def serve(
    settings: Settings,
    application: Application,
    listener: socket.socket,
    *,
    on_listening: Callable[[str], None],
) -> None:
    """Serves until SIGINT or SIGTERM; calls under way are finished first. Closes the listener.

    ``on_listening`` is called with the server's URL when calls are answered. Raises AddressRefused.
    """
    _keep_freed_memory()
    url = url_of(settings, listener)
    config = uvicorn_config(application, settings, shutdown_timeout_s=settings.shutdown_timeout_s)
    try:
        config.load()
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        listener.close()
        raise AddressRefused(
            f"The certificate and key cannot be used: {error}. Both have to be PEM files that"
            " belong together."
        ) from None
    with _signals_end_in_order():
        _Server(config, lambda: on_listening(url)).run(sockets=[listener])


def _keep_freed_memory() -> None:
    """Has the C library keep large buffers that were freed, where it is glibc's.

    By default it maps each answer's buffers (900 KB, five times over) anew and gives them back, and
    the kernel clears every page of them again. Measured on 2,000 ids: 10.6 ms a call became 8.9.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_M_MMAP_THRESHOLD, MALLOC_KEPT_BUFFER_BYTES_MAX)
        set_option(_M_TRIM_THRESHOLD, MALLOC_KEPT_BYTES)


class _Server(uvicorn.Server):
    """Uvicorn's server, which reports when it listens, and logs when it stops."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started: Final = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            if self.config.ssl is not None:
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGHUP, self._read_certificate)
            self._tell_started()

    def _read_certificate(self) -> None:
        """Use the certificate that the files have now for new connections; keep the old if bad."""
        context, file, key = self.config.ssl, self.config.ssl_certfile, self.config.ssl_keyfile
        assert context is not None, "only a server with a certificate hears the signal"
        assert file is not None, "as above"
        try:
            # a pair that does not fit would leave the context in use with half of it
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file, key)
            context.load_cert_chain(file, key)
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            telemetry.logger().error("certificate_refused", cause=str(error), file=str(file))
            return
        telemetry.logger().info("certificate_read", file=str(file))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        telemetry.logger().info("stopping", calls_under_way=len(self.server_state.tasks))
        await super().shutdown(sockets)
        telemetry.logger().info("stopped")


@contextmanager
def _signals_end_in_order() -> Iterator[None]:
    """Uvicorn raises the signal that stopped it once more, with the handler that was there before.

    That would end the process before the store is closed; being stopped is how a server ends well.
    """
    before = {number: signal.signal(number, _stopped) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stopped(number: int, _: object) -> None:
    telemetry.logger().debug("stopped_by", signal=signal.Signals(number).name)
