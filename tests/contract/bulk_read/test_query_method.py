"""QUERY (RFC 10008) on the bulk reads: the safe method with a body, beside POST."""

import json
import socket
from http.client import HTTPResponse
from urllib.parse import urlsplit

from tests.support.running import BULK_READ, Answer, Server, asking, group, poll, read
from tests.support.streaming import JSON_LINES, PLAIN, READ, end_of, plain, records
from tests.support.world import WIDE_CODE, WIDE_ID

MESSAGE = asking(group([WIDE_ID], "Status,CreatedOn", code=WIDE_CODE))


def sent_raw(
    server: Server,
    method: str,
    path: str = BULK_READ,
    body: bytes = b"",
    content_type: str = "application/json",
) -> Answer:
    """The answer to a request that was written to a socket byte by byte."""
    head = [
        f"{method} {path} HTTP/1.1",
        "Host: x",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in server.keys.headers.items()),
    ]
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        response = HTTPResponse(connection, method=method)
        response.begin()
        return read(response)


def test_query_is_answered_as_post_is(server: Server) -> None:
    """The same body gets the same answer, byte for byte."""
    body = json.dumps(MESSAGE).encode()
    asked, posted = sent_raw(server, "QUERY", body=body), sent_raw(server, "POST", body=body)
    assert (asked.status, asked.body) == (200, posted.body)
    assert json.loads(asked.body)[0]["RecordCount"] == 1


def test_a_stream_of_ids_takes_query_too(server: Server) -> None:
    """The same ids get the same rows and the same end; what else it takes is said with a 405."""
    path = f"{READ}?event_code={WIDE_CODE}&columns=Status"
    body = plain([WIDE_ID, "99999999-9999-4999-8999-999999999999"])
    asked, posted = (sent_raw(server, method, path, body, PLAIN) for method in ("QUERY", "POST"))
    assert (asked.status, asked.body) == (200, posted.body)
    assert end_of(records(asked))["Requested"] == 2
    assert asked.headers["cache-control"] == "private, no-cache"
    refused = sent_raw(server, "PUT", path)
    assert (refused.status, refused.headers["allow"]) == (405, "POST, QUERY, OPTIONS")
    assert JSON_LINES in refused.headers["accept-query"]


def test_query_is_refused_as_post_is(server: Server) -> None:
    """Errors are the same, and the path is matched without regard to case."""
    answer = sent_raw(server, "QUERY", BULK_READ.lower(), body=b"{}")
    assert (answer.status, answer.exception_type) == (400, "MXMandatoryAttributeMissingException")


def test_answers_to_query_are_kept_by_the_caller_alone(server: Server) -> None:
    """A QUERY can be cached; its answer depends on keys that shared caches do not look at."""
    body = json.dumps(MESSAGE).encode()
    assert sent_raw(server, "QUERY", body=body).headers["cache-control"] == "private, no-cache"
    assert "cache-control" not in sent_raw(server, "POST", body=body).headers


def test_allow_names_both(server: Server) -> None:
    """With 405 and on OPTIONS, where ``Accept-Query`` says what a QUERY may hold."""
    for method in ("GET", "DELETE", "OPTIONS"):
        answer = sent_raw(server, method)
        assert answer.status == (204 if method == "OPTIONS" else 405)
        assert {"POST", "QUERY"} <= set(answer.headers["allow"].split(", "))
    assert sent_raw(server, "OPTIONS").headers["accept-query"] == "application/json"


def test_other_paths_take_no_query(server: Server) -> None:
    """405 where there is another call, 404 where there is none."""
    answer = sent_raw(server, "QUERY", "/v2/UserManagement.svc/Users.Get")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert sent_raw(server, "QUERY", "/v2/nothing").status == 404


def test_the_log_names_the_method(server: Server) -> None:
    """A QUERY is logged as one."""
    request = sent_raw(server, "QUERY", body=json.dumps(MESSAGE).encode())
    line = poll(
        lambda: next(
            (
                line
                for line in server.log()
                if line.get("request_id") == request.headers["x-request-id"]
            ),
            None,
        ),
        what="the log line",
    )
    assert (line["method"], line["call"]) == ("QUERY", "GetOpportunitiesById")


def test_the_document_tells_of_query(server: Server) -> None:
    """The document says it in words and in a member of our own: OpenAPI 3.1 has no place for it."""
    paths = server.call("GET", "/openapi.json").json["paths"]
    for path in (BULK_READ, READ):
        [operation] = paths[path].values()
        assert operation["x-also-method"] == "QUERY"
        assert "`QUERY`" in operation["description"]
