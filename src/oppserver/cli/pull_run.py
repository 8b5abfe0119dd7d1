"""``pull``: the store is opened, the job run with its bar, its end reported."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import typer

from oppserver.cli.common import check_output, opened_store, print_json, store_files
from oppserver.cli.host import KeysIn, client_of
from oppserver.cli.pull_job import Pulled, PullJob
from oppserver.cli.pull_state import read_state, state_path, write_state
from oppserver.client import Retry
from oppserver.client.core import base_url_of
from oppserver.config import load_settings
from oppserver.contract.errors import InvalidInput

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_INCOMPLETE_STATUS: Final = 3

_INTERRUPTED_STATUS: Final = 130

_UNSTORABLE_SHOWN_MAX: Final = 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command, as they were typed."""

    host: str
    event_code: int
    full: bool
    state: Path | None
    keys_file: Path | None
    keys_in: KeysIn
    rate_limit: str
    as_json: bool
    database: str | None


def run_pull(asked: Asked) -> int:
    """Pulls; the exit status. Raises an OppserverError when it cannot go on."""
    database = load_settings({"database": asked.database}).database
    path = state_path(database, asked.event_code, asked.state)
    inputs = [] if asked.keys_file is None else [asked.keys_file]
    if check_output(path, option="--state", others=[*inputs, *store_files(database)]).is_stream:
        raise InvalidInput(f"--state {path} has to be a file: the next pull reads it.")
    state = read_state(path, host=base_url_of(asked.host), event_code=asked.event_code)
    told = _Reporter()
    with (
        client_of(
            asked.host,
            keys_file=asked.keys_file,
            keys_in=asked.keys_in,
            rate_limit=asked.rate_limit,
            on_retry=told.retry,
        ) as client,
        opened_store(asked.database) as store,
    ):
        job = PullJob(
            client=client,
            store=store,
            state=state,
            save=lambda reached: write_state(path, reached),
            on_progress=told.progress,
        )
        try:
            with told.bar():
                job.run(full=asked.full)
        except KeyboardInterrupt:
            typer.echo(
                f"oppserver: interrupted. {job.done.written:,} opportunities of this run are"
                " stored; run it again to go on.",
                err=True,
            )
            return _INTERRUPTED_STATUS
    _report(job.done, asked)
    return 0 if job.done.is_complete else _INCOMPLETE_STATUS


def _report(done: Pulled, asked: Asked) -> None:
    for line in done.told:
        typer.echo(f"oppserver: {line}", err=True)
    for number, (one, reason) in enumerate(done.unstorable.items()):
        if number == _UNSTORABLE_SHOWN_MAX:
            typer.echo("… and more", err=True)
            break
        typer.echo(f"oppserver: {one} cannot be stored: {reason}", err=True)
    if asked.as_json:
        print_json(
            {
                "complete": done.is_complete,
                "written": done.written,
                "deleted": done.deleted,
                "unstorable": len(done.unstorable),
                "stored": done.local,
                "onHost": done.host,
            }
        )
    typer.echo(
        f"pulled type {asked.event_code}: {done.written:,} written, {done.deleted:,} deleted;"
        f" {done.local:,} here, {done.host:,} on the host",
        err=True,
    )
    if not done.is_complete:
        typer.echo("oppserver: the counts differ. Run it again, or with --full.", err=True)


class _Reporter:
    """The progress bar on stderr, where that is a terminal. Calls come from several threads."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    @contextmanager
    def bar(self) -> Iterator[None]:
        """Shows the bar while the block runs."""
        from rich import progress  # noqa: PLC0415 (--help stays quick)
        from rich.console import Console  # noqa: PLC0415 (as above)

        shown = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[waits]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        with shown:
            self._task = shown.add_task("pulling", total=None, waits="")
            self._bar = shown
            yield

    def progress(self, read: int, total: int) -> None:
        """Show the rows read, and the number of all."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=read, total=total, waits="")

    def retry(self, retry: Retry) -> None:
        """A call is tried again."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, waits=f"again in {retry.wait_s:.0f} s")
