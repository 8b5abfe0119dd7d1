"""The OpenAPI document and the page that shows it; the document is true of the server."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pyarrow as pa
import pytest
import schemathesis
import zstandard
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


def schemas_in(part: Any) -> Iterator[dict[str, Any]]:
    """All objects of a part of the document that have a type or a schema's members."""
    if isinstance(part, dict):
        yield part
        for name, value in part.items():
            if name not in ("example", "examples"):
                yield from schemas_in(value)
    elif isinstance(part, list):
        for value in part:
            yield from schemas_in(value)


def test_the_document_is_valid_and_good_for_generators(server: Server) -> None:
    """OpenAPI's own schema takes it; each member has one type, maybe null; calls have groups."""
    document = server.call("GET", "/openapi.json").json
    schemathesis.openapi.from_dict(document).validate()
    types = [one["type"] for one in schemas_in(document) if isinstance(one.get("type"), list)]
    assert len(types) > 50
    assert [one for one in types if len(one) != 2 or one[1] != "null"] == []
    tags = [tag["name"] for tag in document["tags"]]
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert {tag for one in operations for tag in one["tags"]} == set(tags)
    assert all(len(one["tags"]) == 1 for one in operations)
    assert len({one["operationId"] for one in operations}) == len(operations)


def test_every_example_has_the_type_that_the_document_says(server: Server) -> None:
    """Examples of parameters, bodies and answers are good by their own schemas."""
    wrong, count = [], 0
    for part in schemas_in(server.call("GET", "/openapi.json").json):
        if "schema" in part and "example" in part:
            count += 1
            errors = jsonschema_rs.Draft202012Validator(part["schema"]).iter_errors(part["example"])
            wrong += [error.message for error in errors]
    assert wrong == []
    assert count > 120


def test_the_example_of_a_binary_body_is_a_file_of_the_server(server: Server) -> None:
    """The ids of the stream call as Arrow, as in its other examples."""
    document = server.call("GET", "/openapi.json").json
    content = document["paths"]["/v1/opportunities/read"]["post"]["requestBody"]["content"]
    answer = server.call("GET", content["application/vnd.apache.arrow.stream"]["x-example-file"])
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    [ids] = pa.ipc.open_stream(answer.body).read_all().to_pydict().values()
    assert ids == content["text/plain"]["example"].split()


def test_an_export_in_the_document(server: Server) -> None:
    """It takes no body, and its answer has the cursor with which it goes on."""
    document = server.call("GET", "/openapi.json").json
    export = document["paths"]["/v1/opportunities"]["get"]
    assert "requestBody" not in export
    assert "X-Cursor" in export["responses"]["200"]["headers"]
    assert "requestBody" in document["paths"]["/v1/opportunities/read"]["post"]


# --- the page and its files ---------------------------------------------------------------------


def assets_of(server: Server) -> list[str]:
    """The URLs of the files that the page loads."""
    page = server.call("GET", "/docs").body.decode()
    urls = re.findall(r'(?:src|href)="([^"]+)"', page)
    return [url for url in urls if "openapi.json" not in url]


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/DOCS"])
def test_the_page_loads_nothing_from_elsewhere(server: Server, path: str) -> None:
    """All of it is below /assets/; the policy allows no other host and no inline script."""
    answer = server.call("GET", path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert "http" not in answer.headers["content-security-policy"]
    assert re.findall(r"<script(?! src=)|<style|\son\w+=", answer.body.decode()) == []
    assert len(assets_of(server)) == 5
    assert all(url.startswith("/assets/") for url in assets_of(server))


def test_a_file_is_kept_by_browsers_until_it_changes(server: Server) -> None:
    """Its URL has a hash; by its bare name, or another hash, it is asked for again by its tag."""
    types = []
    for url in assets_of(server):
        answer = server.call("GET", url)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        types.append(answer.headers["content-type"])
        for other in (url.partition("?")[0], f"{url}0", url.replace("?v=", "?x=")):
            again = server.call("GET", other, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["cache-control"] == "no-cache"
        changed = server.call("GET", url, headers={"If-None-Match": 'W/"0123456789abcdef"'})
        assert (changed.status, changed.body) == (200, answer.body)
    script, style = "text/javascript; charset=utf-8", "text/css; charset=utf-8"
    assert sorted(types) == ["image/svg+xml", style, style, script, script]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/problems", "swagger-ui-bundle.js"])
def test_documents_are_packed_as_the_caller_takes_them(server: Server, path: str) -> None:
    """In zstd and gzip they are a fraction, and the same; HEAD has the headers alone."""
    url = next((url for url in assets_of(server) if path in url), path)
    plain = server.call("GET", url)
    assert "content-encoding" not in plain.headers
    unpack: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "zstd": zstandard.ZstdDecompressor().decompress,
    }
    for name, unpacked in unpack.items():
        answer = server.call("GET", url, headers={"Accept-Encoding": name})
        if len(plain.body) > 1_024:
            assert answer.headers["content-encoding"] == name
            assert len(answer.body) < len(plain.body) * 0.6
            assert unpacked(answer.body) == plain.body
        assert answer.headers["vary"] == "Accept-Encoding"
        head = server.call("HEAD", url, headers={"Accept-Encoding": name})
        assert (head.body, head.headers["etag"]) == (b"", answer.headers["etag"])
        assert head.headers["content-length"] == str(len(answer.body))


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2Fassets.py", "%2e%2e%2f__init__.py", "vendor", "htmx.min.js%00", ""]
)
def test_no_other_file_is_served(server: Server, name: str) -> None:
    """The error says where files come from, and has the form of all errors."""
    answer = server.call("GET", f"/assets/{name}")
    assert answer.status == 404
    assert answer.exception_type == "MXApiNotFoundException"
    assert server.call("POST", "/assets/htmx.min.js").status == 405


# --- what the document promises -----------------------------------------------------------------


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
    document = server.call("GET", "/openapi.json").json
    for part in schemas_in(document):  # what generators need not know is promised, too
        if also := part.pop("x-also-types", None):
            part["type"] = [*([one] if isinstance(one := part["type"], str) else one), *also]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=server.url)
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
