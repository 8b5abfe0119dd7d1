"""The promises of this program about its data, checked in every engine."""

from types import MappingProxyType
from typing import Final

import msgspec

from oppserver.contract.names import counted
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.catalogue import select_catalogue
from oppserver.store.sql.values import unformed

_BROKEN: Final = MappingProxyType(
    {
        "opportunity of no known type": (
            "SELECT count(*) FROM opportunity AS o"
            " LEFT JOIN opportunity_type AS t ON t.event_code = o.event_code"
            " WHERE t.event_code IS NULL"
        ),
        "opportunity of an unknown owner": (
            'SELECT count(*) FROM opportunity AS o LEFT JOIN "user" AS u ON u.id = o.owner_id'
            " WHERE o.owner_id IS NOT NULL AND u.id IS NULL"
        ),
        "opportunity marked as deleted": (
            "SELECT count(*) FROM deleted_opportunity AS d JOIN opportunity AS o ON o.id = d.id"
        ),
        "opportunity whose change has a number that was not given": (
            "SELECT count(*) FROM opportunity AS o JOIN change_counter AS c ON true"
            " WHERE o.change_number < 1 OR o.change_number > c.last_number"
        ),
        "deletion whose change has a number that was not given": (
            "SELECT count(*) FROM deleted_opportunity AS d JOIN change_counter AS c ON true"
            " WHERE d.change_number < 1 OR d.change_number > c.last_number"
        ),
        "lead of an unknown owner": (
            'SELECT count(*) FROM lead AS l LEFT JOIN "user" AS u ON u.id = l.owner_id'
            " WHERE l.owner_id IS NOT NULL AND u.id IS NULL"
        ),
        "field of no known type": (
            "SELECT count(*) FROM field AS f"
            " LEFT JOIN opportunity_type AS t ON t.event_code = f.event_code"
            " WHERE t.event_code IS NULL"
        ),
        "key of an unknown user": (
            'SELECT count(*) FROM api_key AS k LEFT JOIN "user" AS u ON u.id = k.user_id'
            " WHERE u.id IS NULL"
        ),
    }
)
"""Faults that no engine checks: the meaning of each, and how many rows have it."""

_BROKEN_ACROSS: Final = MappingProxyType(
    {
        # a null differs from an address, and not from a null
        "opportunity whose EmailAddress is not that of its lead": (
            "SELECT count(*) FROM opportunity LEFT JOIN lead ON lead.id = opportunity.lead_id"
            " WHERE lead.id IS NULL OR coalesce(lead.email <> opportunity.lead_email,"
            " lead.email IS NOT NULL OR opportunity.lead_email IS NOT NULL)"
        ),
        "activity of an unknown lead": (
            "SELECT count(*) FROM activity LEFT JOIN lead ON lead.id = activity.lead_id"
            " WHERE lead.id IS NULL"
        ),
        "activity of an opportunity that was never there": (
            "SELECT count(*) FROM activity"
            " LEFT JOIN opportunity ON opportunity.id = activity.opportunity_id"
            " LEFT JOIN deleted_opportunity ON deleted_opportunity.id = activity.opportunity_id"
            " WHERE activity.opportunity_id IS NOT NULL AND opportunity.id IS NULL"
            " AND deleted_opportunity.id IS NULL"
        ),
    }
)
"""The same of rows that name rows which a sharded database may have on another machine."""


def broken_promises(connection: SqlConnection, *, is_sharded: bool = False) -> list[str]:
    """The faults that are there, a line each, with how many rows have it.

    Of a sharded database, without those that take a look at two of its machines.
    """
    found = []
    promises = _BROKEN if is_sharded else {**_BROKEN, **_BROKEN_ACROSS}
    for meaning, statement in promises.items():
        [(number,)] = connection.rows(statement)
        if number:
            found.append(fault(number, meaning))
    return found


def fault(number: int, meaning: str) -> str:
    """A line for some rows with a fault, whose meaning begins with a noun: ``lead of ...``."""
    noun, _, rest = meaning.partition(" ")
    return f"{counted(number, noun)} {rest}"


def unformed_values(connection: SqlConnection) -> list[str]:
    """A line for each type that has values in an older form, or one for fields that are damaged."""
    try:
        return unformed(connection, select_catalogue(connection))
    except (ValueError, msgspec.DecodeError) as error:
        return [f"the types and fields cannot be read: {error}"]
