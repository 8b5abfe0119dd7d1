"""``Bulk/Update/ByOpportunityId``: new values of up to 25 opportunities, of all or of none."""

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidReference
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.named_opportunity import gone
from oppserver.operations.updating import update_all
from oppserver.operations.write import write
from oppserver.steps.parse_writes import parse_bulk_update
from oppserver.steps.render_writes import render_bulk_update
from oppserver.store.port import Session


def bulk_update(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    asked = parse_bulk_update(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    ids = [one.id for one in asked]

    def work(session: Session) -> bytes:
        stored = session.opportunities(ids)
        for index, one in enumerate(ids):
            if one not in stored:
                raise InvalidReference(f"[{index}].ProspectOpportunityId: {gone(session, one)}")
        update_all(session, asked, stored, now=now_stored(call.now), by=caller.user_id)
        return render_bulk_update(ids)

    return write(call, services, work)
