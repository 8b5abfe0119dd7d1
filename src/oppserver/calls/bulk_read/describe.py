"""The bulk read, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.shared.describe import (
    EVENT_CODE,
    EVERY_BODY,
    GUID,
    INCLUDE_CSV,
    Description,
    Parameter,
    Schema,
)
from oppserver.contract import errors, example, limits
from oppserver.contract.formats import Format

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
            "Missing": {
                "type": "array",
                "description": "With `missing=true`.",
                "items": {
                    "type": "object",
                    "required": ["ProspectActivityId", "Reason"],
                    "properties": {
                        "ProspectActivityId": {"type": "string"},
                        "Reason": {"enum": ["NotFound", "Deleted", "OtherEventCode"]},
                        "EventCode": {"type": "string"},
                        "DeletedOn": {"type": "string"},
                        "AnsweredIn": {"type": ["integer", "null"]},
                    },
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
            " `Accept` chooses the format. With `If-None-Match` the answer may be 304."
        ),
        query=(
            Parameter(
                "missing",
                "Whether each entry tells, as `Missing`, of the ids that were asked for and are"
                " not in it. JSON alone has a place for it.",
                {"type": "boolean", "default": False},
                False,
                is_required=False,
            ),
            Parameter(
                "etag",
                "Whether the answer has an `ETag`.",
                {"type": "boolean", "default": False},
                True,
                is_required=False,
            ),
            Parameter(
                "csv_formulas",
                "`escape` puts an apostrophe before values that a spreadsheet would calculate.",
                {"enum": ["keep", "escape"], "default": "keep"},
                "escape",
                is_required=False,
            ),
            Parameter(
                "types",
                "Of Arrow and Parquet: `fields` types columns by their fields, `text` has every"
                " value as it is stored.",
                {"enum": ["fields", "text"], "default": "fields"},
                "text",
                is_required=False,
            ),
        ),
        formats={
            Format.NDJSON: "A row on each line, after its `EventCode`.",
            Format.CSV: "A header, and a record for each row.",
            Format.ARROW: "An Arrow IPC stream, with columns typed from the fields.",
            Format.PARQUET: "A Parquet file, with columns typed from the fields.",
        },
        headers=(
            "ETag",
            "X-Opportunities-Requested",
            "X-Opportunities-Found",
            "X-Opportunities-Missing",
        ),
        is_conditional=True,
        request=_BULK_READ_REQUEST,
        request_example=msgspec.json.decode(example.request()),
        response=_BULK_READ_RESPONSE,
        response_example=msgspec.json.decode(example.response()),
        errors=(
            *EVERY_BODY,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.LimitExceeded,
            errors.InvalidFieldValue,
            errors.NotAcceptable,
        ),
    ),
}
