"""An error as an answer: the API's envelope, or on ``/v1`` a problem document."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

from oppserver.api.observe import observed
from oppserver.contract.errors import ApiError
from oppserver.contract.problems import PROBLEM, is_problem_path, problem_of
from oppserver.contract.wire import ErrorWire


def error_response(
    error: ApiError, scope: Any, *, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """An error in the form of the path that was called."""
    body, media_type = told_error(error, scope["path"], request_id=observed(scope).request_id)
    return Response(
        body,
        status_code=error.status,
        media_type=media_type,
        headers={**(headers or {}), **error.headers},
    )


def told_error(error: ApiError, path: str, *, request_id: str) -> tuple[bytes, str]:
    """The body that tells of an error at a path, and its media type."""
    if is_problem_path(path):
        problem = problem_of(error, instance=instance_of(request_id))
        return msgspec.json.encode(problem), PROBLEM
    envelope = ErrorWire(
        Status="Error", ExceptionType=error.exception_type, ExceptionMessage=str(error)
    )
    return msgspec.json.encode(envelope), "application/json"


def instance_of(request_id: str) -> str | None:
    """The URI of one occurrence: that of its request id, where that is a UUID, as ours are."""
    try:
        return UUID(request_id).urn
    except ValueError:
        return None
