"""Saving a lead in a transaction: find it, check it against others, change or create it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from oppserver.calls.leads.parse import CapturedLead, FoundLead, LeadDetails, UpdateBehavior
from oppserver.calls.shared.lookups import users_named
from oppserver.calls.shared.names import user_here
from oppserver.contract.errors import DuplicateEntry, InvalidReference, LimitExceeded
from oppserver.contract.field_sets import members_in, with_members
from oppserver.contract.leads import ATTRIBUTE, UNIQUE_COLUMNS
from oppserver.contract.limits import LEAD_ATTRIBUTES_MAX
from oppserver.contract.model import Lead, User
from oppserver.contract.names import ascii_lower, quoted
from oppserver.contract.values import plain_text
from oppserver.store.port import Transaction


def find_leads(transaction: Transaction, details: Sequence[LeadDetails]) -> list[FoundLead]:
    """The stored leads that each described lead is about."""
    found: list[Lead | None] = [None] * len(details)
    for stored in ("id", "email", "phone", "mobile"):
        wanted = {
            value
            for one, lead in zip(details, found, strict=True)
            if lead is None and (value := one.searches.get(stored)) is not None
        }
        leads = _leads(transaction, stored, wanted)
        found = [
            lead or leads.get(one.searches.get(stored, ""))
            for one, lead in zip(details, found, strict=True)
        ]
    return _with_taken(transaction, details, found)


def _with_taken(
    transaction: Transaction, details: Sequence[LeadDetails], found: Sequence[Lead | None]
) -> list[FoundLead]:
    """Add the leads that already have a new id, address or number."""
    pairs = list(zip(details, found, strict=True))
    new_ids = [one.id if lead is None and "id" not in one.searches else None for one, lead in pairs]
    of_id = _leads(transaction, "id", {one for one in new_ids if one is not None})
    new_values = [_new_values(one, lead) for one, lead in pairs]
    others = {
        stored: _leads(transaction, stored, {one[stored] for one in new_values if stored in one})
        for stored in sorted({stored for one in new_values for stored in one})
    }
    return [
        FoundLead(
            lead=lead,
            of_id=None if new_id is None else of_id.get(new_id),
            taken={
                stored: others[stored][value]
                for stored, value in values.items()
                if value in others[stored]
            },
        )
        for lead, new_id, values in zip(found, new_ids, new_values, strict=True)
    ]


def _new_values(details: LeadDetails, lead: Lead | None) -> dict[str, str]:
    """The new values that no other lead may have, by stored name, without those searched by."""
    return {
        stored: value
        for stored in details.unshared
        if (value := details.values.get(stored)) is not None
        and not (lead is None and stored in details.searches)
        and ascii_lower(value) != ascii_lower(getattr(lead, stored, None) or "")
    }


def _leads(transaction: Transaction, stored: str, values: Collection[str]) -> Mapping[str, Lead]:
    if not values:
        return {}
    asked = sorted(values)
    return transaction.leads(asked) if stored == "id" else transaction.leads_by(stored, asked)


class SavedLead(NamedTuple):
    """A lead as it is stored now. ``is_created``: it was not there before."""

    lead: Lead
    is_created: bool


def save_lead(
    transaction: Transaction, details: LeadDetails, *, now: str, new_id: Callable[[], str]
) -> SavedLead:
    """Change the lead that is found, or create one. Raises as ``plan_lead``."""
    [found] = find_leads(transaction, [details])
    users = users_named(transaction, [] if details.owner is None else [details.owner])
    lead = plan_lead(details, found, users=users, new_id=new_id(), now=now)
    if lead != found.lead:
        transaction.write_leads([lead])
    return SavedLead(lead=lead, is_created=found.lead is None)


def create_lead(
    transaction: Transaction, details: LeadDetails, *, now: str, new_id: Callable[[], str]
) -> SavedLead:
    """Create a lead. Raises as ``plan_lead``, and DuplicateEntry when a lead has the id."""
    if details.id is not None and transaction.leads([details.id]):
        raise DuplicateEntry(
            f"A Lead with same ProspectID already exists. {details.place}: ProspectID {details.id}."
            " Leave it out, or change the lead with Lead.Update."
        )
    return save_lead(transaction, details, now=now, new_id=new_id)


def capture_lead(
    transaction: Transaction, captured: CapturedLead, *, now: str, new_id: Callable[[], str]
) -> SavedLead:
    """Change the lead that is found as far as the behavior allows it, or create one.

    The rules are the documented ones: a lead of the id that was sent is another one when its
    address differs; a new lead gets an id that was sent and that nobody has. A lead that is found
    keeps its source. Raises as ``plan_lead``.
    """
    details, behavior = captured
    [found] = find_leads(transaction, [details])
    if "id" in details.searches and _is_another(details, found.lead):
        others = {stored: one for stored, one in details.searches.items() if stored != "id"}
        details = msgspec.structs.replace(details, id=None, searches=others)
        [found] = find_leads(transaction, [details])
    lead = found.lead
    if lead is None:
        if found.of_id is not None:
            details = msgspec.structs.replace(details, id=None)
        return save_lead(transaction, details, now=now, new_id=new_id)
    if behavior is UpdateBehavior.DO_NOT_UPDATE:
        return SavedLead(lead=lead, is_created=False)
    values = {
        stored: value
        for stored, value in details.values.items()
        if _may_change(lead, stored, value, behavior)
    }
    sets = details.sets
    if behavior is UpdateBehavior.ONLY_EMPTY:
        sets = {stored: _lacking(lead, stored, members) for stored, members in sets.items()}
    owner = details.owner if "owner_id" in values else None
    changes = msgspec.structs.replace(
        details, id=lead.id, searches={"id": lead.id}, values=values, sets=sets, owner=owner
    )
    return save_lead(transaction, changes, now=now, new_id=new_id)


def _is_another(details: LeadDetails, lead: Lead | None) -> bool:
    """Return true when the lead of the id that was sent has another address than the one sent."""
    email = details.values.get("email")
    if lead is None or lead.id != details.id or lead.email is None or email is None:
        return False
    return ascii_lower(lead.email) != ascii_lower(email)


def _may_change(
    lead: Lead, stored: str, value: str | None, behavior: UpdateBehavior | None
) -> bool:
    is_attribute = stored.startswith(ATTRIBUTE)
    known = (
        lead.attributes.get(stored.removeprefix(ATTRIBUTE))
        if is_attribute
        else getattr(lead, stored)
    )
    if known is None:
        return value is not None
    if stored == _SOURCE or behavior is UpdateBehavior.ONLY_EMPTY:
        return False
    return behavior is not UpdateBehavior.NOT_UNIQUE or stored not in UNIQUE_COLUMNS.values()


def _lacking(
    lead: Lead, stored: str, members: Mapping[str, str | None]
) -> Mapping[str, str | None]:
    """The members of a field set that a lead does not have."""
    known = members_in(lead.attributes.get(stored.removeprefix(ATTRIBUTE)))
    return {name: value for name, value in members.items() if name not in known}


_SOURCE: Final = f"{ATTRIBUTE}Source"
"""It stays when a lead is captured again. Source: documented."""


def lead_here(transaction: Transaction, lead_id: str, *, place: str) -> Lead:
    """The lead of an id. Raises InvalidReference that names the place."""
    lead = transaction.leads([lead_id]).get(lead_id)
    if lead is None:
        raise InvalidReference(f"{place}: Lead does not exist in the system: {lead_id}")
    return lead


def plan_lead(
    details: LeadDetails, found: FoundLead, *, users: Mapping[str, User], new_id: str, now: str
) -> Lead:
    """Plan the lead: the one that was found, with the given values, or a new one.

    An unchanged lead is returned as it was. ``users`` are by owner as sent. Raises InvalidReference
    when the id or the owner conflicts with stored ones, DuplicateEntry when another lead has an
    unshared value, and LimitExceeded when the lead would have too many attributes.
    """
    _check_id(details, found)
    _check_taken(details, found)
    if details.owner is not None:
        user_here(details.owner, users, place=f"{details.place}: OwnerId")
    if found.lead is None:
        lead = Lead(id=details.id or new_id, created_on=now, modified_on=now)
        return _with_values(lead, details, users)
    changed = _with_values(found.lead, details, users)
    return changed if changed == found.lead else msgspec.structs.replace(changed, modified_on=now)


def _check_id(details: LeadDetails, found: FoundLead) -> None:
    if details.id is None:
        return
    if found.lead is not None:
        if found.lead.id != details.id:
            raise InvalidReference(
                f"{details.place}: the lead found is {found.lead.id}, not ProspectID {details.id}."
                " Send its own id, or none."
            )
        return
    if found.of_id is not None:
        raise InvalidReference(
            f"{details.place}: the lead {details.id} has other values in the fields searched by."
            " Set SearchBy to ProspectId to change it."
        )
    if not details.may_take_id:
        raise InvalidReference(
            f"{details.place}: there is no lead {details.id}. To create it with this id, add the"
            ' attribute __UseUserDefinedGuid__ with the value "true".'
        )


def _check_taken(details: LeadDetails, found: FoundLead) -> None:
    """Check the unshared values: a search by an address that two leads have would be ambiguous."""
    names = {stored: name for name, stored in UNIQUE_COLUMNS.items()}
    for stored, other in found.taken.items():
        if found.lead is None or found.lead.id != other.id:
            name = names[stored]
            raise DuplicateEntry(
                f"A Lead with same {_CALLED[stored]} already exists. {details.place}: {name}"
                f" {quoted(details.values[stored])} is that of the lead {other.id}. Search by"
                f" {name}, or send another one."
            )


_CALLED: Final = {"email": "Email", "phone": "Phone Number"}
"""The names of unshared values in messages. Source: observed."""


def _with_values(lead: Lead, details: LeadDetails, users: Mapping[str, User]) -> Lead:
    own: dict[str, Any] = {}
    attributes = dict(lead.attributes)
    for stored, value in details.values.items():
        if not stored.startswith(ATTRIBUTE):
            own[stored] = value
        elif value is None:
            attributes.pop(stored.removeprefix(ATTRIBUTE), None)
        else:
            attributes[stored.removeprefix(ATTRIBUTE)] = value
    for stored, members in details.sets.items():
        name = stored.removeprefix(ATTRIBUTE)
        place = f"{details.place}: {name}"
        text = with_members(attributes.pop(name, None), members, place=place)
        if text is not None:
            attributes[name] = plain_text(text, place=place) or ""
    if len(attributes) > LEAD_ATTRIBUTES_MAX:
        raise LimitExceeded(
            f"{details.place}: the lead would have {len(attributes)} attributes; it takes"
            f" {LEAD_ATTRIBUTES_MAX}. Clear some of them."
        )
    if details.owner is not None:
        own["owner_id"] = users[details.owner].id
    return msgspec.structs.replace(lead, attributes=attributes, **own)
