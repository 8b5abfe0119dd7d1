"""The messages on the wire. The members are spelled as the API spells them.

Members that the call demands are optional here, so that the step that checks them can name the one
that is missing the way the API does. A member that a message does not have is refused
(``bodies.py``), but for the bulk read, which passes over it (source: docs/fidelity.md).
"""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from oppserver.calls.shared.decode import decode_body
from oppserver.contract.errors import LimitExceeded, MissingAttribute
from oppserver.contract.limits import BULK_READ_GROUPS_MAX


class BulkReadColumnsWire(msgspec.Struct):
    """``Columns``: the names asked for, comma separated."""

    Include_CSV: str | UnsetType | None = UNSET


class SearchParameterWire(msgspec.Struct):
    """One entry of ``SearchParameters``."""

    EventCode: str | int | UnsetType | None = UNSET
    ProspectActivityId: list[str] | UnsetType | None = UNSET
    Columns: BulkReadColumnsWire | UnsetType | None = UNSET


class GetOpportunitiesByIdWire(msgspec.Struct):
    """The body of ``GetOpportunitiesById``."""

    SearchParameters: list[SearchParameterWire] | UnsetType | None = UNSET


_BULK_READ = msgspec.json.Decoder(GetOpportunitiesByIdWire)

# --- the bulk read -----------------------------------------------------------------------------


class AskedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``SearchParameters`` as it was asked: nothing is looked up or resolved yet."""

    event_code: str
    ids: Sequence[str]
    include_csv: str


class BulkRead(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk read as it was asked, in request order, never empty."""

    groups: Sequence[AskedGroup]


def parse_bulk_read(body: bytes | None, *, content_type: str, body_bytes_max: int) -> BulkRead:
    """What a ``GetOpportunitiesById`` asks. ``body`` None: it was longer than ``body_bytes_max``.

    Raises an ApiError with status 400 or 413 that names the place and what was expected.
    """
    message = decode_body(
        _BULK_READ, body, content_type=content_type, body_bytes_max=body_bytes_max
    )
    if not message.SearchParameters:
        raise MissingAttribute(
            "'SearchParameters' is mandatory: an array with at least one object of EventCode,"
            " ProspectActivityId and Columns"
        )
    if len(message.SearchParameters) > BULK_READ_GROUPS_MAX:
        raise LimitExceeded(
            f"SearchParameters has {len(message.SearchParameters)} entries; one call takes"
            f" {BULK_READ_GROUPS_MAX}. Put the ids of one EventCode into one entry."
        )
    return BulkRead(
        groups=[_group(entry, index) for index, entry in enumerate(message.SearchParameters)]
    )


def _group(entry: SearchParameterWire, index: int) -> AskedGroup:
    event_code = str(entry.EventCode).strip() if isinstance(entry.EventCode, str | int) else ""
    include_csv = entry.Columns.Include_CSV if entry.Columns else None
    if not event_code:
        raise _missing("EventCode", index)
    if not entry.ProspectActivityId:
        raise _missing("ProspectActivityId", index)
    if not entry.Columns:
        raise _missing("Columns", index)
    if not include_csv or not include_csv.replace(",", " ").strip():
        raise _missing("Include_CSV", index, inside=".Columns")
    return AskedGroup(event_code=event_code, ids=entry.ProspectActivityId, include_csv=include_csv)


def _missing(name: str, index: int, *, inside: str = "") -> MissingAttribute:
    return MissingAttribute(f"'{name}' is mandatory in SearchParameters[{index}]{inside}")
