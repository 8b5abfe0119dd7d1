"""Every id of a stream accounted for: why some of a batch are not answered."""

from collections.abc import Mapping, Sequence

import msgspec

from oppserver.contract.dates import to_answer
from oppserver.contract.formats import Kind, TableColumn, TableRows
from oppserver.contract.model import Whereabouts
from oppserver.contract.streams import BadId
from oppserver.contract.wire import StreamMissingWire

LEDGER_COLUMNS = (
    TableColumn(name="Reason"),
    TableColumn(name="DeletedOn", kind=Kind.MOMENT),
    TableColumn(name="Line", kind=Kind.INTEGER),
    TableColumn(name="Asked"),
)
"""What a table has beside, where it tells of ids that are missing: empty in rows."""


def missing_of_batch(
    ids: Sequence[str],
    bad: Sequence[BadId],
    *,
    event_code: int,
    where: Mapping[str, Whereabouts] | None,
) -> list[StreamMissingWire]:
    """The ids that are not answered, in order, then the lines that hold none.

    ``where``: what is there of all ids; None: all of them are answered. Dates are in the stored
    form.
    """
    no_ids = [StreamMissingWire(Reason="NotAnId", Line=one.line, Asked=one.asked) for one in bad]
    if where is None:
        return no_ids
    there = ((one, where.get(one)) for one in ids)
    return [_missing(one, at) for one, at in there if not _is_answered(at, event_code)] + no_ids


def missing_lines(missing: Sequence[StreamMissingWire]) -> bytes:
    """As lines of NDJSON, records of a kind of their own; dates are in the form of answers."""
    return b"".join(b'{"Missing":%b}\n' % msgspec.json.encode(_with_answer(one)) for one in missing)


def missing_rows(missing: Sequence[StreamMissingWire]) -> TableRows:
    """As rows of a table with the ledger's columns."""
    names = StreamMissingWire.__struct_fields__
    return TableRows(
        count=len(missing),
        columns={
            name: msgspec.json.encode([_text(getattr(one, name)) for one in missing])
            for name in names
        },
    )


def _is_answered(there: Whereabouts | None, event_code: int) -> bool:
    return there is not None and there.deleted_on is None and there.event_code == event_code


def _missing(one: str, there: Whereabouts | None) -> StreamMissingWire:
    if there is None:
        return StreamMissingWire(ProspectActivityId=one, Reason="NotFound")
    code = str(there.event_code)
    if there.deleted_on is None:
        return StreamMissingWire(ProspectActivityId=one, Reason="OtherEventCode", EventCode=code)
    return StreamMissingWire(
        ProspectActivityId=one, Reason="Deleted", EventCode=code, DeletedOn=there.deleted_on
    )


def _with_answer(one: StreamMissingWire) -> StreamMissingWire:
    if isinstance(one.DeletedOn, str):
        return msgspec.structs.replace(one, DeletedOn=to_answer(one.DeletedOn))
    return one


def _text(value: object) -> str | None:
    return None if value is msgspec.UNSET else str(value)
