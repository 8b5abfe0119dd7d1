"""A run of ``fetch`` or ``pull``: the host's client, a progress bar, Ctrl-C. The job differs."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import typer

from oppserver.client import Client, RateLimit, Retry
from oppserver.config import load_keys, parse_rate_limit, proxy_for
from oppserver.contract.errors import InvalidInput

INCOMPLETE_STATUS: Final = 3
"""The exit status of a run that has done a part: run it again."""

_RETRY_FOR_S: Final = 300.0
"""Seconds for which a call is tried again. Ours: a host that is restarted is back by then."""


class HostOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that both commands have, as they were typed."""

    host: str
    event_code: int
    keys_file: Path | None
    keys_in: Literal["headers", "query"]
    rate_limit: str
    as_json: bool

    @property
    def inputs(self) -> list[Path]:
        """The files that a command reads."""
        return [] if self.keys_file is None else [self.keys_file]


class HostRun:
    """One run against a host. Owner of its time, and of its bar, which calls move from threads."""

    def __init__(self, options: HostOptions) -> None:
        self._options: Final = options
        self._started: Final = time.monotonic()
        self._is_retry_reported: Final = threading.Event()
        self._move: Callable[..., None] = _still

    def client(self) -> Client:
        """Open a client of the host. Raises InvalidSetting, InvalidInput or InvalidCall."""
        access_key, secret_key = load_keys(self._options.keys_file)
        return Client(
            self._options.host,
            access_key,
            secret_key,
            keys_in=self._options.keys_in,
            rate_limit=_limit_of(self._options.rate_limit),
            retry_for_s=_RETRY_FOR_S,
            on_retry=self._retry,
            proxy=proxy_for(self._options.host),
        )

    def carry_out(
        self, work: Callable[[], object], *, bar: AbstractContextManager[Callable[..., None]]
    ) -> bool:
        """Do the work and show its bar meanwhile; return false when Ctrl-C has ended it."""
        with bar as move:
            self._move = move
            try:
                work()
            except KeyboardInterrupt:
                return False
            finally:
                self._move = _still
        return True

    def progress(self, *, completed: int, **fields: Any) -> None:
        """Move the bar, where one is shown."""
        self._move(completed=completed, waits="", **fields)

    def seconds(self) -> float:
        """Seconds since the start of this run."""
        return time.monotonic() - self._started

    def _retry(self, retry: Retry) -> None:
        """Show that a call waits; the first reason is printed, a host may be away for minutes."""
        if not self._is_retry_reported.is_set():
            self._is_retry_reported.set()
            typer.echo(f"{retry.reason} It is tried for {_RETRY_FOR_S:g} s.", err=True)
        self._move(waits=f"again in {retry.wait_s:.0f} s")


def _still(**_: object) -> None:
    """No bar is shown."""


def _limit_of(text: str) -> RateLimit | Literal["learn", "off"]:
    if text == "learn":
        return "learn"
    try:
        limit = parse_rate_limit(text)
    except ValueError as error:
        raise InvalidInput(f"--rate-limit: '{text}' is refused: {error}, or learn") from None
    return "off" if limit is None else RateLimit(limit.calls, limit.window_s)
