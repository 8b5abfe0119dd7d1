"""``Leads/Retrieve/ByIds``: up to 10,000 leads in one call."""

import msgspec

from oppserver.contract.model import RenderedRows
from oppserver.operations.call import Call, Services, admit
from oppserver.steps.lead_reads import ID_COLUMN, LeadsByIds, parse_leads_by_ids
from oppserver.steps.render_leads import render_leads_by_ids
from oppserver.store.port import Store


def leads_by_ids(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    asked = parse_leads_by_ids(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    total, rows = _page(services.store, asked)
    return render_leads_by_ids(rows, total=total)


def _page(store: Store, asked: LeadsByIds) -> tuple[int, RenderedRows]:
    """How many of the leads are here, and the page of them."""
    page = asked.page
    if page.offset == 0 and page.limit >= len(asked.ids):
        rows = store.leads(asked.ids, asked.columns)
        return rows.count, rows
    here = msgspec.json.decode(store.leads(asked.ids, [ID_COLUMN]).json)
    ids = [row[ID_COLUMN.name] for row in here[page.offset : page.offset + page.limit]]
    return len(here), store.leads(ids, asked.columns)
