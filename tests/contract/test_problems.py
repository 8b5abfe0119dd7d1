"""Errors on ``/v1`` over a socket: problem documents; on ``/v2`` the envelope, as ever."""

import pytest

from tests.running import BULK_READ, Answer, Server

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
    """A parameter of the query that is wrong is told in one sentence."""
    answer = server.post({}, path=f"{BULK_READ}?ledger=maybe")
    assert answer.json == {
        "Status": "Error",
        "ExceptionType": "MXInvalidInputException",
        "ExceptionMessage": "query parameter 'ledger': 'maybe' is neither true nor false",
    }
