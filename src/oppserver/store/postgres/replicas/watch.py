"""A thread that looks at one PostgreSQL server, twice a second, on a connection of its own."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from oppserver.contract.errors import Unavailable
from oppserver.store.postgres.connection import Connect, PostgresConnection, is_silence
from oppserver.store.postgres.errors import DRIVER_ERRORS

STANDBY_LOOK_S: Final = 0.5
"""Seconds between two looks at a server whether it can be read. Ours: what a promoted, dead or
recovered one is noticed in, for two statements a second."""

STANDBY_SILENCE_S: Final = 1.0
"""Seconds in which such a look has to be answered; then the server counts as silent, and calls that
wait for it are ended. Ours: a thousand times what it takes; above pauses of a busy machine."""

SETTINGS: Final = {"default_transaction_read_only": "on"}


class Watch:
    """Look at a server until closed.

    ``look`` is given the connection; ``failed`` gets the error of a look that was not answered,
    and whether the server was silent: waiting for it has no use. Both run on the thread, or on that
    of whoever calls ``look_now`` before it is started.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        look: Callable[[PostgresConnection], None],
        failed: Callable[[BaseException, bool], None],
    ) -> None:
        self._connect: Final = connect
        self._look: Final = look
        self._failed: Final = failed
        self._driver: PostgresConnection | None = None  # owner: whoever looks
        self._ends_at = 0.0
        self._wanted: Final = threading.Event()
        self._is_closing = False
        self._thread: Final = threading.Thread(
            target=self._run, name="oppserver-watch", daemon=True
        )

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def look_soon(self) -> None:
        """Has the thread look at once: a call has met something."""
        self._wanted.set()

    def stop(self) -> None:
        """Begins no other look."""
        self._is_closing = True
        self._wanted.set()

    def close(self) -> None:
        """Ends the thread; a look that is under way is answered or given up."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join()
        self._disconnect()

    def look_now(self) -> None:
        """Look once. Errors go to ``failed``."""
        self._ends_at = time.monotonic() + STANDBY_SILENCE_S
        try:
            if self._driver is None:
                self._driver = self._connect(SETTINGS, is_over=self._is_over)
            self._look(self._driver)
        except (*DRIVER_ERRORS, Unavailable) as error:
            self._disconnect()
            cause = error.__cause__ or error
            self._failed(cause, is_silence(cause))

    def _run(self) -> None:
        while not self._is_closing:
            self._wanted.clear()
            self.look_now()
            self._wanted.wait(STANDBY_LOOK_S)

    def _is_over(self) -> bool:
        return time.monotonic() > self._ends_at

    def _disconnect(self) -> None:
        if self._driver is not None:
            with suppress(*DRIVER_ERRORS):
                self._driver.close()
            self._driver = None
