"""Commands that are forked from a process which has imported them already.

A command takes 0.2 s of processor time for its imports, and the tests run thousands. A fork has
what a new process has: its arguments, folder, environment, standard files, signals, exit status.
What a shell or a document types, and what reads its environment while it starts, is started anew;
in the long form of the tests everything is.

Run as a program, this file is the process that forks: it gets a line of JSON for each command, with
four descriptors: the standard files, and a pipe for the process id and, later, the status.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final, NoReturn

RUN_TIMEOUT_S: Final = 120.0

_MESSAGE_BYTES_MAX: Final = 100_000
_NUMBER_BYTES: Final = 8
_OF_COMMANDS: Final = ("OPPSERVER_", "COLUMNS", "NO_COLOR", "PYTEST_CURRENT_TEST")
"""The beginnings of variables that nothing reads before a command begins."""


def _can_fork(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Return whether a fork does what a new process with this environment would."""
    return (
        sys.platform == "linux"
        and float(os.environ.get("OPPSERVER_TEST_SCALE", "1")) <= 1
        and sum(map(len, arguments)) < _MESSAGE_BYTES_MAX // 2
        and _others(environment) == _shared().environment
    )


def _others(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_OF_COMMANDS)}


class Forked:
    """A process that was forked, with the members of ``subprocess.Popen`` that tests use."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid: Final = pid
        self.returncode: int | None = None
        self._status: Final = os.fdopen(status, "rb", buffering=0)
        self._lock: Final = threading.Lock()

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        with self._lock:
            if self.returncode is None and select.select([self._status], [], [], 0)[0]:
                self.returncode = os.waitstatus_to_exitcode(_number(self._status))
                self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one. Raises subprocess.TimeoutExpired."""
        if not self._status.closed:
            select.select([self._status], [], [], timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Sends a signal, if the process still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended, and its status is on the way
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)


def _number(pipe: IO[bytes]) -> int:
    data = pipe.read(_NUMBER_BYTES)
    assert len(data) == _NUMBER_BYTES, "the process that forks has ended"
    return int.from_bytes(data, "little")


class _Source:
    """The process that forks."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock: Final = threading.Lock()
        self.environment: Final = _others(os.environ)
        with theirs:
            self._process: Final = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )

    def fork(self, command: Mapping[str, Any], files: Sequence[int]) -> Forked:
        status, theirs = os.pipe()
        message = json.dumps(command).encode()
        try:
            with self._lock:
                socket.send_fds(self._control, [message], [*files, theirs])
        finally:
            os.close(theirs)
        first = os.read(status, _NUMBER_BYTES)
        assert len(first) == _NUMBER_BYTES, "the process that forks has ended"
        return Forked(int.from_bytes(first, "little"), status)

    def stop(self) -> None:
        self._control.close()
        self._process.wait()


_SHARED: Final[list[_Source]] = []
"""The process that forks, once it is there. Owner: ``_shared``, under the lock."""

_LOCK: Final = threading.Lock()


def _shared() -> _Source:
    with _LOCK:
        if not _SHARED:
            _SHARED.append(_Source())
        return _SHARED[0]


def stop_shared() -> None:
    """Ends the process that forks, if there is one."""
    with _LOCK:
        while _SHARED:
            _SHARED.pop().stop()


def start(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    stdout: int,
    stderr: int,
) -> "Forked | subprocess.Popen[bytes]":
    """Starts a command, as typed, with this environment and nothing else; its input is empty.

    ``stdout`` and ``stderr`` are open files.
    """
    if not _can_fork(arguments, environment):
        return subprocess.Popen(
            arguments,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
    stdin = os.open(os.devnull, os.O_RDONLY)
    try:
        return _forked(arguments, folder, environment, [stdin, stdout, stderr])
    finally:
        os.close(stdin)


def run(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    text: str | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Runs a command, as typed, to its end, whatever its exit status is.

    Raises subprocess.TimeoutExpired.
    """
    if not _can_fork(arguments, environment):
        return subprocess.run(
            arguments,
            cwd=folder,
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_TIMEOUT_S,
        )
    (stdin, our_in), (our_out, stdout), (our_err, stderr) = os.pipe(), os.pipe(), os.pipe()
    try:
        process = _forked(arguments, folder, environment, [stdin, stdout, stderr])
    finally:
        for one in (stdin, stdout, stderr):
            os.close(one)
    with ThreadPoolExecutor(3) as threads:
        given = threads.submit(_write, our_in, text or "")
        out, err = threads.submit(_read, our_out), threads.submit(_read, our_err)
        try:
            status = process.wait(RUN_TIMEOUT_S)
        finally:
            process.kill()
        given.result()
        return subprocess.CompletedProcess(arguments, status, out.result(), err.result())


