"""The OpenAPI 3.1 document, and a page to browse it in that needs nothing from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import msgspec

import oppserver
from oppserver.api.routes import ROUTES, STREAM_ROUTES, Route, StreamRoute
from oppserver.calls.activities import describe as activities_describe
from oppserver.calls.bulk_read import describe
from oppserver.calls.changes import describe as changes_describe
from oppserver.calls.leads import describe as leads_describe
from oppserver.calls.lists import describe as lists_describe
from oppserver.calls.shared.describe import EVERY_CALL, EVERY_WRITE, Description, Parameter
from oppserver.calls.streams.describe import STREAM_DESCRIPTIONS, StreamDescription
from oppserver.calls.types import describe as types_describe
from oppserver.calls.users import describe as users_describe
from oppserver.calls.writes import describe as writes_describe
from oppserver.contract.errors import HTTP_ERRORS, ApiError
from oppserver.contract.limits import (
    IDEMPOTENCY_HOURS,
    IDEMPOTENCY_KEY_CHARACTERS_MAX,
    IN_ERROR_FAULTS_MAX,
)
from oppserver.contract.problems import PROBLEM, all_problems, is_problem_path, name_of

_ERROR: Final = {
    "type": "object",
    "required": ["Status", "ExceptionType", "ExceptionMessage"],
    "properties": {
        "Status": {"const": "Error"},
        "ExceptionType": {
            "type": "string",
            "enum": list(dict.fromkeys(error.exception_type for error in HTTP_ERRORS)),
        },
        "ExceptionMessage": {"type": "string", "description": "What is wrong, and what to do."},
    },
}

_FAULT: Final = {
    "type": "object",
    "description": "One thing that is wrong, at a parameter, a header, or a line of the body.",
    "required": ["what", "hint"],
    "properties": {
        "parameter": {"type": "string"},
        "header": {"type": "string"},
        "line": {"type": "integer", "minimum": 1},
        "what": {"type": "string"},
        "hint": {"type": "string"},
    },
}

_PROBLEM: Final = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "enum": [problem["type"] for problem in all_problems()]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do."},
        "instance": {"type": "string", "description": "The request's id as a URI."},
        "errors": {"type": "array", "items": _FAULT, "maxItems": IN_ERROR_FAULTS_MAX},
        "moreErrors": {"type": "integer", "description": "Faults beyond `errors`."},
    },
}

_HEADERS: Final = {
    "X-Request-Id": {
        "description": "Also in the server's log. A caller's own is kept.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The limit: q calls in any w seconds per key. Absent when there is none.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "r calls are free now; one more is in t seconds.",
        "schema": {"type": "string"},
    },
    "ETag": {
        "description": "Stands for the bytes of the answer. There when `etag=true` or an"
        " `If-None-Match` asks for it.",
        "schema": {"type": "string"},
    },
    "X-Opportunities-Requested": {
        "description": "Distinct ids that were asked for.",
        "schema": {"type": "integer"},
    },
    "X-Opportunities-Found": {
        "description": "Those of them that are answered, in whatever entry.",
        "schema": {"type": "integer"},
    },
    "X-Opportunities-Missing": {
        "description": "Those that are not.",
        "schema": {"type": "integer"},
    },
    "X-Cursor": {
        "description": "Where the stream begins; with the last id that has come, it goes on.",
        "schema": {"type": "string"},
    },
}

_EVERY_HEADER: Final = ("X-Request-Id", "RateLimit-Policy", "RateLimit")
"""The headers of every answer that is not an error."""

_NOT_MODIFIED: Final = {
    "304": {
        "description": "`If-None-Match` has the tag of this answer: the caller has it already.",
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-Id", "ETag")
        },
    }
}

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
def document() -> bytes:
    """The OpenAPI 3.1 document of every call, JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        operations = paths.setdefault(route.path, {})
        operations[route.method.lower()] = _operation(route, DESCRIPTIONS[route.name])
    for stream in STREAM_ROUTES:
        operations = paths.setdefault(stream.path, {})
        operations[stream.method.lower()] = _stream_operation(
            stream, STREAM_DESCRIPTIONS[stream.name]
        )
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "oppserver",
                "version": oppserver.__version__,
                "summary": "Sales opportunities over the Opportunity API.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/"}],
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


