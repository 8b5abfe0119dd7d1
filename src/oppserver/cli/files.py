"""``oppserver import`` and ``oppserver export``: opportunities from and to files."""

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import msgspec
import typer

from oppserver.cli.common import (
    INTERRUPTED_STATUS,
    Database,
    Json,
    check_output,
    now,
    opened_store,
    print_json,
    progress_bar,
    store_files,
)
from oppserver.cli.types import require_type
from oppserver.contract.errors import InvalidFile, InvalidInput, StoppedImport
from oppserver.contract.limits import EVENT_CODE_MAX
from oppserver.contract.names import counted
from oppserver.transfer.files import STANDARD, Format, Line, Source, format_of, opened
from oppserver.transfer.lines import read_lines
from oppserver.transfer.outputs import written
from oppserver.transfer.store import Import, Imported, Rejection, export

# --- files -------------------------------------------------------------------------------------

IMPORT_BATCH_ROWS_DEFAULT: Final = 50_000
"""Rows that an import commits at once. Measured on 1,000,000: the more rows in a batch, the fewer
times a page of the index is written; 20,000 reach 38,000 opportunities/s, 50,000 reach 46,000."""

_REJECTED_STATUS: Final = 3

_REASONS_SHOWN_MAX: Final = 20

_LINES_BETWEEN_LOOKS: Final = 1_000

_SWITCH_INTERVAL_S: Final = 0.0005
"""Seconds for which the decoding thread keeps the interpreter when the writing one asks for it. Of
the default, 5 ms, a batch of a few dozen statements would lose a tenth of its time."""

_OBJECTS_BETWEEN_COLLECTIONS: Final = 100_000
"""New objects after which Python looks for cycles, of which an import makes none. Of the default,
700, the search takes a tenth of the time of reading."""


class OnError(StrEnum):
    """The reaction of an import to a line that cannot be imported."""

    STOP = "stop"
    SKIP = "skip"


FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="What is in the file. [default: what its name says; ndjson for -]",
        show_default=False,
    ),
]

# --- import ------------------------------------------------------------------------------------


