"""``fetch``: chunks of ids that are not finished yet, from a host into a file."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from enum import Enum
from pathlib import Path
from typing import Final

import typer
from rich import progress

from oppserver.cli.common import (
    INTERRUPTED_STATUS,
    check_output,
    print_json,
    progress_bar,
)
from oppserver.cli.fetch_formats import Encoding, encoding_of
from oppserver.cli.run import INCOMPLETE_STATUS, HostOptions, HostRun
from oppserver.client import (
    AccessRefused,
    Batch,
    Client,
    ClientError,
    HostUnreachable,
    InvalidCall,
    KeysRefused,
    RequestRefused,
)
from oppserver.client.bulk_read import BulkPlan
from oppserver.client.core import base_url_of
from oppserver.contract.errors import InvalidInput
from oppserver.contract.limits import BULK_READ_IDS_MAX
from oppserver.contract.names import counted
from oppserver.transfer.files import STANDARD, OutputFormat, output_format_of
from oppserver.transfer.id_files import Ids, read_ids
from oppserver.transfer.outputs import written
from oppserver.transfer.resumable import Resumable, working_files

_FAILURES_IN_A_ROW_MAX: Final = 3
"""Calls that fail one after the other, each after all its tries: then the host is down."""

_ENDS_ALL: Final = (KeysRefused, AccessRefused, InvalidCall)


class FetchOptions(HostOptions, frozen=True, kw_only=True):
    """The options of the command, as they were typed."""

    ids: Path
    columns: str
    output: Path
    form: OutputFormat | None
    missing: Path | None
    restart: bool

    def check_outputs(self) -> None:
        """Refuses outputs that cannot be written, now and not when everything has been fetched."""
        inputs = [self.ids, *self.inputs]
        place = check_output(self.output, option="--output", others=inputs)
        if self.missing is not None:
            own = [self.output, *([] if place.is_stream else working_files(place.target))]
            check_output(self.missing, option="--missing", others=[*inputs, *own])


class State(Enum):
    """The end of a fetch."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


_STATUS: Final = {State.COMPLETE: 0, State.FAILED: 1, State.PARTIAL: INCOMPLETE_STATUS}


def run_fetch(options: FetchOptions) -> int:
    """Fetches; the exit status. Raises an OppserverError when it cannot begin."""
    if options.output == STANDARD:
        raise InvalidInput("--output has to be a file, so that a fetch can go on after a stop.")
    form = output_format_of(options.output, options.form)
    plan = BulkPlan.of(options.event_code, options.columns)
    encoding = encoding_of(form, plan.columns)
    options.check_outputs()
    run = HostRun(options)
    with run.client() as client:
        ids = read_ids(options.ids, chunk_ids=BULK_READ_IDS_MAX)
        same = {
            "host": base_url_of(options.host),
            "event code": plan.event_code,
            "columns": plan.columns,
            "format": form.value,
            "ids": ids.sha256(),
        }
        with closing(Resumable(options.output, job=same, restart=options.restart)) as made:
            job = FetchJob(run, ids=ids, output=made, encoding=encoding)
            is_carried_out = run.carry_out(lambda: job.run(client, plan), bar=job.bar())
            if job.state is State.COMPLETE:
                if options.missing is not None:
                    with written(options.missing) as file:
                        file.writelines(f"{one}\n".encode() for one in job.missing_ids())
                made.finish(encoding.file)
    _report(job, options, seconds=run.seconds())
    if is_carried_out or job.state is State.COMPLETE:
        return _STATUS[job.state]
    return INTERRUPTED_STATUS


