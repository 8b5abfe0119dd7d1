"""Reads of leads and activities in the model of a store."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.leads import ATTRIBUTE, EVERY_ATTRIBUTE
from oppserver.contract.model import Activity, Lead, StoredOpportunity
from oppserver.store.queries import ActivitySearch, LeadNumbers, RenderedRows, TimelinePage
from tests.support.memory_state import State, with_emails


def leads(state: State, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
    """The leads of ids, in their order."""
    found = [state.leads[one] for one in ids if one in state.leads]
    rows = [row(one, columns, state) for one in found]
    return RenderedRows(count=len(rows), json=msgspec.json.encode(rows))


def row(lead: Lead, columns: Sequence[Column], state: State) -> Mapping[str, str | None]:
    """A lead as it is answered."""
    named = {
        column.name: _answered(value(lead, column.stored, state), column.stored)
        for column in columns
        if column != EVERY_ATTRIBUTE
    }
    return {**named, **lead.attributes} if EVERY_ATTRIBUTE in columns else named


def _answered(stored_value: str | None, stored: str) -> str | None:
    is_date = stored in ("created_on", "modified_on")
    return f"{stored_value}.000" if is_date and stored_value is not None else stored_value


def value(lead: Lead, stored: str, state: State) -> str | None:
    """A stored value of a lead, also what is known of its owner."""
    if stored.startswith(ATTRIBUTE):
        return lead.attributes.get(stored.removeprefix(ATTRIBUTE))
    if stored in ("owner_name", "owner_email"):
        owner = state.users.get(lead.owner_id) if lead.owner_id else None
        if owner is None:
            return None
        return owner.name if stored == "owner_name" else owner.email
    found: str | None = getattr(lead, stored)
    return found


def numbers(state: State, ending: str, *, limit: int) -> list[LeadNumbers]:
    """The leads whose numbers have this end, by id."""
    found = [
        LeadNumbers(
            id=one.id,
            phone=one.phone,
            mobile=one.mobile,
            last_activity_on=max(
                (made.created_on for made in state.activities.values() if made.lead_id == one.id),
                default=None,
            ),
        )
        for _, one in sorted(state.leads.items())
        if ending in (_ending(one.phone), _ending(one.mobile))
    ]
    return found[:limit]


def _ending(number: str | None) -> str | None:
    return None if number is None else re.sub(r"[-+(). ]", "", number)[-7:]


# --- activities --------------------------------------------------------------------------------


def timeline(state: State, search: ActivitySearch) -> TimelinePage:
    """A page of activities, and how many there are in all."""
    everything: list[Activity | StoredOpportunity] = [*state.activities.values()]
    if search.with_opportunities:
        everything += [with_emails(one, state) for one in state.opportunities.values()]
    found = [one for one in everything if _is_asked(one, search)]
    by_modified_on = search.by_modified_on and not search.in_order_of_created_on
    found.sort(
        key=lambda one: (_date(one, by_modified_on=by_modified_on), one.id),
        reverse=search.is_descending,
    )
    page = found[search.offset : search.offset + search.limit]
    return TimelinePage(total=len(found), rows=page)


def _is_asked(one: Activity | StoredOpportunity, search: ActivitySearch) -> bool:
    opportunity_id = one.opportunity_id if isinstance(one, Activity) else None
    date = _date(one, by_modified_on=search.by_modified_on)
    return (
        search.lead_id in (None, one.lead_id)
        and search.opportunity_id in (None, opportunity_id)
        and search.event_code in (None, one.event_code)
        and (search.from_date is None or date >= search.from_date)
        and (search.to_date is None or date <= search.to_date)
    )


def _date(one: Activity | StoredOpportunity, *, by_modified_on: bool) -> str:
    date = one.modified_on if by_modified_on else one.created_on
    assert date is not None, "what is stored has its dates"
    return date
