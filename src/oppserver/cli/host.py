"""The address, keys and limit of a host, for the commands that call one."""

import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import typer

from oppserver.config import load_keys, parse_rate_limit, proxy_for
from oppserver.contract.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from oppserver.client import Client, RateLimit, Retry

_RETRY_FOR_S: Final = 300.0
"""Seconds for which a call is tried again. Ours: a host that is restarted is back by then."""


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


def client_of(
    host: str,
    *,
    keys_file: Path | None,
    keys_in: KeysIn,
    rate_limit: str,
    on_retry: "Callable[[Retry], None]",
) -> "Client":
    """Open a client of a host. Raises InvalidSetting, InvalidInput or InvalidCall.

    stderr shows the first reason to try again: a host that is away is tried for minutes.
    """
    from oppserver.client import Client  # noqa: PLC0415 (--help stays quick)

    is_reported = threading.Event()

    def tell(retry: "Retry") -> None:
        if not is_reported.is_set():
            is_reported.set()
            typer.echo(f"{retry.reason} It is tried for {_RETRY_FOR_S:g} s.", err=True)
        on_retry(retry)

    access_key, secret_key = load_keys(keys_file)
    return Client(
        host,
        access_key,
        secret_key,
        keys_in=keys_in.value,
        rate_limit=_limit_of(rate_limit),
        retry_for_s=_RETRY_FOR_S,
        on_retry=tell,
        proxy=proxy_for(host),
    )


def _limit_of(text: str) -> "RateLimit | Literal['learn', 'off']":
    from oppserver.client import RateLimit  # noqa: PLC0415 (as above)

    if text == "learn":
        return "learn"
    try:
        limit = parse_rate_limit(text)
    except ValueError as error:
        raise InvalidInput(f"--rate-limit: '{text}' is refused: {error}, or learn") from None
    return "off" if limit is None else RateLimit(limit.calls, limit.window_s)
