"""The console's log of requests: what it keeps, for how long, for whom, and never a secret."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from oppserver.api.observe import Observed
from oppserver.console.recorded import BODY_SHOWN_BYTES_MAX, Recorded, whole_of
from oppserver.console.request_log import (
    MAP_BYTES,
    SLOTS,
    WHOLE_BYTES,
    RequestLogs,
    open_log,
)
from tests.support.console import Visitor, text_of
from tests.support.running import Keys, Server, asking, create_key, group, poll, serving
from tests.support.world import WIDE_CODE, WIDE_ID, fill

SERVICE = "/v2/OpportunityManagement.svc"
SEEN = Observed(request_id="r", method="POST", caller="127.0.0.1", call="Capture", status=200)

# --- the map ------------------------------------------------------------------------------------


def test_the_last_calls_are_remembered_and_no_more() -> None:
    """The map has one size; the oldest calls go first."""
    log = open_log()
    logs = RequestLogs(log)
    for number in range(SLOTS * 3):
        log.record("/v2/x", b"", replace(SEEN, request_id=f"r{number}"), 0.001)
    found = logs.recent()
    assert len(found) == SLOTS
    assert found[0].request_id == f"r{SLOTS * 3 - 1}"
    assert logs.one(1, 1) is None
    assert len(log.memory) == MAP_BYTES < 16 << 20


@pytest.mark.parametrize(
    "text",
    [
        "x" * 5_000,
        "\N{SNOWMAN}" * 5_000,
        "\U0001f600" * 5_000,
        "\udcff" * 300,
        "\0\x01'\"<>&" * 500,
    ],
)
def test_texts_of_strangers_are_cut(text: str) -> None:
    """A path, a key and an id of any length and letters fit, and the next call does too."""
    log = open_log()
    safe = text.encode("utf-8", "replace").decode()
    log.record(safe, b"\xff" * 5_000, replace(SEEN, access_key=safe, request_id="odd"), 1.0)
    log.record("/v2/next", b"", SEEN, 1.0)
    assert RequestLogs(log).recent()[0].path == "/v2/next"
    assert len(RequestLogs(log).recent()) == 2


def test_whole_requests_are_forgotten_when_the_ring_is_full() -> None:
    """The newest are whole; of older ones the summary stays. A large body is cut and said to be."""
    log = open_log()
    logs = RequestLogs(log)
    recorded = Recorded()
    recorded.take_body(b"b" * (BODY_SHOWN_BYTES_MAX + 7))
    recorded.take_answer(b"a" * 10)
    whole = whole_of([(b"x-lsq-secretkey", b"hush")], recorded)
    count = WHOLE_BYTES // len(whole) * 2 + 3
    for _ in range(count):
        log.record("/v2/x", b"", SEEN, 0.001, whole)
    newest, oldest = logs.one(1, count), logs.one(1, 1)
    assert newest is not None
    assert newest[1] is not None
    assert newest[1].body_bytes == BODY_SHOWN_BYTES_MAX + 7
    assert len(newest[1].body) == BODY_SHOWN_BYTES_MAX
    assert newest[1].request_headers == [("x-lsq-secretkey", "[hidden]")]
    assert oldest is not None
    assert oldest[1] is None
    kept = [one for number in range(1, count + 1) if (one := logs.one(1, number)) and one[1]]
    assert 0 < len(kept) <= WHOLE_BYTES // len(whole)


def test_minutes_and_keys_are_counted_over_workers(tmp_path: Path) -> None:
    """Each worker has a map in the folder; a worker that is started again goes on."""
    first, second = open_log(tmp_path, worker=1), open_log(tmp_path, worker=2)
    used = replace(SEEN, access_key="opp_1", remaining=7)
    first.record("/v2/x", b"", used, 0.001)
    second.record("/v2/x", b"", replace(used, status=500, remaining=6), 0.001)
    again = open_log(tmp_path, worker=1)
    again.record("/v2/x", b"", replace(used, remaining=5), 0.001)
    logs = RequestLogs(second, tmp_path)
    newest = logs.recent()[0]
    assert sum(calls for calls, _ in logs.minutes(newest.at)) == 3
    assert sum(errors for _, errors in logs.minutes(newest.at)) == 1
    assert logs.keys()["opp_1"].calls == 3
    assert logs.keys()["opp_1"].remaining == 5
    logs.record_until(newest.at + 600)
    assert again.is_recording
    logs.record_until(0.0)
    assert not again.is_recording


# --- a server -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("requests")
    fill(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """Two workers, with a sign-in."""
    flags = ("--workers", "2", "--console-sign-in", "always")
    with serving(folder, *flags, keys=create_key(folder, email="caller@example.com")) as server:
        yield server
        server.stop()


@pytest.fixture(scope="module")
def administrator(folder: Path, server: Server) -> Visitor:
    visitor = Visitor(server)
    keys = create_key(folder, role="administrator", email="admin@example.com")
    assert visitor.sign_in(keys).status == 303
    return visitor


def test_calls_of_all_workers_are_shown_by_each(server: Server, administrator: Visitor) -> None:
    """Whichever worker answers the page."""
    names = [f"all-{number}" for number in range(8)]
    for name in names:
        server.post(asking(group([WIDE_ID], "Status", code=WIDE_CODE)), X_Request_Id=name)
    for _ in range(6):
        shown = text_of(administrator.get("/requests?text=all-"))
        assert all(name in shown for name in names)
        found = administrator.get(f"/requests/find?id={names[3]}")
        assert "1 asked, 1 found, 0 missing" in text_of(
            administrator.get(found.headers["location"].removeprefix("/console"))
        )


def test_whole_requests_have_no_secret(server: Server, administrator: Visitor) -> None:
    """In headers, in the query, in bodies as text or as JSON; both workers record."""
    assert administrator.post("/requests/record", {"on": "yes"}).status == 303
    secrets = (server.keys.secret, "pass-in-a-body", "basic-secret")
    body = b'{"secretKey": "pass-in-a-body", "SearchParameters": []}'
    names = [f"whole-{number}" for number in range(6)]
    for name in names:
        server.call(
            "POST",
            f"{SERVICE}/GetOpportunitiesById?{server.keys.query}",
            body,
            {
                "Content-Type": "application/json",
                "X-Request-Id": name,
                "Authorization": "Basic basic-secret",
                "Cookie": "session=basic-secret",
                "x-LSQ-SecretKey": server.keys.secret,
                "x-LSQ-AccessKey": server.keys.access,
            },
        )
    assert administrator.post("/requests/record", {"on": "no"}).status == 303
    for name in names:
        place = administrator.get(f"/requests/find?id={name}").headers["location"]
        page = text_of(administrator.get(place.removeprefix("/console")))
        assert "SearchParameters" in page
        assert "[hidden]" in page
        assert not [secret for secret in secrets if secret in page]
    assert not [one for one in secrets if one in text_of(administrator.get("/requests"))]


def test_nothing_whole_is_kept_unless_it_is_switched_on(
    server: Server, administrator: Visitor
) -> None:
    """Neither body nor headers; of an error the message is."""
    body = asking(group([WIDE_ID], "Nonsense-in-a-body", code=WIDE_CODE))
    server.post(body, X_Request_Id="off-1", X_Private="private-header")
    place = administrator.get("/requests/find?id=off-1").headers["location"]
    page = text_of(administrator.get(place.removeprefix("/console")))
    assert "were not recorded" in page
    assert "private-header" not in page
    assert "is no column of type" in page


def test_a_user_sees_the_requests_of_the_own_key_alone(
    folder: Path, server: Server, administrator: Visitor
) -> None:
    """In the table, one by one, and by its id; the own ones are there."""
    other = create_key(folder, email="other@example.com")
    server.post(asking(), X_Request_Id="mine-1")
    server.post(asking(), keys=other, X_Request_Id="theirs-1")
    visitor = Visitor(server)
    visitor.sign_in(server.keys)
    assert "mine-1" in text_of(visitor.get("/requests"))
    assert "theirs-1" not in text_of(visitor.get("/requests"))
    assert visitor.get("/requests/find?id=theirs-1").status == 404
    place = administrator.get("/requests/find?id=theirs-1").headers["location"]
    assert visitor.get(place.removeprefix("/console")).status == 404
    assert visitor.post(place.removeprefix("/console")).status == 404
    assert (
        visitor.get(visitor.get("/requests/find?id=mine-1").headers["location"][8:]).status == 200
    )


@pytest.mark.parametrize("path", ["1/0", "1/99999999", "7/1", "x/1", "1/x", "1/-1", "1/1e9", "0/0"])
def test_a_call_that_is_not_remembered_is_404(administrator: Visitor, path: str) -> None:
    """With a sentence that says why."""
    page = administrator.get(f"/requests/{path}")
    assert page.status == 404
    assert "not remembered" in text_of(page)


def test_pages_of_the_server_are_no_calls(server: Server, administrator: Visitor) -> None:
    """The table has calls, not the console's own pages, probes or documents."""
    for path in ("/health/live", "/metrics", "/docs", "/openapi.json", "/assets/console.css"):
        server.call("GET", path)
    paths = re.findall(r">(?:GET|POST) (\S+?)<", text_of(administrator.get("/requests")))
    assert paths
    assert not [path for path in paths if "health" in path or "console" in path or "docs" in path]


