"""The OpenAPI document and the page that shows it; the document is true of the server."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from oppserver.contract import example, sample
from tests.support.running import SCALE, Server, create_key, serving
from tests.support.world import fill

NEGATIVE = GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a filled database of its own: what is fuzzed also writes and deletes."""
    folder = tmp_path_factory.mktemp("fuzzed")
    fill(folder)
    with serving(folder, keys=create_key(folder, role="administrator")) as running:
        yield running


def test_the_document(server: Server) -> None:
    """OpenAPI 3.1, with the page's example for request and answer."""
    answer = server.call("GET", "/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json
    assert document["openapi"].startswith("3.1")
    [operation] = document["paths"]["/v2/OpportunityManagement.svc/GetOpportunitiesById"].values()
    assert operation["requestBody"]["content"]["application/json"]["example"] == json.loads(
        example.request()
    )
    answered = operation["responses"]["200"]["content"]["application/json"]["example"]
    assert answered == json.loads(example.response())
    assert {"400", "401", "413", "429", "500", "503"} <= set(operation["responses"])


def test_an_export_in_the_document(server: Server) -> None:
    """It takes no body, and its answer has the cursor with which it goes on."""
    document = server.call("GET", "/openapi.json").json
    export = document["paths"]["/v1/opportunities"]["get"]
    assert "requestBody" not in export
    assert "X-Cursor" in export["responses"]["200"]["headers"]
    assert "requestBody" in document["paths"]["/v1/opportunities/read"]["post"]


def test_the_page_needs_nothing_from_elsewhere(server: Server) -> None:
    """The browsable page is one file: no address of another host is in it."""
    answer = server.call("GET", "/docs")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    text = answer.body.decode()
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", text)
    assert "openapi.json" in text


def test_every_call_with_formats_refuses_others_by_the_list(server: Server) -> None:
    """406 that names all that the document has for the call; bulk read, streams, changes."""
    refused = []
    for path, methods in server.call("GET", "/openapi.json").json["paths"].items():
        for method, operation in methods.items():
            formats = operation["responses"]["200"]["content"]
            if len(formats) < 2:
                continue
            answer = server.call(
                method.upper(),
                f"{path}?event_code=12003",
                example.request() if path.startswith("/v2") else None,
                {**server.keys.headers, "Accept": "application/xml"},
            )
            assert answer.status == 406
            assert all(one in answer.body.decode() for one in formats), (path, answer.body)
            refused.append(path)
    assert len(refused) == 4


def test_fuzzed_calls_get_200_or_a_named_4xx(server: Server) -> None:
    """Schemathesis: whatever the document allows or forbids, no 5xx, and every answer conforms."""
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    headers: dict[str, Any] = server.keys.headers

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()

        @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=NEGATIVE))
        @settings(
            max_examples=max(1, int(40 * SCALE)),
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        def fuzz(case: Case[Any]) -> None:
            answer = case.call(headers=headers)
            assert answer.status_code < 500
            if answer.status_code != 200:
                told = answer.json()
                assert told.get("ExceptionType", told.get("type", "")).startswith(
                    ("MX", "/problems/")
                )
            # a type or a column that is not here is a 400; no schema can say which are
            case.validate_response(answer, excluded_checks=[positive_data_acceptance])

        fuzz()


_ADDRESS = re.compile(rb"[\w.+-]+@([\w.-]+)")


@pytest.mark.parametrize("source", ["demo's example", "demo's rows", "document", "page"])
def test_o16_no_address_of_a_real_domain(source: str, server: Server) -> None:
    """Except in the documented example: its rows, and its answer in the document."""
    documented = [json.loads(row) for row in example.opportunities().splitlines()]
    made = {
        "demo's example": lambda: b"\n".join(
            one
            for one in sample.example_lines().splitlines()
            if json.loads(one)["ProspectActivityId"]
            not in {row["ProspectActivityId"] for row in documented}
        ),
        "demo's rows": lambda: repr(list(sample.opportunities(100))).encode(),
        "document": lambda: server.get("/openapi.json").body.replace(
            documented[0]["OwnerEmailAddress"].encode(), b"documented@example.com", 3
        ),
        "page": lambda: server.get("/docs").body,
    }[source]()
    assert {name.lower() for name in _ADDRESS.findall(made)} <= {b"example.com"}
