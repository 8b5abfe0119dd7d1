"""The OpenAPI 3.1 document."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import msgspec

import oppserver
from oppserver.api.routes import ROUTES, Route
from oppserver.calls.activities import describe as activities
from oppserver.calls.bulk_read import describe as bulk_read
from oppserver.calls.changes import describe as changes
from oppserver.calls.leads import describe as leads
from oppserver.calls.lists import describe as lists
from oppserver.calls.shared.call import NO_BODY, Stream
from oppserver.calls.shared.describe import (
    EVERY_CALL,
    EVERY_WRITE,
    BodyForm,
    Description,
    Parameter,
    member,
    schema_of,
    with_one_type,
)
from oppserver.calls.streams import describe as streams
from oppserver.calls.types import describe as types
from oppserver.calls.users import run as users
from oppserver.calls.writes import describe as writes
from oppserver.console.assets import asset_url
from oppserver.contract.errors import HTTP_ERRORS, ApiError, BodyTooLarge
from oppserver.contract.formats import Format
from oppserver.contract.limits import (
    IDEMPOTENCY_HOURS,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
    IN_ERROR_FAULTS_MAX,
)
from oppserver.contract.problems import (
    PROBLEM,
    ErrorWire,
    ProblemWire,
    all_problems,
    is_problem_path,
    name_of,
)


class _Tag(NamedTuple):
    """A group of calls in the document: its name and text, and its calls by their routes' names."""

    name: str
    text: str
    calls: Mapping[str, Description]


_TAGS: Final = (
    _Tag("Bulk read", "Up to 2,000 opportunities in one call.", bulk_read.DESCRIPTIONS),
    _Tag("Lists", "Lists and searches of opportunities.", lists.DESCRIPTIONS),
    _Tag("Writes", "Opportunities are captured, updated and deleted.", writes.DESCRIPTIONS),
    _Tag("Streams", "Any number of opportunities, a row at a time.", streams.DESCRIPTIONS),
    _Tag("Changes", "What has changed since a cursor.", changes.DESCRIPTIONS),
    _Tag("Leads", "Leads are read and written.", leads.DESCRIPTIONS),
    _Tag("Activities", "Activities are posted and read.", activities.DESCRIPTIONS),
    _Tag("Types", "Types, their fields, one opportunity in detail.", types.DESCRIPTIONS),
    _Tag("Users", "Users, and the user of a key.", users.DESCRIPTIONS),
)

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    name: described for tag in _TAGS for name, described in tag.calls.items()
}
"""By the name of the call's route."""

_TAG_OF: Final = {name: tag.name for tag in _TAGS for name in tag.calls}

_DETAIL: Final = "What is wrong, and what to do."

_ERROR: Final = schema_of(
    ErrorWire,
    {
        "Status": member(const="Error"),
        "ExceptionType": member(
            enum=list(dict.fromkeys(error.exception_type for error in HTTP_ERRORS))
        ),
        "ExceptionMessage": member(_DETAIL),
    },
)

_PROBLEM: Final = {
    **schema_of(
        ProblemWire,
        {
            "type": member(enum=[problem["type"] for problem in all_problems()]),
            "detail": member(_DETAIL),
            "instance": member("The request's id as a URI."),
            "errors": member(maxItems=IN_ERROR_FAULTS_MAX),
            "errors[]": member(
                "One thing that is wrong, at a parameter, a header, or a line of the body."
            ),
            "errors[].line": member(minimum=1),
            "moreErrors": member("Faults beyond `errors`."),
        },
    ),
    "description": "A problem document (RFC 9457).",
}


def _header(text: str, kind: str = "string") -> dict[str, Any]:
    return {"description": text, "schema": {"type": kind}}


_HEADERS: Final = {
    "X-Request-Id": _header("Also in the server's log. A caller's own is kept."),
    "RateLimit-Policy": _header(
        "The limit: q calls in any w seconds per key. Absent when keys have no limit."
    ),
    "RateLimit": _header("r calls are free now; one more is in t seconds."),
    "ETag": _header(
        "Stands for the bytes of the answer. There when `etag=true` or an `If-None-Match` asks for"
        " it."
    ),
    "X-Opportunities-Requested": _header("Distinct ids that were asked for.", "integer"),
    "X-Opportunities-Found": _header(
        "Those of them that are answered, in whatever entry.", "integer"
    ),
    "X-Opportunities-Missing": _header("Those that are not.", "integer"),
    "X-Ignored-Columns": _header(
        "The columns asked for that rows do not have, with commas between. Absent when rows have"
        " all."
    ),
    "X-Cursor": _header("Where the stream begins; with the last id that has come, it goes on."),
}

_EVERY_HEADER: Final = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
"""The headers of every answer that is not an error."""

_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Makes the write safe to repeat: the same key gets the same answer for"
    f" {IDEMPOTENCY_HOURS} hours, and nothing is written twice.",
    "schema": {"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_CHARACTERS_MAX},
}

_QUERY_TEXT: Final = " The method may also be `QUERY` (RFC 10008), with the same body and answer."
"""OpenAPI 3.1 has no place for the method; from 3.2 on it is one like the others."""

