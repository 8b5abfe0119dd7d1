"""``Delete``: one opportunity goes, and a tombstone stays."""

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import AccessDenied, OpportunityNotFound
from oppserver.contract.query import mandatory_guid
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.named_opportunity import gone
from oppserver.operations.write import write
from oppserver.steps.render_writes import render_delete
from oppserver.store.port import Session


def delete(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    opportunity_id = mandatory_guid(call.query, "Id")

    def work(session: Session) -> bytes:
        stored = session.opportunities([opportunity_id]).get(opportunity_id)
        if stored is None:
            raise OpportunityNotFound(f"query parameter 'Id': {gone(session, opportunity_id)}")
        event_code = stored.event_code
        if not session.catalogue().types[event_code].can_delete:
            raise AccessDenied(
                f"Opportunities of type {event_code} cannot be deleted."
                f" 'oppserver type create {event_code} --allow-delete' allows it."
            )
        session.delete_opportunities([opportunity_id], now=now_stored(call.now), by=caller.user_id)
        return render_delete()

    return write(call, services, work)
