"""``Leads.GetById``: all that is known of one lead."""

from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.query import mandatory
from oppserver.operations.call import Call, Services, admit
from oppserver.steps.lead_reads import EVERY_COLUMN


def lead_by_id(call: Call, services: Services) -> bytes:
    """The body of the answer: no row for what is no lead's id.

    Raises an ApiError for everything that is not status 200.
    """
    admit(call, services)
    lead_id = canonical_guid(mandatory(call.query, "id"))
    return services.store.leads([] if lead_id is None else [lead_id], EVERY_COLUMN).json
