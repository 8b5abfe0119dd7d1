"""Parsing and planning of the calls that are streams: their query and headers."""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from oppserver.calls.shared.decode import (
    check_names,
    choice,
    flag,
    mandatory,
    number,
    optional_guid,
    wanted_rows,
)
from oppserver.calls.shared.names import columns_of_query, event_code_of_query
from oppserver.contract.cursors import ChangeNumber, EventCode, check_same, place_of
from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.errors import Fault, InvalidValue, UnsupportedMediaType
from oppserver.contract.formats import Format, IdFormat, Wanted
from oppserver.contract.identifiers import CANONICAL
from oppserver.contract.limits import EXPORT_ROWS_MAX
from oppserver.contract.model import Catalogue
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.store.queries import PlannedEntry

_SPELLINGS: Final[Mapping[str, IdFormat]] = {
    **{str(one): one for one in IdFormat},
    "application/ndjson": IdFormat.NDJSON,
    "application/jsonl": IdFormat.NDJSON,
    "": IdFormat.PLAIN,
}
"""Media types of forms, in all known spellings. Without one (as ``curl -T`` sends a file), ids are
lines of text."""

_NAMES: Final = (
    "event_code",
    "columns",
    "missing",
    "on_error",
    "csv_formulas",
    "csv_end",
    "types",
)


class AskedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A read of a stream of ids as it was asked; type and columns are not looked up yet."""

    event_code: str
    columns: str
    wanted: Wanted
    skips_bad_ids: bool
    """A line that holds no id is skipped; else it ends the stream."""

    has_end_record: bool
    """CSV has a record behind the rows that sums them up."""


def parse_stream(query: Mapping[str, str], chosen: Format) -> AskedStream:
    """Parse a read of ids. Raises an ApiError with status 400 that names the parameter."""
    check_names(query, _NAMES)
    return AskedStream(
        event_code=mandatory(query, "event_code"),
        columns=query.get("columns", ""),
        wanted=wanted_rows(query, chosen, missing=flag(query, "missing")),
        skips_bad_ids=choice(query, "on_error", ("stop", "skip")) == "skip",
        has_end_record=choice(query, "csv_end", ("none", "record")) == "record",
    )


def parse_id_format(content_type: str, content_encoding: str, *, has_arrow: bool) -> IdFormat:
    """Return the form in which ids come. Raises UnsupportedMediaType with the known forms."""
    coding = content_encoding.strip().lower()
    if coding not in ("", "identity"):
        raise refusal(
            UnsupportedMediaType,
            [
                Fault(
                    header="Content-Encoding",
                    what=f"{quoted(coding)} is not decoded here",
                    hint="Send the ids as they are.",
                )
            ],
        )
    media_type = content_type.partition(";")[0].strip().lower()
    found = _SPELLINGS.get(media_type)
    if found is None or (found is IdFormat.ARROW and not has_arrow):
        taken = [one for one in IdFormat if has_arrow or one is not IdFormat.ARROW]
        raise refusal(
            UnsupportedMediaType,
            [
                Fault(
                    header="Content-Type",
                    what=f"{quoted(media_type)} is no form of ids",
                    hint=f"Send {', '.join(taken)}.",
                )
            ],
        )
    return found


_EXPORT_NAMES: Final = (
    "event_code",
    "columns",
    "modified_since",
    "cursor",
    "after",
    "limit",
    "csv_formulas",
    "csv_end",
    "types",
)


class AskedExport(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it was asked; type and columns are not looked up yet.

    ``after_id``: it begins behind this id, whatever the cursor says. ``limit`` None: all rows.
    """

    event_code: str
    columns: str
    wanted: Wanted
    has_end_record: bool
    modified_since: str | None
    cursor: str | None
    after_id: str | None
    limit: int | None


def parse_export(query: Mapping[str, str], chosen: Format) -> AskedExport:
    """Parse an export. Raises an ApiError with status 400 that names the parameter."""
    check_names(query, _EXPORT_NAMES)
    return AskedExport(
        event_code=mandatory(query, "event_code"),
        columns=query.get("columns", ""),
        wanted=wanted_rows(query, chosen),
        has_end_record=choice(query, "csv_end", ("none", "record")) == "record",
        modified_since=_date(query, "modified_since"),
        cursor=query.get("cursor", "").strip() or None,
        after_id=optional_guid(query, "after"),
        limit=number(query, "limit", at_least=1, at_most=EXPORT_ROWS_MAX, default=0) or None,
    )


def _date(query: Mapping[str, str], name: str) -> str | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        return datetime_to_stored(text)
    except ValueError as error:
        hint = "2024-02-29 13:05:09, 2024-02-29T13:05:09Z and 2024-02-29 are dates."
        fault = Fault(parameter=name, what=f"{quoted(text)}: {error}", hint=hint)
        raise refusal(InvalidValue, [fault]) from None


AfterId = Annotated[str, msgspec.Meta(pattern=f"^(?:{CANONICAL})?\\Z", max_length=36)]
"""The id behind which an export goes on; empty at its beginning."""


class ExportCursor(msgspec.Struct, frozen=True, array_like=True, tag="export"):
    """A place in an export: behind an id. ``number``: the last change when the export began."""

    database: str
    event_code: EventCode
    modified_since: str | None
    number: ChangeNumber
    after_id: AfterId


class PlannedExport(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it will be done. ``entry``: its type and columns; it names no ids."""

    wanted: Wanted
    has_end_record: bool
    entry: PlannedEntry
    modified_since: str | None
    cursor: ExportCursor | None
    after_id: str
    limit: int | None


def plan_export(asked: AskedExport, catalogue: Catalogue) -> PlannedExport:
    """Plan an export. Raises an ApiError with status 400 that names the parameter."""
    code = event_code_of_query(asked.event_code, catalogue)
    columns = columns_of_query(asked.columns, catalogue.fields.get(code, {}), event_code=code)
    cursor = None if asked.cursor is None else place_of(asked.cursor, ExportCursor)
    if cursor is not None:
        check_same("event_code", cursor.event_code, code)
        check_same("modified_since", cursor.modified_since, asked.modified_since)
    begun = "" if cursor is None else cursor.after_id
    return PlannedExport(
        wanted=asked.wanted,
        has_end_record=asked.has_end_record,
        entry=PlannedEntry(event_code=code, ids=(), columns=columns),
        modified_since=asked.modified_since,
        cursor=cursor,
        after_id=begun if asked.after_id is None else asked.after_id,
        limit=asked.limit,
    )


EXPORT_FORMATS = (Format.NDJSON, Format.CSV, Format.JSON)
"""The text formats of an export. The first, the default, can be read as it arrives."""

STREAM_FORMATS = (Format.NDJSON, Format.CSV)
"""The text formats of a read of ids, the default first. JSON is not among them: a document is one
value, which cannot be read as it arrives."""