_SCHEMES: Final = {
    "AccessKeyHeader": {"type": "apiKey", "in": "header", "name": "x-LSQ-AccessKey"},
    "SecretKeyHeader": {"type": "apiKey", "in": "header", "name": "x-LSQ-SecretKey"},
    "AccessKeyQuery": {"type": "apiKey", "in": "query", "name": "accessKey"},
    "SecretKeyQuery": {"type": "apiKey", "in": "query", "name": "secretKey"},
}


@cache
def document(path_prefix: str = "") -> bytes:
    """The OpenAPI 3.1 document of every call, JSON, of a server below a path."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        operations = paths.setdefault(route.path, {})
        operations[route.method.lower()] = _operation(route, path_prefix)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "oppserver",
                "version": oppserver.__version__,
                "summary": "Sales opportunities over the Opportunity API.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": path_prefix or "/"}],
            "tags": [{"name": tag.name, "description": tag.text} for tag in _TAGS],
            "security": [
                {"AccessKeyHeader": [], "SecretKeyHeader": []},
                {"AccessKeyQuery": [], "SecretKeyQuery": []},
            ],
            "paths": paths,
            "components": {
                "schemas": {"Error": _ERROR, "Problem": _PROBLEM},
                "headers": _HEADERS,
                "securitySchemes": _SCHEMES,
            },
        }
    )


def _operation(route: Route, path_prefix: str) -> dict[str, Any]:
    described = DESCRIPTIONS[route.name]
    parameters = [_parameter(one) for one in described.query]
    if route.writes:  # each call has an example of its own: a key is good for one request
        parameters.append({**_IDEMPOTENCY_KEY, "example": str(uuid5(NAMESPACE_URL, route.name))})
    responses = {
        "200": {
            "description": "The answer.",
            "headers": _header_references(*_EVERY_HEADER, *described.headers),
            "content": _answers(described),
        }
    }
    if described.is_conditional:
        responses["304"] = {
            "description": "`If-None-Match` has the tag of this answer: the caller has it already.",
            "headers": _header_references("X-Request-Id", "ETag"),
        }
    body = _request_body(route, described, path_prefix)
    return {
        "operationId": route.name,
        "tags": [_TAG_OF[route.name]],
        "summary": described.summary,
        "description": f"{described.text}{_QUERY_TEXT if route.takes_query else ''}",
        **({"x-also-method": "QUERY"} if route.takes_query else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": body} if body else {}),
        "responses": {
            **responses,
            **_error_responses(route.path, [*described.errors, *_errors_of_all(route)]),
        },
    }


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": "query",
        "required": one.is_required,
        "description": one.text,
        "schema": one.schema,
        **({} if one.example is None else {"example": one.example}),
    }


def _request_body(route: Route, described: Description, path_prefix: str) -> dict[str, Any] | None:
    """Describe the body of a call; the schema comes from the struct that it is decoded into."""
    if described.takes:
        forms = {
            media_type: _body_form(form, path_prefix)
            for media_type, form in described.takes.items()
        }
        return {"required": True, "content": forms}
    if isinstance(route.operation, Stream) or route.operation.body is NO_BODY:
        return None
    body = route.operation.body
    example = described.request_example
    schema = with_one_type(schema_of(body.message, described.members), example)
    json = {"schema": schema, "example": example}
    return {"required": not body.is_optional, "content": {"application/json": json}}


def _body_form(form: BodyForm, path_prefix: str) -> dict[str, Any]:
    if form.example is not None:
        return {"schema": {"type": "string", "description": form.text}, "example": form.example}
    url = asset_url(form.example_file, path_prefix)
    return {
        "schema": {"type": "string", "format": "binary", "description": form.text},
        "x-example-file": url,  # an externalValue has to name a host
    }


def _answers(described: Description) -> dict[str, Any]:
    others = {
        one: {"schema": {**_form_schema(Format(one)), "description": text}}
        for one, text in described.formats.items()
    }
    if described.response is None:
        return others
    json = {"schema": described.response, "example": described.response_example}
    return {"application/json": json, **others}


def _form_schema(form: Format) -> dict[str, Any]:
    if form is Format.JSON:
        return {"type": "object"}
    return {"type": "string", **({} if form.is_text else {"format": "binary"})}


def _errors_of_all(route: Route) -> Sequence[type[ApiError]]:
    if route.is_stream:  # its body has no limit
        return [error for error in EVERY_CALL if error is not BodyTooLarge]
    return [*EVERY_WRITE, *EVERY_CALL] if route.writes else EVERY_CALL


def _error_responses(path: str, errors: Sequence[type[ApiError]]) -> dict[str, Any]:
    by_status: dict[int, list[type[ApiError]]] = {}
    for error in errors:
        by_status.setdefault(error.status, []).append(error)
    is_problem = is_problem_path(path)
    media_type, schema = (PROBLEM, "Problem") if is_problem else ("application/json", "Error")
    return {
        str(status): {
            "description": "\n".join(
                f"- `{name_of(error) if is_problem else error.exception_type}`: {error.meaning}"
                for error in of_status
            ),
            "headers": _header_references("X-Request-Id"),
            "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
        for status, of_status in sorted(by_status.items())
    }


def _header_references(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
