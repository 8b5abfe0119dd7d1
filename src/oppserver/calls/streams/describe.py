"""The calls that are streams, described: bodies and answers of lines and tables, not of JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from oppserver.calls.shared.describe import EVENT_CODE, EVERY_CALL, GUID, Parameter
from oppserver.contract import errors, example, limits
from oppserver.contract.formats import Format, IdFormat


class Body(NamedTuple):
    """A form of the body of a stream. ``example`` None: it is binary."""

    text: str
    example: str | None


class StreamDescription(NamedTuple):
    """What the document says of a stream. ``takes`` and ``formats`` are by media type.

    ``takes`` empty: it takes no body. ``headers`` are those of its answer beside what every answer
    has.
    """

    summary: str
    text: str
    query: Sequence[Parameter]
    takes: Mapping[str, Body]
    formats: Mapping[str, str]
    errors: Sequence[type[errors.ApiError]]
    headers: Sequence[str] = ()


def _choice(name: str, text: str, *words: str) -> Parameter:
    schema: dict[str, Any] = {"enum": list(words), "default": words[0]}
    return Parameter(name, text, schema, words[-1], is_required=False)


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


_COLUMNS: Final = Parameter(
    "columns",
    "The columns, comma separated; without it all that the type has. `Version` is one.",
    {"type": "string"},
    "Status,CreatedOn",
    is_required=False,
)

_EVENT_CODE: Final = Parameter("event_code", "The type.", EVENT_CODE, str(example.TYPE.event_code))

_FORMS: Final = (
    _choice("csv_end", "Whether CSV has a last record that tells of all.", "none", "record"),
    _choice("csv_formulas", "As on the bulk read.", "keep", "escape"),
    _choice("types", "As on the bulk read.", "fields", "text"),
)

_IDS: Final = (example.OPPORTUNITY_ID, example.OTHER_OPPORTUNITY_ID)

STREAM_DESCRIPTIONS: Final[Mapping[str, StreamDescription]] = {
    "ReadOpportunities": StreamDescription(
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
            Parameter(
                "missing",
                "Whether it is told of each id that is not answered, and why.",
                {"type": "boolean", "default": False},
                True,
                is_required=False,
            ),
            _choice("on_error", "Whether a line that holds no id is passed over.", "stop", "skip"),
            *_FORMS,
        ),
        takes={
            IdFormat.PLAIN: Body("An id on each line.", _lines(*_IDS)),
            IdFormat.NDJSON: Body(
                "A string on each line, or an object with `ProspectActivityId`.",
                _lines(f'"{_IDS[0]}"', f'{{"ProspectActivityId": "{_IDS[1]}"}}'),
            ),
            IdFormat.CSV: Body(
                "The column `ProspectActivityId`, else the first.",
                _lines("ProspectActivityId", *_IDS),
            ),
            IdFormat.ARROW: Body("The text column `ProspectActivityId`, or the only one.", None),
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
            *(error for error in EVERY_CALL if error is not errors.BodyTooLarge),
        ),
    ),
    "ExportOpportunities": StreamDescription(
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
            Parameter(
                "modified_since",
                "Only what was not modified before this date, in any of the forms of dates.",
                {"type": "string"},
                "2022-01-01",
                is_required=False,
            ),
            Parameter(
                "limit",
                "End after so many rows; without it all come.",
                {"type": "integer", "minimum": 1, "maximum": limits.EXPORT_ROWS_MAX},
                10_000,
                is_required=False,
            ),
            Parameter(
                "cursor",
                "The `Cursor` of the end of an export, or the `X-Cursor` of its answer.",
                {"type": "string"},
                is_required=False,
            ),
            Parameter("after", "Begin behind this id.", GUID, is_required=False),
            *_FORMS,
        ),
        takes={},
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
            *(error for error in EVERY_CALL if error is not errors.BodyTooLarge),
        ),
        headers=("X-Cursor",),
    ),
}
