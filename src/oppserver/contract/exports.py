"""Frozen values of exports of a whole type: asked, planned, and places in them."""

import msgspec

from oppserver.contract.formats import Format, Wanted
from oppserver.contract.model import PlannedEntry

EXPORT_FORMATS = (Format.NDJSON, Format.CSV, Format.JSON)
"""The formats of text, the one of callers that ask none first: it can be read as it comes."""


class ExportCursor(msgspec.Struct, frozen=True, array_like=True, tag="export"):
    """A place in an export: behind an id. ``number``: how far changes were when it began."""

    database: str
    event_code: int
    modified_since: str | None
    number: int
    after_id: str


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


class PlannedExport(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it will be done. ``entry``: its type and columns; it names no ids."""

    wanted: Wanted
    has_end_record: bool
    entry: PlannedEntry
    modified_since: str | None
    cursor: ExportCursor | None
    after_id: str
    limit: int | None
