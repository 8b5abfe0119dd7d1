"""Statements that every engine shares, each over an open connection of the caller.

Whoever calls owns the transaction. Nothing here knows an engine; where their SQL would differ, the
difference is a parameter.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, exists, func, insert, select, update

from oppserver.contract.limits import CUSTOM_SLOTS
from oppserver.contract.model import (
    ActivityType,
    Catalogue,
    DataType,
    Field,
    Key,
    Opportunity,
    OpportunityType,
    Role,
    User,
)
from oppserver.store import common_changes, tables

OPPORTUNITY_COLUMNS: Final = tuple(
    column.name for column in tables.opportunity.columns if column.computed is None
)
"""The columns of an opportunity that are written; the others are generated."""

_FIRST_SLOT: Final = tables.opportunity.columns.keys().index(tables.SLOT_NAMES[0])

_RULES: Final = tuple[tuple[str, ...], ...]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# --- keys --------------------------------------------------------------------------------------


def select_keys(connection: Connection) -> list[Key]:
    """All keys, oldest first."""
    statement = (
        select(tables.api_key, tables.user.c.email, tables.user.c.is_active)
        .join(tables.user, tables.user.c.id == tables.api_key.c.user_id)
        .order_by(tables.api_key.c.created_on, tables.api_key.c.access_key)
    )
    return [
        Key(
            access_key=row.access_key,
            secret_sha256=row.secret_sha256,
            user_id=row.user_id,
            email=row.email,
            role=Role(row.role),
            user_is_active=bool(row.is_active),
            created_on=row.created_on,
            revoked_on=row.revoked_on,
        )
        for row in connection.execute(statement)
    ]


def insert_key(
    connection: Connection, key: Key, *, first_name: str | None, last_name: str | None
) -> Key:
    """Adds a key to the user of that address, who is created where there is none."""
    # compared here, because no two engines agree on the lower case of letters outside ASCII
    folded = key.email.casefold()
    users = connection.execute(select(tables.user).where(tables.user.c.email.is_not(None)))
    same = [user for user in users if user.email.casefold() == folded]
    if same:
        user = min(same, key=lambda user: user.id)
        key = msgspec.structs.replace(
            key, user_id=user.id, email=user.email, user_is_active=bool(user.is_active)
        )
    else:
        values = {"id": key.user_id, "email": key.email, "is_active": key.user_is_active}
        connection.execute(insert(tables.user).values(values))
    given = {"first_name": first_name, "last_name": last_name}
    names = {name: value for name, value in given.items() if value is not None}
    if names:
        connection.execute(update(tables.user).where(tables.user.c.id == key.user_id).values(names))
    connection.execute(
        insert(tables.api_key).values(
            access_key=key.access_key,
            secret_sha256=key.secret_sha256,
            user_id=key.user_id,
            role=key.role.value,
            created_on=key.created_on,
            revoked_on=key.revoked_on,
        )
    )
    return key


def revoke_key(connection: Connection, access_key: str, *, now: str) -> bool:
    """Whether there was a live key to revoke."""
    result = connection.execute(
        update(tables.api_key)
        .where(tables.api_key.c.access_key == access_key, tables.api_key.c.revoked_on.is_(None))
        .values(revoked_on=now)
    )
    return result.rowcount == 1


def select_users(connection: Connection) -> list[User]:
    """All users, by id."""
    key = tables.api_key.c
    is_administrator = exists().where(
        key.user_id == tables.user.c.id,
        key.role == Role.ADMINISTRATOR.value,
        key.revoked_on.is_(None),
    )
    statement = select(tables.user, is_administrator.label("is_administrator"))
    return [
        User(
            id=row.id,
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            is_active=bool(row.is_active),
            is_administrator=bool(row.is_administrator),
        )
        for row in connection.execute(statement.order_by(tables.user.c.id))
    ]


# --- types and fields --------------------------------------------------------------------------


def select_catalogue_version(connection: Connection) -> int:
    """The number that every write of types and fields raises."""
    version: int = connection.execute(select(tables.catalogue_version.c.version)).scalar_one()
    return version


def select_catalogue(connection: Connection) -> Catalogue:
    """All types and fields; fields by type in their sequence."""
    version = select_catalogue_version(connection)
    types = {
        row.event_code: OpportunityType(
            event_code=row.event_code,
            name=row.name,
            description=row.description,
            can_delete=bool(row.can_delete),
            duplicate_rules=msgspec.json.decode(row.duplicate_rules, type=_RULES),
        )
        for row in connection.execute(
            select(tables.opportunity_type).order_by(tables.opportunity_type.c.event_code)
        )
    }
    activity_types = {
        row.event_code: ActivityType(event_code=row.event_code, name=row.name)
        for row in connection.execute(
            select(tables.activity_type).order_by(tables.activity_type.c.event_code)
        )
    }
    fields: dict[int, dict[str, Field]] = {code: {} for code in types}
    statement = select(tables.field).order_by(
        tables.field.c.event_code, tables.field.c.sequence, tables.field.c.schema_name
    )
    for row in connection.execute(statement):
        fields.setdefault(row.event_code, {})[row.schema_name] = Field(
            event_code=row.event_code,
            schema_name=row.schema_name,
            display_name=row.display_name,
            data_type=DataType(row.data_type),
            is_mandatory=bool(row.is_mandatory),
            sequence=row.sequence,
            options=msgspec.json.decode(row.options, type=tuple[str, ...]),
            default_option=row.default_option,
            max_length=row.max_length,
            parent_field=row.parent_field,
            dependent_options=msgspec.json.decode(
                row.dependent_options, type=dict[str, tuple[str, ...]]
            ),
        )
    return Catalogue(version=version, types=types, fields=fields, activity_types=activity_types)


def replace_types(connection: Connection, types: Sequence[OpportunityType]) -> None:
    """Creates or replaces types, and raises the catalogue's version if there are any."""
    if not types:
        return
    codes = [one.event_code for one in types]
    connection.execute(
        delete(tables.opportunity_type).where(tables.opportunity_type.c.event_code.in_(codes))
    )
    rows = {
        one.event_code: {
            "event_code": one.event_code,
            "name": one.name,
            "description": one.description,
            "can_delete": one.can_delete,
            "duplicate_rules": _json(one.duplicate_rules),
        }
        for one in types
    }
    connection.execute(insert(tables.opportunity_type), list(rows.values()))
    raise_catalogue_version(connection)


