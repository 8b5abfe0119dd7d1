"""``Leads.Get``: leads by one attribute, or all, page by page."""

from oppserver.operations.call import Call, Services, admit
from oppserver.steps.lead_reads import parse_leads_get


def leads_get(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    admit(call, services)
    search = parse_leads_get(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    return services.store.search_leads(search).json
