"""From the bytes of a body to what was asked. Nothing is looked up here."""

import msgspec

from oppserver.contract.bodies import decode_body
from oppserver.contract.errors import LimitExceeded, MissingAttribute
from oppserver.contract.limits import BULK_READ_GROUPS_MAX
from oppserver.contract.model import AskedGroup, BulkRead
from oppserver.contract.wire import GetOpportunitiesByIdWire, SearchParameterWire

_BULK_READ = msgspec.json.Decoder(GetOpportunitiesByIdWire)


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
