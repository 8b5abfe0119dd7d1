"""Reads of opportunities, and of the tombstones of deleted ones, in the SQL that engines share."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from oppserver.contract.model import StoredOpportunity, Tombstone
from oppserver.store.schema import SLOT_NAMES
from oppserver.store.sql import SqlConnection

_MEMBERS: Final = (
    "id",
    "event_code",
    "lead_id",
    "lead_email",
    "owner_id",
    "status",
    "note",
    "created_on",
    "modified_on",
    "created_by",
    "modified_by",
)

_OPPORTUNITIES: Final = (
    f"SELECT u.email, {', '.join(f'o.{name}' for name in _MEMBERS + SLOT_NAMES)}"
    ' FROM opportunity AS o LEFT JOIN "user" AS u ON u.id = o.owner_id'
)

_BY_ID: Final = f"{_OPPORTUNITIES} WHERE o.id IN (SELECT value FROM json_each(:ids))"

_PAGE: Final = f"{_OPPORTUNITIES} WHERE o.id > :after_id ORDER BY o.id LIMIT :limit"

_PAGE_OF_TYPE: Final = (
    f"{_OPPORTUNITIES} WHERE o.id > :after_id AND o.event_code = :event_code"
    " ORDER BY o.id LIMIT :limit"
)

_COUNT: Final = "SELECT count(*) FROM opportunity"

_COUNT_OF_TYPE: Final = "SELECT count(*) FROM opportunity WHERE event_code = :event_code"

_TOMBSTONES: Final = (
    "SELECT id, event_code, deleted_on, deleted_by FROM deleted_opportunity"
    " WHERE id IN (SELECT value FROM json_each(:ids))"
)


def select_opportunity(connection: SqlConnection, one: str) -> StoredOpportunity | Tombstone | None:
    """The opportunity of an id, or what is left of it; None when it was never there."""
    found = select_opportunities(connection, [one]).get(one)
    return found or select_tombstones(connection, [one]).get(one)


def select_opportunities(
    connection: SqlConnection, ids: Sequence[str]
) -> dict[str, StoredOpportunity]:
    """The opportunities of ids, each with its owner's address."""
    return {one.id: one for one in map(_opportunity, connection.rows(_BY_ID, ids=list(ids)))}


def select_tombstones(connection: SqlConnection, ids: Sequence[str]) -> dict[str, Tombstone]:
    """Return the tombstones of the ids that are deleted."""
    return {
        row[0]: Tombstone(id=row[0], event_code=row[1], deleted_on=row[2], deleted_by=row[3])
        for row in connection.rows(_TOMBSTONES, ids=list(ids))
    }


def select_alike(
    connection: SqlConnection, event_code: int, values: Mapping[str, str]
) -> str | None:
    """The id of the oldest opportunity of a type whose stored columns have these values.

    An expression hides a column from planners. The date's: mostly no row differs, and none is met
    by a walk through an index in the order of dates. The type's, where the lead's index is to be
    taken: without statistics SQLite takes that of the type to be as good.
    """
    of_type = "+event_code" if "lead_id" in values else "event_code"
    alike = "".join(f" AND {stored} = :{stored}" for stored in values)
    statement = (
        f"SELECT id FROM opportunity WHERE {of_type} = :of_type{alike}"
        " ORDER BY created_on || '', id LIMIT 1"
    )
    found = connection.rows(statement, of_type=event_code, **values)
    return str(found[0][0]) if found else None


def select_page(
    connection: SqlConnection, *, event_code: int | None, after_id: str, limit: int
) -> list[StoredOpportunity]:
    """A page by id, with each owner's address."""
    if event_code is None:
        found = connection.rows(_PAGE, after_id=after_id, limit=limit)
    else:
        found = connection.rows(
            _PAGE_OF_TYPE, after_id=after_id, limit=limit, event_code=event_code
        )
    return list(map(_opportunity, found))


def count_opportunities(connection: SqlConnection, *, event_code: int | None) -> int:
    """Count opportunities, of one type or all."""
    if event_code is None:
        [(count,)] = connection.rows(_COUNT)
    else:
        [(count,)] = connection.rows(_COUNT_OF_TYPE, event_code=event_code)
    return int(count)


def _opportunity(row: Sequence[Any]) -> StoredOpportunity:
    first_slot = 1 + len(_MEMBERS)
    slots = zip(SLOT_NAMES, row[first_slot:], strict=True)
    return StoredOpportunity(
        owner_email=row[0],
        **dict(zip(_MEMBERS, row[1:first_slot], strict=True)),
        slots={name: value for name, value in slots if value is not None},
    )
