"""``oppserver demo``: everything at once, on a database of its own in a temporary folder."""

import itertools
import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple
from urllib.parse import urlsplit

import typer

from oppserver.calls.shared.admission import new_key
from oppserver.calls.shared.call import THE_WORLD
from oppserver.cli.common import now
from oppserver.contract import example, limits, sample
from oppserver.contract.errors import OperatorError
from oppserver.contract.model import Role

if TYPE_CHECKING:
    from oppserver.store import Store

_PATH: Final = "/v2/OpportunityManagement.svc/GetOpportunitiesById"

_START_TIMEOUT_S: Final = 30.0

_TIMED_CALLS: Final = 15  # with the example's call, fewer than the rate limit lets through

_OPPORTUNITIES_DEFAULT: Final = 100_000

_BATCH_ROWS: Final = 5_000  # small, so that the bar moves

_RATE_LIMIT: Final = "250/5"
"""Ten times the default. Chosen: a script may send every call of the page of the API at once."""


class _Keys(NamedTuple):
    access: str
    secret: str


def demo(
    end: Annotated[bool, typer.Option("--exit", help="End when it has been shown.")] = False,
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65_535, help="The server's port; 0 takes a free one."),
    ] = 8080,
    number: Annotated[
        int,
        typer.Option("--opportunities", min=1, max=50_000_000, help="How many to generate."),
    ] = _OPPORTUNITIES_DEFAULT,
) -> None:
    """Show everything: a store with data, the real server, a real call, and how fast it is.

    Serves until Ctrl-C. Everything is in a temporary folder that is removed at the end.
    """
    _refuse_taken(port)
    with _ended_by_signals(), tempfile.TemporaryDirectory(prefix="oppserver-demo-") as folder:
        database = f"sqlite:///{folder}/demo.db"
        _import_example(database, Path(folder) / "opportunities.ndjson")
        keys = _fill(database, number)
        with _server(database, port, Path(folder) / "server.log") as url:
            _show_example(url, keys)
            _time_calls(url, keys, number)
            _show_ways_in(url, keys)
            if not end:
                typer.echo(f"\nServing at {url} until Ctrl-C.")
                threading.Event().wait()


def _refuse_taken(port: int) -> None:
    """Looks for the port before anything is generated. Raises OperatorError."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise OperatorError(
            f"The demo cannot listen on port {port}: {error.strerror}. Name another one;"
            " --port 0 takes a free one."
        ) from None


# --- data --------------------------------------------------------------------------------------


def _import_example(database: str, file: Path) -> None:
    """Imports the page's example with the real command; it creates the store."""
    file.write_bytes(sample.example_lines())
    command = [sys.executable, "-m", "oppserver", "import", str(file), "--database", database]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (ours)
    if done.returncode != 0:
        raise OperatorError(f"The example cannot be imported. {done.stderr.strip()}")


def _fill(database: str, number: int) -> _Keys:
    """Adds the example's definitions and other type, generated opportunities and a key."""
    from oppserver.store import open_store  # noqa: PLC0415 (--help stays quick)
    from oppserver.transfer.sample import put_definitions  # noqa: PLC0415 (a demo alone needs it)

    store = open_store(database)
    try:
        put_definitions(store)
        key, secret = new_key(
            email=example.USER_EMAIL,
            role=Role.ADMINISTRATOR,
            user_id=THE_WORLD.new_id(),
            created_on=now(),
        )
        store.add_key(key, first_name="Ada", last_name="Lovelace")
        _generate(store, number)
    finally:
        store.close()
    return _Keys(key.access_key, secret)


