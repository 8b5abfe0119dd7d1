"""``fetch``: options are checked, ids read, the job run with its bar, its end reported."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import typer

from oppserver.cli.common import check_output, print_json
from oppserver.cli.fetch import OutputFormat
from oppserver.cli.fetch_formats import encoding_of, output_format
from oppserver.cli.fetch_job import FetchJob, Progress, State
from oppserver.cli.host import KeysIn, client_of
from oppserver.client import Client, Retry
from oppserver.client.bulk_read import BulkPlan
from oppserver.client.core import base_url_of
from oppserver.contract.errors import InvalidInput
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.transfer.files import STANDARD
from oppserver.transfer.id_files import Ids, read_ids
from oppserver.transfer.outputs import written
from oppserver.transfer.resumable import Resumable, working_files

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_STATUS: Final = {State.COMPLETE: 0, State.FAILED: 1, State.PARTIAL: 3}

_INTERRUPTED_STATUS: Final = 130


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the command, as they were typed."""

    host: str
    event_code: int
    ids: Path
    columns: str
    output: Path
    form: OutputFormat | None
    missing: Path | None
    keys_file: Path | None
    keys_in: KeysIn
    rate_limit: str
    restart: bool
    as_json: bool


def run_fetch(asked: Asked) -> int:
    """Fetches; the exit status. Raises an OppserverError when it cannot begin."""
    if asked.output == STANDARD:
        raise InvalidInput("--output has to be a file, so that a fetch can go on after a stop.")
    form = output_format(asked.output, asked.form)
    plan = BulkPlan.of(asked.event_code, asked.columns)
    encoding = encoding_of(form, plan.columns)
    _check_outputs(asked)
    told = _Reporter()
    with client_of(
        asked.host,
        keys_file=asked.keys_file,
        keys_in=asked.keys_in,
        rate_limit=asked.rate_limit,
        on_retry=told.retry,
    ) as client:
        ids = read_ids(asked.ids, chunk_ids=BULK_READ_IDS_MAX)
        same = _what_makes_it_the_same(asked.host, plan, form, ids)
        made = Resumable(asked.output, job=same, restart=asked.restart)
        try:
            job = FetchJob(ids=ids, output=made, encoding=encoding, on_progress=told.progress)
            is_interrupted = _run(job, client, plan, told)
            if job.state is State.COMPLETE:
                _write_missing(job, asked.missing)
                made.finish(encoding.file)
        finally:
            made.close()
    _report(job, asked.output, told, as_json=asked.as_json)
    if is_interrupted and job.state is not State.COMPLETE:
        return _INTERRUPTED_STATUS
    return _STATUS[job.state]


def _check_outputs(asked: Asked) -> None:
    """Refuses outputs that cannot be written, now and not when everything has been fetched."""
    inputs = [one for one in (asked.ids, asked.keys_file) if one is not None]
    place = check_output(asked.output, option="--output", others=inputs)
    if asked.missing is not None:
        own = [asked.output, *([] if place.is_stream else working_files(place.target))]
        check_output(asked.missing, option="--missing", others=[*inputs, *own])


def _what_makes_it_the_same(
    host: str, plan: BulkPlan, form: OutputFormat, ids: Ids
) -> dict[str, Any]:
    return {
        "host": base_url_of(host),
        "event code": plan.event_code,
        "columns": plan.columns,
        "format": form.value,
        "ids": ids.sha256(),
    }


def _run(job: FetchJob, client: Client, plan: BulkPlan, told: "_Reporter") -> bool:
    """Runs a job with its bar; whether it was interrupted."""
    with told.bar(job):
        try:
            job.run(client, plan)
        except KeyboardInterrupt:
            return True
    return False


def _write_missing(job: FetchJob, path: Path | None) -> None:
    if path is not None:
        with written(path) as file:
            file.writelines(f"{one}\n".encode() for one in job.missing())


# --- reports -----------------------------------------------------------------------------------


class _Reporter:
    """The progress bar on stderr, where that is a terminal. Calls come from several threads."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._started: Final = time.monotonic()
        self._fetched_before = 0

    @contextmanager
    def bar(self, job: FetchJob) -> Iterator[None]:
        """Shows the bar while the block runs."""
        from rich import progress  # noqa: PLC0415 (--help stays quick)
        from rich.console import Console  # noqa: PLC0415 (as above)

        self._fetched_before = job.progress.ids
        shown = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}, {task.fields[missing]:,} not found"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[waits]}"),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            transient=True,
            speed_estimate_period=60,
        )
        with shown:
            self._task = shown.add_task(
                "fetching",
                total=job.total,
                completed=job.progress.ids,
                rate="…",
                missing=job.progress.missing,
                waits="",
            )
            self._bar = shown
            yield

    def progress(self, done: Progress) -> None:
        """A chunk is finished."""
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task,
                completed=done.ids,
                rate=f"{self.rate(done.ids):,.0f}/s",
                missing=done.missing,
                waits="",
            )

    def retry(self, retry: Retry) -> None:
        """A call is tried again."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, waits=f"again in {retry.wait_s:.0f} s")

    def rate(self, ids: int) -> float:
        """Ids of this run a second."""
        return (ids - self._fetched_before) / max(self.seconds(), 0.001)

    def seconds(self) -> float:
        """Since the start of this run."""
        return time.monotonic() - self._started


def _report(job: FetchJob, output: Path, told: _Reporter, *, as_json: bool) -> None:
    done = job.progress
    if as_json:
        print_json(
            {
                "state": job.state.value,
                "ids": job.total,
                "fetched": done.rows,
                "missing": done.missing,
                "unread": job.total - done.ids,
                "seconds": round(told.seconds(), 3),
            }
        )
    if job.state is State.COMPLETE:
        typer.echo(_summary(job, output, told), err=True)
        return
    if job.error is not None:
        typer.echo(f"oppserver: {job.error}", err=True)
    typer.echo(f"oppserver: {_kept(job)}", err=True)


def _kept(job: FetchJob) -> str:
    """The sentence about a fetch that is not complete: the part of it that is not lost."""
    if job.state is not State.PARTIAL:
        return "nothing was read."
    read = f"{job.progress.ids:,} of {job.total:,} ids are read"
    if job.part is None:
        return f"{read}, and not kept: the output is not a file. Nothing was written to it."
    return f"{read} and kept in {job.part}. Run the same command again to go on."


def _summary(job: FetchJob, output: Path, told: _Reporter) -> str:
    done = job.progress
    notes = [f"{done.missing:,} not found"]
    if job.repeated:
        notes.append(f"{job.repeated:,} repeated ids asked for once")
    if job.resumed:
        notes.append(f"{job.resumed:,} calls of an earlier run kept")
    return (
        f"fetched {done.rows:,} opportunities into {output} in {told.seconds():.1f} s"
        f" ({told.rate(done.ids):,.0f} ids/s): {', '.join(notes)}"
    )
