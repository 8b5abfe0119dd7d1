"""How one lead is found, created and changed in a session: what calls that write leads share."""

from collections.abc import Callable
from typing import NamedTuple

from oppserver.contract.errors import InvalidReference
from oppserver.contract.model import Lead
from oppserver.contract.writes import LeadDetails
from oppserver.operations.lookups import find_leads, users_named
from oppserver.steps.plan_leads import plan_lead
from oppserver.store.port import Session


class SavedLead(NamedTuple):
    """A lead as it is stored now, and whether it was not there before."""

    lead: Lead
    is_created: bool


def save_lead(
    session: Session, details: LeadDetails, *, now: str, new_id: Callable[[], str]
) -> SavedLead:
    """Changes the lead that is found, or creates one. Raises as ``plan_lead``."""
    [found] = find_leads(session, [details])
    users = users_named(session, [] if details.owner is None else [details.owner])
    lead = plan_lead(details, found, users=users, new_id=new_id(), now=now)
    if lead != found.lead:
        session.write_leads([lead])
    return SavedLead(lead=lead, is_created=found.lead is None)


def lead_here(session: Session, lead_id: str, *, place: str) -> Lead:
    """The lead of an id. Raises InvalidReference that names the place."""
    lead = session.leads([lead_id]).get(lead_id)
    if lead is None:
        raise InvalidReference(f"{place}: Lead does not exist in the system: {lead_id}")
    return lead