class FetchJob:
    """One run. ``error`` is the last that ended a call, ``resumed`` the calls of earlier runs.

    ``read``, ``rows`` and ``missing`` count the finished ids, their rows, and those without one, of
    this run and of those before.
    """

    def __init__(self, run: HostRun, *, ids: Ids, output: Resumable, encoding: Encoding) -> None:
        self.ids: Final = ids
        self.output: Final = output
        self._run: Final = run
        self._encoding: Final = encoding
        self.read = self.rows = self.missing = self._read_before = 0
        self.error: ClientError | None = None
        self.resumed: Final = len(output.finished)
        for number, entry in output.finished.items():
            self._count(number, rows=entry.rows, missing=len(entry.missing))
        self._read_before = self.read

    @property
    def state(self) -> State:
        """The state of the fetch: PARTIAL when some chunks are finished and others are not."""
        if len(self.output.finished) == self.ids.chunks:
            return State.COMPLETE
        return State.PARTIAL if self.output.finished else State.FAILED

    @property
    def ids_per_second(self) -> float:
        """Ids of this run a second."""
        return (self.read - self._read_before) / max(self._run.seconds(), 0.001)

    def bar(self) -> AbstractContextManager[Callable[..., None]]:
        """The progress bar of the run."""
        return progress_bar(
            "fetching",
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.fields[rate]}, {task.fields[missing]:,} not found"),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.fields[waits]}"),
            total=len(self.ids),
            completed=self.read,
            rate="…",
            missing=self.missing,
            waits="",
            speed_period_s=60.0,
        )

    def run(self, client: Client, plan: BulkPlan) -> None:
        """Reads what is not finished, in order. A chunk that fails is left for the next run.

        Ends early when the host refuses everything, or fails at several chunks in a row.
        """
        left = deque(n for n in range(self.ids.chunks) if n not in self.output.finished)
        failures_in_a_row = 0
        while left and failures_in_a_row < _FAILURES_IN_A_ROW_MAX:
            before = len(left)
            rows = client.get_opportunities(
                self._ids_of(tuple(left)),
                event_code=plan.event_code,
                columns=plan.columns,
                on_missing=_drop,
            )
            try:
                for batch in rows.batches():
                    self._finish(left[0], batch)
                    left.popleft()
            except ClientError as error:
                self.error = error
                if isinstance(error, _ENDS_ALL) or self._is_refused_whole(error):
                    return
                failures_in_a_row = failures_in_a_row + 1 if len(left) == before else 1
                left.popleft()
            finally:
                rows.close()

    def missing_ids(self) -> Iterator[str]:
        """The ids that the host does not have, of finished chunks, in the order of the ids."""
        for _, entry in sorted(self.output.finished.items()):
            yield from entry.missing

    def _is_refused_whole(self, error: ClientError) -> bool:
        """Return true when no call was good: the host is away, or takes no call of this kind."""
        is_lasting = isinstance(error, (RequestRefused, HostUnreachable))
        return is_lasting and not self.output.finished

    def _ids_of(self, chunks: tuple[int, ...]) -> Iterator[str]:
        """The ids of chunks: each is full but the last, so that each becomes one call."""
        for number in chunks:
            yield from self.ids.chunk(number)

    def _finish(self, number: int, batch: Batch) -> None:
        data = self._encoding.chunk(batch.rows)
        self.output.add(number, data, rows=len(batch.rows), missing=batch.missing)
        self._count(number, rows=len(batch.rows), missing=len(batch.missing))

    def _count(self, number: int, *, rows: int, missing: int) -> None:
        self.read += self.ids.size(number)
        self.rows += rows
        self.missing += missing
        rate = f"{self.ids_per_second:,.0f}/s"
        self._run.progress(completed=self.read, rate=rate, missing=self.missing)


def _drop(_: object) -> None:
    """Missing ids are in the journal."""


def _report(job: FetchJob, options: FetchOptions, *, seconds: float) -> None:
    if options.as_json:
        print_json(
            {
                "state": job.state.value,
                "ids": len(job.ids),
                "fetched": job.rows,
                "missing": job.missing,
                "unread": len(job.ids) - job.read,
                "seconds": round(seconds, 3),
            }
        )
    if job.state is State.COMPLETE:
        typer.echo(_summary(job, options.output, seconds), err=True)
        return
    if job.error is not None:
        typer.echo(f"oppserver: {job.error}", err=True)
    typer.echo(f"oppserver: {_kept(job)}", err=True)


def _kept(job: FetchJob) -> str:
    """The sentence about a fetch that is not complete: the part of it that is not lost."""
    if job.state is not State.PARTIAL:
        return "nothing was read."
    read = f"{job.read:,} of {counted(len(job.ids), 'id')} are read"
    if job.output.part is None:
        return f"{read}, and not kept: the output is not a file. Nothing was written to it."
    return f"{read} and kept in {job.output.part}. Run the same command again to go on."


def _summary(job: FetchJob, output: Path, seconds: float) -> str:
    notes = [f"{job.missing:,} not found"]
    if job.ids.repeated:
        notes.append(f"{counted(job.ids.repeated, 'repeated id')} asked for once")
    if job.resumed:
        notes.append(f"{counted(job.resumed, 'call')} of an earlier run kept")
    return (
        f"fetched {counted(job.rows, 'opportunity')} into {output} in {seconds:.1f} s"
        f" ({job.ids_per_second:,.0f} ids/s): {', '.join(notes)}"
    )
