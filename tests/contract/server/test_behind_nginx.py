"""The nginx of docs/examples, run as it is written, and called as callers call it."""

import json
import os
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import trustme

from oppserver.contract.limits import BODY_BYTES_MAX_DEFAULT
from oppserver.store import open_store
from tests.support import stores
from tests.support.databases import database_of
from tests.support.postgres import free_port
from tests.support.running import (
    BULK_READ,
    Answer,
    Keys,
    Server,
    asking,
    create_key,
    group,
    poll,
    read,
    serving,
)
from tests.support.streaming import READ, Duplex, end_of, plain, rows_of
from tests.support.system_packages import PackageMissing, program

HOST: Final = "opportunities.example.com"
PAGE: Final = Path(__file__).parents[3] / "docs" / "examples" / "nginx.conf"
ROWS: Final = 12_000
"""An export of them has some MB, which is more than nginx and the sockets hold."""

COLUMNS: Final = "Status,OpportunityNote,CreatedOn"


# --- a proxy in front of a server --------------------------------------------------------------


@dataclass(frozen=True)
class Proxy:
    """A running nginx, and the server behind it."""

    port: int
    folder: Path
    context: ssl.SSLContext
    server: Server

    @property
    def keys(self) -> Keys:
        return self.server.keys

    @contextmanager
    def connected(self) -> Iterator[ssl.SSLSocket]:
        """A connection to the host of the page, whose certificate is looked at."""
        unsafe = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        with self.context.wrap_socket(unsafe, server_hostname=HOST) as connection:
            yield connection

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Sends a request with the server's keys in headers, unless others are given."""
        with self.connected() as connection:
            client = HTTPConnection(HOST)
            client.sock = connection
            sent = {"Content-Type": "application/json", **(headers or self.keys.headers)}
            client.request(method, path, body, sent)
            return read(client.getresponse())

    @contextmanager
    def streaming(self, query: str) -> Iterator[Duplex]:
        """A read of a stream of ids that is sent while the block runs."""
        head = [
            f"POST {READ}?{query} HTTP/1.1",
            f"Host: {HOST}",
            "Transfer-Encoding: chunked",
            *(f"{name}: {value}" for name, value in self.keys.headers.items()),
        ]
        with self.connected() as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            yield Duplex(connection)

    def logged(self) -> str:
        """Everything that nginx has written into its logs so far."""
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


def documented() -> str:
    """The documented configuration."""
    return PAGE.read_text()


def configuration(folder: Path, *, port: int, behind: int) -> str:
    """The page's block with ports and paths of this machine, where Debian's nginx includes it."""
    block = documented()
    for written, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/", f"{folder}/"),
        ("/var/log/nginx/", f"{folder}/"),
        ("http://127.0.0.1:8080", f"http://127.0.0.1:{behind}"),
    ):
        assert written in block, written
        block = block.replace(written, here)
    rooms = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    return (
        f"{user}daemon off;\nworker_processes 1;\npid {folder}/pid;\n"
        f"events {{}}\nhttp {{\n{rooms}{block}}}\n"
    )


@contextmanager
def proxying(folder: Path, server: Server) -> Iterator[Proxy]:
    """Nginx in front of a server while the block runs."""
    try:
        nginx = program("nginx", package="nginx")
    except PackageMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    authority = trustme.CA()
    certificate = authority.issue_cert(HOST)
    certificate.private_key_pem.write_to_path(folder / "opportunities.key")
    for number, part in enumerate(certificate.cert_chain_pems):
        part.write_to_path(folder / "opportunities.pem", append=number > 0)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    port = free_port()
    behind = urlsplit(server.url).port
    assert behind is not None
    file = folder / "nginx.conf"
    file.write_text(configuration(folder, port=port, behind=behind))
    command = [nginx, "-p", str(folder), "-c", str(file), "-e", str(folder / "main.log")]
    proxy = Proxy(port=port, folder=folder, context=context, server=server)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        poll(lambda: _answers(proxy, process), what="nginx")
        yield proxy
    finally:
        process.terminate()
        process.wait(30)


def _answers(proxy: Proxy, process: "subprocess.Popen[bytes]") -> bool | None:
    assert process.poll() is None, (proxy.folder / "output").read_text()
    try:
        socket.create_connection(("127.0.0.1", proxy.port), timeout=1).close()
    except ConnectionRefusedError:
        return None
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database has some MB of opportunities."""
    made = tmp_path_factory.mktemp("proxied")
    with closing(open_store(database_of(made))) as store:
        for start in range(0, ROWS, 2_000):
            stores.write(
                store,
                *(
                    stores.opportunity(number, status="Open", note="n" * 300)
                    for number in range(start, start + 2_000)
                ),
            )
    return made


@pytest.fixture(scope="module")
def proxy(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The documented nginx in front of a server."""
    with (
        serving(folder, keys=create_key(folder)) as server,
        proxying(tmp_path_factory.mktemp("nginx"), server) as running,
    ):
        yield running


def message(*numbers: int, columns: str = COLUMNS) -> bytes:
    """The body of a bulk read."""
    ids = [stores.guid(number) for number in numbers]
    return json.dumps(asking(group(ids, columns, code="12000"))).encode()


