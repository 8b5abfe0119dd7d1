"""``oppserver pull``: its options. What it does is in ``pull_run.py``."""

from pathlib import Path
from typing import Annotated

import typer

from oppserver.cli.common import Database, Json
from oppserver.cli.host import Host, KeysFile, KeysIn, KeysInOption, RateLimitOption
from oppserver.contract.limits import EVENT_CODE_MAX


def pull(  # noqa: PLR0913, PLR0917 (a command's options are its arguments)
    host: Host,
    event_code: Annotated[
        int,
        typer.Option(
            "--event-code", metavar="CODE", min=0, max=EVENT_CODE_MAX, help="The type to mirror."
        ),
    ],
    full: Annotated[
        bool, typer.Option("--full", help="Read everything again, not only what has changed.")
    ] = False,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            help="How far the mirror is. [default: beside the SQLite file]",
            show_default=False,
        ),
    ] = None,
    keys_file: KeysFile = None,
    keys_in: KeysInOption = KeysIn.HEADERS,
    rate_limit: RateLimitOption = "learn",
    as_json: Json = False,
    database: Database = None,
) -> None:
    """Mirror a host's opportunities of a type in the store: all at first, then what has changed.

    Types and fields come too, and what the host has deleted goes. A pull that was stopped goes on
    when it is run again. Keys are read as by 'oppserver fetch'.

    Exit status: 0 the mirror is complete, 1 failed, 3 not complete: run it again; 130 interrupted.

    Example: oppserver pull --host api.example.com --event-code 12000
    """
    from oppserver.cli.pull_run import Asked, run_pull  # noqa: PLC0415 (--help stays quick)

    asked = Asked(
        host=host,
        event_code=event_code,
        full=full,
        state=state,
        keys_file=keys_file,
        keys_in=keys_in,
        rate_limit=rate_limit,
        as_json=as_json,
        database=database,
    )
    if status := run_pull(asked):
        raise typer.Exit(status)
