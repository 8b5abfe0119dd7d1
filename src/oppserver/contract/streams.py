"""Reads of any number of ids: the forms in which ids come, what is asked, what is told of it."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from oppserver.contract.errors import Fault
from oppserver.contract.formats import Format, Wanted

STREAM_FORMATS = (Format.NDJSON, Format.CSV)
"""Formats of rows that can be read as they come, the one of callers that ask none first. A document
of JSON cannot: it is one value, which is read whole."""


class IdFormat(StrEnum):
    """A form in which ids come; its value is the media type."""

    NDJSON = "application/x-ndjson"
    PLAIN = "text/plain"
    CSV = "text/csv"
    ARROW = "application/vnd.apache.arrow.stream"


class AskedStream(msgspec.Struct, frozen=True, kw_only=True):
    """A read of a stream of ids as it was asked; type and columns are not looked up yet."""

    event_code: str
    columns: str
    wanted: Wanted
    skips_bad_ids: bool
    """Whether a line that holds no id is passed over; else it ends the stream."""

    has_end_record: bool
    """Whether CSV has a record behind the rows that tells of their number."""


class BadId(msgspec.Struct, frozen=True, kw_only=True):
    """A line that holds no id. ``at``: how many ids came before it in what has arrived."""

    at: int
    line: int
    asked: str
    what: str

    @property
    def fault(self) -> Fault:
        """What is wrong with the line, and how it is mended."""
        return Fault(
            line=self.line,
            what=self.what,
            mend="Mend the line, or pass over such lines with 'on_error=skip' in the query.",
        )


class Arrived(msgspec.Struct, frozen=True):
    """Ids that have come, canonical and in order, and the lines among them that hold none."""

    ids: Sequence[str] = ()
    bad: Sequence[BadId] = ()


class StreamEnd(msgspec.Struct, frozen=True, kw_only=True):
    """What is told when a stream has ended well.

    Each line that came was requested, repeated or skipped; what was requested was found or is
    missing. ``Digest``: SHA-256, hexadecimal, over a line ``ID VERSION`` of each row, in order,
    each ended by LF.
    """

    Requested: int
    Found: int
    Missing: int
    Repeated: int
    Skipped: int
    Digest: str
