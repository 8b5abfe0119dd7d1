"""What ``Update`` and ``Bulk/Update/ByOpportunityId`` share: new values of opportunities."""

from collections.abc import Mapping, Sequence

from oppserver.contract.errors import InvalidValue
from oppserver.contract.event_codes import event_code_of
from oppserver.contract.model import Catalogue, Opportunity
from oppserver.contract.writes import AskedUpdate
from oppserver.operations.lookups import users_named
from oppserver.steps.plan_values import owners_named, plan_values
from oppserver.steps.plan_writes import plan_change
from oppserver.store.port import Session


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
