"""The bulk read, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.api.describe.description import (
    EVENT_CODE,
    EVERY_BODY,
    GUID,
    INCLUDE_CSV,
    Description,
    Schema,
)
from oppserver.contract import errors, example, limits

_COLUMNS: Final[Schema] = {
    "type": "object",
    "required": ["Include_CSV"],
    "properties": {
        "Include_CSV": INCLUDE_CSV,
    },
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
                    "EventCode": EVENT_CODE,
                    "ProspectActivityId": {
                        "type": "array",
                        "minItems": 1,
                        "items": GUID,
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
            *EVERY_BODY,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.LimitExceeded,
        ),
    ),
}
