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
    is_problem = is_problem_path(scope["path"])
    return Response(
        _problem(error, scope) if is_problem else _envelope(error),
        status_code=error.status,
        media_type=PROBLEM if is_problem else "application/json",
        headers={**(headers or {}), **error.headers},
    )


def instance_of(request_id: str) -> str | None:
    """The URI of one occurrence: that of its request id, where that is a UUID, as ours are."""
    try:
        return UUID(request_id).urn
    except ValueError:
        return None


def _problem(error: ApiError, scope: Any) -> bytes:
    request_id = observed(scope).request_id
    return msgspec.json.encode(problem_of(error, instance=instance_of(request_id)))


def _envelope(error: ApiError) -> bytes:
    return msgspec.json.encode(
        ErrorWire(Status="Error", ExceptionType=error.exception_type, ExceptionMessage=str(error))
    )
