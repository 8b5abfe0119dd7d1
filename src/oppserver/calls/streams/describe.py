"""The calls that are streams, described: bodies and answers of lines and tables, not of JSON."""

from collections.abc import Mapping
from typing import Final

from oppserver.calls.shared.describe import (
    EVENT_CODE,
    GUID,
    BodyForm,
    Description,
    Parameter,
    choice,
    flag,
    optional,
)
from oppserver.contract import errors, example, limits
from oppserver.contract.formats import Format, IdFormat


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


_COLUMNS: Final = optional(
    "columns",
    "The columns, comma separated; without it all that the type has. `Version` is one.",
    {"type": "string"},
    "Status,CreatedOn",
)

_EVENT_CODE: Final = Parameter("event_code", "The type.", EVENT_CODE, str(example.TYPE.event_code))

_FORMS: Final = (
    choice("csv_end", "Whether CSV has a last record that sums up all.", "none", "record"),
    choice("csv_formulas", "As on the bulk read.", "keep", "escape"),
    choice("types", "As on the bulk read.", "fields", "text"),
)

_IDS: Final = (example.OPPORTUNITY_ID, example.OTHER_OPPORTUNITY_ID)

DESCRIPTIONS: Final[Mapping[str, Description]] = {
    "ReadOpportunities": Description(
        summary="Read any number of opportunities",
        text=(
            "The body is ids, of any number; their rows are answered while ids still come. Each"
            f" {limits.STREAM_UNIT_IDS:,} lines count as a call, and an id that comes again within"
            " them is read once. The answer ends with counts and a digest; one that ends without"
            " was cut."
        ),
        query=(
            _EVENT_CODE,
            _COLUMNS,
            flag(
                "missing",
                "Whether each id that is not answered is reported, and why.",
                example=True,
            ),
            choice("on_error", "Whether a line that holds no id is passed over.", "stop", "skip"),
            *_FORMS,
        ),
        takes={
            IdFormat.PLAIN: BodyForm("An id on each line.", _lines(*_IDS)),
            IdFormat.NDJSON: BodyForm(
                "A string on each line, or an object with `ProspectActivityId`.",
                _lines(f'"{_IDS[0]}"', f'{{"ProspectActivityId": "{_IDS[1]}"}}'),
            ),
            IdFormat.CSV: BodyForm(
                "The column `ProspectActivityId`, else the first.",
                _lines("ProspectActivityId", *_IDS),
            ),
            IdFormat.ARROW: BodyForm(
                "The text column `ProspectActivityId`, or the only one.", example_file="ids.arrow"
            ),
        },
        formats={
            Format.NDJSON: "A row on each line; records `Missing`, `Error` and, last, `End`.",
            Format.CSV: "A header, and a record for each row.",
            Format.ARROW: "Typed record batches; `oppserver.End` is in the last one's metadata.",
            Format.PARQUET: "A typed file; `oppserver.End` is in the footer's metadata.",
        },
        errors=(
            errors.MalformedBody,
            errors.MissingAttribute,
            errors.InvalidValue,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.InvalidFieldValue,
            errors.NotAcceptable,
            errors.UnsupportedMediaType,
        ),
    ),
    "ExportOpportunities": Description(
        summary="All opportunities of a type",
        text=(
            "A stream of rows in the order of their ids, each of which is there once, whoever"
            " writes meanwhile. Its end tells how many there were; a stream without it was cut. It"
            " goes on with the `X-Cursor` of its answer and, as `after`, the last id that has come."
            f" Each {limits.STREAM_UNIT_IDS:,} rows count as a call."
        ),
        query=(
            _EVENT_CODE,
            _COLUMNS,
            optional(
                "modified_since",
                "Only what was not modified before this date, in any of the forms of dates.",
                {"type": "string"},
                "2022-01-01",
            ),
            optional(
                "limit",
                "End after so many rows; without it all come.",
                {"type": "integer", "minimum": 1, "maximum": limits.EXPORT_ROWS_MAX},
                10_000,
            ),
            optional(
                "cursor",
                "The `Cursor` of the end of an export, or the `X-Cursor` of its answer.",
                {"type": "string"},
            ),
            optional("after", "Begin behind this id.", GUID),
            *_FORMS,
        ),
        formats={
            Format.NDJSON: "A row on each line; the last record is `End`. The default.",
            Format.JSON: "An object with `Opportunities`, and what `End` has behind them.",
            Format.CSV: "A header, and a record for each row.",
            Format.ARROW: "Typed record batches; `oppserver.End` is in the last one's metadata.",
            Format.PARQUET: "A typed file; `oppserver.End` is in the footer's metadata.",
        },
        errors=(
            errors.MissingAttribute,
            errors.InvalidValue,
            errors.UnknownEventCode,
            errors.UnknownColumn,
            errors.NotAcceptable,
            errors.CursorGone,
        ),
        headers=("X-Cursor",),
    ),
}
