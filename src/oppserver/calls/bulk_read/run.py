"""``GetOpportunitiesById``: up to 2,000 opportunities in one call. The one to read first."""

from collections.abc import Mapping, Sequence
from functools import partial

from oppserver.calls.bulk_read.parse import parse_bulk_read
from oppserver.calls.bulk_read.plan import plan_bulk_read
from oppserver.calls.bulk_read.render import (
    Found,
    Shape,
    answer_of,
    count_ids,
    entity_tag,
    ids_asked,
    is_matched,
    made_of,
    needs_whereabouts,
    shape_bulk_read,
)
from oppserver.calls.shared.admission import admit
from oppserver.calls.shared.call import Answer, Call, Services
from oppserver.calls.shared.negotiate import choose_format, parse_wanted
from oppserver.calls.shared.tables import formats_here
from oppserver.contract.formats import TEXT_FORMATS
from oppserver.store.port import Moment
from oppserver.store.queries import Plan, RenderedRows, Whereabouts


def bulk_read(call: Call, services: Services) -> Answer:
    """The answer. Raises an ApiError for everything that is neither status 200 nor 304."""
    admit(call, services)
    chosen = choose_format(call.accept, formats_here(TEXT_FORMATS))
    wanted = parse_wanted(call.query, chosen, is_conditional=call.if_none_match is not None)
    asked = parse_bulk_read(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    catalogue = services.store.catalogue()
    shape = shape_bulk_read(plan_bulk_read(asked, catalogue), wanted, catalogue)
    found = find(services, shape=shape, call=call)
    return answer_of(shape, found)


def find(services: Services, *, shape: Shape, call: Call) -> Found:
    """What there is of a bulk read, with as few reads as what is wanted takes.

    Most calls take one, which is of one moment by itself.
    """
    if shape.table is None and not _is_more_wanted(shape):
        rows = _rows(services, shape.plan)
        numbers = [one.count for one in rows]
        return Found(tag=None, counts=count_ids(shape.plan, numbers, None), rows=rows)
    return services.store.read(partial(_find_in, shape=shape, call=call, made_by=services.made_by))


def _rows(services: Services, plan: Plan) -> Sequence[RenderedRows]:
    if services.hot_rows is None:
        return services.store.bulk_read(plan)
    return services.hot_rows.bulk_read(services.store, plan)


def _is_more_wanted(shape: Shape) -> bool:
    """Whether rows alone do not make the answer and its headers."""
    wanted = shape.wanted
    return wanted.entity_tag or wanted.ledger or needs_whereabouts(shape.plan, (), ledger=False)


def _find_in(moment: Moment, *, shape: Shape, call: Call, made_by: str) -> Found:
    tag = None
    if shape.wanted.entity_tag:
        coding = call.coding if shape.wanted.format.is_text else "identity"
        asked = made_of(shape.plan, shape.wanted, shape.table, coding=coding, made_by=made_by)
        tag = _tag(moment, shape, asked)
        if is_matched(call.if_none_match or "", tag):
            return Found(tag=tag)
    rows = moment.bulk_read(shape.plan) if shape.table is None else []
    columns = moment.bulk_read_columns(shape.plan) if shape.table is not None else []
    numbers = [one.count for one in rows or columns]
    where = _whereabouts(moment, shape, numbers)
    return Found(
        tag=tag,
        counts=count_ids(shape.plan, numbers, where),
        whereabouts=where,
        rows=rows,
        columns=columns,
    )


def _tag(moment: Moment, shape: Shape, asked: bytes) -> str:
    stamp = moment.stamp(shape.plan)
    where = _whereabouts(moment, shape, stamp.counts) if shape.wanted.ledger else None
    return entity_tag(asked, stamp, where)


def _whereabouts(
    moment: Moment, shape: Shape, numbers: Sequence[int]
) -> Mapping[str, Whereabouts] | None:
    if needs_whereabouts(shape.plan, numbers, ledger=shape.wanted.ledger):
        return moment.whereabouts(ids_asked(shape.plan))
    return None
