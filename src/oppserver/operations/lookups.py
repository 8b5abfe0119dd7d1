"""What writes look up in their session before they plan: the leads and users that callers name."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.model import Lead, User
from oppserver.contract.names import ascii_lower
from oppserver.contract.writes import FoundLead, LeadDetails
from oppserver.store.port import Session


def users_named(session: Session, names: Iterable[str]) -> dict[str, User]:
    """The users of ids or addresses, by the name as given; unknown ones are left out."""
    asked = set(names)
    ids = {name: guid for name in asked if (guid := canonical_guid(name)) is not None}
    emails = sorted(asked - ids.keys())
    by_id = session.users(sorted(set(ids.values()))) if ids else {}
    by_email = session.users_by_email(emails) if emails else {}
    return {name: by_id[guid] for name, guid in ids.items() if guid in by_id} | by_email


def find_leads(session: Session, details: Sequence[LeadDetails]) -> list[FoundLead]:
    """What is stored around each lead that is described."""
    found: list[Lead | None] = [None] * len(details)
    for stored in ("id", "email", "phone", "mobile"):
        wanted = {
            value
            for one, lead in zip(details, found, strict=True)
            if lead is None and (value := one.searches.get(stored)) is not None
        }
        leads = _leads(session, stored, wanted)
        found = [
            lead or leads.get(one.searches.get(stored, ""))
            for one, lead in zip(details, found, strict=True)
        ]
    return _with_what_else_is_stored(session, details, found)


def _with_what_else_is_stored(
    session: Session, details: Sequence[LeadDetails], found: Sequence[Lead | None]
) -> list[FoundLead]:
    """Also the leads that are in the way of a new id, or of an address or a number."""
    pairs = list(zip(details, found, strict=True))
    new_ids = [one.id if lead is None and "id" not in one.searches else None for one, lead in pairs]
    of_id = _leads(session, "id", {one for one in new_ids if one is not None})
    new_values = [_new_values(one, lead) for one, lead in pairs]
    others = {
        stored: _leads(session, stored, {one[stored] for one in new_values if stored in one})
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
    """What a lead would take and no other may have, by stored name, if nobody has looked for it."""
    return {
        stored: value
        for stored in details.unshared
        if (value := details.values.get(stored)) is not None
        and not (lead is None and stored in details.searches)
        and ascii_lower(value) != ascii_lower(getattr(lead, stored, None) or "")
    }


def leads_by_value(session: Session, stored: str, values: Sequence[str]) -> Mapping[str, Lead]:
    """The lead of each value of ``id`` (in any form), ``email``, ``phone`` or ``mobile``."""
    if stored != "id":
        return session.leads_by(stored, sorted(set(values)))
    ids = {value: guid for value in values if (guid := canonical_guid(value)) is not None}
    by_id = session.leads(sorted(set(ids.values())))
    return {value: by_id[guid] for value, guid in ids.items() if guid in by_id}


def _leads(session: Session, stored: str, values: Collection[str]) -> Mapping[str, Lead]:
    if not values:
        return {}
    asked = sorted(values)
    return session.leads(asked) if stored == "id" else session.leads_by(stored, asked)
