"""Reads by id from a host that fails: temporary errors are retried, permanent ones raised."""

from typing import Any

import pytest

from oppserver.client import (
    HostError,
    HostFailed,
    HostUnavailable,
    KeysRefused,
    RateLimitExceeded,
    RequestRefused,
    UnexpectedAnswer,
    WriteUnconfirmed,
)
from tests.support.both_clients import EITHER, Either
from tests.support.scripted_host import (
    CUT_BEFORE_ANY_ANSWER,
    IDS,
    Reply,
    error,
    guid,
    scripted_host,
)

LIMIT = "API calls exceeded the limit of 25 in 5 second(s)"
LIMIT_TYPE = "MXAPIRateLimitExceededException"

PASSING = {
    "429": error(429, LIMIT, kind=LIMIT_TYPE),
    "429 without a body": Reply(429),
    "403 for the rate limit": error(403, LIMIT, kind=LIMIT_TYPE),
    "200 with the rate limit": error(200, LIMIT, kind=LIMIT_TYPE),
    "502": Reply(502, b"<html>bad gateway</html>"),
    "503 with Retry-After": error(503, kind="MXServiceUnavailableException", Retry_After="0"),
    "504": Reply(504),
    "an empty body": Reply(200, b""),
    "no answer at all": CUT_BEFORE_ANY_ANSWER,
    "F16": Reply(200, b'[{"RecordCount":1,"Opportunities":[{"Pros', has_length=False),
    "an array cut without a length": Reply(200, b"[", has_length=False),
    "a string cut without a length": Reply(200, b'[{"RecordCount": "1', has_length=False),
    "408": Reply(408),
    "425": Reply(425),
    "500": Reply(500, b"<html>"),
    "500 of a type of the host's": error(500, kind="NullReferenceException"),
    "520": Reply(520, b"<html>"),
    "522": Reply(522),
    "530": Reply(530),
    "half an answer": Reply(200, b"[" + b" " * 5_000 + b"]", cut=2_000),
}


@EITHER
@pytest.mark.parametrize("problem", PASSING.values(), ids=PASSING)
def test_what_passes_is_tried_again(client: Either, problem: Reply) -> None:
    """Every row is still returned, once."""
    with scripted_host(problem) as host:
        outcome = client.read(host.url, IDS[:3])
    assert [one.id for one in outcome.rows] == IDS[:3]
    assert len(host.requests) == 2


LASTING = [
    (error(401, kind="MXInvalidAccessDetailsException"), KeysRefused),
    (error(200, kind="MXInvalidAccessDetailsException"), KeysRefused),
    (error(400, "column", kind="MXUnknownAttributeException"), RequestRefused),
    (error(500, "column", kind="MXUnknownAttributeException"), RequestRefused),
    (error(200, "column", kind="MXUnknownAttributeException"), RequestRefused),
    (Reply(200, b"<html>log in</html>"), UnexpectedAnswer),
    (Reply(200, b"<html>log in</html>", has_length=False), UnexpectedAnswer),
    (Reply(200, {"Opportunities": []}), UnexpectedAnswer),
    (Reply(200, [{"RecordCount": 1, "Opportunities": []}]), UnexpectedAnswer),
    (Reply(200, [{"RecordCount": 1, "Opportunities": [{"Status": "Open"}]}]), UnexpectedAnswer),
    (Reply(200, b'[{"Opportunities": [{"ProspectActivityId'), UnexpectedAnswer),
]


@EITHER
@pytest.mark.parametrize(("problem", "kind"), LASTING)
def test_permanent_errors_are_not_retried(
    client: Either, problem: Reply, kind: type[Exception]
) -> None:
    """No second request is sent."""
    with scripted_host(problem) as host, pytest.raises(kind) as caught:
        client.read(host.url, IDS[:3])
    assert len(host.requests) == 1
    assert caught.value.__cause__ is None


