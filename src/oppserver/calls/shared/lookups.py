"""Look-ups by what callers name: users, leads, and opportunities with the reason they are gone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from oppserver.calls.shared.call import Services
from oppserver.contract.errors import OpportunityNotFound
from oppserver.contract.identifiers import canonical_guid
from oppserver.contract.model import (
    Catalogue,
    Lead,
    OpportunityType,
    StoredOpportunity,
    Tombstone,
    User,
)
from oppserver.contract.names import quoted
from oppserver.store.port import Store, Transaction
from oppserver.store.queries import ActivitySearch, TimelinePage


def users_named(transaction: Transaction, names: Iterable[str]) -> dict[str, User]:
    """The users of ids or addresses, by the name as given; unknown ones are left out."""
    asked = set(names)
    ids = {name: guid for name in asked if (guid := canonical_guid(name)) is not None}
    emails = sorted(asked - ids.keys())
    by_id = transaction.users(sorted(set(ids.values()))) if ids else {}
    by_email = transaction.users_by_email(emails) if emails else {}
    return {name: by_id[guid] for name, guid in ids.items() if guid in by_id} | by_email


def leads_by_value(
    transaction: Transaction, stored: str, values: Sequence[str]
) -> Mapping[str, Lead]:
    """The lead of each value of ``id`` (in any form), ``email``, ``phone`` or ``mobile``."""
    if stored != "id":
        return transaction.leads_by(stored, sorted(set(values)))
    ids = {value: guid for value in values if (guid := canonical_guid(value)) is not None}
    by_id = transaction.leads(sorted(set(ids.values())))
    return {value: by_id[guid] for value, guid in ids.items() if guid in by_id}


def opportunity_here(store: Store, one: str, *, place: str) -> StoredOpportunity:
    """The opportunity of an id. Raises OpportunityNotFound that names the place."""
    found = store.opportunity(one)
    if isinstance(found, StoredOpportunity):
        return found
    if found is None:
        raise OpportunityNotFound(f"{place}: {_never_here(one)}")
    emails = {user.id: user.email for user in store.users([_by(found)])}
    of_type = store.catalogue().types[found.event_code]
    raise OpportunityNotFound(f"{place}: {_deleted(found, of_type, emails.get(_by(found)))}")


def stored_opportunity(transaction: Transaction, one: str, *, place: str) -> StoredOpportunity:
    """The opportunity of an id, in a transaction. Raises as ``opportunity_here``."""
    found = transaction.opportunities([one]).get(one)
    if found is None:
        raise OpportunityNotFound(f"{place}: {gone(transaction, one)}")
    return found


def gone(transaction: Transaction, one: str) -> str:
    """The reason why an opportunity is not here, for an error that has named the place."""
    tombstone = transaction.tombstones([one]).get(one)
    if tombstone is None:
        return _never_here(one)
    user = transaction.users([_by(tombstone)]).get(_by(tombstone))
    of_type = transaction.catalogue().types[tombstone.event_code]
    return _deleted(tombstone, of_type, None if user is None else user.email)


def _never_here(one: str) -> str:
    return f"there is no opportunity {one}. Check the id."


def _by(tombstone: Tombstone) -> str:
    """The id of the user who deleted it; empty when a command did."""
    return tombstone.deleted_by or ""


def _deleted(tombstone: Tombstone, of_type: OpportunityType, email: str | None) -> str:
    who = email or _by(tombstone)
    return (
        f"the opportunity {tombstone.id} of type {of_type.event_code} ({quoted(of_type.name)}) was"
        f" deleted on {tombstone.deleted_on} (UTC){f' by {who}' if who else ''}."
    )


class ActivitiesFound(NamedTuple):
    """A page of activities, and the catalogue that has all their types."""

    page: TimelinePage
    catalogue: Catalogue


def read_timeline(search: ActivitySearch, services: Services) -> ActivitiesFound:
    """Read a page of activities."""
    page = services.store.timeline(search)
    return ActivitiesFound(page, services.store.catalogue())  # in this order: it has their types
