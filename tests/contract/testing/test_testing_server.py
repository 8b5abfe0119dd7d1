"""The server that the pytest plug-in starts: what a test puts in, what it hears, what it sets."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from oppserver.client import where
from oppserver.contract.errors import InvalidInput, RejectedLine
from oppserver.testing import OppserverFixture
from tests.support.running import BULK_READ, asking, group, poll
from tests.support.writing import CAPTURE, capturing, fields

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
LEAD = "a368678f-1e81-4fb8-af0a-4b896f6330e1"
NAME = {"mx_Custom_1": "Name"}
NOON = "2026-11-24 12:00:00"


def post(server: OppserverFixture, path: str, message: Any, **headers: str) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", json=message, headers=server.headers | headers)


def captured(server: OppserverFixture, **values: Any) -> dict[str, Any]:
    """The answer to a capture, which is done."""
    answer = post(server, CAPTURE, capturing(code=12000, values=values))
    assert answer.status_code == 200, answer.text
    message: dict[str, Any] = answer.json()
    return message


# --- data ----------------------------------------------------------------------------------------


def test_what_is_put_in_is_answered(oppserver: OppserverFixture) -> None:
    """Types, fields, leads, users and opportunities, over the API as they were put in."""
    oppserver.add_type(12000, "Deal", fields={"mx_Custom_1": "Name"}, can_delete=False)
    oppserver.add_field(12000, "mx_custom_2", "Stage", options=["New", "Old"])
    owner = oppserver.add_user("owner@example.com", first_name="Olga", role="reader")
    lead = oppserver.add_lead(EmailAddress="jane@example.com", FirstName="Jane", mx_City="Pune")
    one = oppserver.add_opportunity(
        12000, ProspectId=lead, Owner=owner.id, mx_Custom_1="Loan", mx_Custom_6=7.5
    )
    client = oppserver.client()
    [row] = client.search(12000, where()).all()
    assert (row.id, row["RelatedProspectId"]) == (one, lead)
    row = client.get_opportunity(one).row
    assert (row["mx_Custom_1"], row["mx_Custom_6"]) == ("Loan", "7.5")
    shown = {field.schema_name: field.display_name for field in client.get_type(12000).fields}
    assert (shown["mx_Custom_1"], shown["mx_Custom_2"]) == ("Name", "Stage")
    stored = oppserver.lead(lead)
    assert stored is not None
    assert (stored["FirstName"], stored["mx_City"]) == ("Jane", "Pune")
    users = httpx.get(f"{oppserver.url}/v2/UserManagement.svc/Users.Get", headers=owner.headers)
    assert "Olga" in users.text


def test_rows_are_kept_as_in_production(oppserver: OppserverFixture) -> None:
    """Asked for again they come from memory, and never as they were before a test changed them."""
    one = oppserver.add_opportunity(12000, Status="Open")
    asked = asking(group([one], "Status", code=12000))
    for status in ("Open", "Won"):
        oppserver.add_opportunity(12000, ProspectActivityId=one, Status=status)
        for _ in range(3):
            assert f'"Status":"{status}"' in post(oppserver, BULK_READ, asked).text
    metrics = httpx.get(f"{oppserver.url}/metrics").text
    assert 'oppserver_bulk_read_ids_total{source="memory"} 3.0' in metrics


def test_a_stream_that_fails_behind_rows_is_cut(oppserver: OppserverFixture) -> None:
    """The stream is cut as in production: one that only ends could be taken for a whole one."""
    one = oppserver.add_opportunity(12000)

    def ids() -> Iterator[bytes]:
        yield f"{one}\n".encode()
        poll(lambda: oppserver.calls.matching(status=200) or None, what="the first row")
        yield b"x\n"

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(
            f"{oppserver.url}/v1/opportunities/read?event_code=12000",
            content=ids(),
            headers={**oppserver.headers, "Content-Type": "text/plain", "Accept": "text/csv"},
        )
    assert oppserver.calls.one("ReadOpportunities").status == 200
    assert "fault" not in oppserver.report()


def test_what_is_stored_can_be_looked_at(oppserver: OppserverFixture) -> None:
    """An opportunity and a lead as they are now, by the API's names; None when they are not."""
    oppserver.clock.set(NOON)
    one = oppserver.add_opportunity(
        12000, ProspectActivityId=ID, ProspectId=LEAD, EmailAddress="jane@example.com", Status="Won"
    )
    assert oppserver.opportunity(one) == {
        "ProspectActivityId": ID,
        "EventCode": "12000",
        "ProspectId": LEAD,
        "EmailAddress": "jane@example.com",
        "Status": "Won",
        "CreatedOn": NOON,
        "ModifiedOn": NOON,
    }
    assert oppserver.opportunities() == oppserver.opportunities(12000) != []
    assert oppserver.lead(LEAD) == {"ProspectID": LEAD, "EmailAddress": "jane@example.com"}
    assert oppserver.opportunity(LEAD) is None
    assert oppserver.lead(ID) is None


