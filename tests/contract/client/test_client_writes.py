"""Writes to a scripted host: which are repeated, and the dialects of answers."""

from typing import Any

import pytest

from oppserver.client import (
    Captured,
    Client,
    NotFound,
    RequestRefused,
    UnexpectedAnswer,
    WriteUnconfirmed,
)
from tests.support.both_clients import EITHER, Either
from tests.support.scripted_host import CUT_BEFORE_ANY_ANSWER, Reply, error, scripted_host

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
LEAD = "a368678f-1e81-4fb8-af0a-4b896f6330e1"
DONE = Reply(200, {"Status": "Success", "Message": {"IsSuccessful": True}})
KNOWS = Reply(200, DONE.body, {"Idempotency-Key-Hours": "24"})


@EITHER
@pytest.mark.parametrize("problem", [CUT_BEFORE_ANY_ANSWER, Reply(503), Reply(502), Reply(504)])
def test_a_write_that_may_have_happened_is_not_repeated(client: Either, problem: Reply) -> None:
    """One request is sent; the error says that the write may have been done."""
    with scripted_host(problem) as host, pytest.raises(WriteUnconfirmed, match="look before"):
        client.call(host.url, "update", ID, {"Status": "Won"})
    assert len(host.requests) == 1


@EITHER
@pytest.mark.parametrize(
    "problem", [error(429), error(200, "API calls exceeded the limit of 25 in 5 second(s)")]
)
def test_a_write_that_was_refused_for_its_rate_is_repeated(client: Either, problem: Reply) -> None:
    """It was not done."""
    with scripted_host(problem, DONE) as host:
        client.call(host.url, "delete", ID)
    assert len(host.requests) == 2


def test_a_host_that_recognizes_repeated_writes_gets_them_again() -> None:
    """All tries have the same key and the same body, until there is an answer."""
    with (
        scripted_host(KNOWS, CUT_BEFORE_ANY_ANSWER, Reply(503), KNOWS) as host,
        Client(host.url, "access-key", "secret-key", rate_limit="off") as client,
    ):
        client.update(ID, {"Status": "Open"})
        client.update(ID, {"Status": "Won"})
    first, *tries = host.requests
    keys = [request.headers["idempotency-key"] for request in tries]
    assert len(set(keys)) == 1
    assert first.headers["idempotency-key"] not in keys
    assert len({request.body for request in tries}) == 1
    assert len(tries) == 3


@EITHER
def test_idempotency_keys_on_writes_only_and_off_on_request(client: Either) -> None:
    """Reads have none; ``idempotency_keys=False`` sends none."""
    with scripted_host(Reply(200, [])) as host:
        client.call(host.url, "get_types")
        assert "idempotency-key" not in host.requests[0].headers
    with scripted_host(DONE) as host:
        client.call(host.url, "delete", ID, idempotency_keys=False)
        assert "idempotency-key" not in host.requests[0].headers


CAPTURED = {"RelatedProspectId": LEAD, "CreatedOpportunityId": ID, "ConflictedOpportunityId": None}


@EITHER
@pytest.mark.parametrize("status", [0, "0", "Success"])
def test_status_of_a_capture_as_number_or_text(client: Either, status: Any) -> None:
    """All of them mean success."""
    body = {"Status": status, "IsUnique": True, "ExceptionType": None, **CAPTURED}
    with scripted_host(Reply(200, body)) as host:
        made = client.call(host.url, "capture", 12000, {"Status": "Open"}, given={"lead": LEAD})
    assert made == Captured(opportunity_id=ID, lead_id=LEAD, is_new=True)
    details = host.requests[0].json["LeadDetails"]
    assert details == [
        {"Attribute": "ProspectID", "Value": LEAD},
        {"Attribute": "SearchBy", "Value": "ProspectId"},
    ]


@EITHER
def test_a_capture_that_met_a_duplicate(client: Either) -> None:
    """The hosted service still answers IsUnique true: only the conflicting id shows it."""
    body = {
        "Status": 0,
        "IsUnique": True,
        "CreatedOpportunityId": None,
        "ConflictedOpportunityId": ID,
    }
    with scripted_host(Reply(200, body)) as host:
        made = client.call(host.url, "capture", 12000, {}, given={"lead": LEAD})
    assert made == Captured(opportunity_id=ID, lead_id=None, is_new=False)


@EITHER
@pytest.mark.parametrize(
    "reply",
    [
        error(500, "Field name : 'mx_Custom_1'", kind="MXInvalidActivityFieldsException"),
        error(200, "Field name : 'mx_Custom_1'", kind="MXInvalidActivityFieldsException"),
        Reply(200, {"Status": 1, "ExceptionMessage": "Field name : 'mx_Custom_1'"}),
    ],
)
def test_a_capture_that_is_refused(client: Either, reply: Reply) -> None:
    """Under 500, under 200, and with a number as status."""
    with scripted_host(reply) as host, pytest.raises(RequestRefused, match="mx_Custom_1"):
        client.call(host.url, "capture", 12000, {}, given={"lead": LEAD})
    assert len(host.requests) == 1


@EITHER
def test_empty_bodies(client: Either) -> None:
    """A write is done; details are not found; a list is retried and then an error."""
    with scripted_host(Reply(200), Reply(204)) as host:
        client.call(host.url, "update", ID, {"Status": "Won"})
        made = client.call(host.url, "capture", 12000, {}, given={"lead": LEAD})
        assert made == Captured(opportunity_id=None, lead_id=None, is_new=True)
    for body in (b"", {}, {"ID": None, "Fields": None}):
        with scripted_host(Reply(200, body)) as host, pytest.raises(NotFound, match=ID):
            client.call(host.url, "get_opportunity", ID)
    with scripted_host(answer=lambda _: Reply(200)) as host, pytest.raises(UnexpectedAnswer):
        client.call(host.url, "search", 12000, retry_for_s=0.6)
    assert len(host.requests) == 2


@EITHER
@pytest.mark.parametrize("body", [{"RecordCount": 0}, {"RecordCount": "0", "List": None}])
def test_an_empty_list(client: Either, body: Any) -> None:
    """Hosts leave ``List`` out if nothing was found."""
    with scripted_host(Reply(200, body)) as host:
        assert client.call(host.url, "search", 12000) == []
    assert len(host.requests) == 1


@EITHER
def test_a_host_that_cuts_pages_is_followed(client: Either) -> None:
    """It gives 3 rows per page whatever the page size; its count ends the list."""

    def answer(request: Any) -> Reply:
        page = request.json["Paging"]["PageIndex"]
        rows = [{"OpportunityId": f"{n}"} for n in range(3 * page - 2, min(3 * page, 8) + 1)]
        return Reply(200, {"RecordCount": "8", "List": rows})

    with scripted_host(answer=answer) as host:
        rows = client.call(host.url, "search", 12000)
    assert [row.id for row in rows] == list("12345678")
    assert len(host.requests) == 3
