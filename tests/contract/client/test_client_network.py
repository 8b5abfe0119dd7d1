"""Proxies and certificates of the client and of commands: used, or refused in one clear line."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from oppserver.client import HostUnreachable, InvalidCall
from oppserver.config import proxy_for
from tests.support.both_clients import EITHER, Either
from tests.support.fetching import ENVIRONMENT, command
from tests.support.running import clean_environment, one_line
from tests.support.scripted_host import IDS, scripted_host

NONE = "http://127.0.0.1:1"


def fetched(
    folder: Path, host: str, environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """A fetch of one id."""
    (folder / "ids.txt").write_text(IDS[0])
    return subprocess.run(
        command(host),
        cwd=folder,
        env={**clean_environment(), **ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        pytest.param({"ALL_PROXY": "socks5://user:hunter2@127.0.0.1:1"}, "socksio", id="F5"),
        ({"ALL_PROXY": "ftp://user:hunter2@127.0.0.1:1"}, "expected http://HOST:PORT"),
        ({"HTTPS_PROXY": "http://user:hunter2@127.0.0.1:port"}, "expected http://HOST:PORT"),
        ({"HTTPS_PROXY": "http://"}, "expected http://HOST:PORT"),
        pytest.param({"SSL_CERT_FILE": "/no/where"}, "SSL_CERT_FILE cannot be read", id="F6"),
        ({"SSL_CERT_FILE": "ids.txt"}, "SSL_CERT_FILE cannot be read"),
    ],
)
def test_f5_what_cannot_be_used_is_one_line(
    tmp_path: Path, environment: Mapping[str, str], said: str
) -> None:
    """Nothing was asked, no trace is shown, and no password."""
    line = one_line(fetched(tmp_path, "example.com", environment))
    assert said in line
    assert "hunter2" not in line


@pytest.mark.parametrize("host", ["http://[::1", "http://::1]", "https://[x]:1", "http://h:-1"])
def test_f5_a_host_that_is_none_is_one_line(tmp_path: Path, host: str) -> None:
    """Whatever its brackets and its port are."""
    assert "is not a host" in one_line(fetched(tmp_path, host, {}))


@EITHER
@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "http://h:port", "http://[::1", "http://"])
def test_f5_a_proxy_of_the_client_is_checked(client: Either, proxy: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidCall, match="proxy"):
        client.read(NONE, IDS[:1], proxy=proxy)


@EITHER
@pytest.mark.parametrize("scheme", ["", "http://"])
def test_f5_a_proxy_without_a_scheme_is_http(client: Either, scheme: str) -> None:
    """The request goes to the proxy, with the host's whole URL."""
    with scripted_host() as proxy:
        bare = proxy.url.removeprefix("http://")
        client.read("http://host.invalid", IDS[:1], proxy=f"{scheme}{bare}")
    [request] = proxy.requests
    assert request.headers["host"] == "host.invalid"


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_direct"),
    [
        pytest.param("::1", "http://[::1]:80", True, id="F5"),
        ("[::1]", "http://[::1]", True),
        ("[::1]:81", "http://[::1]:80", False),
        ("*", "example.com", True),
        ("example.com", "https://api.EXAMPLE.com.", True),
        (".example.com", "example.com", True),
        ("*.example.com", "https://api.example.com", True),
        ("example.com", "badexample.com", False),
        ("127.0.0.0/8 10.0.0.0/8", "http://10.1.2.3", True),
        ("192.168.0.0/16,fd00::/8", "http://[fd00::1]", True),
        ("127.0.0.0/8", "http://128.0.0.1", False),
        ("localhost:8080, other", "http://localhost:8080", True),
        ("localhost:8080", "http://localhost:8081", False),
        ("", "http://localhost", False),
        ("nonsense/8,/,:,[", "example.com", False),
    ],
)
def test_f5_no_proxy_is_read_as_curl_reads_it(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, *, is_direct: bool
) -> None:
    """Names with all below them, addresses, networks, and ports."""
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.setenv(name, "http://proxy:3128" if name != "no_proxy" else no_proxy)
    assert proxy_for(host) == (None if is_direct else "http://proxy:3128")


# --- certificates -------------------------------------------------------------------------------


@contextmanager
def answering(wrap: Any, answer: bytes = b"") -> Iterator[int]:
    """A server that wraps each connection and closes it behind an answer; its port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                try:
                    with wrap(connection) as wrapped:
                        wrapped.recv(65_536)
                        wrapped.sendall(answer)
                except OSError:
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@EITHER
def test_f6_a_certificate_that_is_not_trusted_ends_at_once(client: Either) -> None:
    """And it is said how it would be trusted."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with (
        answering(lambda one: context.wrap_socket(one, server_side=True)) as port,
        pytest.raises(HostUnreachable) as caught,
    ):
        client.read(f"https://localhost:{port}", IDS[:1])
    assert "certificate is not trusted (" in str(caught.value)
    assert "SSL_CERT_FILE" in str(caught.value)


@EITHER
def test_f6_https_at_a_port_of_http_is_named(client: Either) -> None:
    """O12: the host's name is not what is wrong."""
    with scripted_host() as host, pytest.raises(HostUnreachable) as caught:
        client.read(host.url.replace("http://", "https://"), IDS[:1])
    assert f"Name it as {host.url}, or" in str(caught.value)


@EITHER
@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_f6_plain_http_needs_no_authority(
    client: Either, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A variable that leads nowhere is not looked at."""
    monkeypatch.setenv(name, "/no/where")
    with scripted_host() as host:
        assert len(client.read(host.url, IDS[:2]).rows) == 2