def test_many_opportunities_are_put_in_at_once(oppserver: OppserverFixture) -> None:
    """In one transaction, and their ids are in order."""
    ids = oppserver.add_opportunities(12000, ({"mx_Custom_1": n} for n in range(500)))
    rows = oppserver.client().get_opportunities(ids, event_code=12000, columns="mx_Custom_1")
    assert [row["mx_Custom_1"] for row in rows] == [str(n) for n in range(500)]


def test_what_cannot_be_put_in_is_refused_by_name(oppserver: OppserverFixture) -> None:
    """A typing error in a test says what was meant."""
    with pytest.raises(RejectedLine, match="Did you mean Status"):
        oppserver.add_opportunity(12000, Statsu="Open")
    with pytest.raises(InvalidInput, match="Did you mean FirstName"):
        oppserver.add_lead(FirstNme="Jane")
    with pytest.raises(InvalidInput, match="no field"):
        oppserver.add_field(12000, "mx_Other")
    with pytest.raises(InvalidInput, match="no data type"):
        oppserver.add_field(12000, "mx_Custom_1", data_type="Text")
    with pytest.raises(InvalidInput, match="Did you mean rate_limit"):
        oppserver.reset(rate_limt="1/1")  # type: ignore[call-arg]  # as typed by mistake


def test_a_reset_forgets_everything(oppserver: OppserverFixture) -> None:
    """Data, catalogue, counted calls, kept answers, remembered totals, faults, clock, calls."""
    key = {"Idempotency-Key": "the same"}
    oppserver.reset(rate_limit="3/60", now=NOON)
    oppserver.add_type(12000, fields=NAME)
    before = post(oppserver, CAPTURE, capturing(code=12000), **key).json()
    assert len(oppserver.client().search(12000).all()) == 1
    etag = post(oppserver, f"{BULK_READ}?etag=true", asking(group([ID], code=12000))).headers[
        "etag"
    ]
    oppserver.faults.failure(times=None)
    url, keys = oppserver.url, oppserver.headers
    oppserver.reset()
    assert (oppserver.url, oppserver.headers) == (url, keys)
    assert not oppserver.clock.is_frozen
    assert len(oppserver.calls) == 0
    assert oppserver.opportunities() == []
    for _ in range(5):  # the limit is off again
        assert oppserver.client().get_types() == []
    oppserver.add_type(12000, fields=NAME)
    again = post(oppserver, CAPTURE, capturing(code=12000), **key)
    assert "idempotent-replayed" not in again.headers
    assert again.json()["CreatedOpportunityId"] != before["CreatedOpportunityId"]
    answer = post(oppserver, f"{BULK_READ}?etag=true", asking(group([ID], code=12000)))
    assert answer.headers["etag"] != etag


# --- callers -------------------------------------------------------------------------------------


async def _async_types(server: OppserverFixture) -> int:
    async with server.async_client() as client:
        return len(await client.get_types())


def test_any_program_can_call(oppserver: OppserverFixture) -> None:
    """Libraries of all kinds, a loop of the test's own, and another process."""
    import asyncio  # noqa: PLC0415 (this test's own)

    oppserver.add_type(12000, "Deal")
    path = "/v2/OpportunityManagement.svc/GetOpportunityTypes"
    keys = f"accessKey={oppserver.access_key}&secretKey={oppserver.secret_key}"
    with urllib.request.urlopen(f"{oppserver.url}{path}?{keys}") as answer:
        assert answer.status == 200
    connection = HTTPConnection(urlsplit(oppserver.url).netloc)
    connection.request("GET", path, headers=oppserver.headers)
    assert connection.getresponse().status == 200
    connection.close()
    assert asyncio.run(_async_types(oppserver)) == 1
    script = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
    subprocess.run([sys.executable, "-c", script, f"{oppserver.url}{path}?{keys}"], check=True)
    assert [one.status for one in oppserver.calls] == [200] * 4
    assert len(oppserver.calls.matching("GetOpportunityTypes", method="get")) == 4


# --- the journal ---------------------------------------------------------------------------------


