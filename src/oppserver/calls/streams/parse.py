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
from oppserver.calls.shared.paging import ChangeNumber, EventCode, check_same, place_of
from oppserver.calls.shared.tables import table_of_plan, with_event_codes
from oppserver.calls.streams.batches import MISSING_COLUMNS
from oppserver.contract.dates import datetime_to_stored
from oppserver.contract.errors import Fault, InvalidValue, UnsupportedMediaType
from oppserver.contract.formats import Format, IdFormat, Table, Wanted
from oppserver.contract.identifiers import CANONICAL
from oppserver.contract.limits import EXPORT_ROWS_MAX
from oppserver.contract.model import Catalogue
from oppserver.contract.names import quoted
from oppserver.contract.problems import refusal
from oppserver.store.queries import Plan, PlannedEntry

_SPELLINGS: Final[Mapping[str, IdFormat]] = {
    **{str(one): one for one in IdFormat},
    "application/ndjson": IdFormat.NDJSON,
    "application/jsonl": IdFormat.NDJSON,
    "": IdFormat.PLAIN,
}
"""Media types of forms, in all known spellings. Without one (as ``curl -T`` sends a file), ids are
lines of text."""

_NAMES: Final = ("event_code", "columns", "missing", "on_error", "csv_formulas", "csv_end", "types")


class AskedRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a stream as they were asked; type and columns are not looked up yet.

    ``has_end_record``: CSV has a record behind the rows that sums them up.
    """

    event_code: str
    columns: str
    wanted: Wanted
    has_end_record: bool


class AskedRead(AskedRows, frozen=True, kw_only=True):
    """A read of a stream of ids. ``skips_bad_ids``: a line without an id does not end it."""

    skips_bad_ids: bool


def parse_stream(query: Mapping[str, str], chosen: Format) -> AskedRead:
    """Parse a read of ids. Raises an ApiError with status 400 that names the parameter."""
    check_names(query, _NAMES)
    return AskedRead(
        event_code=mandatory(query, "event_code"),
        columns=query.get("columns", ""),
        wanted=wanted_rows(query, chosen, missing=flag(query, "missing")),
        skips_bad_ids=choice(query, "on_error", ("stop", "skip")) == "skip",
        has_end_record=choice(query, "csv_end", ("none", "record")) == "record",
    )


def parse_id_format(content_type: str, *, has_arrow: bool) -> IdFormat:
    """Return the form in which ids come. Raises UnsupportedMediaType with the known forms."""
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


class AskedExport(AskedRows, frozen=True, kw_only=True):
    """An export. ``after_id``: it begins behind this id; this outranks the cursor.

    ``limit`` None: all rows.
    """

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


def parse_cursor(asked: AskedExport, event_code: int) -> ExportCursor | None:
    """Read the cursor of an export. Raises InvalidValue, also when the type or date differs."""
    if asked.cursor is None:
        return None
    cursor = place_of(asked.cursor, ExportCursor)
    check_same("event_code", cursor.event_code, event_code)
    check_same("modified_since", cursor.modified_since, asked.modified_since)
    return cursor


# --- the plan ------------------------------------------------------------------------------------


class StreamPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a stream as they will be read and written. ``entry`` names no ids.

    ``table`` None: rows are answered as objects. ``has_end_record``: CSV has a record behind the
    rows that sums them up.
    """

    entry: PlannedEntry
    wanted: Wanted
    table: Table | None
    has_end_record: bool


def plan_stream(asked: AskedRows, catalogue: Catalogue) -> StreamPlan:
    """Plan the rows of a stream. They begin with their event code.

    Raises an ApiError with status 400 that names the parameter.
    """
    code = event_code_of_query(asked.event_code, catalogue)
    columns = columns_of_query(asked.columns, catalogue.fields.get(code, {}), event_code=code)
    entry = PlannedEntry(event_code=code, ids=(), columns=columns)
    plan = with_event_codes(Plan(entries=(entry,)))
    table = table_of_plan(plan, catalogue, asked.wanted)
    if table is not None and asked.wanted.missing:
        table = Table(columns=(*table.columns, *MISSING_COLUMNS))
    return StreamPlan(
        entry=plan.entries[0], wanted=asked.wanted, table=table, has_end_record=asked.has_end_record
    )


EXPORT_FORMATS = (Format.NDJSON, Format.CSV, Format.JSON)
"""The text formats of an export. The first, the default, can be read as it arrives."""

STREAM_FORMATS = (Format.NDJSON, Format.CSV)
"""The text formats of a read of ids, the default first. JSON is not among them: a document is one
value, which cannot be read as it arrives."""