@EITHER
@pytest.mark.parametrize(
    ("told", "wait_s"),
    [
        pytest.param("1, 1", 1, id="F16"),
        ("0, 1", 1),
        ("1\n0", 1),
        ("soon, 1", 1),
    ],
)
def test_f16_the_longest_wait_that_was_told_is_kept(
    client: Either, told: str, wait_s: float
) -> None:
    """In a list, as two proxies make it."""
    retries: list[Any] = []
    with scripted_host(Reply(503, headers={"Retry-After": told})) as host:
        client.read(host.url, IDS[:3], on_retry=retries.append)
    assert [wait_s <= retry.wait_s < wait_s + 0.6 for retry in retries] == [True]


@EITHER
@pytest.mark.parametrize("status", [429, 503, 408, 522])
def test_f16_a_wait_above_the_budget_is_told(client: Either, status: int) -> None:
    """The call ends at once, and says for how long the host wants to be left alone."""
    reply = Reply(status, headers={"Retry-After": "3600"})
    with scripted_host(reply) as host, pytest.raises(HostError) as caught:
        client.read(host.url, IDS[:3])
    assert len(host.requests) == 1
    assert "It asked for a call in 3,600 s; this one is tried for 120 s." in str(caught.value)
    assert caught.value.retry_after_s == 3600


@EITHER
def test_f16_a_host_that_always_fails_is_not_asked_for_minutes(client: Either) -> None:
    """Four tries, then its error; a write is sent once."""
    with scripted_host(answer=lambda _: Reply(500)) as host:
        with pytest.raises(HostFailed):
            client.read(host.url, IDS[:3])
        assert len(host.requests) == 4
        with pytest.raises(HostFailed):
            client.call(host.url, "update", IDS[0], {"Status": "Won"})
        assert len(host.requests) == 5


@EITHER
def test_f16_a_write_whose_answer_was_cut_is_open(client: Either) -> None:
    """Without the host's word that it recognizes repeats, it is not repeated; with it, it is."""
    cut = Reply(200, b'{"Status":"Suc', has_length=False)
    with scripted_host(cut) as host, pytest.raises(WriteUnconfirmed):
        client.call(host.url, "update", IDS[0], {"Status": "Won"})
    assert len(host.requests) == 1
    kept = Reply(200, cut.body, {"Idempotency-Key-Hours": "24"}, has_length=False)
    with scripted_host(kept, Reply(200, {"Status": "Success"})) as host:
        client.call(host.url, "update", IDS[0], {"Status": "Won"})
    [first, second] = host.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


@EITHER
def test_tries_end(client: Either) -> None:
    """After ``retry_for_s`` the error is that of the last answer."""
    with (
        scripted_host(answer=lambda _: Reply(503)) as host,
        pytest.raises(HostUnavailable, match=r"status 503\. Try again later\."),
    ):
        client.read(host.url, IDS[:3], retry_for_s=0.6)
    assert len(host.requests) == 2


@EITHER
def test_one_refused_call_holds_all_back(client: Either) -> None:
    """After a 429 no call in flight sends anything before Retry-After has passed."""
    refusal = error(429, LIMIT, kind=LIMIT_TYPE, Retry_After="1")
    with scripted_host(refusal, delay_s=0.05) as host:
        assert len(client.read(host.url, IDS, calls_in_flight=1).rows) == 5_000
    moments = [request.moment for request in host.requests]
    assert moments[1] - moments[0] >= 1.0
    with scripted_host(answer=lambda _: refusal) as host, pytest.raises(RateLimitExceeded):
        client.read(host.url, IDS[:1], retry_for_s=0.5)
    assert len(host.requests) == 1


@EITHER
def test_the_first_error_ends_all(client: Either) -> None:
    """Rows before it are returned; only the calls in flight follow it."""

    def answer(request: Any) -> Reply:
        return error(400) if IDS[2_500] in request.ids else host.rows(request)

    many = [guid(n) for n in range(60_000)]
    with scripted_host(answer=answer) as host:
        with pytest.raises(RequestRefused):
            client.read(host.url, many, calls_in_flight=2)
        assert len(host.requests) <= 5
