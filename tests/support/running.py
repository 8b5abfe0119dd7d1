"""The real thing for tests: commands as typed, and servers as processes of their own."""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import trustme

from oppserver.calls.shared.admission import new_key
from oppserver.calls.shared.call import THE_WORLD
from oppserver.contract.dates import now_stored
from oppserver.contract.model import Role
from oppserver.store import open_store
from tests.support import forked
from tests.support.databases import database_of, environment_of
from tests.support.forked import RUN_TIMEOUT_S, Forked

SCALE = float(os.environ.get("OPPSERVER_TEST_SCALE", "1"))
"""The factor by which slow tests run longer than their short form."""

OPPSERVER = str(Path(sys.executable).parent / "oppserver")
BULK_READ = "/v2/OpportunityManagement.svc/GetOpportunitiesById"
START_TIMEOUT_S = 30.0

_T = TypeVar("_T")


def poll(look: Callable[[], _T | None], *, what: str, timeout_s: float = START_TIMEOUT_S) -> _T:
    """The first thing that ``look`` finds; fails when it finds nothing in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if (found := look()) is not None:
            return found
        time.sleep(0.005)
    raise AssertionError(f"{what} did not come within {timeout_s:g} s")


def clean_environment() -> dict[str, str]:
    """The environment without settings of the one who runs the tests."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith("OPPSERVER_")
    } | {"COLUMNS": "100", "NO_COLOR": "1"}


def run(
    *arguments: str,
    folder: Path,
    text: str | None = None,
    environment: Mapping[str, str] = {},
) -> "subprocess.CompletedProcess[str]":
    """Runs ``oppserver`` as typed, in a folder; whatever the exit status is."""
    environment = {**clean_environment(), **environment_of(folder), **environment}
    return forked.run([OPPSERVER, *arguments], folder=folder, environment=environment, text=text)


def run_python(
    program: str, *arguments: str, folder: Path, environment: Mapping[str, str] = {}
) -> "subprocess.CompletedProcess[str]":
    """Runs a program in Python, in a folder; whatever the exit status is."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env={**clean_environment(), **environment_of(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
    )


def unprivileged(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs ``oppserver`` as ``run`` does; where the user is root, without root's capabilities."""
    before = () if os.geteuid() else ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    return subprocess.run(
        [*before, OPPSERVER, *arguments],
        cwd=folder,
        env={**clean_environment(), **environment_of(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_TIMEOUT_S,
    )


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line on stderr of a command that was refused."""
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    [line] = done.stderr.splitlines()
    assert line.startswith("oppserver: ")
    return line


def run_well(*arguments: str, folder: Path) -> str:
    """The output of a command; fails when its exit status is not 0."""
    done = run(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Keys:
    """A key pair."""

    access: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"x-LSQ-AccessKey": self.access, "x-LSQ-SecretKey": self.secret}

    @property
    def query(self) -> str:
        return f"accessKey={self.access}&secretKey={self.secret}"


def create_key(
    folder: Path,
    *,
    database: str | None = None,
    role: str = "user",
    email: str = "test@example.com",
) -> Keys:
    """A new key of the folder's database, or the one at a URL; in this process, which is quicker.

    What the command ``key create`` does on top is tested in tests/contract/commands.
    """
    store = open_store(database or database_of(folder))
    with closing(store):
        key, secret = new_key(
            email=email,
            role=Role(role),
            user_id=THE_WORLD.new_id(),
            created_on=now_stored(datetime.now(UTC)),
        )
        store.add_key(key)
    return Keys(key.access_key, secret)


@dataclass(frozen=True)
class Answer:
    """An answer, read whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["ExceptionMessage"])

    @property
    def exception_type(self) -> str:
        return str(self.json["ExceptionType"])


@dataclass
class Server:
    """A running ``oppserver serve``."""

    process: "subprocess.Popen[bytes] | Forked"
    url: str
    log_file: Path
    keys: Keys = field(default_factory=lambda: Keys("", ""))

    def connect(self, *, timeout_s: float = 30.0) -> HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return HTTPSConnection(parts.netloc, timeout=timeout_s, context=context)
        return HTTPConnection(parts.netloc, timeout=timeout_s)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends one request as it stands and reads the answer."""
        connection = self.connect()
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, data, dict(headers or {}))
            return read(connection.getresponse())
        finally:
            connection.close()

    def post(
        self, message: Any, *, path: str = BULK_READ, keys: Keys | None = None, **headers: str
    ) -> Answer:
        """Posts a message (JSON, or bytes as they are) with the server's keys in headers."""
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        return self.call(
            "POST",
            path,
            data,
            {
                "Content-Type": "application/json",
                **(keys or self.keys).headers,
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )

    def get(self, path: str, *, keys: Keys | None = None) -> Answer:
        """Gets a path, its query included, with the server's keys in headers."""
        return self.call("GET", path, headers=(keys or self.keys).headers)

    def log(self) -> list[dict[str, Any]]:
        """The log's lines so far; the last one may not be whole yet."""
        lines = self.log_file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def stop(self, how: signal.Signals = signal.SIGTERM, *, timeout_s: float = 40.0) -> int:
        """Stops the server; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout_s)


def events(server: Server, name: str) -> list[dict[str, Any]]:
    """The log's lines of an event so far."""
    return [line for line in server.log() if line["event"] == name]


def read(response: HTTPResponse) -> Answer:
    """The whole answer; header names in lower case."""
    body = response.read()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=headers, body=body)


def start(
    folder: Path,
    *flags: str,
    command: tuple[str, ...] = ("serve",),
    environment: Mapping[str, str] = {},
) -> Server:
    """Starts a server on a free port over the folder's database, and waits until it listens."""
    log_file = folder / f"server-{time.monotonic_ns()}.log"
    environment = {**clean_environment(), **environment_of(folder), **environment}
    with log_file.open("wb") as lines, Path(os.devnull).open("wb") as nowhere:
        process = forked.start(
            [OPPSERVER, *command, "--port", "0", *flags],
            folder=folder,
            environment=environment,
            stdout=nowhere.fileno(),
            stderr=lines.fileno(),
        )
    server = Server(process=process, url="", log_file=log_file)

    def listening() -> str | None:
        for line in server.log():
            if line["event"] == "listening":
                return str(line["url"])
        assert process.poll() is None, log_file.read_text()
        return None

    server.url = poll(listening, what="the server")
    return server


def make_certificate(folder: Path, name: str = "cert.pem", key: str = "key.pem") -> bytes:
    """Put a new certificate and its key in a folder; return it as connections show it."""
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / key))
    (folder / name).write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    return ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode())


@contextmanager
def serving(
    folder: Path, *flags: str, keys: Keys | None = None, environment: Mapping[str, str] = {}
) -> Iterator[Server]:
    """A server over the folder's database while the block runs; without a rate limit."""
    if "--rate-limit" not in flags:
        flags = (*flags, "--rate-limit", "off")
    server = start(folder, *flags, environment=environment)
    server.keys = keys or Keys("", "")
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def group(
    ids: list[Any], columns: str = "CreatedOn,ModifiedOn,Owner", *, code: Any = "12003"
) -> dict[str, Any]:
    """One entry of SearchParameters."""
    return {"EventCode": code, "ProspectActivityId": ids, "Columns": {"Include_CSV": columns}}


def asking(*groups: dict[str, Any]) -> dict[str, Any]:
    """The body of a bulk read."""
    return {"SearchParameters": list(groups)}
