"""Child processes: all that a run starts, it ends, whatever happens."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_STOP_TIMEOUT_S: Final = 15.0


class PeerMissing(Exception):
    """A contestant cannot be measured here; ``str()`` is the reason, for the table."""


class Children:
    """Every process of a run. Owner: the run, which calls ``stop_all`` on every path."""

    def __init__(self, logs: Path) -> None:
        self._logs: Final = logs
        self._running: dict[int, tuple[subprocess.Popen[bytes], signal.Signals]] = {}

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        environment: Mapping[str, str] | None = None,
        user_id: int | None = None,
    ) -> subprocess.Popen[bytes]:
        """Starts a process in a session of its own: Ctrl-C reaches us alone, and we end it."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
                user=user_id,
                group=user_id,
            )
        self._running[process.pid] = (process, stop_signal)
        return process

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Ends a process: with its signal, then, when it does not listen, for good."""
        _, stop_signal = self._running.pop(process.pid, (process, signal.SIGTERM))
        if process.poll() is None:
            process.send_signal(stop_signal)
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def stop_all(self) -> None:
        """Ends whatever still runs."""
        for process, _ in list(self._running.values()):
            self.stop(process)

    def last_words(self, name: str) -> str:
        """The end of a process's log."""
        log = self._logs / f"{name}.log"
        lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
        return " | ".join(lines[-3:])[-400:]

    def wait_until(
        self,
        name: str,
        process: subprocess.Popen[bytes],
        is_ready: Callable[[], bool],
        *,
        timeout_s: float = 60.0,
        poll_s: float = 0.02,
    ) -> None:
        """Waits for a process to be ready. Raises PeerMissing when it ends or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if process.poll() is not None:
                raise PeerMissing(
                    f"{name} ended with status {process.returncode}: {self.last_words(name)}"
                )
            if time.monotonic() > deadline:
                raise PeerMissing(f"{name} was not ready after {timeout_s:g} s")
            time.sleep(poll_s)


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Return whether somebody accepts connections on a port."""
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0
