"""A started worker: its process, and the parent's ends of its connections."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import msgspec

WORKER_STOP_MARGIN_S: Final = 5
"""Seconds beyond ``--shutdown-timeout-s`` that a worker gets to close before it is killed. Ours."""

_COMMAND: Final = (sys.executable, "-P", "-m", "oppserver.processes.worker")
"""``-P``: no module of the folder that the server runs in is taken for one of the program's."""


class StartedWorker:
    """A process that serves, until it ends. Owner: the parent, which closes it.

    ``questions`` is the parent's end of the rate limit, or None without a limit. ``lifeline`` is a
    descriptor whose other end is the worker's stdin: that comes to its end when we are gone.
    """

    def __init__(
        self, process: "subprocess.Popen[bytes]", lifeline: int, questions: socket.socket | None
    ) -> None:
        self._process: Final = process
        self._lifeline: Final = lifeline
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
        os.close(self._lifeline)
        assert self._process.stdout is not None
        self._process.stdout.close()
        if self.questions is not None:
            self.questions.close()
        return status


class WorkerTask(msgspec.Struct, frozen=True, kw_only=True):
    """``flags`` are those of ``serve``, as typed; with the environment they make the settings.

    ``listener``: the descriptor of a socket that all workers share, or None where each listens on
    the ``port`` for itself. ``machine_window``: the descriptor of the worker's end of the rate
    limit, or None without a limit. ``metrics_folder``: where workers count together
    and the console remembers; ``console_secret`` signs its sessions. The first
    worker ``tells`` what a server tells when it listens.
    """

    number: int
    flags: dict[str, str | None]
    port: int
    listener: int | None
    machine_window: int | None
    metrics_folder: str
    console_secret: bytes
    tells: bool


def start_worker(
    number: int, make_task: Callable[[int | None], WorkerTask], *, has_window: bool
) -> StartedWorker:
    """Starts a process. ``make_task`` is given the descriptor of the worker's end of the limit.

    Raises OSError when there is no room for one more.
    """
    with ExitStack() as ours, ExitStack() as its:
        questions = None
        if has_window:
            questions, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
            questions.setblocking(False)
            ours.callback(questions.close)
            its.callback(its_end.close)
            task = make_task(its_end.fileno())
        else:
            task = make_task(None)
        stdin, lifeline = os.pipe()
        ours.callback(os.close, lifeline)
        its.callback(os.close, stdin)
        os.set_blocking(lifeline, False)
        os.write(lifeline, msgspec.json.encode(task) + b"\n")  # there before it is: not half told
        process = _start_process(number, task, stdin)
        ours.pop_all()
        return StartedWorker(process, lifeline, questions)


def _start_process(number: int, task: WorkerTask, stdin: int) -> "subprocess.Popen[bytes]":
    """Starts it as the leader of a process group of its own.

    Ctrl-C at a terminal reaches the parent alone then, which passes it on.
    """
    return subprocess.Popen(  # noqa: S603 (our own command, no shell)
        [*_COMMAND, str(number)],  # the number is for those who list processes
        stdin=stdin,
        stdout=subprocess.PIPE,
        bufsize=0,
        pass_fds=[one for one in (task.listener, task.machine_window) if one is not None],
        process_group=0,
    )


def how_ended(status: int) -> str:
    """An exit status of ``subprocess``, in words."""
    if status >= 0:
        return f"exit status {status}"
    names = {one.value: one.name for one in signal.Signals}
    return names.get(-status, f"signal {-status}")


READY: Final = b"ready\n"
"""The line that a worker writes on its stdout when it answers calls."""
