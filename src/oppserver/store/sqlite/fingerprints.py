"""Fingerprints of bulk reads: equal ones mean equal rows, without rendering them.

A fingerprint is made of what was asked, which ids are there, in which version, and the addresses of
their owners: all that a row shows raises its version, but the address of its owner.
"""

import hashlib
from collections import OrderedDict
from functools import lru_cache
from typing import Final
from uuid import uuid4

import msgspec

from oppserver.store.queries import Fingerprint, Plan, PlannedEntry
from oppserver.store.sqlite.library import LIBRARY, Connection
from oppserver.store.sqlite.read import FROM_IDS, OF_TYPE, json_of_ids

SQLITE_FINGERPRINTS_MAX: Final = 1_024
"""Bulk reads whose fingerprint a connection remembers. Ours: more than are polled; half a MB."""

_DIGEST_BYTES: Final = 32

_DECODE_OWNERS: Final = msgspec.json.Decoder(list[str | None]).decode

_ADDRESSES: Final = (
    "SELECT json_group_array(json_array(u.id, u.email))"
    ' FROM json_each(?) AS asked CROSS JOIN "user" AS u ON u.id = asked.value'
)


class Fingerprints:
    """The fingerprints that one connection remembers until something is written.

    Owner: that connection, in one thread at a time. When something is written, ``PRAGMA
    data_version`` tells (see ``search.py``).
    """

    def __init__(self) -> None:
        self._data_version = 0
        self._fingerprints: Final[OrderedDict[bytes, Fingerprint]] = OrderedDict()

    def fingerprint(self, connection: Connection, plan: Plan) -> Fingerprint:
        """The fingerprint of a plan's rows at the moment of the connection's transaction."""
        (data_version,) = connection.one("PRAGMA data_version")
        if data_version != self._data_version:
            self._fingerprints.clear()
            self._data_version = data_version
        asked = _digest_of_plan(plan)
        known = self._fingerprints.get(asked)
        if known is None:
            known = self._fingerprints[asked] = _read_fingerprint(connection, plan, asked)
            if len(self._fingerprints) > SQLITE_FINGERPRINTS_MAX:
                self._fingerprints.popitem(last=False)
        self._fingerprints.move_to_end(asked)
        return known


def give_identity(copy: Connection) -> None:
    """Makes the fingerprints of a copy unlike those of the database that it is a copy of.

    Once the copy is served in its place, the same versions come again, with other values.
    """
    copy.execute("UPDATE database_identity SET id = ?", (str(uuid4()),))


def _digest_of_plan(plan: Plan) -> bytes:
    """A digest of what is asked; parts cannot run into each other, as each of them is JSON."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for entry in plan.entries:
        names = [column.name for column in entry.columns]
        digest.update(msgspec.json.encode((entry.event_code, names)))
        digest.update(json_of_ids(entry.ids).encode())
    return digest.digest()


def _read_fingerprint(connection: Connection, plan: Plan, asked: bytes) -> Fingerprint:
    digest = hashlib.blake2b(asked, digest_size=_DIGEST_BYTES)
    digest.update(_database(connection).encode())
    counts = []
    for entry in plan.entries:
        count, parts = _read_versions(connection, entry)
        counts.append(count)
        for part in parts:
            digest.update(b"%d:" % len(part) + part)
    return Fingerprint(counts=counts, digest=digest.digest())


def _database(connection: Connection) -> str:
    """Give the database an identity of its own.

    The library's version is part of it, because the library renders the rows.
    """
    (one,) = connection.one("SELECT id FROM database_identity")
    return f"{one} SQLite {LIBRARY.version};"


def _read_versions(connection: Connection, entry: PlannedEntry) -> tuple[int, list[bytes]]:
    """Read the places, versions and maybe owners' addresses of an entry's ids; return their count.

    Owners are few beside rows: to look each up once takes less than to join them.
    """
    shows_addresses = any(column.stored == "owner_email" for column in entry.columns)
    statement = _versions_statement(with_owners=shows_addresses)
    parameters = json_of_ids(entry.ids), entry.event_code
    places, versions, owners, count = connection.one(statement, parameters)
    if not shows_addresses:
        return count, [places, versions]
    distinct = sorted({one for one in _DECODE_OWNERS(owners) if one is not None})
    array = msgspec.json.encode(distinct).decode()
    (addresses,) = connection.one(_ADDRESSES, (array,))
    return count, [places, versions, addresses.encode()]


@lru_cache(maxsize=2)
def _versions_statement(*, with_owners: bool) -> str:
    owners = "json_group_array(o.owner_id)" if with_owners else "NULL"
    return (
        "SELECT CAST(json_group_array(asked.key) AS BLOB),"
        f" CAST(json_group_array(o.version) AS BLOB), {owners}, count(*){FROM_IDS}{OF_TYPE}"
    )
