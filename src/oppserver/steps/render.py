"""From the rows that the store rendered to the body of an answer."""

from collections.abc import Sequence

from oppserver.contract.model import Plan, RenderedRows


def render_bulk_read(plan: Plan, rows: Sequence[RenderedRows]) -> bytes:
    """The body of ``GetOpportunitiesById``: one entry per group, in request order.

    The rows are JSON already and are not looked into.
    """
    entries = (
        b'{"EventCode":"%d","RecordCount":%d,"Opportunities":%b}'
        % (entry.event_code, rendered.count, rendered.json)
        for entry, rendered in zip(plan.entries, rows, strict=True)
    )
    return b"[" + b",".join(entries) + b"]"
