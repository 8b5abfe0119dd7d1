"""The formats of answers, the options of a caller, and the tables of typed formats."""

from enum import StrEnum

import msgspec


class Format(StrEnum):
    """A format that rows are answered in; its value is the media type."""

    JSON = "application/json"
    NDJSON = "application/x-ndjson"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"
    PARQUET = "application/vnd.apache.parquet"

    @property
    def content_type(self) -> str:
        """The media type as it is sent (RFC 4180, section 3); to text, a charset is added."""
        return f"{self}; header=present" if self is Format.CSV else str(self)

    @property
    def is_text(self) -> bool:
        """True when a content coding makes it smaller; the other formats compress themselves."""
        return self not in ARROW_FORMATS

    @property
    def is_table(self) -> bool:
        """True when all rows have one set of columns; else each row is an object."""
        return self not in (Format.JSON, Format.NDJSON)


TEXT_FORMATS = (Format.JSON, Format.NDJSON, Format.CSV)

ARROW_FORMATS = (Format.ARROW, Format.PARQUET)
"""The formats that need the extra ``oppserver[arrow]``."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form of an answer, as ``Accept`` and the query ask for it."""

    format: Format = Format.JSON
    missing: bool = False
    """Each entry lists the ids that were asked for and are missing in it."""

    entity_tag: bool = False
    """The answer has an ``ETag``."""

    escapes_formulas: bool = False
    """Values that a spreadsheet would calculate are made plain text, in CSV."""

    types_are_text: bool = False
    """Typed formats have every value as the stored text."""


class Kind(StrEnum):
    """The type of a table column's values in the typed formats."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    MOMENT = "moment"
    BOOLEAN = "boolean"


class TableColumn(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table. ``display_name`` None: it is a system column, or types differ in it."""

    name: str
    kind: Kind = Kind.TEXT
    display_name: str | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of rows in a format that has one set of columns for all of them."""

    columns: tuple[TableColumn, ...]


class TableRows(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a table: by a column's name, a JSON array of their values, strings or null.

    Rows have nothing in the columns that are not in it.
    """

    count: int
    columns: dict[str, bytes]


class IdFormat(StrEnum):
    """A form in which ids come; its value is the media type."""

    NDJSON = "application/x-ndjson"
    PLAIN = "text/plain"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"