def import_command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The file, also packed by gzip or zstd; - is stdin."),
    ],
    file_format: FormatOption = None,
    on_error: Annotated[
        OnError, typer.Option("--on-error", help="What to do at a line that cannot be imported.")
    ] = OnError.STOP,
    rejects: Annotated[
        Path | None,
        typer.Option(
            "--rejects",
            metavar="FILE",
            help="With skip: where rejected lines go. [default: FILE.rejects.ndjson]",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
    database: Database = None,
) -> None:
    """Import opportunities: NDJSON, CSV or Parquet. A line replaces the opportunity with its id.

    Lines are stored in batches, each whole or not at all. An import that was stopped or killed is
    run again from the start: what is there already is not there twice.

    Example: oppserver import opportunities.ndjson --on-error skip
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    form = format_of(file, file_format)
    job: Import | None = None
    with _rejected(file, rejects, on_error, database) as rejected:
        try:
            is_text = form is not Format.PARQUET
            with opened(file, is_text=is_text) as source, opened_store(database) as store:
                batch = IMPORT_BATCH_ROWS_DEFAULT
                job = Import(store, batch_rows=batch, now=now, on_reject=rejected)
                size = source.size if form is not Format.PARQUET else None  # it is read crosswise
                with _import_progress(source, size, job) as watched:
                    done = job.run(watched(read_lines(form, file, source.bytes)))
        except StoppedImport as error:
            raise InvalidFile(
                f"{file}, {_sentence(str(error))} {_so_far(job)} Mend the line, or pass"
                " --on-error skip, and run the import again."
            ) from None
        except InvalidFile as error:
            raise InvalidFile(f"{_sentence(str(error))} {_so_far(job)}".rstrip()) from None
        except KeyboardInterrupt:
            typer.echo(f"oppserver: interrupted. {_so_far(job)} Run it again.", err=True)
            raise typer.Exit(INTERRUPTED_STATUS) from None
    _report(done, rejected, as_json=as_json)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _so_far(job: Import | None) -> str:
    """The part of the file that is stored; nothing where the import has not begun."""
    return "" if job is None else _stored(job.done.stored)


def _stored(number: int) -> str:
    verb = "is" if number == 1 else "are"
    return f"{counted(number, 'opportunity')} of it {verb} stored."


def _report(done: Imported, rejected: "_Rejected | None", *, as_json: bool) -> None:
    rejects = str(rejected.path) if rejected is not None and done.rejected else None
    if as_json:
        print_json(
            {
                "created": done.created,
                "replaced": done.replaced,
                "rejected": done.rejected,
                "rejects": rejects,
            }
        )
    else:
        typer.echo(
            f"imported {counted(done.stored, 'opportunity')}: {done.created:,} created,"
            f" {done.replaced:,} replaced"
        )
    if rejects is not None:
        lines = counted(done.rejected, "line")
        typer.echo(f"oppserver: {lines} rejected, to be mended: {rejects}", err=True)
        raise typer.Exit(_REJECTED_STATUS)


# --- rejected lines ----------------------------------------------------------------------------


@contextmanager
def _rejected(
    file: Path, given: Path | None, on_error: OnError, database: str | None
) -> "Iterator[_Rejected | None]":
    """Where rejected lines go while the block runs; None when the import stops at the first."""
    if on_error is OnError.STOP:
        yield None
        return
    path = given or _rejects_of(file)
    others = [file, *store_files(database)]
    try:
        place = check_output(path, option="The file of rejected lines", others=others)
    except InvalidFile as error:
        raise _no_rejects(str(error)) from None
    rejected = _Rejected(path, begins=place.is_stream)
    try:
        yield rejected
    finally:
        rejected.close()


def _rejects_of(file: Path) -> Path:
    if file == STANDARD:
        return Path("import.rejects.ndjson")
    return file.with_name(f"{file.name}.rejects.ndjson")


class _Rejected:
    """Reports each rejected line and keeps it in a file, which is made for the first one.

    A line of that file is ``{"line": number, "reason": text, "content": the line as it stood}``,
    with ``"lastLine"`` where it is about several lines.
    """

    def __init__(self, path: Path, *, begins: bool) -> None:
        """``begins`` opens it at once: the reader of a pipe waits for that."""
        self.path = path
        self._opened = ExitStack()
        self._file: BinaryIO | None = None
        self._count = 0
        if begins:
            self._begin()

    def __call__(self, rejection: Rejection) -> None:
        line = rejection.line
        self._count += 1
        if self._count <= _REASONS_SHOWN_MAX:
            typer.echo(f"{line.place}: {rejection.reason}", err=True)
        elif self._count == _REASONS_SHOWN_MAX + 1:
            typer.echo("… further lines are only in the file of rejected lines", err=True)
        several = {} if line.last in (None, line.number) else {"lastLine": line.last}
        content = {"reason": rejection.reason, "content": _content(line.raw)}
        entry = {"line": line.number, **several, **content}
        file = self._begin() if self._file is None else self._file
        try:
            file.write(msgspec.json.encode(entry, enc_hook=str) + b"\n")
        except OSError as error:
            raise _no_rejects(f"{self.path} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Puts the file in its place, where there is one; also when the import has failed."""
        try:
            self._opened.close()
        except InvalidFile as error:
            raise _no_rejects(str(error)) from None

    def _begin(self) -> BinaryIO:
        try:
            self._file = self._opened.enter_context(written(self.path))
        except InvalidFile as error:
            raise _no_rejects(str(error)) from None
        return self._file


def _no_rejects(reason: str) -> InvalidFile:
    return InvalidFile(f"{_sentence(reason)} --rejects names another file for rejected lines.")


def _content(raw: Any) -> Any:
    """A record as it stood, in a form that JSON can hold."""
    if isinstance(raw, bytes):
        return raw.decode("utf-8", "backslashreplace").rstrip("\r\n")
    if isinstance(raw, str):
        return raw.encode("utf-8", "backslashreplace").decode().rstrip("\r\n")
    return raw


# --- export ------------------------------------------------------------------------------------


def export_command(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="FILE",
            help="The file; .gz or .zst at its end packs it. [default: -, which is stdout]",
            show_default=False,
        ),
    ] = STANDARD,
    event_code: Annotated[
        int | None,
        typer.Option(
            "--event-code",
            metavar="CODE",
            min=0,
            max=EVENT_CODE_MAX,
            help="The type. [default: all types]",
            show_default=False,
        ),
    ] = None,
    file_format: FormatOption = None,
    database: Database = None,
) -> None:
    """Export opportunities: NDJSON, CSV or Parquet, in the form that import reads.

    The file takes its place when it is whole. The same data gives the same file.

    Example: oppserver export --event-code 12000 --output opportunities.csv.gz
    """
    form = format_of(output, file_format)
    if form is Format.PARQUET and output.suffix in (".gz", ".zst"):
        raise InvalidInput("A Parquet file is packed inside. Give a name that ends in .parquet.")
    check_output(output, option="--output", others=store_files(database))
    with opened_store(database, migrate=False) as store:
        if event_code is not None:
            require_type(store.catalogue(), event_code)
        total = store.count_opportunities(event_code=event_code)
        with written(output) as file, _export_bar(total) as move:
            count = export(
                store,
                file,
                form=form,
                event_code=event_code,
                on_page=lambda count: move(completed=count),
            )
    typer.echo(f"exported {counted(count, 'opportunity')}", err=True)


# --- progress ----------------------------------------------------------------------------------


@contextmanager
def _import_progress(source: Source, size: int | None, job: Import) -> Iterator[Any]:
    """A function that passes lines on and moves the bar by the bytes that were read."""
    from rich import progress  # noqa: PLC0415 (--help stays quick)

    columns = (
        progress.DownloadColumn(),
        progress.TextColumn("{task.fields[stored]:,} stored"),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress_bar("importing", *columns, total=size, stored=0) as move:

        def watched(lines: Iterable[Line]) -> Iterator[Line]:
            for count, line in enumerate(lines):
                if count % _LINES_BETWEEN_LOOKS == 0:
                    move(completed=source.position(), stored=job.done.stored)
                yield line
            move(completed=size or source.position(), stored=job.done.stored)

        yield watched


def _export_bar(total: int) -> AbstractContextManager[Callable[..., None]]:
    from rich import progress  # noqa: PLC0415 (--help stays quick)

    columns = (
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    return progress_bar("exporting", *columns, total=total)