# --- what comes through ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "QUERY"])
def test_a_bulk_read(method: str, proxy: Proxy) -> None:
    """2,000 rows come as they come without the proxy, and the request's id is the proxy's."""
    asked = message(*range(2_000))
    answer = proxy.call(method, BULK_READ, asked)
    assert answer.status == 200
    assert answer.body == proxy.server.post(asked).body
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize("host", [HOST, f"{HOST}:8443", "10.0.0.7"])
def test_callers_are_sent_to_the_host_that_they_have_called(host: str, proxy: Proxy) -> None:
    """Not to the address behind the proxy; with the port that they have called."""
    headers = {"Host": host, **proxy.keys.headers}
    answer = proxy.call("GET", "/v2/Authentication.svc/UserByAccessKey.Get", headers=headers)
    assert answer.status == 200
    called = answer.json["LSQCommonServiceURLs"]
    assert (called["api"], called["app"]) == (host, host)
    assert "127.0.0.1" not in answer.body.decode()


@pytest.mark.parametrize("first", [1, 50])
def test_rows_come_while_ids_are_still_sent(first: int, proxy: Proxy) -> None:
    """The rows of the first ids are there before the request has ended."""
    with proxy.streaming(f"event_code=12000&columns={COLUMNS}") as stream:
        stream.send(plain([stores.guid(number) for number in range(first)]))
        for number in range(first):
            assert stream.record()["ProspectActivityId"] == stores.guid(number)
        stream.send(plain([stores.guid(ROWS - 1)]))
        assert stream.record()["ProspectActivityId"] == stores.guid(ROWS - 1)
        stream.end()
        [end] = stream.rest()
        assert end["End"]["Found"] == first + 1


def test_an_export_of_some_megabytes(proxy: Proxy) -> None:
    """It is whole, byte for byte."""
    path = f"/v1/opportunities?event_code=12000&columns={COLUMNS}"
    answer = proxy.call("GET", path)
    assert answer.status == 200
    assert len(answer.body) > 4_000_000
    assert answer.body == proxy.server.get(path).body


def test_a_stream_of_ids_longer_than_a_call_may_be(proxy: Proxy) -> None:
    """Streams have no bound of their bytes."""
    long = plain([stores.guid(number) for number in range(5 * ROWS)])
    assert len(long) > 2 * BODY_BYTES_MAX_DEFAULT
    with proxy.streaming("event_code=12000&columns=Status") as stream:
        # the rows are read afterwards: they are few enough for the sockets between
        stream.send(long)
        stream.end()
        found = stream.rest()
    assert len(rows_of(found)) == ROWS
    assert end_of(found)["Missing"] == 4 * ROWS


@pytest.mark.parametrize("room", [0, 1, 1_000])
def test_a_body_at_the_limit(room: int, proxy: Proxy) -> None:
    """The proxy takes whatever the server takes."""
    body = message(1).ljust(BODY_BYTES_MAX_DEFAULT - room)
    assert proxy.call("POST", BULK_READ, body).status == 200


@pytest.mark.parametrize("more", [1, 1_000, 10 << 20])
def test_a_body_above_the_limit_is_refused_by_the_server(more: int, proxy: Proxy) -> None:
    """With its own error, as without the proxy."""
    body = message(1).ljust(BODY_BYTES_MAX_DEFAULT + more)
    answer = proxy.call("POST", BULK_READ, body)
    direct = proxy.server.post(body)
    assert (answer.status, answer.json) == (direct.status, direct.json)
    assert answer.status == 413


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", BULK_READ, b"{}"),
        ("POST", BULK_READ, b"no JSON"),
        ("GET", BULK_READ, None),
        ("GET", "/v2/no/such/call", None),
        ("GET", "/v1/changes?after=nothing", None),
        ("POST", "/v1/opportunities/read?event_code=x", b"1"),
    ],
)
def test_errors_are_the_server_s(method: str, path: str, body: bytes | None, proxy: Proxy) -> None:
    """Status, form and message come through."""
    answer = proxy.call(method, path, body)
    headers = {"Content-Type": "application/json", **proxy.keys.headers}
    direct = proxy.server.call(method, path, body, headers)
    told, told_directly = answer.json, direct.json
    for problem in (told, told_directly):
        problem.pop("instance", None)  # the request's id
    assert (answer.status, told) == (direct.status, told_directly)
    assert answer.headers["content-type"] == direct.headers["content-type"]
    assert answer.status >= 400


@pytest.mark.parametrize("path", ["/metrics", "/health/ready", "/docs", "/openapi.json", "/"])
def test_what_needs_no_key_is_not_passed_on(path: str, proxy: Proxy) -> None:
    """The proxy answers itself."""
    assert proxy.call("GET", path).status == 404


def test_keys_in_a_query_are_in_no_log(folder: Path, tmp_path: Path) -> None:
    """Answered, refused, or without a server behind the proxy: no call leaves its keys there."""
    keys = create_key(folder, email="query@example.com")
    users = f"/v2/UserManagement.svc/Users.Get?{keys.query}"
    export = f"/v1/opportunities?event_code=12000&columns=Status&{keys.query}"
    no_headers = {"Accept": "*/*"}
    with serving(folder, keys=keys) as server, proxying(tmp_path, server) as proxy:
        for path in (users, export):
            assert proxy.call("GET", path, headers=no_headers).status == 200
        too_long = proxy.call("POST", f"{BULK_READ}?{keys.query}", b" " * (17 << 20))
        assert too_long.status == 413
        server.stop()
        for path in (users, export):
            assert proxy.call("GET", path, headers=no_headers).status == 502
        poll(lambda: proxy.logged().count(" 502 ") == 2 or None, what="the log")
        logged = proxy.logged()
    assert '"GET /v1/opportunities" 200' in logged
    assert keys.secret not in logged
    assert keys.access not in logged
