"""A worker that was started: its process, and the parent's ends of what connects the two."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from oppserver.processes.task import WorkerTask

_COMMAND: Final = (sys.executable, "-P", "-m", "oppserver.processes.worker")
"""``-P``: no module of the folder that the server runs in is taken for one of the program's."""


class StartedWorker:
    """A process that serves, until it ends. Owner: the parent, which closes it.

    ``questions`` is the parent's end of the rate limit, or None without a limit.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", questions: socket.socket | None) -> None:
        self._process: Final = process
        self.questions: Final = questions

    @property
    def process_id(self) -> int:
        """The id of its process."""
        return self._process.pid

    @property
    def words(self) -> int:
        """The descriptor of its stdout, which comes to its end when the process does."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the process is still there."""
        self._process.send_signal(number)

    def close(self) -> int:
        """Waits for the process, which is about to end, and lets go of all; its exit status."""
        status = self._process.wait()
        for end in (self.questions, self._process.stdin, self._process.stdout):
            if end is not None:
                end.close()
        return status


def start_worker(
    number: int, make_task: Callable[[int | None], WorkerTask], *, has_window: bool
) -> StartedWorker:
    """Starts a process. ``make_task`` is given the descriptor of the worker's end of the limit.

    Raises OSError when there is no room for one more.
    """
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) if has_window else (None, None)
    try:
        task = make_task(its.fileno() if its is not None else None)
        process = _start_process(number, task)
    except BaseException:
        if ours is not None:
            ours.close()
        raise
    finally:
        if its is not None:
            its.close()
    if ours is not None:
        ours.setblocking(False)
    return StartedWorker(process, ours)


def _start_process(number: int, task: WorkerTask) -> "subprocess.Popen[bytes]":
    """A process with its task. Its stdin stays open: the end of it tells that we are gone.

    It leads a process group of its own: Ctrl-C at a terminal reaches the parent alone, which passes
    it on.
    """
    process = subprocess.Popen(  # noqa: S603 (our own command, no shell)
        [*_COMMAND, str(number)],  # the number is for those who list processes
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        pass_fds=[one for one in (task.listener, task.machine_window) if one is not None],
        process_group=0,
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has ended already, and its stdout says so
        os.write(process.stdin.fileno(), msgspec.json.encode(task) + b"\n")
    return process


def how_ended(status: int) -> str:
    """An exit status of ``subprocess``, in words."""
    if status >= 0:
        return f"exit status {status}"
    names = {one.value: one.name for one in signal.Signals}
    return names.get(-status, f"signal {-status}")
