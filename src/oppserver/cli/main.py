"""The command ``oppserver``: where its commands are put together, and where errors end."""

import os
import sys
from typing import Annotated

import typer

import oppserver
from oppserver.cli import demo, fields, files, host, indexes, keys, serve, store, types
from oppserver.cli import keys as users
from oppserver.cli import types as activity_types
from oppserver.cli.common import INTERRUPTED_STATUS
from oppserver.contract.errors import OppserverError

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


def main() -> None:
    """Runs a command. What it cannot do is one line on stderr and exit status 1."""
    try:
        app()
    except OppserverError as error:
        typer.echo(f"oppserver: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("oppserver: interrupted", err=True)
        sys.exit(INTERRUPTED_STATUS)
    except BrokenPipeError:
        # the reader of our output has gone (`oppserver export | head`); nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
