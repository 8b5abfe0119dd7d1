"""``Bulk/Add/ByLeadField``: up to 25 new opportunities of leads that are there."""

from collections.abc import Callable, Mapping, Sequence

from oppserver.contract.dates import now_stored
from oppserver.contract.errors import InvalidReference
from oppserver.contract.model import Catalogue, Lead
from oppserver.contract.names import quoted
from oppserver.contract.writes import AskedAddition, Capture
from oppserver.operations.call import Call, Services, admit
from oppserver.operations.capturing import captured_all
from oppserver.operations.lookups import leads_by_value, users_named
from oppserver.operations.write import write
from oppserver.steps.parse_writes import SearchBy, parse_bulk_add, parse_search_by
from oppserver.steps.plan_values import owners_named, plan_capture
from oppserver.steps.render_writes import render_bulk_add
from oppserver.store.port import Session


def bulk_add(call: Call, services: Services) -> bytes:
    """The body of the answer. Raises an ApiError for everything that is not status 200."""
    caller = admit(call, services)
    search_by = parse_search_by(call.query)
    asked = parse_bulk_add(
        call.body, content_type=call.content_type, body_bytes_max=services.body_bytes_max
    )
    now, new_id = now_stored(call.now), services.sources.new_id

    def work(session: Session) -> bytes:
        catalogue = session.catalogue()
        captures = _planned(session, asked, search_by, catalogue, now=now, new_id=new_id)
        return render_bulk_add(
            captured_all(session, captures, catalogue, now=now, by=caller.user_id, new_id=new_id)
        )

    return write(call, services, work)


def _planned(
    session: Session,
    asked: Sequence[AskedAddition],
    search_by: SearchBy,
    catalogue: Catalogue,
    *,
    now: str,
    new_id: Callable[[], str],
) -> list[Capture]:
    owners = [name for one in asked for name in owners_named(one.opportunity.fields)]
    users = users_named(session, owners)
    leads = leads_by_value(session, search_by.stored, [one.lead_value for one in asked])
    return [
        plan_capture(
            one.opportunity,
            lead=_lead(one, leads, search_by),
            catalogue=catalogue,
            users=users,
            new_id=new_id(),
            now=now,
        )
        for one in asked
    ]


def _lead(one: AskedAddition, leads: Mapping[str, Lead], search_by: SearchBy) -> Lead:
    lead = leads.get(one.lead_value)
    if lead is None:
        raise InvalidReference(
            f"{one.lead_place}: there is no lead with {search_by.name} {quoted(one.lead_value)}."
            " Capture creates leads."
        )
    return lead
