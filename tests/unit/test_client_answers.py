"""The meaning of an answer in every dialect: error, temporary or not, maybe done."""

import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from oppserver.client import errors
from oppserver.client.calls import Broken, HostAnswer, HostCall, problem_of, retry_after_s

READ = HostCall(name="Read", method="POST", path="/", read=len)
WRITE = replace(READ, name="Write", writes=True, may_be_empty=True)
LIMIT = "API calls exceeded the limit of 25 in 5 second(s)"
LIMIT_TYPE = "MXAPIRateLimitExceededException"


def answer(status: int, body: Any = b"", **headers: str) -> HostAnswer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return HostAnswer(status=status, headers=told, body=data)


def envelope(kind: str | None, message: str = "wrong") -> dict[str, Any]:
    return {"Status": "Error", "ExceptionType": kind, "ExceptionMessage": message}


REFUSALS = [
    (401, envelope("MXInvalidAccessDetailsException"), errors.KeysRefused, False),
    (401, b"", errors.KeysRefused, False),
    (200, envelope("MXInvalidAccessDetailsException"), errors.KeysRefused, False),
    (403, envelope("MXAccessDeniedException"), errors.AccessRefused, False),
    (403, b"<html>no</html>", errors.AccessRefused, False),
    (403, envelope(None, LIMIT), errors.RateLimitExceeded, True),
    (403, envelope(LIMIT_TYPE), errors.RateLimitExceeded, True),
    (200, envelope(LIMIT_TYPE, LIMIT), errors.RateLimitExceeded, True),
    (429, b"", errors.RateLimitExceeded, True),
    (429, b"slow down", errors.RateLimitExceeded, True),
    (500, envelope(LIMIT_TYPE, LIMIT), errors.RateLimitExceeded, True),
    (404, envelope("MXOpportunityNotFoundException"), errors.NotFound, False),
    (404, b"not here", errors.RequestRefused, False),
    (405, b"", errors.RequestRefused, False),
    (400, envelope("MXUnknownAttributeException"), errors.RequestRefused, False),
    (500, envelope("MXMandatoryAttributeMissingException"), errors.RequestRefused, False),
    (200, envelope("MXInvalidInputException"), errors.RequestRefused, False),
    (200, {"Status": "Error", "Message": "no"}, errors.RequestRefused, False),
    (301, b"", errors.RequestRefused, False),
    (500, envelope("ArgumentNullException"), errors.HostFailed, True),
    (500, b"<html>", errors.HostFailed, True),
    (502, b"<html>bad gateway</html>", errors.HostUnavailable, True),
    (503, envelope("MXServiceUnavailableException"), errors.HostUnavailable, True),
    (504, b"", errors.HostUnavailable, True),
    (200, b"", errors.UnexpectedAnswer, True),
    (204, b" \n", errors.UnexpectedAnswer, True),
]


@pytest.mark.parametrize(("status", "body", "kind", "is_temporary"), REFUSALS)
def test_refusals(status: int, body: Any, kind: type[Exception], is_temporary: bool) -> None:
    """Each status and body of each dialect is one error, which says what to do."""
    problem = problem_of(answer(status, body), READ)
    assert problem is not None
    assert type(problem.error) is kind
    assert problem.is_temporary is is_temporary
    assert str(problem.error).startswith(("Read: ", "The answer to Read "))
    assert str(problem.error).endswith(".")
    if isinstance(problem.error, errors.HostError):
        assert problem.error.status == status


GOOD_READS = [b"[]", b'{"RecordCount": 0}', b'{"Status": "Open"}', b" [1]", b'"text"', b"7", b"{"]


@pytest.mark.parametrize("body", GOOD_READS)
def test_good_answers_to_reads(body: bytes) -> None:
    """A body without an error goes to the reader of the call."""
    assert problem_of(answer(200, body), READ) is None


