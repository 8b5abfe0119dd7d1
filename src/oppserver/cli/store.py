"""``oppserver db``: the store itself, migrated, checked, backed up; and its servers."""

from pathlib import Path
from typing import Annotated

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table
from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.servers import ServerState

app = typer.Typer(help="The store: upgrade, check, back up; its servers.", no_args_is_help=True)


@app.command("upgrade")
def upgrade(database: Database = None) -> None:
    """Create the store, or bring it to this version's schema."""
    with opened_store(database) as store:
        store.ping()
    typer.echo("the store is up to date")


@app.command("check")
def check(database: Database = None) -> None:
    """Check the store: the engine's own integrity check, and what oppserver promises of its data.

    Exit status 0 when it is sound; else 1, with a line per fault.
    """
    with opened_store(database, migrate=False) as store:
        faults = store.check()
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise DatabaseRefused(
            f"The store has {len(faults)} fault(s). Restore a backup, or export and import it anew."
        )
    typer.echo("ok")


@app.command("servers")
def servers(
    database: Database = None,
    read_database: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A standby; can be given several times. [env: OPPSERVER_READ_DATABASE]",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the primary and its standbys: which can be read, and how far each is behind.

    Exit status 0 when all can be read; else 1.
    """
    with opened_store(database, migrate=False, read_databases=read_database or ()) as store:
        found = store.servers()
    rows = [
        {
            "server": one.address,
            "role": "primary" if one.is_primary else "standby",
            "state": one.state.value,
            "bytesBehind": one.bytes_behind,
        }
        for one in found
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, empty="no read databases are named")
    if any(one.state is not ServerState.IN_USE for one in found):
        raise typer.Exit(1)


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file of the copy.")],
    database: Database = None,
) -> None:
    """Copy the store to a file while it is in use. The copy is a whole store of this moment."""
    with opened_store(database, migrate=False) as store:
        store.backup(file)
    typer.echo(f"backed up to {file}")
