"""The promises of this program about its data, checked in every engine."""

from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, true

from oppserver.store.schema import (
    activity,
    api_key,
    change_counter,
    deleted_opportunity,
    field,
    lead,
    opportunity,
    opportunity_type,
    user,
)


def _was_not_given(table: Table) -> ColumnElement[bool]:
    number = table.c.change_number
    return (number < 1) | (number > change_counter.c.last_number)


_BROKEN: Final = MappingProxyType(
    {
        "opportunities of no known type": (
            opportunity.outerjoin(
                opportunity_type, opportunity_type.c.event_code == opportunity.c.event_code
            ),
            opportunity_type.c.event_code.is_(None),
        ),
        "opportunities of an unknown owner": (
            opportunity.outerjoin(user, user.c.id == opportunity.c.owner_id),
            and_(opportunity.c.owner_id.is_not(None), user.c.id.is_(None)),
        ),
        "opportunities that are marked as deleted": (
            deleted_opportunity.join(opportunity, opportunity.c.id == deleted_opportunity.c.id),
            opportunity.c.id.is_not(None),
        ),
        "opportunities whose change has a number that was not given": (
            opportunity.join(change_counter, true()),
            _was_not_given(opportunity),
        ),
        "deletions whose change has a number that was not given": (
            deleted_opportunity.join(change_counter, true()),
            _was_not_given(deleted_opportunity),
        ),
        "leads of an unknown owner": (
            lead.outerjoin(user, user.c.id == lead.c.owner_id),
            and_(lead.c.owner_id.is_not(None), user.c.id.is_(None)),
        ),
        "fields of no known type": (
            field.outerjoin(opportunity_type, opportunity_type.c.event_code == field.c.event_code),
            opportunity_type.c.event_code.is_(None),
        ),
        "keys of an unknown user": (
            api_key.outerjoin(user, user.c.id == api_key.c.user_id),
            user.c.id.is_(None),
        ),
    }
)
"""Faults that no engine checks: the meaning of each, and the rows that have it."""

_BROKEN_ACROSS: Final = MappingProxyType(
    {
        "opportunities whose EmailAddress is not their lead's": (
            opportunity.outerjoin(lead, lead.c.id == opportunity.c.lead_id),
            lead.c.id.is_(None) | lead.c.email.is_distinct_from(opportunity.c.lead_email),
        ),
        "activities of an unknown lead": (
            activity.outerjoin(lead, lead.c.id == activity.c.lead_id),
            lead.c.id.is_(None),
        ),
        "activities of an opportunity that was never there": (
            activity.outerjoin(
                opportunity, opportunity.c.id == activity.c.opportunity_id
            ).outerjoin(deleted_opportunity, deleted_opportunity.c.id == activity.c.opportunity_id),
            and_(
                activity.c.opportunity_id.is_not(None),
                opportunity.c.id.is_(None),
                deleted_opportunity.c.id.is_(None),
            ),
        ),
    }
)
"""The same of rows that name rows which a sharded database may have on another machine."""


def broken_promises(connection: Connection, *, is_sharded: bool = False) -> list[str]:
    """The faults that are there, a line each, with how many rows have it.

    Of a sharded database, without those that take a look at two of its machines.
    """
    found = []
    promises = _BROKEN if is_sharded else {**_BROKEN, **_BROKEN_ACROSS}
    for meaning, (rows, is_broken) in promises.items():
        statement = select(func.count()).select_from(rows).where(is_broken)
        if number := connection.execute(statement).scalar_one():
            found.append(f"{number} {meaning}")
    return found
