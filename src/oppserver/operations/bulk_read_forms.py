"""The forms that a bulk read is answered in: what each needs of the store, and how it is made."""

from collections.abc import Sequence

from oppserver.contract.formats import Format, Table, TableRows, Wanted
from oppserver.contract.model import Catalogue, Plan
from oppserver.formats.ndjson import ndjson_lines
from oppserver.formats.tables import table_writer
from oppserver.operations.bulk_read_found import Found, Shape
from oppserver.operations.call import Answer
from oppserver.steps.account import missing_of
from oppserver.steps.plan import with_event_codes
from oppserver.steps.render import render_bulk_read
from oppserver.steps.tabulate import table_of_plan, table_rows

"""Formats of objects, which the store renders; the others are of columns."""


def shape_bulk_read(plan: Plan, wanted: Wanted, catalogue: Catalogue) -> Shape:
    """How a plan is read for what is wanted: rows that stand alone begin with their type."""
    if wanted.format is not Format.JSON:
        plan = with_event_codes(plan)
    table = None
    if wanted.format.is_table:
        table = table_of_plan(plan, catalogue, types_are_text=wanted.types_are_text)
    return Shape(plan=plan, wanted=wanted, table=table)


def answer_of(shape: Shape, found: Found) -> Answer:
    """The answer, with status 304 when the caller has it."""
    headers = {"Vary": "Accept, Accept-Encoding"}
    if found.tag is not None:
        headers["ETag"] = found.tag
    if found.counts is None:
        return Answer(body=b"", status=304, headers=headers)
    headers["X-Opportunities-Requested"] = str(found.counts.requested)
    headers["X-Opportunities-Found"] = str(found.counts.found)
    headers["X-Opportunities-Missing"] = str(found.counts.missing)
    return Answer(
        body=_body(shape, found),
        media_type=shape.wanted.format.content_type,
        headers=headers,
        is_packed=not shape.wanted.format.is_text,
    )


def _body(shape: Shape, found: Found) -> bytes:
    if shape.table is not None:
        rows = table_rows(shape.plan, found.columns)
        return _written(shape.wanted, shape.table, rows)
    if shape.wanted.format is Format.NDJSON:
        return _lines(shape.plan, found)
    missing = missing_of(shape.plan, found.whereabouts) if shape.wanted.ledger else None
    return render_bulk_read(shape.plan, found.rows, missing)


def _lines(plan: Plan, found: Found) -> bytes:
    has_several = len(plan.entries) > 1
    return b"".join(
        ndjson_lines(
            one.json,
            first=entry.columns[0].name,
            before=b'"Entry":%d,' % place if has_several else b"",
        )
        for place, (entry, one) in enumerate(zip(plan.entries, found.rows, strict=True))
    )


def _written(wanted: Wanted, table: Table, rows: Sequence[TableRows]) -> bytes:
    writer = table_writer(wanted, table)
    return b"".join([writer.begin(), *map(writer.rows, rows), writer.end()])
