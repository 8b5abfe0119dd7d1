"""``oppserver db``: the store itself, migrated, checked, backed up."""

from pathlib import Path
from typing import Annotated

import typer

from oppserver.cli.common import Database, opened_store
from oppserver.contract.errors import DatabaseRefused

app = typer.Typer(help="The store: upgrade, check, back up.", no_args_is_help=True)


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


@app.command("backup")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file of the copy.")],
    database: Database = None,
) -> None:
    """Copy the store to a file while it is in use. The copy is a whole store of this moment."""
    with opened_store(database, migrate=False) as store:
        store.backup(file)
    typer.echo(f"backed up to {file}")
