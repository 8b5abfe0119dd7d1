"""``oppserver fetch`` and ``oppserver pull``: their options. ``fetch.py`` and ``pull.py`` work."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from oppserver.cli.common import Database, Json
from oppserver.contract.limits import EVENT_CODE_MAX
from oppserver.transfer.files import OutputFormat


class KeysIn(StrEnum):
    """Where the keys travel."""

    HEADERS = "headers"
    QUERY = "query"


Host: TypeAlias = Annotated[
    str,
    typer.Option("--host", metavar="HOST", help="The host: a name, which means HTTPS, or a URL."),
]

KeysFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--keys-file",
        metavar="FILE",
        help="The key pair, as 'oppserver key create' prints it."
        " [env: OPPSERVER_ACCESS_KEY, OPPSERVER_SECRET_KEY]",
    ),
]

KeysInOption: TypeAlias = Annotated[
    KeysIn, typer.Option("--keys-in", help="Where the keys travel.")
]

RateLimitOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--rate-limit",
        metavar="CALLS/SECONDS",
        help="Calls in any window of seconds at most, or off. 'learn' begins with 25/5 and follows"
        " what the host says.",
    ),
]


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
    from oppserver.cli.fetch import FetchOptions, run_fetch  # noqa: PLC0415 (--help stays quick)

    options = FetchOptions(
        host=host,
        event_code=event_code,
        ids=ids,
        columns=columns,
        output=output,
        form=file_format,
        missing=missing,
        keys_file=keys_file,
        keys_in=keys_in.value,
        rate_limit=rate_limit,
        restart=restart,
        as_json=as_json,
    )
    if status := run_fetch(options):
        raise typer.Exit(status)


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
    from oppserver.cli.pull import PullOptions, run_pull  # noqa: PLC0415 (as above)

    options = PullOptions(
        host=host,
        event_code=event_code,
        full=full,
        state=state,
        keys_file=keys_file,
        keys_in=keys_in.value,
        rate_limit=rate_limit,
        as_json=as_json,
        database=database,
    )
    if status := run_pull(options):
        raise typer.Exit(status)
