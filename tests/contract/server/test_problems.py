"""Errors on ``/v1`` over a socket: problem documents; on ``/v2`` the envelope, as ever."""

from urllib.parse import quote

import pytest

from oppserver.contract.limits import IN_ERROR_FAULTS_MAX
from tests.support.running import BULK_READ, Answer, Server
from tests.support.world import WIDE_CODE

PROBLEM = "application/problem+json"


def problem(answer: Answer, status: int, name: str) -> None:
    """That an answer is this problem."""
    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)
    assert answer.json["type"] == f"/problems/{name}"
    assert answer.json["status"] == status
    assert answer.json["detail"]


@pytest.mark.parametrize("path", ["/v1", "/v1/nothing", "//V1/opportunities/nothing", "/v1/a?b=c"])
def test_an_unknown_path_below_v1_is_a_problem(server: Server, path: str) -> None:
    """Whatever its spelling; its instance is the request's id."""
    answer = server.get(path)
    problem(answer, 404, "unknown-path")
    request_id = answer.headers["x-request-id"]
    assert answer.json["instance"].replace("-", "") == f"urn:uuid:{request_id}"


@pytest.mark.parametrize("path", ["/v2/nothing", "/v11", "/nothing", "/v2/v1"])
def test_other_paths_keep_their_envelope(server: Server, path: str) -> None:
    """The family's callers read it."""
    answer = server.get(path)
    assert (answer.status, answer.exception_type) == (404, "MXApiNotFoundException")
    assert answer.headers["content-type"] == "application/json"


def test_an_id_that_is_no_uuid_is_no_instance(server: Server) -> None:
    """The header has it all the same."""
    answer = server.call("GET", "/v1/x", headers={"X-Request-Id": "mine"})
    problem(answer, 404, "unknown-path")
    assert "instance" not in answer.json
    assert answer.headers["x-request-id"] == "mine"


def test_each_type_of_problem_has_an_address(server: Server) -> None:
    """The list names them, and each tells what it means."""
    listed = server.get("/problems").json
    for one in listed:
        assert server.get(one["type"]).json == one
    assert server.get("/problems/nothing").status == 404


def test_v2_stays_as_it_is(server: Server) -> None:
    """A wrong parameter of the query is reported in one sentence."""
    answer = server.post({}, path=f"{BULK_READ}?missing=maybe")
    assert answer.json == {
        "Status": "Error",
        "ExceptionType": "MXInvalidInputException",
        "ExceptionMessage": "query parameter 'missing': 'maybe' is neither true nor false",
    }


CALLS_WITH_COLUMNS = [
    ("POST", "/v1/opportunities/read"),
    ("GET", "/v1/opportunities"),
    ("GET", "/v1/changes"),
]


@pytest.mark.parametrize(("method", "path"), CALLS_WITH_COLUMNS)
def test_all_bad_columns_are_named_at_once(server: Server, method: str, path: str) -> None:
    """Up to 20, each with the nearest columns, found by display name too; the rest are counted."""
    bad = ["Field 7", "Stats", *(f"zzz{n}" for n in range(28))]
    query = f"event_code={WIDE_CODE}&columns={quote(','.join(bad))}"
    answer = server.call(method, f"{path}?{query}", headers=server.keys.headers)
    problem(answer, 400, "unknown-column")
    faults = answer.json["errors"]
    assert len(faults) == IN_ERROR_FAULTS_MAX
    assert [fault["what"].split("'")[1] for fault in faults] == bad[:IN_ERROR_FAULTS_MAX]
    assert faults[0]["hint"].startswith("Did you mean mx_Custom_7 (Field 7)")
    assert faults[1]["hint"].startswith("Did you mean Status")
    assert "There are 29 more such faults." in answer.json["detail"]
