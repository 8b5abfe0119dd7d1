"""A renewed certificate is read again on SIGHUP, by a server alone and by workers."""

import signal
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from tests.support.running import (
    Server,
    create_key,
    events,
    make_certificate,
    poll,
    run_well,
    serving,
)

FLAGS = ("--ssl-certfile", "cert.pem", "--ssl-keyfile", "key.pem")


def shown(server: Server) -> bytes | None:
    """The certificate that a new connection gets."""
    parts = urlsplit(server.url)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((parts.hostname, parts.port), timeout=10) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_o8_a_renewed_certificate_is_read_on_sighup(tmp_path: Path, workers: int) -> None:
    """New connections get it, old ones go on; a pair that is bad changes nothing."""
    run_well("type", "create", "12003", folder=tmp_path)
    first = make_certificate(tmp_path)
    with serving(tmp_path, *FLAGS, "--workers", str(workers), keys=create_key(tmp_path)) as server:
        poll(
            lambda: len(events(server, "worker_ready")) == workers * (workers > 1) or None,
            what="all",
        )
        assert shown(server) == first
        connection = server.connect()
        connection.request("GET", "/health/live")
        connection.getresponse().read()

        def wait_for(event: str, times: int) -> None:
            poll(lambda: len(events(server, event)) == times * workers or None, what=event)

        for number in (1, 2):
            renewed_one = make_certificate(tmp_path)
            server.process.send_signal(signal.SIGHUP)
            wait_for("certificate_read", number)
            assert {shown(server) for _ in range(8)} == {renewed_one}
        connection.request("GET", "/health/live")
        assert connection.getresponse().read() == b'{"status":"live"}'
        connection.close()
        bad_ones = (b"nonsense", trustme.CA().cert_pem.bytes(), b"")
        for tried, bad in enumerate(bad_ones, start=1):
            (tmp_path / "cert.pem").write_bytes(bad)
            server.process.send_signal(signal.SIGHUP)
            wait_for("certificate_refused", tried)
            assert {shown(server) for _ in range(4)} == {renewed_one}
        assert server.stop() == 0
