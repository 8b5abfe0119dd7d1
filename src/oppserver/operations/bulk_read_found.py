"""What a bulk read finds, all of one moment: rows, counts, the ledger's part, the entity tag."""

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from oppserver.contract.formats import Table, Wanted
from oppserver.contract.model import Counts, Plan, RenderedColumns, RenderedRows, Whereabouts
from oppserver.operations.call import Call, Services
from oppserver.steps.account import count_ids, ids_asked, needs_whereabouts
from oppserver.steps.entity_tag import entity_tag, is_matched, made_of
from oppserver.store.port import Moment


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A bulk read as it will be read and answered. ``table`` None: rows are answered as objects."""

    plan: Plan
    wanted: Wanted
    table: Table | None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was found. ``counts`` None: the caller has it already, and no row was read.

    ``rows`` are there where the shape has no table, else ``columns``.
    """

    tag: str | None
    counts: Counts | None = None
    whereabouts: Mapping[str, Whereabouts] | None = None
    rows: Sequence[RenderedRows] = ()
    columns: Sequence[RenderedColumns] = ()


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
