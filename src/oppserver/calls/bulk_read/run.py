"""``GetOpportunitiesById``: up to 2,000 opportunities in one call. The one to read first."""

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
    made_of,
    needs_statuses,
    render_bulk_read,
)
from oppserver.calls.shared.call import Services
from oppserver.calls.shared.decode import Body
from oppserver.calls.shared.operation import Read
from oppserver.contract.formats import ARROW_FORMATS, TEXT_FORMATS
from oppserver.store.port import Snapshot
from oppserver.store.queries import IdStatus, Plan, RenderedRows


def read_bulk(planned: PlannedBulkRead, services: Services) -> Found:
    """Run the bulk read with the fewest store reads that its options need.

    Most calls take one statement, which is of one snapshot by itself.
    """
    if planned.table is None and not _needs_more_than_rows(planned):
        rows = _rows(services, planned.plan)
        numbers = [one.count for one in rows]
        return Found(tag=None, counts=count_ids(planned.plan, numbers, None), rows=rows)
    return services.store.read(partial(_find_in, planned=planned, made_by=services.made_by))


BULK_READ: Final = Read(
    body=Body(GetOpportunitiesByIdWire),
    formats=(*TEXT_FORMATS, *ARROW_FORMATS),
    parse=parse_bulk_read,
    plan=plan_bulk_read,
    read=read_bulk,
    render=render_bulk_read,
)


def _rows(services: Services, plan: Plan) -> Sequence[RenderedRows]:
    if services.row_cache is None:
        return services.store.bulk_read(plan)
    return services.row_cache.bulk_read(services.store, plan)


def _needs_more_than_rows(planned: PlannedBulkRead) -> bool:
    wanted = planned.wanted
    return wanted.entity_tag or wanted.missing or needs_statuses(planned.plan, (), missing=False)


def _find_in(snapshot: Snapshot, *, planned: PlannedBulkRead, made_by: str) -> Found:
    tag = None
    if planned.wanted.entity_tag:
        coding = planned.coding if planned.wanted.format.is_text else "identity"
        asked = made_of(planned.plan, planned.wanted, planned.table, coding=coding, made_by=made_by)
        tag = _tag(snapshot, planned, asked)
        if is_matched(planned.if_none_match or "", tag):
            return Found(tag=tag)
    rows = snapshot.bulk_read(planned.plan) if planned.table is None else []
    columns = snapshot.bulk_read_columns(planned.plan) if planned.table is not None else []
    numbers = [one.count for one in rows or columns]
    where = _statuses(snapshot, planned, numbers)
    return Found(
        tag=tag,
        counts=count_ids(planned.plan, numbers, where),
        id_statuses=where,
        rows=rows,
        columns=columns,
    )


def _tag(snapshot: Snapshot, planned: PlannedBulkRead, asked: bytes) -> str:
    fingerprint = snapshot.fingerprint(planned.plan)
    where = _statuses(snapshot, planned, fingerprint.counts) if planned.wanted.missing else None
    return entity_tag(asked, fingerprint, where)


def _statuses(
    snapshot: Snapshot, planned: PlannedBulkRead, numbers: Sequence[int]
) -> Mapping[str, IdStatus] | None:
    if needs_statuses(planned.plan, numbers, missing=planned.wanted.missing):
        return snapshot.id_statuses(ids_asked(planned.plan))
    return None
