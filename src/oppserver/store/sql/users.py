"""Keys and users in the SQL that engines share."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from oppserver.contract.model import Key, Role, User
from oppserver.contract.names import ascii_lower
from oppserver.store.sql import SqlConnection
from oppserver.store.sql.changes import addresses_have_changed

# --- keys --------------------------------------------------------------------------------------

_KEYS: Final = (
    "SELECT k.access_key, k.secret_sha256, k.user_id, u.email, k.role, u.is_active, k.created_on,"
    ' k.revoked_on FROM api_key AS k JOIN "user" AS u ON u.id = k.user_id'
)

_KEY: Final = f"{_KEYS} WHERE k.access_key = :access_key"

_ALL_KEYS: Final = f"{_KEYS} ORDER BY k.created_on, k.access_key"

_USERS_WITH_EMAIL: Final = (
    'SELECT id, email, is_active FROM "user" WHERE email IS NOT NULL ORDER BY id'
)

_INSERT_USER: Final = 'INSERT INTO "user" (id, email, is_active) VALUES (:id, :email, :is_active)'

_NAME_USER: Final = (
    'UPDATE "user" SET first_name = coalesce(:first_name, first_name),'
    " last_name = coalesce(:last_name, last_name) WHERE id = :id"
)

_INSERT_KEY: Final = (
    "INSERT INTO api_key (access_key, secret_sha256, user_id, role, created_on, revoked_on)"
    " VALUES (:access_key, :secret_sha256, :user_id, :role, :created_on, :revoked_on)"
)

_REVOKE_KEY: Final = (
    "UPDATE api_key SET revoked_on = :now WHERE access_key = :access_key AND revoked_on IS NULL"
)


def is_text(text: str) -> bool:
    """Return true when a database can be asked for a text: broken input may hold invalid text.

    That is U+0000, which PostgreSQL does not store, and lone surrogates.
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def select_key(connection: SqlConnection, access_key: str) -> Key | None:
    """Return a key with its user; None for an unknown one."""
    found = connection.rows(_KEY, access_key=access_key)
    return _key(found[0]) if found else None


def select_keys(connection: SqlConnection) -> list[Key]:
    """All keys, oldest first."""
    return [_key(row) for row in connection.rows(_ALL_KEYS)]


def insert_key(
    connection: SqlConnection, key: Key, *, first_name: str | None, last_name: str | None
) -> Key:
    """Add a key to the user of that address, who is created for a new address."""
    # compared here, because no two engines agree on the lower case of letters outside ASCII
    folded = key.email.casefold()
    users = connection.rows(_USERS_WITH_EMAIL)
    same = next((user for user in users if user[1].casefold() == folded), None)
    if same is None:
        connection.run(_INSERT_USER, id=key.user_id, email=key.email, is_active=key.user_is_active)
    else:
        user_id, email, is_active = same
        key = msgspec.structs.replace(
            key, user_id=user_id, email=email, user_is_active=bool(is_active)
        )
    connection.run(_NAME_USER, id=key.user_id, first_name=first_name, last_name=last_name)
    connection.run(
        _INSERT_KEY,
        access_key=key.access_key,
        secret_sha256=key.secret_sha256,
        user_id=key.user_id,
        role=key.role.value,
        created_on=key.created_on,
        revoked_on=key.revoked_on,
    )
    return key


def revoke_key(connection: SqlConnection, access_key: str, *, now: str) -> bool:
    """Revoke a key; False when no live key has the name."""
    return connection.run(_REVOKE_KEY, access_key=access_key, now=now) == 1


def _key(row: Sequence[Any]) -> Key:
    return Key(
        access_key=row[0],
        secret_sha256=row[1],
        user_id=row[2],
        email=row[3],
        role=Role(row[4]),
        user_is_active=bool(row[5]),
        created_on=row[6],
        revoked_on=row[7],
    )


# --- users -------------------------------------------------------------------------------------

_USERS: Final = (
    "SELECT u.id, u.email, u.first_name, u.last_name, u.is_active,"
    " EXISTS (SELECT 1 FROM api_key AS k WHERE k.user_id = u.id"
    f" AND k.role = '{Role.ADMINISTRATOR.value}' AND k.revoked_on IS NULL)"
    ' FROM "user" AS u'
)

_ALL_USERS: Final = f"{_USERS} ORDER BY u.id"

_USERS_BY_ID: Final = f"{_USERS} WHERE u.id IN (SELECT value FROM json_each(:ids))"

_USERS_BY_EMAIL: Final = (
    f"{_USERS} WHERE lower(u.email) IN (SELECT value FROM json_each(:emails)) ORDER BY u.id"
)

_EMAILS: Final = 'SELECT id, email FROM "user" WHERE id IN (SELECT value FROM json_each(:ids))'

_SET_EMAIL: Final = 'UPDATE "user" SET email = :email WHERE id = :id'


def select_users(connection: SqlConnection) -> list[User]:
    """All users, by id."""
    return [_user(row) for row in connection.rows(_ALL_USERS)]


def select_users_by_id(connection: SqlConnection, ids: Sequence[str]) -> dict[str, User]:
    """The users of ids."""
    return {row[0]: _user(row) for row in connection.rows(_USERS_BY_ID, ids=list(ids))}


def select_users_by_email(connection: SqlConnection, emails: Sequence[str]) -> dict[str, User]:
    """The user of each address, by the address as given; of several, the lowest id's."""
    asked = {one: ascii_lower(one) for one in emails}
    found: dict[str, User] = {}
    for row in connection.rows(_USERS_BY_EMAIL, emails=list(set(asked.values()))):
        found.setdefault(ascii_lower(row[1]), _user(row))
    return {one: found[folded] for one, folded in asked.items() if folded in found}


def write_owners(connection: SqlConnection, references: Mapping[str, str | None]) -> None:
    """Creates the owners that are not there and sets the addresses that a batch brings."""
    stored = dict(connection.rows(_EMAILS, ids=list(references)))
    given = [{"id": one, "email": email} for one, email in sorted(references.items())]
    created = [one | {"is_active": True} for one in given if one["id"] not in stored]
    changed = [
        one
        for one in given
        if one["email"] is not None and one["email"] != stored.get(one["id"], one["email"])
    ]
    connection.run_many(_INSERT_USER, created)
    connection.run_many(_SET_EMAIL, changed)
    if changed:
        addresses_have_changed(connection)


def _user(row: Sequence[Any]) -> User:
    return User(
        id=row[0],
        email=row[1],
        first_name=row[2],
        last_name=row[3],
        is_active=bool(row[4]),
        is_administrator=bool(row[5]),
    )