@pytest.mark.parametrize("status", ["Success", "success", 0, "0", None, True], ids=repr)
def test_status_of_writes_as_text_or_number(status: Any) -> None:
    """``Success``, 0 and ``"0"`` mean the same."""
    assert problem_of(answer(200, {"Status": status, "IsUnique": True}), WRITE) is None
    assert problem_of(answer(200, b""), WRITE) is None


@pytest.mark.parametrize("status", ["Error", "Failure", 1, "1", False])
def test_a_write_that_says_it_failed(status: Any) -> None:
    """Any other status of a write is a refusal, also under 200 and without a type."""
    problem = problem_of(answer(200, {"Status": status, "Message": {"a": 1}}), WRITE)
    assert problem is not None
    assert type(problem.error) is errors.RequestRefused


def test_which_problems_may_hide_a_done_write() -> None:
    """Not a refusal; but a broken connection and a bad gateway."""
    cases = {429: False, 400: False, 401: False, 500: True, 502: True, 503: True, 504: True}
    for status, may_be_done in cases.items():
        problem = problem_of(answer(status), WRITE)
        assert problem is not None
        assert problem.may_be_done is may_be_done, status
    for was_sent in (True, False):
        problem = problem_of(Broken(reason="it broke", was_sent=was_sent), WRITE)
        assert problem is not None
        assert problem.may_be_done is was_sent
        assert problem.is_temporary
        assert type(problem.error) is errors.HostUnreachable


def test_errors_can_be_pickled() -> None:
    """Message, status, type and request id survive a pickle."""
    told = answer(400, envelope("MXInvalidInputException", "PageSize is 0"), x_request_id="r-1")
    problem = problem_of(told, READ)
    assert problem is not None
    copy = pickle.loads(pickle.dumps(problem.error))
    assert isinstance(copy, errors.HostError)
    assert (copy.status, copy.exception_type, copy.request_id) == (
        400,
        "MXInvalidInputException",
        "r-1",
    )
    assert str(copy) == str(problem.error)
    assert "PageSize is 0." in str(copy)


@pytest.mark.parametrize(
    ("status", "message", "said"),
    [
        pytest.param(404, "No such id. Check the id.", "No such id. Check the id.", id="O12"),
        (503, "The store is busy. Try again.", "The store is busy. Try again."),
        (429, "Too many; wait. Use fewer calls", "Too many; wait. Use fewer calls."),
        (503, "Busy", "Busy. Try again later."),
        (
            404,
            "Nothing to Check",
            "Nothing to Check. Change the request: the same request gets the same answer.",
        ),
    ],
)
def test_o12_what_to_do_is_said_once(status: int, message: str, said: str) -> None:
    """By the host, or by the client."""
    problem = problem_of(answer(status, envelope("", message)), READ)
    assert problem is not None
    assert str(problem.error) == f"{READ.name}: status {status}. {said}"


def test_a_redirect_s_error_has_no_query() -> None:
    """Keys in a query are not repeated."""
    problem = problem_of(answer(308, location="https://other/v2?accessKey=a"), READ)
    assert problem is not None
    assert "https://other/v2" in str(problem.error)
    assert "accessKey" not in str(problem.error)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        (" 0.5 ", 0.5),
        ("-3", None),
        ("Tue, 24 Nov 2026 10:00:07 GMT", 7.0),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("99999999", 86_400.0),
        pytest.param("3, 3", 3.0, id="F16"),
        ("0,7, 3", 7.0),
        ("Tuesday, 24-Nov-26 10:00:07 GMT", 7.0),
        ("Tue, 24 Nov 2026 10:00:03 GMT, Tue, 24 Nov 2026 10:00:07 GMT", 7.0),
        ("3, Tue, 24 Nov 2026 10:00:07 GMT", 7.0),
    ],
)
def test_retry_after(text: str, seconds: float | None) -> None:
    """Seconds, or a date compared with the answer's own date; nonsense is ignored."""
    told = {"retry-after": text, "date": "Tue, 24 Nov 2026 10:00:00 GMT"}
    assert retry_after_s(told) == seconds


def test_no_retry_after() -> None:
    """Without the header there is no wait of the host."""
    assert retry_after_s({}) is None