def test_the_journal_has_each_call(oppserver: OppserverFixture) -> None:
    """Method, path, query, decoded body, status, time, in the order in which they came."""
    oppserver.clock.set(NOON)
    oppserver.add_type(12000, fields=NAME)
    created = captured(oppserver, c1="Loan")["CreatedOpportunityId"]
    httpx.get(f"{oppserver.url}/v2/nowhere", params={"a": "b"}, headers={"X-Mine": "1"})
    capture, nowhere = oppserver.calls
    assert (capture.name, capture.method, capture.path) == ("Capture", "POST", CAPTURE)
    assert capture.body["Opportunity"]["Fields"] == fields(Status="Open", c1="Loan")
    assert (capture.status, capture.fault) == (200, "")
    assert capture.at.isoformat(" ") == f"{NOON}+00:00"
    assert capture.took_ms > 0
    assert (nowhere.name, nowhere.status, nowhere.body) == ("", 404, None)
    assert nowhere.query == {"a": "b"}
    assert nowhere.headers["x-mine"] == "1"
    assert oppserver.calls.one("capture") == capture
    assert oppserver.opportunity(created) is not None


def test_the_journal_explains_itself(oppserver: OppserverFixture) -> None:
    """One call where another number is expected is an AssertionError that shows all of them."""
    oppserver.client().get_types()
    with pytest.raises(AssertionError, match=r"0 calls match[^\n]*\n<1 calls>\n200  GET /v2/"):
        oppserver.calls.one("Capture")
    assert list(oppserver.calls[:1]) == list(oppserver.calls)
    oppserver.forget_calls()
    assert repr(oppserver.calls) == "<0 calls>"


def test_no_key_is_in_the_journal(oppserver: OppserverFixture) -> None:
    """Neither as data nor as text, whether it came in headers or in the query."""
    query = f"accessKey={oppserver.access_key}&SECRETKEY={oppserver.secret_key}&id={ID}"
    httpx.get(f"{oppserver.url}/v2/LeadManagement.svc/Leads.GetById?{query}")
    oppserver.client().get_types()
    shown = [repr(vars(one)) + str(one) + repr(one) for one in oppserver.calls]
    shown += [repr(oppserver), repr(oppserver.user), repr(oppserver.calls), oppserver.report()]
    for text in shown:
        assert oppserver.secret_key not in text
        assert oppserver.access_key not in repr(oppserver.calls)
    assert oppserver.calls[0].query == {"id": ID}


# --- clock and ids -------------------------------------------------------------------------------


def test_what_is_written_follows_the_clock(oppserver: OppserverFixture) -> None:
    """It stands where it is set, goes where it is advanced, and then runs with the world."""
    oppserver.add_type(12000, fields=NAME)
    oppserver.clock.set(NOON)
    one = captured(oppserver)["CreatedOpportunityId"]
    oppserver.clock.advance(90)
    update = {"ProspectOpportunityId": one, "Fields": fields(Status="Won")}
    assert post(oppserver, "/v2/OpportunityManagement.svc/Update", update).status_code == 200
    stored = oppserver.opportunity(one)
    assert stored is not None
    assert (stored["CreatedOn"], stored["ModifiedOn"]) == (NOON, "2026-11-24 12:01:30")
    oppserver.clock.run()
    later = oppserver.opportunity(captured(oppserver)["CreatedOpportunityId"])
    assert later is not None
    assert later["CreatedOn"] != stored["CreatedOn"]


def test_the_limit_follows_the_clock(oppserver: OppserverFixture) -> None:
    """Code that waits as the answer says is tested in no time: ``advance`` instead of ``sleep``."""
    oppserver.reset(rate_limit="2/5", now=NOON)
    statuses: list[int] = []
    while len(statuses) < 8:
        answer = post(oppserver, BULK_READ, asking(group([ID], code=12000)))
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            oppserver.clock.advance(float(answer.headers["retry-after"]))
    assert statuses == [400, 400, 429] * 2 + [400, 400]
    assert answer.headers["ratelimit-policy"] == '"default";q=2;w=5'


def test_ids_come_from_a_seed_or_a_list(oppserver: OppserverFixture) -> None:
    """Two runs after one seed have the same ids; a list comes first."""
    answers = []
    for _ in range(2):
        oppserver.reset(seed=7, now=NOON)
        oppserver.add_type(12000, fields=NAME)
        answers.append([json.dumps(captured(oppserver, c1=name)) for name in "ab"])
    assert answers[0] == answers[1]
    oppserver.ids.then(LEAD.upper(), ID)
    made = captured(oppserver)
    assert (made["RelatedProspectId"], made["CreatedOpportunityId"]) == (LEAD, ID)
    with pytest.raises(InvalidInput, match="no GUID"):
        oppserver.ids.then("seven")
