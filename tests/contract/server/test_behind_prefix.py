"""Callers through proxies and from pages: path prefix, caller's address, origins (CORS)."""

import json
from collections.abc import Iterator

import pytest

from oppserver.client import Client
from tests.support.running import BULK_READ, Answer, Server, create_key, poll, run_well, serving
from tests.support.world import WIDE_CODE

CAPTURE = "/v2/OpportunityManagement.svc/Capture"
USER = "/v2/Authentication.svc/UserByAccessKey.Get"
ORIGINS = ("https://app.example.com", "http://localhost:3000")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server below a path, behind a proxy on this machine, for pages of two origins."""
    folder = tmp_path_factory.mktemp("prefixed")
    run_well("type", "create", str(WIDE_CODE), folder=folder)
    origins = [part for origin in ORIGINS for part in ("--cors-origins", origin)]
    flags = ("--path-prefix", "/CRM/opps/", "--trusted-proxies", "127.0.0.1, 10.0.0.0/8", *origins)
    with serving(folder, *flags, keys=create_key(folder)) as running:
        yield running


def logged(server: Server, answer: Answer) -> str:
    """The caller's address in the log line of an answer."""
    name = answer.headers["x-request-id"]
    [line] = poll(
        lambda: [one for one in server.log() if one.get("request_id") == name] or None,
        what="the log line",
    )
    return str(line["caller"])


# --- a path prefix --------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/CRM/opps", "/crm/OPPS", "//crm//opps"])
def test_h5_calls_come_with_the_prefix_and_without(server: Server, prefix: str) -> None:
    """A proxy may take it away or pass it on."""
    for path in (USER, f"/v1/opportunities?event_code={WIDE_CODE}", "/docs", "/health/live/"):
        assert server.get(prefix + path).status == 200
    wrong = server.get(f"{prefix}/v1/nothing")
    assert (wrong.status, wrong.json["type"]) == (404, "/problems/unknown-path")


def test_h5_documents_and_answers_name_the_prefix(server: Server) -> None:
    """Callers go on below it."""
    assert server.get("/openapi.json").json["servers"] == [{"url": "/CRM/opps"}]
    urls = server.get(USER).json["LSQCommonServiceURLs"]
    assert urls["api"] == f"{server.url.removeprefix('http://')}/CRM/opps"


@pytest.mark.parametrize("end", ["/CRM/opps", "/crm/opps/", "/CRM/opps/v2", "/CRM/opps/v2/", ""])
def test_h5_the_client_takes_a_host_with_a_path(server: Server, end: str) -> None:
    """With the version of the calls behind it or without."""
    keys = server.keys
    with Client(f"{server.url}{end}", keys.access, keys.secret) as client:
        assert [one.event_code for one in client.get_types()] == [WIDE_CODE]


def test_h5_other_paths_are_not_below_the_prefix(server: Server) -> None:
    """It ends where a part of the path ends."""
    for path in ("/CRM/oppsv2", "/CRM", "/CRM/opps2/docs", "/x/CRM/opps/docs"):
        assert server.get(path).status == 404


# --- the caller's address -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forwarded", "caller"),
    [
        pytest.param(None, "127.0.0.1", id="O6 direct"),
        pytest.param("203.0.113.7", "203.0.113.7", id="O6 one proxy"),
        pytest.param("203.0.113.7, 10.1.2.3", "203.0.113.7", id="O6 two proxies"),
        pytest.param("6.6.6.6, 203.0.113.7, 10.1.2.3", "203.0.113.7", id="O6 a forged one"),
        pytest.param("2001:db8::1", "2001:db8::1", id="O6 IPv6"),
    ],
)
def test_o6_a_log_line_has_the_callers_address(
    server: Server, forwarded: str | None, caller: str
) -> None:
    """The last address that no trusted proxy has."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert logged(server, server.call("GET", "/health/live", headers=headers)) == caller


def test_o6_without_trusted_proxies_nothing_is_believed(world_server: Server) -> None:
    """A caller cannot choose its address."""
    answer = world_server.call("GET", "/docs", headers={"X-Forwarded-For": "203.0.113.7"})
    assert logged(world_server, answer) == "127.0.0.1"


# --- pages of other origins -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def world_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as it is without these settings."""
    folder = tmp_path_factory.mktemp("plain")
    run_well("type", "create", str(WIDE_CODE), folder=folder)
    with serving(folder, keys=create_key(folder)) as running:
        yield running


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("path", [CAPTURE, "/v1/opportunities/read", f"/crm/opps{BULK_READ}"])
def test_c5_a_preflight_needs_no_keys(server: Server, origin: str, path: str) -> None:
    """It allows methods, and the headers that are asked for."""
    answer = server.call(
        "OPTIONS",
        path,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type, x-lsq-accesskey, idempotency-key",
        },
    )
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] == origin
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-lsq-accesskey" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", BULK_READ, 401),
        ("GET", "/v1/changes", 401),
        ("GET", "/v2/nothing", 404),
        ("GET", CAPTURE, 405),
        ("GET", "/health/live", 200),
        ("GET", USER, 200),
        ("GET", f"/v1/opportunities?event_code={WIDE_CODE}", 200),
    ],
)
def test_c5_answers_and_errors_can_be_read(
    server: Server, method: str, path: str, status: int
) -> None:
    """With the headers that a page needs."""
    keys = server.keys.headers if status == 200 else {}
    answer = server.call(method, path, headers={"Origin": ORIGINS[0], **keys})
    assert answer.status == status
    assert answer.headers["access-control-allow-origin"] == ORIGINS[0]
    assert "Origin" in answer.headers["vary"]
    exposed = answer.headers["access-control-expose-headers"]
    for name in (
        "Retry-After",
        "RateLimit",
        "RateLimit-Policy",
        "X-Request-Id",
        "X-Cursor",
        "ETag",
    ):
        assert name in exposed.split(", ")


@pytest.mark.parametrize("origin", ["https://evil.example", "https://app.example.com.evil", "null"])
def test_c5_other_origins_are_not_allowed(server: Server, origin: str) -> None:
    """Neither asked before nor at the call."""
    for method, path in (("OPTIONS", CAPTURE), ("GET", USER)):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = server.call(method, path, headers=headers | server.keys.headers)
        assert "access-control-allow-origin" not in answer.headers


def test_c5_it_is_off_by_default(world_server: Server) -> None:
    """No answer has such a header; OPTIONS names the methods."""
    headers = {"Origin": ORIGINS[0], "Access-Control-Request-Method": "POST"}
    answer = world_server.call("OPTIONS", CAPTURE, headers=headers)
    assert (answer.status, answer.headers["allow"]) == (204, "POST, OPTIONS")
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert json.loads(world_server.get("/health/live").body) == {"status": "live"}
