"""A store transaction over one open database transaction, as far as engines share it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from oppserver.contract.model import (
    Activity,
    Catalogue,
    Lead,
    Role,
    StoredOpportunity,
    Tombstone,
    User,
    Written,
)
from oppserver.contract.names import ascii_lower
from oppserver.store import schema
from oppserver.store.queries import IdempotencyRecord
from oppserver.store.sql import catalogue as catalogue_sql
from oppserver.store.sql import changes
from oppserver.store.sql.batches import opportunity_of, write_owners


class SqlTransaction(ABC):
    """The promises of ``port.Transaction``. The transaction is the caller's to begin and to end.

    It lets nobody else write from its beginning, so what it has read is true to its end.
    ``cached_catalogue`` is one that was read before, and then the one that was read last: it is of
    other readers' interest only when the transaction was committed.
    """

    def __init__(self, connection: Connection, cached_catalogue: Catalogue | None) -> None:
        self._connection = connection
        self._has_looked = False  # at the catalogue's version, which nobody else moves meanwhile
        self.cached_catalogue = cached_catalogue

    def catalogue(self) -> Catalogue:
        kept = self.cached_catalogue
        if kept is None or not self._has_looked:
            version = catalogue_sql.select_catalogue_version(self._connection)
            if kept is None or kept.version != version:
                kept = catalogue_sql.select_catalogue(self._connection)
            self.cached_catalogue = kept
            self._has_looked = True
        return kept

    # --- opportunities

    def opportunities(self, ids: Sequence[str]) -> dict[str, StoredOpportunity]:
        return select_opportunities_of(self._connection, ids)

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        return select_tombstones(self._connection, ids)

    @abstractmethod
    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None: ...

    @abstractmethod
    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written: ...

    @abstractmethod
    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int: ...

    # --- leads and users

    def leads(self, ids: Sequence[str]) -> dict[str, Lead]:
        return select_leads(self._connection, ids)

    def leads_by(self, stored: str, values: Sequence[str]) -> dict[str, Lead]:
        return select_leads_by(self._connection, stored, values)

    def write_leads(self, batch: Sequence[Lead]) -> None:
        changed = write_leads(self._connection, batch)
        if changed:
            self._write_addresses(changed)

    def _write_addresses(self, changed: Sequence[Lead]) -> None:
        write_addresses(self._connection, changed)

    def users(self, ids: Sequence[str]) -> dict[str, User]:
        return select_users(self._connection, ids)

    def users_by_email(self, emails: Sequence[str]) -> dict[str, User]:
        return select_users_by_email(self._connection, emails)

    # --- activities and kept answers

    def write_activities(self, batch: Sequence[Activity]) -> None:
        insert_activities(self._connection, batch)

    def idempotency_record(self, key_sha256: str, *, not_before: str) -> IdempotencyRecord | None:
        return select_idempotency_record(self._connection, key_sha256, not_before=not_before)

    def put_idempotency_record(self, answer: IdempotencyRecord, *, not_before: str) -> None:
        insert_idempotency_record(self._connection, answer, not_before=not_before)


_IN_A_STATEMENT_MAX: Final = 500
"""Values that one statement asks for. Engines bound their parameters, the lowest at 999."""

_TEXTS: Final = dict[str, str]

ASKED: Final[BindParameter[Any]] = bindparam("asked", expanding=True)
"""The values that a statement asks for, as the parameter of an ``IN``."""


def rows_of(
    connection: Connection, statement: Select[Any], values: Sequence[str]
) -> Iterator[Row[Any]]:
    """The rows of a statement that asks for values by ``ASKED``."""
    for start in range(0, len(values), _IN_A_STATEMENT_MAX):
        asked = values[start : start + _IN_A_STATEMENT_MAX]
        yield from connection.execute(statement, {"asked": asked})


# --- opportunities -----------------------------------------------------------------------------


_OPPORTUNITIES: Final = (
    select(schema.opportunity, schema.user.c.email.label("owner_email"))
    .outerjoin(schema.user, schema.user.c.id == schema.opportunity.c.owner_id)
    .where(schema.opportunity.c.id.in_(ASKED))
)

_TOMBSTONES: Final = select(schema.deleted_opportunity).where(
    schema.deleted_opportunity.c.id.in_(ASKED)
)


def select_opportunities_of(
    connection: Connection, ids: Sequence[str]
) -> dict[str, StoredOpportunity]:
    """The opportunities of ids, each with its owner's address."""
    return {row.id: opportunity_of(row) for row in rows_of(connection, _OPPORTUNITIES, ids)}


def select_tombstones(connection: Connection, ids: Sequence[str]) -> dict[str, Tombstone]:
    """Return the tombstones of the ids that are deleted."""
    return {
        row.id: Tombstone(
            id=row.id,
            event_code=row.event_code,
            deleted_on=row.deleted_on,
            deleted_by=row.deleted_by,
        )
        for row in rows_of(connection, _TOMBSTONES, ids)
    }


# --- leads -------------------------------------------------------------------------------------


_LEAD: Final = schema.lead.c

_LEADS: Final = select(schema.lead).where(_LEAD.id.in_(ASKED))

_LEADS_BY: Final[Mapping[str, Select[Any]]] = {
    stored: select(schema.lead).where(compared.in_(ASKED)).order_by(_LEAD.id)
    for stored, compared in (
        ("email", func.lower(_LEAD.email)),
        ("phone", _LEAD.phone),
        ("mobile", _LEAD.mobile),
    )
}

_LEAD_ADDRESSES: Final = select(_LEAD.id, _LEAD.email).where(_LEAD.id.in_(ASKED))

_INSERT_LEAD: Final = insert(schema.lead)

