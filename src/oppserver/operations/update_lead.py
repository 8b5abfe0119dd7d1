"""``Lead.Update``: the lead of an id is changed."""

from oppserver.contract.dates import now_stored
from oppserver.contract.query import mandatory_guid
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.lead_writes import lead_here, save_lead
from oppserver.operations.write import write
from oppserver.steps.parse_leads import parse_lead
from oppserver.steps.render_leads import render_lead_updated
from oppserver.store.port import Session


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
