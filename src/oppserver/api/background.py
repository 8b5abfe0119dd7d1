"""The HTTP server in a thread of another program, such as a test."""

import socket
import threading
from typing import Final

import uvicorn

from oppserver.api.observe import Application
from oppserver.api.server import uvicorn_config
from oppserver.config import Settings
from oppserver.contract.errors import AddressRefused

BACKGROUND_START_TIMEOUT_S: Final = 30
"""Seconds in which a server in a thread has to listen. Ours: it takes a hundredth of one, on a
machine that is not at its end."""

BACKGROUND_STOP_TIMEOUT_S: Final = 1
"""Seconds that calls under way get when such a server is stopped. Ours: its tests have ended."""


class BackgroundServer:
    """Serves an application on a listener until it is stopped.

    It takes no signals, leaves the program's own event loops alone, and does not keep the program
    from ending. Its loop is uvloop's, whose timers run on when a test stops Python's clock.
    """

    def __init__(
        self, application: Application, settings: Settings, listener: socket.socket
    ) -> None:
        config = uvicorn_config(application, settings, shutdown_timeout_s=BACKGROUND_STOP_TIMEOUT_S)
        self._server: Final = _Telling(config)
        self._thread: Final = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [listener]},
            name="oppserver-http",
            daemon=True,
        )

    def start(self) -> None:
        """Returns when calls are answered. Raises AddressRefused."""
        self._thread.start()
        if not self._server.listens.wait(BACKGROUND_START_TIMEOUT_S):
            raise AddressRefused("The server in the background does not start.")

    def stop(self) -> None:
        """Ends the calls under way, and the thread."""
        self._server.should_exit = True
        self._thread.join()


class _Telling(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens: Final = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()
