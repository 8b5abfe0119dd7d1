"""The opportunity that a read names, or why it is not here."""

from oppserver.contract.errors import OpportunityNotFound
from oppserver.contract.model import Opportunity, Tombstone
from oppserver.contract.names import quoted
from oppserver.store.port import Store


def opportunity_here(store: Store, one: str, *, place: str) -> Opportunity:
    """The opportunity of an id. Raises OpportunityNotFound that names the place."""
    found = store.opportunity(one)
    if isinstance(found, Opportunity):
        return found
    raise OpportunityNotFound(f"{place}: {_gone(store, one, found)}")


def _gone(store: Store, one: str, tombstone: Tombstone | None) -> str:
    if tombstone is None:
        return f"there is no opportunity {one}. Check the id."
    name = store.catalogue().types[tombstone.event_code].name
    emails = {user.id: user.email for user in store.users()}
    who = tombstone.deleted_by and (emails.get(tombstone.deleted_by) or tombstone.deleted_by)
    return (
        f"the opportunity {one} of type {tombstone.event_code} ({quoted(name)}) was deleted on"
        f" {tombstone.deleted_on} (UTC){f' by {who}' if who else ''}."
    )
