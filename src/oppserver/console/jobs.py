"""Long work for the console: commands of ``oppserver``, each in a process of its own.

A job takes no thread, no connection and no time of the interpreter from calls. One runs at a time
on a server. Its output is in the folder that the workers share, so that each of them shows it.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from oppserver.config import Settings, command_environment
from oppserver.contract.errors import Unavailable
from oppserver.contract.secrets import hide_secrets

OUTPUT_BYTES_MAX: Final = 64 << 10
"""Bytes of a job's output that are shown: its end."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A command that runs or has run. Times are in seconds since 1970; ``status`` None: it runs."""

    title: str
    arguments: list[str]
    process_id: int
    started: float
    ended: float | None = None
    status: int | None = None

    @property
    def command(self) -> str:
        """Return the command as it would be typed."""
        return " ".join(["oppserver", *self.arguments])


def start_job(
    folder: Path, settings: Settings, title: str, arguments: Sequence[str], *, shown: Sequence[str]
) -> None:
    """Start a command; ``shown`` are its arguments as the page shows them.

    Raises Unavailable while another job runs.
    """
    check_idle(folder)
    with (folder / "job.out").open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own command, no shell)
            [sys.executable, "-P", "-m", "oppserver", *arguments],
            cwd=Path.cwd(),
            env=command_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    job = Job(title=title, arguments=list(shown), process_id=process.pid, started=time.time())
    _write(folder, job)
    threading.Thread(
        target=_wait, args=(folder, job, process), name="oppserver-job", daemon=True
    ).start()


def check_idle(folder: Path) -> None:
    """Check that no job runs. Raises Unavailable."""
    running = current_job(folder)
    if running is not None and running.status is None:
        raise Unavailable(f"'{running.command}' is still running. Wait for its end, or stop it.")


def _wait(folder: Path, job: Job, process: "subprocess.Popen[bytes]") -> None:
    status = process.wait()
    with contextlib.suppress(OSError):  # the server stops, and its folder is gone
        _write(folder, msgspec.structs.replace(job, ended=time.time(), status=status))


def _write(folder: Path, job: Job) -> None:
    new = folder / "job.json.new"
    new.write_bytes(msgspec.json.encode(job))
    new.replace(folder / "job.json")


def current_job(folder: Path) -> Job | None:
    """Return the job that runs, or the last one; None before the first."""
    try:
        job = msgspec.json.decode((folder / "job.json").read_bytes(), type=Job)
    except FileNotFoundError:
        return None
    if job.status is None and not _is_alive(job.process_id):
        # the worker that waited for it has ended
        return msgspec.structs.replace(job, status=1, ended=job.started)
    return job


def output_of(folder: Path) -> str:
    """Return the end of the output of the last job, without secrets."""
    try:
        data = (folder / "job.out").read_bytes()[-OUTPUT_BYTES_MAX:]
    except FileNotFoundError:
        return ""
    return hide_secrets(data.decode("utf-8", "replace"))


def stop_job(folder: Path) -> None:
    """Interrupt the job that runs, as Ctrl-C does."""
    job = current_job(folder)
    if job is not None and job.status is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.process_id, 2)


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True
