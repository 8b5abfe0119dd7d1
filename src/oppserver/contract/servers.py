"""The servers of a store that has several, or its library, as operators see them."""

from enum import StrEnum
from typing import Final

import msgspec

SHARDS_RISKS: Final = (
    "acknowledged writes can be lost, members of rows can be named wrongly, and rows that a server"
    " keeps in memory can be stale"
)
"""Why a database on shards is experimental. Seen on a cluster of Citus 14.0 that ran apart; what
has been mended since was not tried on one. Said wherever a database is distributed or served."""


class ServerState(StrEnum):
    """Whether a server is used, or why not; a server that is not used is tried all the time."""

    IN_USE = "in use"
    BEHIND = "behind"
    """A standby that does not have in time what the primary had written."""
    LOST = "lost"
    """It does not answer, or refuses connections."""
    NO_STANDBY = "no standby"
    """It can be written to: it was promoted."""
    OTHER_DATABASE = "other database"
    """It is no copy of the primary's database."""


class StoreServer(msgspec.Struct, frozen=True, kw_only=True):
    """One server of a store.

    ``bytes_behind``: how much of the primary's log a standby had not applied when it was last
    looked at; None when that is not known. ``reads``: how many it has served since it was last
    told of.
    """

    address: str
    is_primary: bool
    state: ServerState
    bytes_behind: int | None
    reads: int


class StoreLibrary(msgspec.Struct, frozen=True, kw_only=True):
    """A library in this process that reads and writes the database.

    ``name``: with its version. ``warning``: a danger to the data, and its cure; None when there is
    none.
    """

    name: str
    warning: str | None
