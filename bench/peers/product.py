"""The server itself, started by its own command, with every check on."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.options import RATE_LIMIT
from bench.processes import Children, PeerMissing, free_port, listens
from bench.wire import PATH, BadAnswer, Connection, post

COMMAND: Final = str(Path(sys.executable).with_name("oppserver"))


class Keys(msgspec.Struct, frozen=True):
    """A pair of keys."""

    accessKey: str
    secretKey: str

    def headers(self) -> dict[str, str]:
        """The headers that carry them."""
        return {"x-LSQ-AccessKey": self.accessKey, "x-LSQ-SecretKey": self.secretKey}


def run_command(*arguments: str) -> bytes:
    """Runs a command of the product to its end; its stdout. Raises PeerMissing when it fails."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise PeerMissing(f"'oppserver {arguments[0]}' failed: {' '.join(words[-2:])[-300:]}")
    return done.stdout


def url_of(database: Path | str) -> str:
    """The URL of a database file; what is a URL already stays as it is."""
    return database if isinstance(database, str) else f"sqlite:///{database.resolve()}"


def create_keys(database: Path | str) -> Keys:
    """A new administrator's keys in a database, which is created where it is not there."""
    answer = run_command(
        "key",
        "create",
        "--email",
        "bench@example.com",
        "--role",
        "administrator",
        "--json",
        "--database",
        url_of(database),
    )
    return msgspec.json.decode(answer, type=Keys)


class Product:
    """A running server over a database."""

    def __init__(
        self, children: Children, database: Path | str, keys: Keys, more: Sequence[str] = ()
    ) -> None:
        self._children = children
        self._database = database
        self._more = more
        self._keys = keys
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, first_body: bytes, keeps_rows: bool = False) -> float:
        """Starts the server; the seconds until ``first_body`` was answered with 200.

        Calls are asked several times in a run, so a server keeps no rows unless it is said.
        """
        self.port = free_port()
        started = time.perf_counter()
        self.process = self._children.start(
            "oppserver",
            [
                COMMAND,
                "serve",
                "--database",
                url_of(self._database),
                "--port",
                str(self.port),
                "--rate-limit",
                RATE_LIMIT,
                *self._more,
                *([] if keeps_rows else ["--row-cache-bytes", "0"]),
            ],
        )
        request = self.request(first_body)
        self._children.wait_until(
            "oppserver", self.process, lambda: _answers(self.port, request), poll_s=0.003
        )
        return time.perf_counter() - started

    @property
    def headers(self) -> dict[str, str]:
        """The headers that every call has."""
        return self._keys.headers()

    def request(self, body: bytes) -> bytes:
        """A bulk read on the wire, with keys."""
        return post(PATH, body, self.headers)

    def stop(self) -> None:
        """Ends the server."""
        if self.process is not None:
            self._children.stop(self.process)
            self.process = None


def _answers(port: int, request: bytes) -> bool:
    if not listens(port):
        return False
    try:
        with Connection(port) as connection:
            connection.call(request)
    except (OSError, BadAnswer):
        return False
    return True
