"""The form of a description, and the schemas that several calls share."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from oppserver.contract import errors, limits

Schema = Mapping[str, Any]


class Parameter(NamedTuple):
    """A name in the query. Names are matched without regard to case.

    ``example`` None: there is none that every server can answer, such as a cursor, which is good
    for one database.
    """

    name: str
    text: str
    schema: Schema
    example: Any = None
    is_required: bool = True


class Description(NamedTuple):
    """What the document says of one call.

    ``request`` None: the call takes no body. ``is_body_optional``: an empty body is as good as
    ``{}``. ``errors`` are those beside what every call, and every write, can get. ``formats`` are
    the media types that it answers beside JSON, with what each is. ``headers`` are those of its
    answers beside what every answer has. ``is_conditional``: it may answer 304.
    """

    summary: str
    text: str
    response: Schema
    response_example: Any
    errors: Sequence[type[errors.ApiError]]
    request: Schema | None = None
    request_example: Any = None
    is_body_optional: bool = False
    query: Sequence[Parameter] = ()
    formats: Mapping[str, str] = {}
    headers: Sequence[str] = ()
    is_conditional: bool = False


EVERY_CALL: Final[Sequence[type[errors.ApiError]]] = (
    errors.InvalidCredentials,
    errors.BodyTimeout,
    errors.BodyTooLarge,
    errors.RateLimited,
    errors.InternalFault,
    errors.Unavailable,
)

EVERY_WRITE: Final[Sequence[type[errors.ApiError]]] = (
    errors.AccessDenied,
    errors.IdempotencyConflict,
)

EVERY_BODY: Final[Sequence[type[errors.ApiError]]] = (
    errors.WrongContentType,
    errors.MalformedBody,
    errors.WrongDataType,
    errors.MissingAttribute,
    errors.InvalidValue,
)
"""What a call that takes a body can get for it."""

GUID: Final[Schema] = {
    "type": "string",
    "format": "uuid",
    "description": "A GUID. Upper case, braces and missing dashes are accepted.",
}

TEXT: Final[Schema] = {"type": "string"}

TEXT_OR_NULL: Final[Schema] = {"type": ["string", "null"]}

NUMBER: Final[Schema] = {"type": ["string", "integer"]}

NUMBER_OR_NULL: Final[Schema] = {"type": ["string", "integer", "null"]}

VALUE: Final[Schema] = {"type": ["string", "number", "boolean", "null"]}
"""What callers send as a value."""

EVENT_CODE: Final[Schema] = {
    "type": ["string", "integer"],
    "description": "The event code of an opportunity type.",
}

INCLUDE_CSV: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "description": "The columns to answer, comma separated: system columns, and the `mx_Custom_N`"
    " that the type has fields for. Any case; blanks are ignored.",
}

PAGING: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {
        "PageIndex": {**NUMBER_OR_NULL, "description": "From 1."},
        "PageSize": {
            **NUMBER_OR_NULL,
            "description": f"Rows of a page, at most {limits.PAGE_ROWS_MAX:,}; more is refused.",
        },
    },
}

SORTING: Final[Schema] = {
    "type": ["object", "null"],
    "properties": {
        "ColumnName": TEXT_OR_NULL,
        "Direction": {
            **NUMBER_OR_NULL,
            "description": "1 descending, 0 ascending.",
        },
    },
}

ROWS: Final[Schema] = {
    "type": "array",
    "items": {"type": "object", "additionalProperties": TEXT_OR_NULL},
}
