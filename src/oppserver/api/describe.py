"""What the OpenAPI document says of each call: schemas, examples, errors.

The schemas promise what is checked; the checks stand in steps/, the bounds in contract/limits.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from oppserver.contract import errors, example, limits

Schema = Mapping[str, Any]

_GUID: Final[Schema] = {
    "type": "string",
    "format": "uuid",
    "description": "A GUID. Upper case, braces and missing dashes are accepted.",
}
_COLUMNS: Final[Schema] = {
    "type": "object",
    "required": ["Include_CSV"],
    "properties": {
        "Include_CSV": {
            "type": "string",
            "minLength": 1,
            "description": "The columns to answer, comma separated: system columns, and the"
            " `mx_Custom_N` that the type has fields for. Any case; blanks are ignored.",
        }
    },
}
_EVENT_CODE: Final[Schema] = {
    "type": ["string", "integer"],
    "description": "The event code of an opportunity type. Answered as a string.",
}
_BULK_READ_REQUEST: Final[Schema] = {
    "type": "object",
    "required": ["SearchParameters"],
    "properties": {
        "SearchParameters": {
            "type": "array",
            "minItems": 1,
            "maxItems": limits.BULK_READ_GROUPS_MAX,
            "items": {
                "type": "object",
                "required": ["EventCode", "ProspectActivityId", "Columns"],
                "properties": {
                    "EventCode": _EVENT_CODE,
                    "ProspectActivityId": {
                        "type": "array",
                        "minItems": 1,
                        "items": _GUID,
                        "description": "The ids of the opportunities. A call takes"
                        f" {limits.BULK_READ_IDS_MAX} distinct ids over all its entries.",
                    },
                    "Columns": _COLUMNS,
                },
            },
        }
    },
}
_BULK_READ_RESPONSE: Final[Schema] = {
    "type": "array",
    "description": "One entry per entry of SearchParameters, in request order.",
    "items": {
        "type": "object",
        "required": ["EventCode", "RecordCount", "Opportunities"],
        "properties": {
            "EventCode": {"type": "string"},
            "RecordCount": {"type": "integer", "minimum": 0},
            "Opportunities": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["ProspectId", "EmailAddress", "ProspectActivityId"],
                    "properties": {
                        "ProspectId": {"type": "string"},
                        "EmailAddress": {"type": ["string", "null"]},
                        "ProspectActivityId": {"type": "string"},
                    },
                    "additionalProperties": {"type": ["string", "null"]},
                },
            },
        },
    },
}


class Description(NamedTuple):
    """What the document says of one call. ``errors`` are those beside what every call can get."""

    summary: str
    text: str
    request: Schema
    request_example: Any
    response: Schema
    response_example: Any
    errors: Sequence[type[errors.ApiError]]


DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "GetOpportunitiesById": Description(
        summary="Get opportunities in bulk by ids",
        text=(
            f"Up to {limits.BULK_READ_IDS_MAX:,} opportunities in one call. A row starts with"
            " `ProspectId`, `EmailAddress` and `ProspectActivityId`; then come the columns asked"
            " for. A value that is not set is `null`. Ids that are not here are left out. An id"
            " asked for under another type is answered in the first entry of its own type."
        ),
        request=_BULK_READ_REQUEST,
        request_example=msgspec.json.decode(example.request()),
        response=_BULK_READ_RESPONSE,
        response_example=msgspec.json.decode(example.response()),
        errors=(
            errors.WrongContentType,
            errors.MalformedBody,
            errors.WrongDataType,
            errors.MissingAttribute,
            errors.InvalidValue,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.LimitExceeded,
        ),
    ),
}
"""By the name of the route."""

EVERY_CALL: Final[Sequence[type[errors.ApiError]]] = (
    errors.InvalidCredentials,
    errors.BodyTimeout,
    errors.BodyTooLarge,
    errors.RateLimited,
    errors.InternalFault,
    errors.Unavailable,
)