def replace_activity_types(connection: Connection, types: Sequence[ActivityType]) -> None:
    """Creates or renames activity types, and raises the catalogue's version if there are any."""
    if not types:
        return
    table = tables.activity_type
    rows = {one.event_code: {"event_code": one.event_code, "name": one.name} for one in types}
    connection.execute(delete(table).where(table.c.event_code.in_(list(rows))))
    connection.execute(insert(table), list(rows.values()))
    raise_catalogue_version(connection)


def put_fields(connection: Connection, fields: Sequence[Field]) -> None:
    """Creates or replaces fields, and creates their types where they are missing."""
    codes = {one.event_code for one in fields}
    stored = select(tables.opportunity_type.c.event_code)
    missing = sorted(codes.difference(connection.execute(stored).scalars()))
    replace_types(connection, [_plain_type(code) for code in missing])
    replace_fields(connection, fields)


def _plain_type(event_code: int) -> OpportunityType:
    return OpportunityType(event_code=event_code, name=f"Opportunity {event_code}")


def replace_fields(connection: Connection, fields: Sequence[Field]) -> None:
    """Creates or replaces fields, and raises the catalogue's version if there are any."""
    if not fields:
        return
    rows = {}
    for one in fields:
        connection.execute(
            delete(tables.field).where(
                tables.field.c.event_code == one.event_code,
                tables.field.c.schema_name == one.schema_name,
            )
        )
        rows[one.event_code, one.schema_name] = {
            "event_code": one.event_code,
            "schema_name": one.schema_name,
            "display_name": one.display_name,
            "data_type": one.data_type.value,
            "is_mandatory": one.is_mandatory,
            "sequence": one.sequence,
            "options": _json(one.options),
            "default_option": one.default_option,
            "max_length": one.max_length,
            "parent_field": one.parent_field,
            "dependent_options": _json(one.dependent_options),
        }
    connection.execute(insert(tables.field), list(rows.values()))
    raise_catalogue_version(connection)


def raise_catalogue_version(connection: Connection) -> None:
    """Tells every process that its copy of the catalogue is old, as of this commit."""
    version = tables.catalogue_version.c.version
    connection.execute(update(tables.catalogue_version).values(version=version + 1))


# --- opportunities -----------------------------------------------------------------------------


def select_opportunities(
    connection: Connection, *, event_code: int | None, after_id: str, limit: int
) -> list[Opportunity]:
    """A page by id, with each owner's address."""
    statement = (
        select(tables.opportunity, tables.user.c.email.label("owner_email"))
        .outerjoin(tables.user, tables.user.c.id == tables.opportunity.c.owner_id)
        .where(tables.opportunity.c.id > after_id)
        .order_by(tables.opportunity.c.id)
        .limit(limit)
    )
    if event_code is not None:
        statement = statement.where(tables.opportunity.c.event_code == event_code)
    return [opportunity_of(row) for row in connection.execute(statement)]


