"""Statements that are asked on nearly every call, and their rows, as engines share them.

They go past SQLAlchemy, which takes longer to run one than the database does. ``{}`` is the place
of what is asked for.
"""

from collections.abc import Sequence
from typing import Any, Final

from oppserver.contract.model import Key, Role, StoredOpportunity, Tombstone
from oppserver.store.schema import SLOT_NAMES

KEY: Final = (
    "SELECT k.access_key, k.secret_sha256, k.user_id, u.email, k.role, u.is_active,"
    ' k.created_on, k.revoked_on FROM api_key k JOIN "user" u ON u.id = k.user_id'
    " WHERE k.access_key = {}"
)

VERSION: Final = "SELECT version FROM catalogue_version"
"""Has no place: there is one row."""

GATE: Final = f"{VERSION} WHERE id = 1 FOR UPDATE"
"""The first statement of a write on PostgreSQL: one row's lock, held to the end of the write, lets
one write in at a time.

So nothing that the write reads changes before it ends. Numbers: docs/decisions.
"""

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

OPPORTUNITY: Final = (
    f"SELECT u.email, {', '.join(f'o.{name}' for name in _MEMBERS + SLOT_NAMES)}"
    ' FROM opportunity AS o LEFT JOIN "user" AS u ON u.id = o.owner_id WHERE o.id = {}'
)

TOMBSTONE: Final = (
    "SELECT id, event_code, deleted_on, deleted_by FROM deleted_opportunity WHERE id = {}"
)


def is_text(text: str) -> bool:
    """Return true when a database can be asked for a text: broken input may hold invalid text.

    That is U+0000, which PostgreSQL does not store, and lone surrogates.
    """
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def key_of(row: Sequence[Any]) -> Key:
    """The key of a row of ``KEY``."""
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


def opportunity_of(row: Sequence[Any]) -> StoredOpportunity:
    """The opportunity of a row of ``OPPORTUNITY``."""
    first_slot = 1 + len(_MEMBERS)
    slots = zip(SLOT_NAMES, row[first_slot:], strict=True)
    return StoredOpportunity(
        owner_email=row[0],
        **dict(zip(_MEMBERS, row[1:first_slot], strict=True)),
        slots={name: value for name, value in slots if value is not None},
    )


def tombstone_of(row: Sequence[Any]) -> Tombstone:
    """Return the tombstone of a row of ``TOMBSTONE``."""
    return Tombstone(id=row[0], event_code=row[1], deleted_on=row[2], deleted_by=row[3])
