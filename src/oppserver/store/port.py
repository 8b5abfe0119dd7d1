"""The promises that every engine keeps. No SQL and no HTTP in here.

A call carries the whole batch. Every call is one transaction: it happened whole or not at all, and
when it has returned it survives the death of the process and the loss of power. A read sees every
write that returned before it began, also one of another process, and sees one moment in time.

What goes wrong raises ``Unavailable`` (try again: busy, too slow, not reachable) or its child
``StoreFull``. A store can be used from several threads at once.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from oppserver.contract import limits
from oppserver.contract.model import (
    Catalogue,
    Field,
    Key,
    Opportunity,
    OpportunityType,
    Plan,
    RenderedRows,
    Written,
)


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a store is opened. What an engine has no use for, it ignores.

    ``readers``: threads that can read at once; more of them wait for each other, in no fair order.
    """

    readers: int = limits.WORKER_THREADS_DEFAULT
    query_timeout_s: float = limits.QUERY_TIMEOUT_S_DEFAULT
    sqlite_mmap_bytes: int = limits.SQLITE_MMAP_BYTES_DEFAULT
    sqlite_cache_bytes: int = limits.SQLITE_CACHE_BYTES_DEFAULT
    sqlite_writer_cache_bytes: int = limits.SQLITE_WRITER_CACHE_BYTES


class Store(Protocol):
    """A store of opportunities. See the module for what holds for every call."""

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        """The rows of each entry of a plan, as JSON, in the order of the plan's ids.

        All entries are of one moment. Ids that are not stored, or are of another type than the
        entry, are left out. A row has the entry's columns in order, every one of them: the value as
        a JSON string, or null; CreatedOn and ModifiedOn in the form of answers.
        """
        ...

    # --- who may call

    def key(self, access_key: str) -> Key | None:
        """A key by its access key, revoked ones too; None when there is none."""
        ...

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        ...

    def add_key(self, key: Key) -> Key:
        """Adds a key; the user is found by e-mail (without regard to case) or created.

        Returns the key as stored: its ``user_id`` is the user's, which may have been there.
        """
        ...

    def revoke_key(self, access_key: str, *, now: str) -> bool:
        """Revokes a key as of ``now`` (stored form); False when no live key has that name."""
        ...

    # --- types and fields

    def catalogue(self) -> Catalogue:
        """All types and fields, as they are at this moment."""
        ...

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        """Creates types; one that is there takes the new name."""
        ...

    def put_fields(self, fields: Sequence[Field]) -> None:
        """Creates fields, and their types; one that is there is replaced."""
        ...

    # --- opportunities

    def write_opportunities(self, batch: Sequence[Opportunity], *, now: str) -> Written:
        """Creates or replaces opportunities by id, as if each were written after the one before.

        Types, fields, leads and users that are not there are created. A lead's address that the
        batch changes is changed on all opportunities of that lead. ``now`` (stored form) is the
        date of new opportunities that come without one. A deleted id is no longer deleted.
        """
        ...

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        """Deletes opportunities and leaves a tombstone each; how many were there."""
        ...

    def load(
        self,
        batches: Iterable[Sequence[Opportunity]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        """Writes many batches in order, each as ``write_opportunities`` would, but quicker.

        ``on_written`` is told of each batch when it is durable, maybe by another thread. The next
        batch is asked for while one is written. What ``batches`` raises ends the load: batches that
        came before are written. In an empty store, reads by anything but ids are slow meanwhile.
        """
        ...

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[Opportunity]:
        """Up to ``limit`` opportunities with ids above ``after_id``, by id; of one type or all."""
        ...

    def count_opportunities(self, *, event_code: int | None) -> int:
        """How many opportunities there are, of one type or all."""
        ...

    # --- the store itself

    def ping(self) -> None:
        """Returns when the store can be read; raises Unavailable when it cannot."""
        ...

    def check(self) -> list[str]:
        """What is wrong with the stored data, a line each; empty when it is sound."""
        ...

    def backup(self, path: Path) -> None:
        """Writes a copy of this moment to a new file, while others read and write.

        Raises DatabaseRefused; then there is no file.
        """
        ...

    def close(self) -> None:
        """Gives back what the store holds. The store is not used afterwards."""
        ...