@cache
def reference_page() -> str:
    """The page that shows the document and tries its calls: one file, no download."""
    return files("oppserver.api").joinpath("reference.html").read_text(encoding="utf-8")


def _operation(route: Route, described: Description) -> dict[str, Any]:
    return {
        "operationId": route.name,
        "summary": described.summary,
        **_method(route, described.text),
        **_parameters(route, described),
        **_request_body(described),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _header_references((*_EVERY_HEADER, *described.headers)),
                "content": {
                    "application/json": {
                        "schema": described.response,
                        "example": described.response_example,
                    },
                    **_content(described.formats),
                },
            },
            **(_NOT_MODIFIED if described.is_conditional else {}),
            **_error_responses(route.path, [*described.errors, *_errors_of_all(route)]),
        },
    }


def _method(route: Route | StreamRoute, text: str) -> dict[str, str]:
    """Return the description of a call, and of its other method where it has one."""
    if not route.takes_query:
        return {"description": text}
    return {"description": f"{text}{_QUERY_TEXT}", "x-also-method": "QUERY"}


def _stream_operation(route: StreamRoute, described: StreamDescription) -> dict[str, Any]:
    return {
        "operationId": route.name,
        "summary": described.summary,
        **_method(route, described.text),
        "parameters": [_parameter(one) for one in described.query],
        **_stream_body(described),
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": _header_references((*_EVERY_HEADER, *described.headers)),
                "content": _content(described.formats),
            },
            **_error_responses(route.path, described.errors),
        },
    }


def _stream_body(described: StreamDescription) -> dict[str, Any]:
    if not described.takes:
        return {}
    content = {
        media_type: {
            "schema": {"description": body.text},
            **({} if body.example is None else {"example": body.example}),
        }
        for media_type, body in described.takes.items()
    }
    return {"requestBody": {"required": True, "content": content}}


def _content(media_types: Mapping[str, str]) -> dict[str, Any]:
    return {one: {"schema": {"description": text}} for one, text in media_types.items()}


def _parameters(route: Route, described: Description) -> dict[str, Any]:
    parameters = [_parameter(one) for one in described.query]
    if route.writes:
        parameters.append(_idempotency_key(route))
    return {"parameters": parameters} if parameters else {}


def _idempotency_key(route: Route) -> dict[str, Any]:
    """The header, with an example of its own for each call: a key is good for one request."""
    return {**_IDEMPOTENCY_KEY, "example": str(uuid5(NAMESPACE_URL, route.name))}


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": "query",
        "required": one.is_required,
        "description": one.text,
        "schema": one.schema,
        **({} if one.example is None else {"example": one.example}),
    }


def _request_body(described: Description) -> dict[str, Any]:
    if described.request is None:
        return {}
    content = {"schema": described.request, "example": described.request_example}
    return {
        "requestBody": {
            "required": not described.is_body_optional,
            "content": {"application/json": content},
        }
    }


def _errors_of_all(route: Route) -> Sequence[type[ApiError]]:
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
            "headers": _header_references(("X-Request-Id",)),
            "content": {media_type: {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        }
        for status, of_status in sorted(by_status.items())
    }


def _header_references(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


DESCRIPTIONS: Final[Mapping[str, Description]] = MappingProxyType(
    {
        **describe.DESCRIPTIONS,
        **writes_describe.DESCRIPTIONS,
        **types_describe.DESCRIPTIONS,
        **users_describe.DESCRIPTIONS,
        **lists_describe.DESCRIPTIONS,
        **leads_describe.DESCRIPTIONS,
        **activities_describe.DESCRIPTIONS,
        **changes_describe.DESCRIPTIONS,
    }
)