_OF_LEAD: Final = (
    select(schema.opportunity.c.id, func.row_number().over().label("place"))
    .where(schema.opportunity.c.lead_id == bindparam("of_lead"))
    .subquery()
)

_UPDATE_ADDRESS: Final = (
    update(schema.opportunity)
    .where(schema.opportunity.c.id == _OF_LEAD.c.id)
    .values(
        lead_email=bindparam("email"),
        version=schema.opportunity.c.version + 1,
        change_number=bindparam("number", type_=BigInteger) + _OF_LEAD.c.place,
    )
)

_UPDATE_LEAD: Final = update(schema.lead).where(_LEAD.id == bindparam("_id"))


def select_leads(connection: Connection, ids: Sequence[str]) -> dict[str, Lead]:
    """The leads of ids."""
    return {row.id: _lead(row) for row in rows_of(connection, _LEADS, ids)}


def select_leads_by(connection: Connection, stored: str, values: Sequence[str]) -> dict[str, Lead]:
    """The lead of each value of a column, by the value as given; of several, the lowest id's."""
    is_address = stored == "email"
    asked: Mapping[str, str] = {one: ascii_lower(one) if is_address else one for one in values}
    found: dict[str, Lead] = {}
    for row in rows_of(connection, _LEADS_BY[stored], _folded(asked)):
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
    stored = {row.id: row.email for row in rows_of(connection, _LEAD_ADDRESSES, list(leads))}
    created = [_lead_row(one) for one in leads.values() if one.id not in stored]
    if created:
        connection.execute(_INSERT_LEAD, created)
    replaced = [_replacing(one) for one in leads.values() if one.id in stored]
    if replaced:
        connection.execute(_UPDATE_LEAD, replaced)
    return [one for one in leads.values() if one.id in stored and one.email != stored[one.id]]


def write_addresses(connection: Connection, leads: Sequence[Lead]) -> None:
    """Brings the addresses of leads to their opportunities."""
    for one in leads:
        parameters = {
            "of_lead": one.id,
            "email": one.email,
            "number": changes.last_number(connection),
        }
        written = connection.execute(_UPDATE_ADDRESS, parameters).rowcount
        changes.take_numbers(connection, written)


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


def _replacing(one: Lead) -> dict[str, str | None]:
    """The parameters of an update. The id is not set, not even to itself: rows lie by it."""
    row = _lead_row(one)
    return row | {"_id": row.pop("id")}


def _texts(json: str | None) -> dict[str, str]:
    return {} if json is None else msgspec.json.decode(json, type=_TEXTS)


def _json(texts: Mapping[str, str]) -> str | None:
    return msgspec.json.encode(texts).decode() if texts else None


# --- users -------------------------------------------------------------------------------------


_KEY: Final = schema.api_key.c

_USERS: Final = select(
    schema.user,
    exists()
    .where(
        _KEY.user_id == schema.user.c.id,
        _KEY.role == Role.ADMINISTRATOR.value,
        _KEY.revoked_on.is_(None),
    )
    .label("is_administrator"),
)

_USERS_BY_ID: Final = _USERS.where(schema.user.c.id.in_(ASKED))

_USERS_BY_EMAIL: Final = _USERS.where(func.lower(schema.user.c.email).in_(ASKED)).order_by(
    schema.user.c.id
)


def select_users(connection: Connection, ids: Sequence[str]) -> dict[str, User]:
    """The users of ids."""
    return {row.id: _user(row) for row in rows_of(connection, _USERS_BY_ID, ids)}


def select_users_by_email(connection: Connection, emails: Sequence[str]) -> dict[str, User]:
    """The user of each address, by the address as given; of several, the lowest id's."""
    asked = {one: ascii_lower(one) for one in emails}
    found: dict[str, User] = {}
    for row in rows_of(connection, _USERS_BY_EMAIL, _folded(asked)):
        found.setdefault(ascii_lower(row.email), _user(row))
    return {one: found[folded] for one, folded in asked.items() if folded in found}


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


_INSERT_ACTIVITY: Final = insert(schema.activity)


def insert_activities(connection: Connection, batch: Sequence[Activity]) -> None:
    """Adds activities."""
    rows = [msgspec.structs.asdict(one) | {"fields": _json(one.fields)} for one in batch]
    if rows:
        connection.execute(_INSERT_ACTIVITY, rows)


# --- kept answers ------------------------------------------------------------------------------


_KEPT: Final = schema.idempotency_record.c

_KEPT_ANSWER: Final = select(schema.idempotency_record).where(
    _KEPT.key_sha256 == bindparam("key_sha256"), _KEPT.created_on >= bindparam("not_before")
)

_FORGET_ANSWERS: Final = delete(schema.idempotency_record).where(
    or_(_KEPT.created_on < bindparam("not_before"), _KEPT.key_sha256 == bindparam("key_sha256"))
)

_INSERT_ANSWER: Final = insert(schema.idempotency_record)


def select_idempotency_record(
    connection: Connection, key_sha256: str, *, not_before: str
) -> IdempotencyRecord | None:
    """The answer that was kept under a key, unless it is too old."""
    asked = {"key_sha256": key_sha256, "not_before": not_before}
    row = connection.execute(_KEPT_ANSWER, asked).first()
    if row is None:
        return None
    return IdempotencyRecord(
        key_sha256=row.key_sha256,
        request_sha256=row.request_sha256,
        body=bytes(row.body),
        created_on=row.created_on,
    )


def insert_idempotency_record(
    connection: Connection, answer: IdempotencyRecord, *, not_before: str
) -> None:
    """Keeps an answer in the place of one under its key, and throws away those too old."""
    old = {"not_before": not_before, "key_sha256": answer.key_sha256}
    connection.execute(_FORGET_ANSWERS, old)
    connection.execute(_INSERT_ANSWER, msgspec.structs.asdict(answer))
