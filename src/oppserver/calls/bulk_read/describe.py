"""The bulk read, described."""

from collections.abc import Mapping
from typing import Final

import msgspec

from oppserver.calls.bulk_read.render import MissingWire
from oppserver.calls.shared.describe import (
    COUNT,
    CSV_FORMULAS,
    EVENT_CODE_MEMBER,
    EVERY_BODY,
    GUID_TEXT,
    TEXT,
    TEXT_OR_NULL,
    TYPES,
    Description,
    Members,
    Schema,
    flag,
    mandatory,
    member,
    object_of,
    schema_of,
)
from oppserver.contract import errors, example, limits
from oppserver.contract.formats import Format

_MEMBERS: Final[Members] = {
    "SearchParameters": mandatory(minItems=1, maxItems=limits.BULK_READ_GROUPS_MAX),
    "SearchParameters[].EventCode": EVENT_CODE_MEMBER,
    "SearchParameters[].ProspectActivityId": mandatory(
        f"The ids of the opportunities. A call takes {limits.BULK_READ_IDS_MAX} distinct ids over"
        " all its entries.",
        minItems=1,
    ),
    "SearchParameters[].ProspectActivityId[]": member(GUID_TEXT, format="uuid"),
    "SearchParameters[].Columns": mandatory(),
    "SearchParameters[].Columns.Include_CSV": mandatory(
        "The columns to answer, comma separated: system columns, and the `mx_Custom_N` that the"
        " type has fields for. Any case; blanks are ignored.",
        minLength=1,
    ),
}

_ROW: Final = {
    **object_of(ProspectId=TEXT, EmailAddress=TEXT_OR_NULL, ProspectActivityId=TEXT),
    "additionalProperties": TEXT_OR_NULL,
}

_RESPONSE: Final[Schema] = {
    "type": "array",
    "description": "One entry per entry of SearchParameters, in request order.",
    "items": object_of(
        EventCode=TEXT,
        RecordCount=COUNT,
        Opportunities={"type": "array", "items": _ROW},
        optional={
            "Missing": {**schema_of(list[MissingWire]), "description": "With `missing=true`."}
        },
    ),
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
            flag(
                "missing",
                "Whether each entry tells, as `Missing`, of the ids that were asked for and are"
                " not in it. JSON alone has a place for it.",
                example=False,
            ),
            flag("etag", "Whether the answer has an `ETag`.", example=True),
            CSV_FORMULAS,
            TYPES,
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
        members=_MEMBERS,
        request_example=msgspec.json.decode(example.request()),
        response=_RESPONSE,
        response_example=msgspec.json.decode(example.response()),
        errors=(
            *EVERY_BODY,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.LimitExceeded,
            errors.InvalidFieldValue,
            errors.NotAcceptable,
        ),
    )
}
