"""Leads in the SQL that engines share."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from oppserver.contract.model import Lead
from oppserver.contract.names import ascii_lower
from oppserver.store.queries import LeadNumbers
from oppserver.store.schema import number_ending
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.users import write_owners

_LEADS: Final = (
    "SELECT id, email, first_name, last_name, phone, mobile, owner_id, created_on, modified_on,"
    " attributes FROM lead"
)

_LEADS_BY_ID: Final = f"{_LEADS} WHERE id IN (SELECT value FROM json_each(:ids))"

_LEADS_BY: Final = {
    stored: f"{_LEADS} WHERE {compared} IN (SELECT value FROM json_each(:asked)) ORDER BY id"
    for stored, compared in (("email", "lower(email)"), ("phone", "phone"), ("mobile", "mobile"))
}

_ADDRESSES: Final = "SELECT id, email FROM lead WHERE id IN (SELECT value FROM json_each(:ids))"

_INSERT: Final = (
    "INSERT INTO lead (id, email, first_name, last_name, phone, mobile, owner_id, created_on,"
    " modified_on, attributes) VALUES (:id, :email, :first_name, :last_name, :phone, :mobile,"
    " :owner_id, :created_on, :modified_on, :attributes)"
)

_UPDATE: Final = (
    "UPDATE lead SET email = :email, first_name = :first_name, last_name = :last_name,"
    " phone = :phone, mobile = :mobile, owner_id = :owner_id, created_on = :created_on,"
    " modified_on = :modified_on, attributes = :attributes WHERE id = :id"
)
"""The id is not set, not even to itself: rows lie by it."""

_BY_ENDING: Final = tuple(
    f"SELECT id, phone, mobile FROM lead WHERE {number_ending(name)} = :ending"
    f" AND {name} IS NOT NULL ORDER BY id LIMIT :limit"
    for name in ("phone", "mobile")
)

_LAST_ACTIVITIES: Final = (
    "SELECT lead_id, max(created_on) FROM activity"
    " WHERE lead_id IN (SELECT value FROM json_each(:ids)) GROUP BY lead_id"
)

_TEXTS: Final = dict[str, str]


def select_leads(connection: SqlConnection, ids: Sequence[str]) -> dict[str, Lead]:
    """The leads of ids."""
    return {row[0]: _lead(row) for row in connection.rows(_LEADS_BY_ID, ids=list(ids))}


def select_leads_by(
    connection: SqlConnection, stored: str, values: Sequence[str]
) -> dict[str, Lead]:
    """The lead of each value of a column, by the value as given; of several, the lowest id's."""
    is_address = stored == "email"
    asked: Mapping[str, str] = {one: ascii_lower(one) if is_address else one for one in values}
    found: dict[str, Lead] = {}
    for row in connection.rows(_LEADS_BY[stored], asked=list(set(asked.values()))):
        one = _lead(row)
        value = getattr(one, stored)
        found.setdefault(ascii_lower(value) if is_address else value, one)
    return {one: found[folded] for one, folded in asked.items() if folded in found}


def write_leads(connection: SqlConnection, batch: Sequence[Lead]) -> list[tuple[str, str | None]]:
    """Create or replace leads and create their owners; return the ids with a changed address."""
    leads = {one.id: one for one in batch}
    owners = [one.owner_id for one in batch if one.owner_id is not None]
    write_owners(connection, dict.fromkeys(owners))
    stored = dict(connection.rows(_ADDRESSES, ids=list(leads)))
    connection.run_many(_INSERT, [_row(one) for one in leads.values() if one.id not in stored])
    connection.run_many(_UPDATE, [_row(one) for one in leads.values() if one.id in stored])
    return [
        (one.id, one.email)
        for one in leads.values()
        if one.id in stored and one.email != stored[one.id]
    ]


def select_numbers(connection: SqlConnection, ending: str, *, limit: int) -> list[LeadNumbers]:
    """The numbers of leads whose phone or mobile number has this end, by id."""
    found = {
        row[0]: row
        for statement in _BY_ENDING
        for row in connection.rows(statement, ending=ending, limit=limit)
    }
    ids = sorted(found)[:limit]
    last = dict(connection.rows(_LAST_ACTIVITIES, ids=ids))
    return [
        LeadNumbers(id=one, phone=phone, mobile=mobile, last_activity_on=last.get(one))
        for one, phone, mobile in (found[one] for one in ids)
    ]


def json_of_texts(texts: Mapping[str, str]) -> str | None:
    """Texts by name as they are stored: a JSON object, null when there are none."""
    return msgspec.json.encode(texts).decode() if texts else None


def texts_of_json(stored: str | None) -> dict[str, str]:
    """The texts of such an object."""
    return {} if stored is None else msgspec.json.decode(stored, type=_TEXTS)


def _lead(row: Sequence[Any]) -> Lead:
    return Lead(
        id=row[0],
        email=row[1],
        first_name=row[2],
        last_name=row[3],
        phone=row[4],
        mobile=row[5],
        owner_id=row[6],
        created_on=row[7],
        modified_on=row[8],
        attributes=texts_of_json(row[9]),
    )


def _row(one: Lead) -> dict[str, Any]:
    return msgspec.structs.asdict(one) | {"attributes": json_of_texts(one.attributes)}
