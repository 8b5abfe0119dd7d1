"""``oppserver db``: the store itself, migrated, checked, backed up, distributed; its servers."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from oppserver.cli.common import Database, Json, opened_store, print_json, print_table, progress_bar
from oppserver.config import load_settings
from oppserver.contract.errors import DatabaseRefused, InvalidInput
from oppserver.contract.model import SHARDS_RISKS, ServerState
from oppserver.contract.names import counted

SHARDS_DEFAULT: Final = 32
"""Parts of the tables of a sharded database. Source: Citus's own default."""

SHARDS_MAX: Final = 64_000
"""Source: the highest that citus.shard_count takes."""

app = typer.Typer(
    help="The store: upgrade, check, back up, distribute; its servers.", no_args_is_help=True
)


@app.command("upgrade")
def upgrade(database: Database = None) -> None:
    """Create the store, or bring it to this version's schema, and its values to their form."""
    with opened_store(database) as store:
        total = store.count_opportunities(event_code=None)
        with progress_bar("looking at values", total=total) as move:
            formed = store.form_values(lambda rows: move(advance=rows))
    if formed.opportunities:
        typer.echo(
            f"changed {counted(formed.opportunities, 'opportunity')}: values have the form of today"
        )
    if formed.unfit:
        typer.echo(
            f"kept {counted(formed.unfit, 'value')} without the form of a field: null in Arrow and"
            " Parquet",
            err=True,
        )
    typer.echo("the store is up to date")


@app.command("check")
def check(database: Database = None) -> None:
    """Check the store: the engine's own integrity check, and what oppserver promises of its data.

    Exit status 0 when it is sound; else 1, with a line per fault. The library that looked, and a
    warning when that can corrupt a database, are on stderr.
    """
    with opened_store(database, migrate=False) as store:
        library = store.library()
        faults = store.check()
    if library:
        typer.echo(f"checked with {library}", err=True)
        if library.warning:
            typer.echo(f"warning: {library.warning}", err=True)
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise DatabaseRefused(
            f"The store has {counted(len(faults), 'fault')}. Restore a backup, or export and import"
            " it anew."
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
    """Copy the store to a file while it is in use. The copy is a whole store of this moment.

    The file is there when it is whole and on the disk; a backup that was ended leaves none.
    """
    with _interrupted_by_signals(), opened_store(database, migrate=False) as store:
        unfinished = store.backup(file)
    typer.echo(f"backed up to {file}")
    for one in unfinished:
        typer.echo(
            f"oppserver: {one} is a part of another backup. Remove it, unless that one is under"
            " way.",
            err=True,
        )


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that it can clean up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # nohup
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@app.command("distribute")
def distribute(
    database: Database = None,
    shards: Annotated[
        int, typer.Option(min=1, max=SHARDS_MAX, help="Parts that opportunities are cut into.")
    ] = SHARDS_DEFAULT,
    is_experimental: Annotated[
        bool, typer.Option("--experimental", help="Do it, although data may be lost.")
    ] = False,
    is_dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL and ask no server.")
    ] = False,
) -> None:
    """Spread the tables over the machines of a Citus cluster. Experimental: data may be lost.

    The database is the coordinator's. What lies as it is to is left alone.
    """
    if is_dry_run:
        _print_script(database, shards)
        return
    if not is_experimental:
        raise InvalidInput(
            f"Nothing was distributed. Shards are experimental: {SHARDS_RISKS}. Keep one PostgreSQL"
            " database, with standbys for its reads and for its loss. To try shards on data that"
            " you can lose, add --experimental"
        )
    _warn()
    with opened_store(database, migrate=False) as store:
        moved = store.distribute(shards=shards)
    for table in moved:
        typer.echo(f"distributed {table}")
    if not moved:
        typer.echo("the tables are distributed already")


def _print_script(database: str | None, shards: int) -> None:
    from oppserver.store import distribution_script  # noqa: PLC0415 (--help stays quick)

    settings = load_settings({"database": database})
    for statement in distribution_script(settings.database, shards=shards):
        typer.echo(f"{statement};")
    _warn()
    typer.echo("nothing was done: this is for psql on the coordinator", err=True)


def _warn() -> None:
    typer.echo(f"warning: shards are experimental: {SHARDS_RISKS}", err=True)