def _generate(store: "Store", number: int) -> None:
    from rich.console import Console  # noqa: PLC0415 (--help stays quick)
    from rich.progress import track  # noqa: PLC0415 (as above)

    rows = sample.opportunities(number)
    started = time.perf_counter()
    for _ in track(
        range(-(-number // _BATCH_ROWS)),
        description=f"Generating {number:,} opportunities",
        console=Console(stderr=True),
    ):
        store.write_opportunities(list(itertools.islice(rows, _BATCH_ROWS)), now=now())
    seconds = time.perf_counter() - started
    typer.echo(f"Stored {number:,} generated opportunities and the example in {seconds:.1f} s.")


# --- the server --------------------------------------------------------------------------------


@contextmanager
def _server(database: str, port: int, log: Path) -> Iterator[str]:
    """The real server as a process of its own; its URL while it runs."""
    command = [sys.executable, "-m", "oppserver", "serve", "--database", database]
    command += ["--port", str(port), "--rate-limit", _RATE_LIMIT, "--log-format", "json"]
    with log.open("wb") as lines:
        process = subprocess.Popen(  # noqa: S603 (our own command, no shell)
            command,
            stderr=lines,
            start_new_session=True,  # a Ctrl-C is ours; the server is stopped below, in order
        )
    try:
        yield _url_when_listening(process, log)
    finally:
        process.terminate()
        try:
            process.wait(limits.SHUTDOWN_TIMEOUT_S_DEFAULT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _url_when_listening(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        for line in log.read_text().split("\n"):
            if line.startswith("{") and (told := json.loads(line)).get("event") == "listening":
                return str(told["url"])
        if process.poll() is not None:
            reason = log.read_text().strip().removeprefix("oppserver: ")
            raise OperatorError(f"The demo's server did not start. {reason}")
        time.sleep(0.01)
    raise OperatorError(f"The demo's server did not start within {_START_TIMEOUT_S:g} s.")


# --- what is shown -----------------------------------------------------------------------------


def _show_example(url: str, keys: _Keys) -> None:
    typer.echo(f"\nRequest: POST {url}{_PATH}")
    typer.echo(example.request().decode().rstrip())
    status, body = _post(url, keys, example.request())
    typer.echo(f"\nAnswer: {status}")
    typer.echo(json.dumps(json.loads(body), indent=2, ensure_ascii=False))
    if status != 200 or json.loads(body) != json.loads(example.response()):
        raise OperatorError("The answer is not the one that the documented page shows.")


def _time_calls(url: str, keys: _Keys, number: int) -> None:
    """Times calls for as many ids as one takes, each call with ids of its own."""
    asked = min(number, limits.BULK_READ_IDS_MAX)
    ids = [one.id for one in itertools.islice(sample.opportunities(number), asked * _TIMED_CALLS)]
    milliseconds = []
    body_bytes = 0
    for turn in range(_TIMED_CALLS):
        mine = ids[turn::_TIMED_CALLS][:asked]
        mine += ids[: asked - len(mine)]
        group = {
            "EventCode": str(sample.EVENT_CODE),
            "ProspectActivityId": mine,
            "Columns": {"Include_CSV": "CreatedOn,ModifiedOn,Owner,Status,mx_Custom_1,mx_Custom_6"},
        }
        request = json.dumps({"SearchParameters": [group]}).encode()
        started = time.perf_counter()
        status, body = _post(url, keys, request)
        milliseconds.append((time.perf_counter() - started) * 1_000)
        count = json.loads(body)[0]["RecordCount"] if status == 200 else 0
        if count != len(set(mine)):
            raise OperatorError(f"A call for {len(set(mine))} ids got {status}, {count} rows.")
        body_bytes = len(body)
    typer.echo(
        f"\n{asked:,} opportunities in one call, out of {number:,}: first"
        f" {milliseconds[0]:.1f} ms, median of {_TIMED_CALLS} calls"
        f" {statistics.median(milliseconds):.1f} ms ({body_bytes / 1_000:,.0f} KB of JSON each)."
    )


def _show_ways_in(url: str, keys: _Keys) -> None:
    typer.echo(f"\nConsole    {url}/console")
    typer.echo(f"Documents  {url}/docs")
    typer.echo(f"OpenAPI    {url}/openapi.json")
    typer.echo(f"Health     {url}/health/ready")
    typer.echo(f"Metrics    {url}/metrics")
    typer.echo(f"accessKey  {keys.access}")
    typer.echo(f"secretKey  {keys.secret}")
    one = json.dumps(json.loads(example.request()), separators=(",", ":"))
    typer.echo(
        f"\ncurl -s '{url}{_PATH}' \\\n  -H 'x-LSQ-AccessKey: {keys.access}' \\\n"
        f"  -H 'x-LSQ-SecretKey: {keys.secret}' \\\n  -H 'Content-Type: application/json' \\\n"
        f"  -d '{one}'"
    )


def _post(url: str, keys: _Keys, body: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(
            "POST",
            _PATH,
            body,
            {
                "Content-Type": "application/json",
                "x-LSQ-AccessKey": keys.access,
                "x-LSQ-SecretKey": keys.secret,
            },
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Ctrl-C and SIGTERM end the demo in order: the server stops, the folder goes."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("\nStopped; the temporary folder is gone.", err=True)
    finally:
        signal.signal(signal.SIGTERM, before)
