"""``oppserver fetch``: its options. What it does is in ``fetch_run.py``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from oppserver.cli.common import Json
from oppserver.cli.host import Host, KeysFile, KeysIn, KeysInOption, RateLimitOption
from oppserver.contract.limits import EVENT_CODE_MAX


class OutputFormat(StrEnum):
    """The format of the file."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"


def fetch(  # noqa: PLR0913, PLR0917 (a command's options are its arguments)
    host: Host,
    event_code: Annotated[
        int,
        typer.Option(
            "--event-code", metavar="CODE", min=0, max=EVENT_CODE_MAX, help="The type of all ids."
        ),
    ],
    ids: Annotated[
        Path,
        typer.Option("--ids", metavar="FILE", help="The ids, one a line; - is stdin."),
    ],
    columns: Annotated[
        str, typer.Option("--columns", metavar="A,B", help="The columns, comma separated.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            metavar="FILE",
            help="The file: .csv, .ndjson, .parquet or .arrow; .gz or .zst behind it packs text.",
        ),
    ],
    file_format: Annotated[
        OutputFormat | None,
        typer.Option("--format", help="What is to be in it. [default: what its name says]"),
    ] = None,
    missing: Annotated[
        Path | None,
        typer.Option("--missing", metavar="FILE", help="Where the ids go that were not found."),
    ] = None,
    keys_file: KeysFile = None,
    keys_in: KeysInOption = KeysIn.HEADERS,
    rate_limit: RateLimitOption = "learn",
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw away what another run has left unfinished.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Fetch opportunities by id from any host of this API into a file.

    Keys are read from OPPSERVER_ACCESS_KEY and OPPSERVER_SECRET_KEY, or from --keys-file. A fetch
    that was stopped or killed goes on where it was when the same command is run again.

    Exit status: 0 complete, 1 failed, 3 partial: run it again; 130 interrupted.

    Example: oppserver fetch --host api.example.com --event-code 12000 --ids ids.txt --columns
    Status,Owner --output deals.csv
    """
    from oppserver.cli.fetch_run import Asked, run_fetch  # noqa: PLC0415 (--help stays quick)

    asked = Asked(
        host=host,
        event_code=event_code,
        ids=ids,
        columns=columns,
        output=output,
        form=file_format,
        missing=missing,
        keys_file=keys_file,
        keys_in=keys_in,
        rate_limit=rate_limit,
        restart=restart,
        as_json=as_json,
    )
    if status := run_fetch(asked):
        raise typer.Exit(status)
