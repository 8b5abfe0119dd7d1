"""From the rows that the store rendered to the body of an answer."""

from collections.abc import Sequence

import msgspec

from oppserver.contract.model import Plan, RenderedRows
from oppserver.contract.wire import MissingWire


def render_bulk_read(
    plan: Plan,
    rows: Sequence[RenderedRows],
    missing: Sequence[Sequence[MissingWire]] | None = None,
) -> bytes:
    """The body of ``GetOpportunitiesById``: one entry per group, in request order.

    The rows are JSON already and are not looked into. ``missing``: the ledger of each entry.
    """
    ledgers = [b""] * len(rows) if missing is None else [_ledger(one) for one in missing]
    parts = []  # put together once: each copy of a megabyte is time
    for entry, rendered, ledger in zip(plan.entries, rows, ledgers, strict=True):
        head = b'{"EventCode":"%d","RecordCount":%d,"Opportunities":'
        parts += [b",", head % (entry.event_code, rendered.count), rendered.json, ledger, b"}"]
    return b"".join([b"[", *parts[1:], b"]"])


def _ledger(missing: Sequence[MissingWire]) -> bytes:
    return b',"Missing":%b' % msgspec.json.encode(missing)
