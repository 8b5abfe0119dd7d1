"""``Capture``: a new opportunity and its lead, unless the opportunity is there already."""

from collections.abc import Callable, Mapping, Sequence

from oppserver.calls.leads.parse import check_says_no_lead, parse_lead_details
from oppserver.calls.leads.save import save_lead
from oppserver.calls.shared.admission import admit
from oppserver.calls.shared.call import Call, Services
from oppserver.calls.shared.decode import mandatory_guid
from oppserver.calls.shared.idempotency import write
from oppserver.calls.shared.lookups import gone, leads_by_value, users_named
from oppserver.calls.shared.names import event_code_of
from oppserver.calls.writes.asked import AskedAddition, AskedUpdate, Capture
from oppserver.calls.writes.capturing import captured_all
from oppserver.calls.writes.parse import (
    SearchBy,
    parse_bulk_add,
    parse_bulk_update,
    parse_capture,
    parse_search_by,
    parse_update,
)
from oppserver.calls.writes.plan import owners_named, plan_capture, plan_change, plan_values
from oppserver.calls.writes.render import (
    render_bulk_add,
    render_bulk_update,
    render_capture,
    render_delete,
    render_update,
)
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import (
    AccessDenied,
    InvalidReference,
    InvalidValue,
    OpportunityNotFound,
)
from oppserver.contract.model import Catalogue, Lead, Opportunity
from oppserver.contract.names import quoted
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


def update_all(
    session: Session,
    asked: Sequence[AskedUpdate],
    stored: Mapping[str, Opportunity],
    *,
    now: str,
    by: str,
) -> None:
    """Writes the new values. ``stored`` has every opportunity that is asked for, by id.

    Raises an ApiError with status 400 that names the place.
    """
    catalogue = session.catalogue()
    users = users_named(session, [name for one in asked for name in owners_named(one.fields)])
    changed = []
    for one in asked:
        opportunity = stored[one.id]
        _check_type(one, opportunity, catalogue)
        fields = catalogue.fields[opportunity.event_code]
        values = plan_values(
            one.fields, event_code=opportunity.event_code, fields=fields, users=users
        )
        changed.append(plan_change(opportunity, values, fields, now=now, by=by))
    session.write_opportunities(changed, now=now)


def _check_type(one: AskedUpdate, stored: Opportunity, catalogue: Catalogue) -> None:
    if one.event_code is None:
        return
    event_code = event_code_of(one.event_code, catalogue, place=one.place)
    if event_code != stored.event_code:
        raise InvalidValue(
            f"{one.place}: the opportunity {one.id} is of type {stored.event_code}, not"
            f" {event_code}. Send its own type."
        )


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
