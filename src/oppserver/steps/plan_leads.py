"""From what a caller says of a lead, and what is stored, to the lead as it will be."""

from collections.abc import Mapping
from typing import Any

import msgspec

from oppserver.contract.errors import InvalidReference, LimitExceeded
from oppserver.contract.leads import ATTRIBUTE, UNIQUE_COLUMNS
from oppserver.contract.limits import LEAD_ATTRIBUTES_MAX
from oppserver.contract.model import Lead, User
from oppserver.contract.names import quoted
from oppserver.contract.writes import FoundLead, LeadDetails


def plan_lead(
    details: LeadDetails,
    found: FoundLead,
    *,
    users: Mapping[str, User],
    new_id: str,
    now: str,
) -> Lead:
    """The lead as it will be: the one that was found with the given values, or a new one.

    A lead that nothing changes comes back as it is. ``users`` are by owner as given. Raises
    InvalidReference when what is stored does not allow it, and LimitExceeded when the lead would
    have too many attributes.
    """
    _check_id(details, found)
    _check_taken(details, found)
    if details.owner is not None and details.owner not in users:
        raise InvalidReference(
            f"{details.place}: OwnerId {quoted(details.owner)} is no user here."
            " Send a user's id or address."
        )
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
    """Two leads with one address could not be told apart when one is looked for by it."""
    names = {stored: name for name, stored in UNIQUE_COLUMNS.items()}
    for stored, other in found.taken.items():
        if found.lead is None or found.lead.id != other.id:
            name = names[stored]
            raise InvalidReference(
                f"{details.place}: {name} {quoted(details.values[stored])} is that of the lead"
                f" {other.id}. Search by {name}, or send another one."
            )


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
    if len(attributes) > LEAD_ATTRIBUTES_MAX:
        raise LimitExceeded(
            f"{details.place}: the lead would have {len(attributes)} attributes; it takes"
            f" {LEAD_ATTRIBUTES_MAX}. Clear some of them."
        )
    if details.owner is not None:
        own["owner_id"] = users[details.owner].id
    return msgspec.structs.replace(lead, attributes=attributes, **own)
