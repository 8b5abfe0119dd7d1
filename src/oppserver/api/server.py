"""The HTTP server around the application: TLS, signals, an orderly end."""

import ctypes
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from oppserver import telemetry
from oppserver.api.listen import url_of
from oppserver.api.observe import Observer
from oppserver.api.protocol import uvicorn_config
from oppserver.config import Settings
from oppserver.contract.errors import AddressRefused
from oppserver.contract.limits import MALLOC_KEPT_BUFFER_BYTES_MAX, MALLOC_KEPT_BYTES

_M_TRIM_THRESHOLD: Final = -1  # of malloc.h
_M_MMAP_THRESHOLD: Final = -3


def serve(
    settings: Settings,
    application: Observer,
    listener: socket.socket,
    *,
    on_listening: Callable[[str], None],
) -> None:
    """Serves until SIGINT or SIGTERM; calls under way are finished first. Closes the listener.

    ``on_listening`` is called with the server's URL when calls are answered. Raises AddressRefused.
    """
    _keep_freed_memory()
    url = url_of(settings, listener)
    config = uvicorn_config(
        application,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        certificate=settings.ssl_certfile,
        key=settings.ssl_keyfile,
    )
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
    """Uvicorn's server, which tells when it listens and when it stops."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._tell_started: Final = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell_started()

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
