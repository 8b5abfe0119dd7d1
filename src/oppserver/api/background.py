"""The HTTP server in a thread of a program that has work of its own: tests are such programs."""

import asyncio
import socket
import threading
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from oppserver.api.observe import Application
from oppserver.contract.errors import AddressRefused
from oppserver.contract.limits import BACKGROUND_START_TIMEOUT_S, BACKGROUND_STOP_TIMEOUT_S

_TRANSPORT: Final = "oppserver.transport"


class BackgroundServer:
    """Serves an application on a listener until it is stopped.

    It takes no signals, leaves the program's own event loops alone, and does not keep the program
    from ending. Its loop is uvloop's, whose timers run on when a test stops Python's clock.
    """

    def __init__(self, application: Application, listener: socket.socket) -> None:
        config = uvicorn.Config(
            application,
            loop="uvloop",
            http=_Reachable,
            ws="none",
            lifespan="on",
            access_log=False,  # it would log the query, and with it keys
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=BACKGROUND_STOP_TIMEOUT_S,
        )
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


def transport_of(scope: Any) -> asyncio.Transport:
    """The connection on which the request of a scope came, to be cut."""
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
    return transport


class _Telling(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens: Final = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


class _Reachable(HttpToolsProtocol):
    """Uvicorn's protocol, which tells an application on which connection a request came."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.access_log = False  # a test that captures logs has a handler for it, and it shows keys
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]  # a plain dict underneath
        scope["extensions"] = {_TRANSPORT: self.transport}
