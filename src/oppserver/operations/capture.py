"""``Capture``: a new opportunity and its lead, unless the opportunity is there already."""

from oppserver.contract.dates import now_stored
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.capturing import captured_all
from oppserver.operations.lead_writes import save_lead
from oppserver.operations.lookups import users_named
from oppserver.operations.write import write
from oppserver.steps.parse_leads import check_says_no_lead, parse_lead_details
from oppserver.steps.parse_writes import parse_capture
from oppserver.steps.plan_values import owners_named, plan_capture
from oppserver.steps.render_writes import render_capture
from oppserver.store.port import Session


def capture(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    asked = parse_capture(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    check_says_no_lead(call.query)
    details = parse_lead_details(asked.lead, place="LeadDetails")
    owners = owners_named(asked.opportunity.fields)
    now = now_stored(call.now)

    def work(session: Session) -> bytes:
        saved = save_lead(session, details, now=now, new_id=services.sources.new_id)
        catalogue = session.catalogue()
        planned = plan_capture(
            asked.opportunity,
            lead=saved.lead,
            catalogue=catalogue,
            users=users_named(session, owners),
            new_id=services.sources.new_id(),
            now=now,
        )
        [captured] = captured_all(
            session,
            [planned],
            catalogue,
            now=now,
            by=caller.user_id,
            new_id=services.sources.new_id,
        )
        return render_capture(
            captured,
            is_lead_new=saved.is_created,
            flags=asked.opportunity.flags,
            request_id=call.request_id,
        )

    return write(call, services, work)
