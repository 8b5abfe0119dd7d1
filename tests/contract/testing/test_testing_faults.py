"""Faults that tests switch on, as a caller meets them; and that production knows none."""

import subprocess
import sys
import threading
from collections.abc import Callable
from http.client import HTTPConnection, IncompleteRead, RemoteDisconnected
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from oppserver.api.routes import ROUTES
from oppserver.client import RateLimit
from oppserver.config import Settings, flag_of
from oppserver.contract.errors import InvalidInput
from oppserver.testing import Fault, OppserverFixture, ReceivedCall
from tests.support.running import create_key, serving
from tests.support.writing import CAPTURE, capturing

TYPES = "/v2/OpportunityManagement.svc/GetOpportunityTypes"
USERS = "/v2/UserManagement.svc/Users.Get"


def get(server: OppserverFixture, path: str = TYPES, **options: Any) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", headers=server.headers, **options)


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("switch_on", "status", "retry_after"),
    [
        (lambda on: on.faults.rate_limited(retry_after_s=3), 429, "3"),
        (lambda on: on.faults.unavailable(retry_after_s=2), 503, "2"),
        (lambda on: on.faults.failure(), 500, None),
    ],
)
def test_a_call_is_refused_as_the_server_refuses(
    oppserver: OppserverFixture,
    switch_on: Callable[[OppserverFixture], Fault],
    status: int,
    retry_after: str | None,
) -> None:
    """In the API's envelope, with Retry-After; once, and the next call is answered."""
    fault = switch_on(oppserver)
    refused = get(oppserver)
    assert refused.status_code == status
    assert refused.headers.get("retry-after") == retry_after
    assert set(refused.json()) == {"Status", "ExceptionType", "ExceptionMessage"}
    assert get(oppserver).status_code == 200
    assert (fault.hits, fault.is_over) == (1, True)
    assert [(one.status, one.fault) for one in oppserver.calls] == [
        (status, f"answer {status}"),
        (200, ""),
    ]


def test_a_call_of_ours_is_refused_with_a_problem_document(oppserver: OppserverFixture) -> None:
    """The call is refused as the server itself refuses it, streams too, which are met by name."""
    oppserver.faults.rate_limited(retry_after_s=3, on="ExportOpportunities")
    assert get(oppserver, "/v1/changes").status_code == 200
    refused = get(oppserver, "/v1/opportunities?event_code=12000")
    assert refused.headers["content-type"] == "application/problem+json"
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert (refused.json()["type"], refused.json()["status"]) == ("/problems/rate-limited", 429)
    assert [one.name for one in oppserver.calls] == ["Changes", "ExportOpportunities"]


def test_any_answer_can_stand_in(oppserver: OppserverFixture) -> None:
    """Answers that the hosted service is known for: an error under status 200, a limit as 403."""
    oppserver.faults.answer(200, {"Status": "Error"}, headers={"X-Odd": "1"})
    oppserver.faults.answer(403, b"<html>")
    odd = get(oppserver)
    assert (odd.status_code, odd.json(), odd.headers["x-odd"]) == (200, {"Status": "Error"}, "1")
    assert get(oppserver).text == "<html>"


def test_a_refused_write_is_not_done(oppserver: OppserverFixture) -> None:
    """Its body is in the journal all the same."""
    oppserver.faults.unavailable()
    with httpx.Client(base_url=oppserver.url, headers=oppserver.headers) as client:
        assert client.post(CAPTURE, json=capturing(code=12000)).status_code == 503
    assert oppserver.opportunities() == []
    assert oppserver.calls.one(status=503).body["Opportunity"]["OpportunityEventCode"] == 12000


# --- which calls ---------------------------------------------------------------------------------


def statuses(server: OppserverFixture, *paths: str) -> list[int]:
    return [get(server, path).status_code for path in paths]


