"""The address of a shared rate limit: what is read, and what is shown."""

from pathlib import Path

import pytest

from oppserver.rate_limit.address import RateLimitStore, parse_rate_limit_store


@pytest.mark.parametrize(
    ("text", "store", "shown"),
    [
        ("redis://host", {"host": "host"}, "redis://host:6379/0"),
        (" valkey://host:7000/3 ", {"host": "host", "port": 7000, "database": 3}, None),
        ("redis://host/", {"host": "host"}, "redis://host:6379/0"),
        ("redis://[::1]:7000", {"host": "::1", "port": 7000}, "redis://[::1]:7000/0"),
        ("rediss://host", {"host": "host"}, "rediss://host:6379/0"),
        ("valkeys://host", {"host": "host"}, "valkeys://host:6379/0"),
        ("unix:///run/v.sock", {"path": "/run/v.sock"}, "unix:///run/v.sock?db=0"),
        ("unix:///a%20b?db=4", {"path": "/a b", "database": 4}, "unix:///a b?db=4"),
        (
            "redis://:p%2Fw%40@host",
            {"host": "host", "password": "p/w@"},
            "redis://:[hidden]@host:6379/0",
        ),
        (
            "redis://me:pw@host",
            {"host": "host", "username": "me", "password": "pw"},
            "redis://me:[hidden]@host:6379/0",
        ),
        ("redis://me@host", {"host": "host", "username": "me"}, "redis://me@host:6379/0"),
        (
            "unix://:pw@/run/v.sock",
            {"path": "/run/v.sock", "password": "pw"},
            "unix://:[hidden]@/run/v.sock?db=0",
        ),
    ],
)
def test_an_address_is_read(text: str, store: dict[str, object], shown: str | None) -> None:
    """Into its parts, with the usual port and database where none is named."""
    read = parse_rate_limit_store(text)
    scheme = text.strip().partition(":")[0]
    expected: dict[str, object] = {"scheme": scheme, **store}
    assert read == RateLimitStore(**expected)  # type: ignore[arg-type]  # by name, as they are
    assert str(read) == (shown or text.strip())
    assert read.is_tls == (scheme in ("rediss", "valkeys"))
    assert read.password is None or read.password not in f"{read!r}{read}"


def test_the_authority_of_a_store(tmp_path: Path) -> None:
    """A file that is there, and only with TLS."""
    file = tmp_path / "ca.pem"
    file.touch()
    assert parse_rate_limit_store(f"rediss://host/1?ssl_ca_certs={file}").ca_file == file
    for address in (f"rediss://host?ssl_ca_certs={file}x", f"redis://host?ssl_ca_certs={file}"):
        with pytest.raises(ValueError, match=r"expected redis://|no such file"):
            parse_rate_limit_store(address)
