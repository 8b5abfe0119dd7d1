"""Statements of a session that every engine shares, each over an open connection of the caller.

Whoever calls owns the transaction. Nothing here knows an engine. A session asks for few rows at
once, so what it asks for travels as lists of parameters.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)

from oppserver.contract.model import Activity, KeptAnswer, Lead, Opportunity, Role, Tombstone, User
from oppserver.contract.names import ascii_lower
from oppserver.store import tables
from oppserver.store.common import opportunity_of, write_owners

_IN_A_STATEMENT_MAX: Final = 500
"""Values that one statement asks for. Engines bound their parameters, the lowest at 999."""

_TEXTS: Final = dict[str, str]


def rows_of(
    connection: Connection,
    statement: Select[Any],
    column: ColumnElement[Any],
    values: Sequence[str],
) -> Iterator[Row[Any]]:
    """The rows of a statement whose column has one of the values."""
    for start in range(0, len(values), _IN_A_STATEMENT_MAX):
        asked = values[start : start + _IN_A_STATEMENT_MAX]
        yield from connection.execute(statement.where(column.in_(asked)))


# --- opportunities -----------------------------------------------------------------------------


def select_opportunities_of(connection: Connection, ids: Sequence[str]) -> dict[str, Opportunity]:
    """The opportunities of ids, each with its owner's address."""
    statement = select(tables.opportunity, tables.user.c.email.label("owner_email")).outerjoin(
        tables.user, tables.user.c.id == tables.opportunity.c.owner_id
    )
    rows = rows_of(connection, statement, tables.opportunity.c.id, ids)
    return {row.id: opportunity_of(row) for row in rows}


def select_tombstones(connection: Connection, ids: Sequence[str]) -> dict[str, Tombstone]:
    """What is left of those of the ids that are deleted."""
    table = tables.deleted_opportunity
    return {
        row.id: Tombstone(
            id=row.id,
            event_code=row.event_code,
            deleted_on=row.deleted_on,
            deleted_by=row.deleted_by,
        )
        for row in rows_of(connection, select(table), table.c.id, ids)
    }


def oldest_like(event_code: int, values: Mapping[str, str]) -> Select[tuple[str]]:
    """The statement that finds the oldest opportunity of a type with these values."""
    columns = tables.opportunity.c
    return (
        select(columns.id)
        .where(columns.event_code == event_code)
        .where(*(columns[stored] == value for stored, value in values.items()))
        .order_by(columns.created_on, columns.id)
        .limit(1)
    )


# --- leads -------------------------------------------------------------------------------------


def select_leads(connection: Connection, ids: Sequence[str]) -> dict[str, Lead]:
    """The leads of ids."""
    rows = rows_of(connection, select(tables.lead), tables.lead.c.id, ids)
    return {row.id: _lead(row) for row in rows}


def select_leads_by(connection: Connection, stored: str, values: Sequence[str]) -> dict[str, Lead]:
    """The lead of each value of a column, by the value as given; of several, the lowest id's."""
    is_address = stored == "email"
    column = tables.lead.c[stored]
    asked: Mapping[str, str] = {one: ascii_lower(one) if is_address else one for one in values}
    statement = select(tables.lead).order_by(tables.lead.c.id)
    compared = func.lower(column) if is_address else column
    found: dict[str, Lead] = {}
    for row in rows_of(connection, statement, compared, _folded(asked)):
        value = getattr(row, stored)
        found.setdefault(ascii_lower(value) if is_address else value, _lead(row))
    return {one: found[folded] for one, folded in asked.items() if folded in found}


def _folded(asked: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(asked.values()))


def write_leads(connection: Connection, batch: Sequence[Lead]) -> list[Lead]:
    """Creates or replaces leads and creates their owners; those whose address has changed."""
    leads = {one.id: one for one in batch}
    owners = [one.owner_id for one in leads.values() if one.owner_id is not None]
    write_owners(connection, dict.fromkeys(owners))
    statement = select(tables.lead.c.id, tables.lead.c.email)
    stored = {
        row.id: row.email for row in rows_of(connection, statement, tables.lead.c.id, list(leads))
    }
    created = [_lead_row(one) for one in leads.values() if one.id not in stored]
    if created:
        connection.execute(insert(tables.lead), created)
    replaced = [_lead_row(one) | {"_id": one.id} for one in leads.values() if one.id in stored]
    if replaced:
        connection.execute(
            update(tables.lead).where(tables.lead.c.id == bindparam("_id")), replaced
        )
    return [one for one in leads.values() if one.id in stored and one.email != stored[one.id]]


