"""What a batch of a stream finds, all of one moment: rows, versions, why ids are missing."""

from collections.abc import Sequence

import msgspec

from oppserver.contract.model import Plan, RenderedColumns
from oppserver.contract.wire import StreamMissingWire
from oppserver.steps.account_stream import missing_of_batch
from oppserver.steps.gather_ids import Batch
from oppserver.store.port import Moment


class StreamFound(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a batch: as JSON, or by column where the format is a table."""

    count: int
    versions: bytes
    json: bytes = b"[]"
    columns: Sequence[RenderedColumns] = ()
    missing: Sequence[StreamMissingWire] = ()


def find_in(
    moment: Moment, *, plan: Plan, batch: Batch, is_table: bool, ledger: bool
) -> StreamFound:
    """What there is of a batch. ``ledger``: also of the ids that are not answered."""
    columns = moment.bulk_read_columns(plan) if is_table else []
    rows = [] if is_table else moment.bulk_read(plan)
    [found] = columns or rows
    [versions] = moment.versions(plan)
    missing: list[StreamMissingWire] = []
    if ledger:
        is_all = found.count == len(batch.ids)
        where = None if is_all else moment.whereabouts(batch.ids)
        code = plan.entries[0].event_code
        missing = missing_of_batch(batch.ids, batch.bad, event_code=code, where=where)
    return StreamFound(
        count=found.count,
        versions=versions,
        json=rows[0].json if rows else b"[]",
        columns=columns,
        missing=missing,
    )
