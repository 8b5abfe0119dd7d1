"""The command ``oppserver``: where its commands are put together, and where errors end."""

import errno
import gc
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any, Final, NoReturn, cast

import typer
from typer.core import TyperGroup
from typer.main import get_command

import oppserver
from oppserver.contract.errors import OppserverError, OutputLost
from oppserver.contract.secrets import hide_secrets
from oppserver.transfer.outputs import output_lost

COMMANDS: Final = {
    "demo": "demo:demo",
    "serve": "serve:serve",
    "key": "keys:app",
    "user": "keys:users_app",
    "type": "types:app",
    "field": "fields:app",
    "activity-type": "types:activity_types_app",
    "index": "indexes:app",
    "import": "files:import_command",
    "export": "files:export_command",
    "fetch": "host:fetch",
    "pull": "host:pull",
    "db": "store:app",
}
"""Where each command is: the module in this folder, and its function or its app of subcommands."""


_GC_THRESHOLD: Final = 10_000
"""New objects until a collection of garbage. With fewer (700 to 2,000), starts take 8 % longer."""


class _Commands(Mapping[str, Any]):
    """The commands by name, in the order of help. A module is imported when its command is used.

    Imports are more than half of what a short command takes. ``--help`` needs all of them.
    """

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _command(name, *COMMANDS[name].split(":"))
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def _command(name: str, module: str, attribute: str) -> Any:
    found = getattr(import_module(f"oppserver.cli.{module}"), attribute)
    holder = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
        holder.callback()(lambda: None)  # without one, the only command of an app is the app
    return typer.main.get_group(holder).commands[name]


class _Root(TyperGroup):
    """The command ``oppserver``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Commands()  # type: ignore[assignment]  # nothing is added later


app = typer.Typer(
    name="oppserver",
    cls=_Root,
    help="A self-hosted server of sales opportunities that speaks the Opportunity API.",
    epilog="First steps: 'oppserver demo' shows everything at once, with data of its own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"oppserver {oppserver.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    del version  # its callback has printed it


_STOPPED_STATUS: Final = 128 + signal.SIGTERM

_STOPPED: Final[list[bool]] = []  # has one when SIGTERM has come; owner: _interrupt


class _Printed(io.TextIOWrapper):
    """The standard output: what cannot be printed is an error of ours, and not of the library's."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise output_lost(error) from None

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise output_lost(error) from None


class _Said(io.TextIOWrapper):
    """The standard error: a command goes on where nobody can read its messages."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


class _Closed(io.RawIOBase):
    """A standard output that was closed before the program began: the first write fails."""

    is_told = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if not self.is_told:
            self.is_told = True
            raise OSError(errno.EBADF, "it is closed")
        return memoryview(data).nbytes  # the interpreter flushes once more at its end


def main() -> None:
    """Runs a command. What it cannot do is one line on stderr and exit status 1."""
    out = sys.stdout.buffer if sys.stdout else io.BufferedWriter(_Closed())
    sys.stdout = _Printed(out, "utf-8", "surrogateescape", line_buffering=True)
    err = sys.stderr.buffer if sys.stderr else io.BufferedWriter(_Closed())
    sys.stderr = _Said(err, "utf-8", "backslashreplace", line_buffering=True)
    gc.set_threshold(_GC_THRESHOLD)
    if os.getpid() == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupt)  # the kernel ends no first process by itself
    try:
        status = get_command(app)(standalone_mode=False)
        sys.exit(_STOPPED_STATUS if status == 128 + signal.SIGINT and _STOPPED else status)
    except OppserverError as error:
        _end_of(error)
    except typer.TyperException as error:  # typed wrong
        error.message = hide_secrets(error.message)
        cast("typer.BadParameter", error).show()
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 (a fault of ours: its trace is for a report)
        typer.echo(hide_secrets(traceback.format_exc()), err=True, nl=False)
        sys.exit(1)


def _interrupt(*_: object) -> None:
    _STOPPED.append(True)
    raise KeyboardInterrupt


def _end_of(error: OppserverError) -> NoReturn:
    if isinstance(error, OutputLost):
        # what is still in its buffer would be tried again at the end, and fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if error.is_reader_gone:  # `oppserver export | head` ends as `cat` does
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGPIPE)
            sys.exit(128 + signal.SIGPIPE)  # the first process of a container has no such end
    typer.echo(f"oppserver: {hide_secrets(str(error))}", err=True)
    sys.exit(1)