def _forked(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], files: Sequence[int]
) -> Forked:
    command = {"arguments": list(arguments), "folder": str(folder), "environment": {**environment}}
    return _shared().fork(command, files)


def _write(number: int, text: str) -> None:
    with suppress(BrokenPipeError), os.fdopen(number, "w", encoding="utf-8") as target:
        target.write(text)


def _read(number: int) -> str:
    with os.fdopen(number, encoding="utf-8") as source:
        return source.read()


# --- the process that forks ----------------------------------------------------------------------

_STANDARD: Final[list[IO[str]]] = []
"""The standard files, which would be closed if nobody had them. Owner: ``_become``."""


def _import_all() -> None:
    package = importlib.import_module("oppserver")
    for one in pkgutil.walk_packages(package.__path__, "oppserver."):
        if not one.name.endswith(("__main__", "pytest_plugin", "migrations.env")):
            importlib.import_module(one.name)
    importlib.import_module("alembic.command")
    main = importlib.import_module("oppserver.cli.main")
    errors = importlib.import_module("oppserver.contract.errors")
    with suppress(errors.OppserverError):
        # the library of commands imports more when one is parsed; this one is refused
        main.get_command(main.app)(["type", "list", "--database", ":"], standalone_mode=False)
    assert threading.active_count() == 1, "a thread would not be in the fork"
    gc.collect()
    gc.freeze()


def _commands(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Forks for each command; returns, in the fork, the command and its standard files.

    Ends the process when nobody is there who sends commands.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipes: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4_096)
            _report_ended(pipes)
        if control.fileno() not in ready:
            continue
        message, files, _, _ = socket.recv_fds(control, _MESSAGE_BYTES_MAX, 4)
        if not message:
            sys.exit()
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for one in (control.detach(), woken, wake, files.pop(), *pipes.values()):
                os.close(one)
            return json.loads(message), files
        pipes[pid] = files.pop()
        os.write(pipes[pid], pid.to_bytes(_NUMBER_BYTES, "little"))
        for one in files:
            os.close(one)


def _report_ended(pipes: dict[int, int]) -> None:
    """Tells the exit status of each process that has ended."""
    for pid in [*pipes]:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            pipe = pipes.pop(pid)
            with suppress(BrokenPipeError):  # nobody waits for it any more
                os.write(pipe, status.to_bytes(_NUMBER_BYTES, "little"))
            os.close(pipe)


def _become(command: Mapping[str, Any], files: Sequence[int]) -> None:
    """Has this process be the one of a command."""
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 (descriptors; they stay open)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 (as above)
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115 (as above)
    _STANDARD.extend((sys.stdin, sys.stdout, sys.stderr))
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    sys.argv = command["arguments"]


def _end(code: object) -> NoReturn:
    """Ends this process as Python would, but does not free one by one what it has imported."""
    threading._shutdown()  # type: ignore[attr-defined]  # what Python calls, too
    atexit._run_exitfuncs()
    for file in (sys.stdout, sys.stderr):
        file.flush()
    os._exit(code if isinstance(code, int) else code is not None)


if __name__ == "__main__":
    _import_all()
    _become(*_commands(socket.socket(fileno=int(sys.argv[1]))))
    from oppserver.cli.main import main

    try:
        main()
    except SystemExit as end:
        _end(end.code)
