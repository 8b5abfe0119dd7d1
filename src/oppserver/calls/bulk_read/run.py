"""``GetOpportunitiesById``: up to 2,000 opportunities in one call. The one to read first.

The runner (``calls/run.py``) checks the keys, counts the call, chooses the format and decodes the
body. Then it calls the four steps that ``BULK_READ`` names, and encodes what the last one returns.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from oppserver.calls.bulk_read.parse import GetOpportunitiesByIdWire, parse_bulk_read
from oppserver.calls.bulk_read.plan import PlannedBulkRead, plan_bulk_read
from oppserver.calls.bulk_read.render import (
    Found,
    count_ids,
    entity_tag,
    ids_asked,
    is_matched,
    needs_statuses,
    render_bulk_read,
)
from oppserver.calls.shared.call import Read, Services
from oppserver.calls.shared.decode import Body
from oppserver.calls.shared.repeats import Repeatable
from oppserver.contract.formats import ARROW_FORMATS, TEXT_FORMATS
from oppserver.store.port import Snapshot
from oppserver.store.queries import IdStatus
from oppserver.store.row_cache import PlacedRows


def read_bulk(planned: PlannedBulkRead, services: Services) -> Found:
    """Run the bulk read with the fewest store reads that its options need.

    Most calls need their rows alone: one statement, or the row cache. A tag, a table, missing ids,
    and ids that two entries may have, need several reads of one snapshot.
    """
    plan, wanted, store = planned.plan, planned.wanted, services.store
    if (
        wanted.entity_tag
        or wanted.missing
        or planned.table is not None
        or needs_statuses(plan, (), missing=False)
    ):
        return store.read(partial(_read_in, planned=planned, made_by=services.made_by))
    cache = services.row_cache
    rows, place = (
        PlacedRows(store.bulk_read(plan), None) if cache is None else cache.bulk_read(store, plan)
    )
    counts = count_ids(plan, [one.count for one in rows], None)
    return Found(tag=None, counts=counts, rows=rows, place=place)


def repeatable(found: Found) -> Repeatable | None:
    """Return the place of rows that the row cache has a part in; None for other answers."""
    if found.place is None or found.counts is None:
        return None
    return Repeatable(found.place, found.counts.requested)


def _read_in(snapshot: Snapshot, *, planned: PlannedBulkRead, made_by: str) -> Found:
    tag = None
    if planned.wanted.entity_tag:
        fingerprint = snapshot.fingerprint(planned.plan)
        statuses = None
        if planned.wanted.missing:
            statuses = _statuses(snapshot, planned, fingerprint.counts)
        tag = entity_tag(planned, fingerprint, statuses, made_by=made_by)
        if is_matched(planned.if_none_match or "", tag):
            return Found(tag=tag)
    rows = snapshot.bulk_read(planned.plan) if planned.table is None else []
    columns = snapshot.bulk_read_columns(planned.plan) if planned.table is not None else []
    counts = [one.count for one in rows or columns]
    statuses = _statuses(snapshot, planned, counts)
    return Found(
        tag=tag,
        counts=count_ids(planned.plan, counts, statuses),
        id_statuses=statuses,
        rows=rows,
        columns=columns,
    )


def _statuses(
    snapshot: Snapshot, planned: PlannedBulkRead, counts: Sequence[int]
) -> Mapping[str, IdStatus] | None:
    if needs_statuses(planned.plan, counts, missing=planned.wanted.missing):
        return snapshot.id_statuses(ids_asked(planned.plan))
    return None


BULK_READ: Final = Read(
    body=Body(GetOpportunitiesByIdWire),
    formats=(*TEXT_FORMATS, *ARROW_FORMATS),
    parse=parse_bulk_read,
    plan=plan_bulk_read,
    read=read_bulk,
    render=render_bulk_read,
    repeats=repeatable,
)
