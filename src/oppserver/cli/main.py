"""The command ``oppserver``: where its commands are put together, and where errors end."""

import errno
import io
import os
import signal
import sys
import traceback
from contextlib import suppress
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.main import get_command

import oppserver
from oppserver.cli import demo, fields, files, host, indexes, keys, serve, store, types
from oppserver.cli import keys as users
from oppserver.cli import types as activity_types
from oppserver.contract.errors import OppserverError, OutputLost
from oppserver.contract.secrets import hide_secrets
from oppserver.transfer.outputs import output_lost

app = typer.Typer(
    name="oppserver",
    help="A self-hosted server of sales opportunities that speaks the Opportunity API.",
    epilog="First steps: 'oppserver demo' shows everything at once, with data of its own.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.command("demo")(demo.demo)

app.command("serve")(serve.serve)

app.add_typer(keys.app, name="key")

app.add_typer(users.users_app, name="user")

app.add_typer(types.app, name="type")

app.add_typer(fields.app, name="field")

app.add_typer(activity_types.activity_types_app, name="activity-type")

app.add_typer(indexes.app, name="index")

app.command("import")(files.import_command)

app.command("export")(files.export_command)

app.command("fetch")(host.fetch)

app.command("pull")(host.pull)

app.add_typer(store.app, name="db")


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
    """The standard error: a command does its work also where nobody can be told about it."""

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
    try:
        sys.exit(get_command(app)(standalone_mode=False))
    except OppserverError as error:
        _end_of(error)
    except typer.TyperException as error:  # typed wrong
        error.message = hide_secrets(error.message)
        cast("typer.BadParameter", error).show()
        sys.exit(error.exit_code)
    except Exception:  # noqa: BLE001 (a fault of ours: its trace is for a report)
        typer.echo(hide_secrets(traceback.format_exc()), err=True, nl=False)
        sys.exit(1)


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
