"""Keys, users, types and fields in the SQL that engines share.

Whoever calls owns the transaction. Nothing here knows an engine; where their SQL would differ, the
difference is a parameter.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, exists, insert, select, update

from oppserver.contract.model import (
    ActivityType,
    Catalogue,
    DataType,
    Field,
    Key,
    OpportunityType,
    Role,
    User,
)
from oppserver.store import schema
from oppserver.store.queries import SearchIndex

_RULES: Final = tuple[tuple[str, ...], ...]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


# --- keys --------------------------------------------------------------------------------------


def select_keys(connection: Connection) -> list[Key]:
    """All keys, oldest first."""
    statement = (
        select(schema.api_key, schema.user.c.email, schema.user.c.is_active)
        .join(schema.user, schema.user.c.id == schema.api_key.c.user_id)
        .order_by(schema.api_key.c.created_on, schema.api_key.c.access_key)
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
    """Add a key to the user of that address, who is created for a new address."""
    # compared here, because no two engines agree on the lower case of letters outside ASCII
    folded = key.email.casefold()
    users = connection.execute(select(schema.user).where(schema.user.c.email.is_not(None)))
    same = [user for user in users if user.email.casefold() == folded]
    if same:
        user = min(same, key=lambda user: user.id)
        key = msgspec.structs.replace(
            key, user_id=user.id, email=user.email, user_is_active=bool(user.is_active)
        )
    else:
        values = {"id": key.user_id, "email": key.email, "is_active": key.user_is_active}
        connection.execute(insert(schema.user).values(values))
    given = {"first_name": first_name, "last_name": last_name}
    names = {name: value for name, value in given.items() if value is not None}
    if names:
        connection.execute(update(schema.user).where(schema.user.c.id == key.user_id).values(names))
    connection.execute(
        insert(schema.api_key).values(
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
    """Revoke a key; False when no live key has the name."""
    result = connection.execute(
        update(schema.api_key)
        .where(schema.api_key.c.access_key == access_key, schema.api_key.c.revoked_on.is_(None))
        .values(revoked_on=now)
    )
    return result.rowcount == 1


def select_users(connection: Connection) -> list[User]:
    """All users, by id."""
    key = schema.api_key.c
    is_administrator = exists().where(
        key.user_id == schema.user.c.id,
        key.role == Role.ADMINISTRATOR.value,
        key.revoked_on.is_(None),
    )
    statement = select(schema.user, is_administrator.label("is_administrator"))
    return [
        User(
            id=row.id,
            email=row.email,
            first_name=row.first_name,
            last_name=row.last_name,
            is_active=bool(row.is_active),
            is_administrator=bool(row.is_administrator),
        )
        for row in connection.execute(statement.order_by(schema.user.c.id))
    ]


# --- types and fields --------------------------------------------------------------------------


def select_catalogue_version(connection: Connection) -> int:
    """The number that every write of types and fields raises."""
    version: int = connection.execute(select(schema.catalogue_version.c.version)).scalar_one()
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
            select(schema.opportunity_type).order_by(schema.opportunity_type.c.event_code)
        )
    }
    activity_types = {
        row.event_code: ActivityType(event_code=row.event_code, name=row.name)
        for row in connection.execute(
            select(schema.activity_type).order_by(schema.activity_type.c.event_code)
        )
    }
    fields: dict[int, dict[str, Field]] = {code: {} for code in types}
    statement = select(schema.field).order_by(
        schema.field.c.event_code, schema.field.c.sequence, schema.field.c.schema_name
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
        delete(schema.opportunity_type).where(schema.opportunity_type.c.event_code.in_(codes))
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
    connection.execute(insert(schema.opportunity_type), list(rows.values()))
    raise_catalogue_version(connection)


def replace_activity_types(connection: Connection, types: Sequence[ActivityType]) -> None:
    """Creates or renames activity types, and raises the catalogue's version if there are any."""
    if not types:
        return
    table = schema.activity_type
    rows = {one.event_code: {"event_code": one.event_code, "name": one.name} for one in types}
    connection.execute(delete(table).where(table.c.event_code.in_(list(rows))))
    connection.execute(insert(table), list(rows.values()))
    raise_catalogue_version(connection)


def put_fields(connection: Connection, fields: Sequence[Field]) -> None:
    """Creates or replaces fields, and creates their types where they are missing."""
    codes = {one.event_code for one in fields}
    stored = select(schema.opportunity_type.c.event_code)
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
            delete(schema.field).where(
                schema.field.c.event_code == one.event_code,
                schema.field.c.schema_name == one.schema_name,
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
    connection.execute(insert(schema.field), list(rows.values()))
    raise_catalogue_version(connection)


def raise_catalogue_version(connection: Connection) -> None:
    """Tells every process that its copy of the catalogue is old, as of this commit."""
    version = schema.catalogue_version.c.version
    connection.execute(update(schema.catalogue_version).values(version=version + 1))


def select_search_indexes(connection: Connection) -> list[SearchIndex]:
    """Return the indexes that operators added, by name."""
    statement = select(schema.search_index).order_by(schema.search_index.c.name)
    return [
        SearchIndex(name=row.name, columns=msgspec.json.decode(row.columns, type=tuple[str, ...]))
        for row in connection.execute(statement)
    ]


def insert_search_index(connection: Connection, index: SearchIndex) -> bool:
    """Remembers an index; False when there is one of that name."""
    if any(known.name == index.name for known in select_search_indexes(connection)):
        return False
    columns = msgspec.json.encode(index.columns).decode()
    connection.execute(insert(schema.search_index).values(name=index.name, columns=columns))
    return True


def delete_search_index(connection: Connection, name: str) -> bool:
    """Forget an index; False when no index has the name."""
    statement = delete(schema.search_index).where(schema.search_index.c.name == name)
    return connection.execute(statement).rowcount == 1


def create_statement(index: SearchIndex) -> str:
    """The SQL that builds an index.

    What is compared by equality is found in it of one type, in the order of ModifiedOn and the id.
    """
    columns = ("event_code", *index.columns, "modified_on", "id")
    assert all(name in schema.opportunity.columns for name in columns), index
    return f'CREATE INDEX "{index.name}" ON opportunity ({", ".join(columns)})'
