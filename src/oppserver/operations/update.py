"""``Update``: new values of one opportunity."""

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import OpportunityNotFound
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.named_opportunity import gone
from oppserver.operations.updating import update_all
from oppserver.operations.write import write
from oppserver.steps.parse_writes import parse_update
from oppserver.steps.render_writes import render_update
from oppserver.store.port import Session


def update(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    asked = parse_update(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )

    def work(session: Session) -> bytes:
        stored = session.opportunities([asked.id])
        if not stored:
            raise OpportunityNotFound(f"ProspectOpportunityId: {gone(session, asked.id)}")
        update_all(session, [asked], stored, now=now_stored(call.now), by=caller.user_id)
        return render_update(asked.id)

    return write(call, services, work)