def test_a_server_ends_at_once_while_its_console_is_followed(folder: Path) -> None:
    """A live page has no end of its own; it does not hold up the end of the server."""
    with serving(folder) as server:
        connection = server.connect()
        connection.request("GET", "/console/requests/live")
        response = connection.getresponse()
        assert response.headers["content-type"] == "text/event-stream"
        assert response.readline().startswith(b"id: ")
        assert server.stop(timeout_s=15) == 0
        connection.close()


# --- an empty store -----------------------------------------------------------------------------


def test_an_empty_store_takes_a_sample(tmp_path: Path) -> None:
    """Home says what to do; the sample is in every read; jobs are shown by a server alone, too."""
    with serving(tmp_path) as server:
        visitor = Visitor(server)
        assert "The store is empty." in text_of(visitor.get())
        assert "every call gets 401" in text_of(visitor.get())
        loaded = visitor.post("/sample")
        assert loaded.status == 303
        assert "Loaded 1,000 opportunities of type 12000." in text_of(visitor.get())
        assert "The store is empty." not in text_of(visitor.get())
        assert "Loaded" not in text_of(visitor.get())
        page = visitor.post("/keys", {"email": "a@b", "role": "user"})
        found = re.search(r"accessKey  (\S+)\s+secretKey  (\w+)", text_of(page))
        assert found
        keys = Keys(found[1], found[2])
        assert (
            server.get("/v1/opportunities?event_code=12000", keys=keys).body.count(b"\n") == 1_001
        )
        assert visitor.post("/store/check").status == 303
        poll(lambda: "done in" in text_of(visitor.get("/store/job")), what="the check")