def test_faults_meet_the_next_n_calls(oppserver: OppserverFixture) -> None:
    """``times``, and until they are removed where it is None."""
    oppserver.faults.failure(times=2)
    assert statuses(oppserver, *[TYPES] * 3) == [500, 500, 200]
    lasting = oppserver.faults.unavailable(times=None)
    assert statuses(oppserver, *[TYPES] * 3) == [503] * 3
    lasting.remove()
    assert statuses(oppserver, TYPES) == [200]
    oppserver.faults.failure(times=None)
    oppserver.faults.clear()
    assert statuses(oppserver, TYPES) == [200]


def test_faults_meet_every_nth_call(oppserver: OppserverFixture) -> None:
    """``every`` counts the calls that it could meet, and no others."""
    oppserver.faults.failure(every=3, times=None, on="GetOpportunityTypes")
    paths = [TYPES, USERS, TYPES, TYPES, TYPES, TYPES, TYPES]
    assert statuses(oppserver, *paths) == [200, 200, 200, 500, 200, 200, 500]


def test_faults_meet_calls_by_name_path_or_condition(oppserver: OppserverFixture) -> None:
    """The first fault that is there for a call is the one that it meets."""
    oppserver.faults.answer(418, on="usersget")
    oppserver.faults.answer(419, on="/getopportunitytypes")
    oppserver.faults.answer(420, on=lambda call: call.query.get("page") == "2")
    paths = [f"{TYPES}?page=1", f"{USERS}?page=2", f"{USERS}?page=2", USERS]
    assert statuses(oppserver, *paths) == [419, 418, 420, 200]


def test_a_condition_sees_the_body(oppserver: OppserverFixture) -> None:
    """A fault can be for what is in a call."""

    def is_large(call: ReceivedCall) -> bool:
        return call.body is not None and call.body["Size"] > 1

    oppserver.faults.answer(413, on=is_large)

    def status(size: int) -> int:
        url = f"{oppserver.url}{CAPTURE}"
        return httpx.post(url, headers=oppserver.headers, json={"Size": size}).status_code

    assert [status(1), status(2)] == [400, 413]


def test_what_no_fault_can_be_is_refused(oppserver: OppserverFixture) -> None:
    """A name that no call has, a count of none, a cut at no time."""
    with pytest.raises(InvalidInput, match="Did you mean Capture"):
        oppserver.faults.failure(on="Captur")
    with pytest.raises(InvalidInput, match="at least 1"):
        oppserver.faults.failure(times=0)
    with pytest.raises(InvalidInput, match="before, after or middle"):
        oppserver.faults.cut("sometimes")  # type: ignore[arg-type]  # as typed by mistake


# --- slow, and cut -------------------------------------------------------------------------------


def test_a_slow_answer_outlasts_the_caller(oppserver: OppserverFixture) -> None:
    """The call is done, and the caller has given up; the test's end does not wait for it."""
    oppserver.add_type(12000, fields={"mx_Custom_1": "Name"})
    oppserver.faults.slow(3_600)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{oppserver.url}{CAPTURE}",
            json=capturing(code=12000, values={"c1": "a"}),
            headers=oppserver.headers,
            timeout=0.5,
        )
    assert len(oppserver.opportunities()) == 1
    assert oppserver.calls.one("Capture").status is None


def test_a_slow_answer_comes(oppserver: OppserverFixture) -> None:
    """Later than it would, by the world's clock, whatever the server's says."""
    oppserver.clock.set("2026-11-24")
    oppserver.faults.slow(0.2)
    assert get(oppserver).status_code == 200
    assert oppserver.calls.one().took_ms >= 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_connection_is_cut_without_an_answer(oppserver: OppserverFixture, when: Any) -> None:
    """Before the write was done, or after: the caller cannot tell, and the store can."""
    oppserver.add_type(12000, fields={"mx_Custom_1": "Name"})
    oppserver.faults.cut(when)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.post(
            f"{oppserver.url}{CAPTURE}",
            json=capturing(code=12000, values={"c1": "a"}),
            headers=oppserver.headers,
        )
    assert len(oppserver.opportunities()) == (1 if when == "after" else 0)
    cut = oppserver.calls.one("Capture")
    assert (cut.status, cut.fault) == (None, f"cut {when}")
    assert get(oppserver).status_code == 200


