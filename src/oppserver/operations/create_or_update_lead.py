"""``Lead.CreateOrUpdate``: a lead is found by what is unique of it and changed, or created."""

from oppserver.contract.dates import now_stored
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.lead_writes import save_lead
from oppserver.operations.write import write
from oppserver.steps.parse_leads import parse_lead
from oppserver.steps.render_leads import render_lead_saved
from oppserver.store.port import Session


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
