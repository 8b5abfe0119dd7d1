"""A worker: one of several server processes. Started by ``parent.py``, ends with it."""

import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from oppserver import telemetry
from oppserver.api.server import listen_beside
from oppserver.config import Settings, load_settings
from oppserver.console.app import ConsoleShare
from oppserver.contract.errors import OppserverError
from oppserver.processes.serving import run_server, tell_listening
from oppserver.processes.workers import READY, WORKER_STOP_MARGIN_S, WorkerTask
from oppserver.rate_limit.window import MachineWindow
from oppserver.store import Store

_STDIN: Final = 0

_STDOUT: Final = 1


def main() -> None:
    """Serves as the line on stdin says. What it cannot do is one line on stderr, exit status 1."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # its certificate is not read yet
    signal.signal(signal.SIGTERM, _end)  # while it serves, the server has a handler of its own
    task = msgspec.json.decode(_line(), type=WorkerTask)
    parent = _Parent()
    try:
        parent.watch()
        settings = load_settings(task.flags)
        parent.deadline_s = settings.shutdown_timeout_s + WORKER_STOP_MARGIN_S
        _serve(task, settings)
    except OppserverError as error:
        print(f"oppserver: {error}", file=sys.stderr)
        sys.exit(1)
    finally:
        if parent.is_gone:
            shutil.rmtree(task.metrics_folder, ignore_errors=True)


def _end(_: int, __: object) -> None:
    sys.exit(0)


def _serve(task: WorkerTask, settings: Settings) -> None:
    telemetry.start_logging(form=settings.log_format, level=settings.log_level, worker=task.number)

    def open_listener() -> socket.socket:
        if task.listener is None:
            return listen_beside(settings, task.port)
        return socket.socket(fileno=task.listener)

    def listening(url: str, store: Store) -> None:
        if task.tells:
            tell_listening(settings, url, store)
        os.write(_STDOUT, READY)

    window = task.machine_window
    run_server(
        settings,
        open_listener=open_listener,
        machine_window=None if window is None else MachineWindow(socket.socket(fileno=window)),
        metrics=telemetry.Metrics(telemetry.SharedMetrics(Path(task.metrics_folder), task.number)),
        on_listening=listening,
        share=ConsoleShare(
            secret=task.console_secret,
            folder=lambda: Path(task.metrics_folder),
            log_folder=Path(task.metrics_folder),
            worker=task.number,
        ),
    )


class _Parent:
    """Ends this worker in order when its parent is gone, however that came about.

    The parent holds the other end of stdin, and the kernel closes it with the parent's last breath.
    """

    def __init__(self) -> None:
        self.is_gone = False
        self.deadline_s: float = WORKER_STOP_MARGIN_S

    def watch(self) -> None:
        """Begins to wait for its end, which may have come already."""
        threading.Thread(target=self._wait, name="oppserver-parent", daemon=True).start()

    def _wait(self) -> None:
        while os.read(_STDIN, 1):
            pass
        self.is_gone = True
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(self.deadline_s)  # what an orderly end may take
        os.kill(os.getpid(), signal.SIGKILL)


def _line() -> bytes:
    """The first line of stdin, and no byte beyond it; empty when the parent is gone already."""
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = os.read(_STDIN, 65_536)
        if not chunk:
            sys.exit(1)
        line += chunk
    return bytes(line)


if __name__ == "__main__":
    main()