def opportunity_of(row: Row[Any]) -> Opportunity:
    """The opportunity of a row of all columns, in the order of the schema, and ``owner_email``."""
    slots = zip(tables.SLOT_NAMES, row[_FIRST_SLOT : _FIRST_SLOT + CUSTOM_SLOTS], strict=True)
    return Opportunity(
        id=row.id,
        event_code=row.event_code,
        lead_id=row.lead_id,
        lead_email=row.lead_email,
        owner_id=row.owner_id,
        owner_email=row.owner_email,
        status=row.status,
        note=row.note,
        created_on=row.created_on,
        modified_on=row.modified_on,
        created_by=row.created_by,
        modified_by=row.modified_by,
        slots={name: value for name, value in slots if value is not None},
    )


def count_opportunities(connection: Connection, *, event_code: int | None) -> int:
    """How many there are, of one type or all."""
    statement = select(func.count()).select_from(tables.opportunity)
    if event_code is not None:
        statement = statement.where(tables.opportunity.c.event_code == event_code)
    return connection.execute(statement).scalar_one()


# --- what a batch of opportunities brings with it ----------------------------------------------


class Brought(NamedTuple):
    """What a batch of opportunities brings with it, worked out without the database.

    ``slots`` by event code. Addresses by id, the batch's last word; None where it says nothing.
    """

    slots: Mapping[int, frozenset[str]]
    owners: Mapping[str, str | None]
    leads: Mapping[str, str | None]


def brought_by(batch: Sequence[Opportunity]) -> Brought:
    """The types and slots, the owners and the leads that a batch names."""
    slots = {
        code: frozenset().union(*(one.slots for one in batch if one.event_code == code))
        for code in {one.event_code for one in batch}
    }
    owners: dict[str, str | None] = {
        one.owner_id: one.owner_email
        for one in batch
        if one.owner_id is not None and one.owner_email is not None
    }
    for one in batch:
        if one.owner_id is not None:
            owners.setdefault(one.owner_id)
    leads: dict[str, str | None] = {
        one.lead_id: one.lead_email for one in batch if one.lead_email is not None
    }
    leads.update(dict.fromkeys({one.lead_id for one in batch} - leads.keys()))
    return Brought(slots, owners, leads)


def missing_types_and_fields(
    used: Mapping[int, frozenset[str]], catalogue: Catalogue
) -> tuple[list[OpportunityType], list[Field]]:
    """The types and fields that a batch uses and the catalogue lacks, with plain names."""
    types = [_plain_type(code) for code in sorted(used.keys() - catalogue.types.keys())]
    fields = [
        Field(event_code=code, schema_name=name, display_name=name, sequence=slot)
        for code in sorted(used)
        for slot in sorted(int(stored.removeprefix("mx_custom_")) for stored in used[code])
        if (name := f"mx_Custom_{slot}") not in catalogue.fields.get(code, {})
    ]
    return types, fields


def runs_without_repeats(batch: Sequence[Opportunity]) -> list[list[Opportunity]]:
    """The batch in order, cut before every id that its run has already: mostly one run.

    A run can be written by one statement, and runs in turn are the same as one at a time.
    """
    runs: list[dict[str, Opportunity]] = [{}]
    for one in batch:
        if one.id in runs[-1]:
            runs.append({})
        runs[-1][one.id] = one
    return [list(run.values()) for run in runs]


def write_owners(connection: Connection, brought: Mapping[str, str | None]) -> None:
    """Creates the owners that are not there and sets the addresses that a batch brings.

    Owners are few beside opportunities, so each that is new or changed is a statement of its own.
    """
    stored = _emails(connection, sorted(brought))
    changed = False
    for owner_id, email in sorted(brought.items()):
        if owner_id not in stored:
            values = {"id": owner_id, "email": email, "is_active": True}
            connection.execute(insert(tables.user).values(values))
        elif email is not None and email != stored[owner_id]:
            connection.execute(
                update(tables.user).where(tables.user.c.id == owner_id).values(email=email)
            )
            changed = True
    if changed:
        common_changes.addresses_have_changed(connection)


def _emails(connection: Connection, ids: Sequence[str]) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for start in range(0, len(ids), 500):
        statement = select(tables.user.c.id, tables.user.c.email).where(
            tables.user.c.id.in_(ids[start : start + 500])
        )
        found.update((row.id, row.email) for row in connection.execute(statement))
    return found