def test_a_connection_is_cut_in_the_middle(oppserver: OppserverFixture) -> None:
    """The head of the answer and half of its body come, and no more."""
    oppserver.add_opportunity(12000)
    whole = get(oppserver).content
    oppserver.faults.cut("middle")
    connection = HTTPConnection(urlsplit(oppserver.url).netloc)
    connection.request("GET", TYPES, headers=oppserver.headers)
    answer = connection.getresponse()
    assert answer.status == 200
    with pytest.raises(IncompleteRead) as caught:
        answer.read()
    assert caught.value.partial == whole[: len(whole) // 2]
    connection.close()


def test_cuts_of_a_kept_connection_leave_others_alone(oppserver: OppserverFixture) -> None:
    """Only the one on which the call came is cut."""
    kept = HTTPConnection(urlsplit(oppserver.url).netloc)
    other = HTTPConnection(urlsplit(oppserver.url).netloc)
    for connection in (kept, other):
        connection.request("GET", TYPES, headers=oppserver.headers)
        connection.getresponse().read()
    oppserver.faults.cut()
    kept.request("GET", TYPES, headers=oppserver.headers)
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        kept.getresponse()
    other.request("GET", TYPES, headers=oppserver.headers)
    assert other.getresponse().read()
    kept.close()
    other.close()


def test_our_client_gets_through(oppserver: OppserverFixture) -> None:
    """Reads are tried again after each kind of fault; a write is done once, whatever is cut."""
    ids = oppserver.add_opportunities(12000, ({} for _ in range(5)))
    client = oppserver.client(rate_limit=RateLimit(10_000, 1))
    oppserver.faults.rate_limited(times=1)
    oppserver.faults.unavailable(times=1)
    oppserver.faults.cut("middle")
    rows = client.get_opportunities(ids, event_code=12000, columns="Status").all()
    assert [row.id for row in rows] == ids
    assert [one.status for one in oppserver.calls] == [429, 503, 200, 200]
    oppserver.faults.cut("after")
    client.delete(ids[0])
    assert [one.fault for one in oppserver.calls.matching("Delete")] == ["cut after", ""]
    assert oppserver.opportunity(ids[0]) is None


def test_calls_side_by_side_are_counted_once(oppserver: OppserverFixture) -> None:
    """Exactly seven of forty calls in eight threads meet a fault that is for seven."""
    oppserver.faults.failure(times=7)
    seen: list[int] = []

    def call() -> None:
        seen.extend(statuses(oppserver, *[TYPES] * 5))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.count(500) == 7
    assert len(oppserver.calls.matching(status=500)) == 7
    assert len(oppserver.calls) == 40


# --- production ----------------------------------------------------------------------------------


def test_production_has_no_way_to_it(tmp_path: Path) -> None:
    """No route, no setting: what is asked of a server that serves is unknown to it."""
    told = ("fault", "reset", "clock", "journal", "testing", "seed")
    assert not [route.path for route in ROUTES if any(word in route.path.lower() for word in told)]
    assert not [name for name in Settings.__slots__ if any(word in name for word in told)]
    keys = create_key(tmp_path, role="administrator")
    with serving(tmp_path, keys=keys) as server:
        for word in told:
            for path in (f"/{word}", f"/{word}s", f"/v2/{word}", f"/oppserver/{word}"):
                assert server.post({}, path=path).status == 404
    serve = [sys.executable, "-m", "oppserver", "serve", flag_of("fault"), "1"]
    done = subprocess.run(serve, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2, done.stderr


def test_production_does_not_load_it(tmp_path: Path) -> None:
    """A process that serves has no module of it, whatever it was asked for."""
    script = (
        "import sys, threading, oppserver.cli.main, oppserver.processes.serving,"
        " oppserver.cli.serve, oppserver.api.app, oppserver.processes.worker\n"
        "ours = ('oppserver.testing', 'oppserver.pytest_plugin', 'oppserver.api.background')\n"
        "print([name for name in sys.modules if name.startswith(ours)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
