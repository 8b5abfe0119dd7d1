"""Where the limit of several servers is kept: forms of the address, rights, faults, TLS."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.support import limited
from tests.support.limited import MESSAGE, health, nodes, statuses
from tests.support.running import create_key, events, one_line, poll, run, run_python
from tests.support.valkeys import PASSWORD, QUOTED_PASSWORD, ValkeyServer, running_valkey

folder, valkey = limited.folder, limited.valkey

# --- where it is -------------------------------------------------------------------------------


def test_a_password_and_a_socket_and_a_database(folder: Path, tmp_path: Path) -> None:
    """All forms of the address reach the same store; no log line has the password."""
    keys = create_key(folder)
    with running_valkey(tmp_path, password=PASSWORD) as valkey:
        secret = f":{QUOTED_PASSWORD}@"
        forms = [
            f"redis://{secret}127.0.0.1:{valkey.port}/3",
            f"valkey://default{secret}localhost:{valkey.port}/3",
            f"unix://{secret}{valkey.path}?db=3",
        ]
        with ExitStack() as stack:
            servers = [stack.enter_context(nodes(folder, form, number=1))[0] for form in forms]
            assert statuses(servers, keys, 60).count(200) == 25
            assert valkey.command("INFO", "keyspace")["db3"]["keys"] == 2
            valkey.kill()
            for server in servers:
                server.post(MESSAGE, keys=keys)
                assert events(server, "rate_limit_store_lost")
                text = server.log_file.read_text()
                assert "[hidden]@" in text
                assert not [part for part in ("s3cret", "pass@", QUOTED_PASSWORD) if part in text]


def test_the_rights_that_a_user_of_the_store_needs(folder: Path, tmp_path: Path) -> None:
    """The rights that the documents name are enough."""
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
    named = re.search(r"`(\+evalsha[^`]*)`", page)
    assert named
    with running_valkey(tmp_path) as valkey:
        rights = [*named[1].split(), "+select"]
        valkey.command("ACL", "SETUSER", "limited", "on", ">pw", "~oppserver:*", "-@all", *rights)
        keys = create_key(folder)
        store = f"valkey://limited:pw@127.0.0.1:{valkey.port}/2"
        with nodes(folder, store, number=1) as [server]:
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}
            assert statuses([server], keys, 30).count(200) == 25
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("redis://127.0.0.1:{port}/0", "Authentication required"),
        ("redis://:wrong-s3cret@127.0.0.1:{port}/0", "invalid username-password pair"),
        ("redis://nobody:wrong-s3cret@127.0.0.1:{port}", "invalid username-password pair"),
        (f"redis://:{QUOTED_PASSWORD}@127.0.0.1:{{port}}/99", "DB index is out of range"),
    ],
)
def test_credentials_that_are_wrong_at_the_start(
    folder: Path, tmp_path: Path, address: str, reason: str
) -> None:
    """One line with the store's reason and without a password, and no server."""
    with running_valkey(tmp_path, password=PASSWORD) as valkey:
        line = refused(folder, address.format(port=valkey.port))
    assert line.startswith("oppserver: The rate limit cannot be kept in redis://")
    assert reason in line
    assert "s3cret" not in line
    assert line.endswith("Mend --rate-limit-store.")


def test_a_store_that_is_something_else(folder: Path) -> None:
    """A server that speaks another protocol is refused, not tried again and again."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        line = refused(folder, f"redis://127.0.0.1:{listener.getsockname()[1]}")
    assert "Protocol Error" in line


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost:6379", "http://s3cret@localhost", "redis:s3cret@localhost", "redis://"),
        *("redis://:s3cret@localhost:port", "redis://:s3c/ret@localhost", "redis://h:99999"),
        *("redis://localhost/first", "redis://localhost/1?password=s3cret", "unix://:s3cret@host"),
        *("unix://", "redis://:s3cret#@localhost", "rediss://localhost?ssl_cert_reqs=none"),
        *("redis://localhost/-1", "redis://localhost/99999", "rediss://h?ssl_ca_certs=no.pem"),
    ],
)
def test_an_address_that_is_none(folder: Path, address: str) -> None:
    """One line that says what was expected, and repeats no part of what may be a password."""
    line = refused(folder, address)
    assert line.startswith("oppserver: --rate-limit-store: the value is refused: ")
    assert "redis://HOST:PORT" in line or "ssl_ca_certs" in line
    assert "s3c" not in line


def refused(folder: Path, address: str) -> str:
    """The one line of a server that does not start."""
    return one_line(run("serve", "--port", "0", "--rate-limit-store", address, folder=folder))


def test_the_extra_is_missing(folder: Path) -> None:
    """One line that says what to install."""
    program = (
        "import sys; sys.modules['valkey'] = None\n"
        "sys.argv = ['oppserver', 'serve', '--port', '0', '--rate-limit-store', 'redis://h']\n"
        "from oppserver.cli.main import main; main()"
    )
    done = run_python(program, folder=folder)
    assert "pip install valkey" in one_line(done)


# --- TLS ---------------------------------------------------------------------------------------


@contextmanager
def tls_before(valkey: ValkeyServer, issued: trustme.LeafCert) -> Iterator[int]:
    """A port that speaks TLS and passes on to a Valkey."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                inside = context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            outside = socket.create_connection(("127.0.0.1", valkey.port))
            for ends in ((inside, outside), (outside, inside)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_tls(folder: Path, valkey: ValkeyServer, tmp_path: Path) -> None:
    """With rediss:// the store has to prove who it is: by the right authority, by its name."""
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    keys = create_key(folder)
    with tls_before(valkey, authority.issue_cert("localhost")) as port:
        right = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/ca.pem"
        with nodes(folder, right, number=1) as [server]:
            assert statuses([server], keys, 30).count(200) == 25
            shared = {"status": "ready", "rateLimitStore": "shared"}
            poll(lambda: health(server) == shared or None, what="the shared store")
        for wrong in (
            f"valkeys://localhost:{port}/0?ssl_ca_certs={tmp_path}/other.pem",
            f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path}/ca.pem",
            f"rediss://localhost:{port}/0",
        ):
            with nodes(folder, wrong, number=1) as [server]:
                [line] = events(server, "rate_limit_store_lost")
                assert "certificate" in str(line["cause"]).lower()
