"""``Leads.GetById``: all that is known of one lead."""

import msgspec

from oppserver.calls.leads.parse import parse_lead
from oppserver.calls.leads.reads import (
    EVERY_COLUMN,
    ID_COLUMN,
    LeadsByIds,
    parse_leads_by_ids,
    parse_leads_get,
)
from oppserver.calls.leads.save import lead_here, save_lead
from oppserver.calls.shared.admission import admit
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.decode import mandatory, mandatory_guid
from oppserver.calls.shared.idempotency import write
from oppserver.contract.dates import now_stored
from oppserver.contract.identifiers import canonical_guid
from oppserver.store.port import Session, Store
from oppserver.store.queries import RenderedRows


def lead_by_id(call: Call, services: Services) -> bytes:
    """The body of the answer: no row for what is no lead's id.

    Raises an ApiError for everything that is not status 200.
    """
    admit(call, services)
    lead_id = canonical_guid(mandatory(call.query, "id"))
    return services.store.leads([] if lead_id is None else [lead_id], EVERY_COLUMN).json


def leads_get(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    search = parse_leads_get(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    return services.store.search_leads(search).json


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


def create_or_update_lead(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    details = parse_lead(
        call.body,
        call.query,
        content_type=call.content_type,
        body_bytes_max=services.body_bytes_max,
    )

    def work(session: Session) -> bytes:
        saved = save_lead(
            session, details, now=now_stored(call.now), new_id=services.sources.new_id
        )
        return render_lead_saved(saved.lead.id, is_created=saved.is_created)

    return write(call, services, work)


def update_lead(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    lead_id = mandatory_guid(call.query, "leadId")
    details = parse_lead(
        call.body,
        call.query,
        content_type=call.content_type,
        body_bytes_max=services.body_bytes_max,
        lead_id=lead_id,
    )

    def work(session: Session) -> bytes:
        lead_here(session, lead_id, place="query parameter 'leadId'")
        save_lead(session, details, now=now_stored(call.now), new_id=services.sources.new_id)
        return render_lead_updated()

    return write(call, services, work)


def render_lead_saved(lead_id: str, *, is_created: bool) -> bytes:
    """The body of ``Lead.CreateOrUpdate``."""
    return _success({"Id": lead_id, "AffectedRows": 1, "IsCreated": is_created})


def render_lead_updated() -> bytes:
    """The body of ``Lead.Update``."""
    return _success({"AffectedRows": 1})


def render_leads_by_ids(rows: RenderedRows, *, total: int) -> bytes:
    """The body of ``Leads/Retrieve/ByIds``. The rows are JSON already and are not looked into."""
    return b'{"RecordCount":%d,"Leads":%b}' % (total, rows.json)


def _success(message: dict[str, object]) -> bytes:
    return msgspec.json.encode({"Status": "Success", "Message": message})