def write_addresses(connection: Connection, leads: Sequence[Lead]) -> None:
    """Brings the addresses of leads to their opportunities."""
    table = tables.opportunity
    for one in leads:
        connection.execute(
            update(table)
            .where(table.c.lead_id == one.id)
            .values(lead_email=one.email, version=table.c.version + 1)
        )


def _lead(row: Row[Any]) -> Lead:
    return Lead(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        phone=row.phone,
        mobile=row.mobile,
        owner_id=row.owner_id,
        created_on=row.created_on,
        modified_on=row.modified_on,
        attributes=_texts(row.attributes),
    )


def _lead_row(one: Lead) -> dict[str, str | None]:
    row: dict[str, Any] = msgspec.structs.asdict(one)
    return row | {"attributes": _json(one.attributes)}


def _texts(json: str | None) -> dict[str, str]:
    return {} if json is None else msgspec.json.decode(json, type=_TEXTS)


def _json(texts: Mapping[str, str]) -> str | None:
    return msgspec.json.encode(texts).decode() if texts else None


# --- users -------------------------------------------------------------------------------------


def select_users(connection: Connection, ids: Sequence[str]) -> dict[str, User]:
    """The users of ids."""
    rows = rows_of(connection, _users(), tables.user.c.id, ids)
    return {row.id: _user(row) for row in rows}


def select_users_by_email(connection: Connection, emails: Sequence[str]) -> dict[str, User]:
    """The user of each address, by the address as given; of several, the lowest id's."""
    asked = {one: ascii_lower(one) for one in emails}
    statement = _users().order_by(tables.user.c.id)
    found: dict[str, User] = {}
    for row in rows_of(connection, statement, func.lower(tables.user.c.email), _folded(asked)):
        found.setdefault(ascii_lower(row.email), _user(row))
    return {one: found[folded] for one, folded in asked.items() if folded in found}


def _users() -> Select[Any]:
    key = tables.api_key.c
    has_key_of_administrator = exists().where(
        key.user_id == tables.user.c.id,
        key.role == Role.ADMINISTRATOR.value,
        key.revoked_on.is_(None),
    )
    return select(tables.user, has_key_of_administrator.label("is_administrator"))


def _user(row: Row[Any]) -> User:
    return User(
        id=row.id,
        email=row.email,
        first_name=row.first_name,
        last_name=row.last_name,
        is_active=bool(row.is_active),
        is_administrator=bool(row.is_administrator),
    )


# --- activities --------------------------------------------------------------------------------


def insert_activities(connection: Connection, batch: Sequence[Activity]) -> None:
    """Adds activities."""
    rows = [msgspec.structs.asdict(one) | {"fields": _json(one.fields)} for one in batch]
    if rows:
        connection.execute(insert(tables.activity), rows)


# --- kept answers ------------------------------------------------------------------------------


def select_kept_answer(
    connection: Connection, key_sha256: str, *, not_before: str
) -> KeptAnswer | None:
    """The answer that was kept under a key, unless it is too old."""
    table = tables.kept_answer
    statement = select(table).where(
        table.c.key_sha256 == key_sha256, table.c.created_on >= not_before
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    return KeptAnswer(
        key_sha256=row.key_sha256,
        request_sha256=row.request_sha256,
        body=bytes(row.body),
        created_on=row.created_on,
    )


def insert_kept_answer(connection: Connection, answer: KeptAnswer, *, not_before: str) -> None:
    """Keeps an answer, and throws away those that are too old."""
    table = tables.kept_answer
    connection.execute(delete(table).where(table.c.created_on < not_before))
    connection.execute(insert(table), msgspec.structs.asdict(answer))
