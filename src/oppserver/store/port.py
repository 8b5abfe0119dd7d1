"""The promises that every engine keeps. No SQL and no HTTP in here.

A call carries the whole batch. Every call is one transaction: it happened whole or not at all, and
when it has returned it survives the death of the process and the loss of power. A read sees every
write that returned before it began, also one of another process, and sees one moment in time.
Where a copy stands in for a server that cannot be reached, it sees at least every write that its
own process has made or seen.

What goes wrong raises ``Unavailable`` (try again: busy, too slow, not reachable) or a child of it:
``StoreFull``, or ``StoreReplaced`` when its files were moved. A store can be used from several
threads at once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from oppserver.contract import limits
from oppserver.contract.columns import Column
from oppserver.contract.model import (
    Activity,
    ActivityType,
    Catalogue,
    ColumnBlock,
    Field,
    Key,
    Lead,
    OpportunityType,
    StoredOpportunity,
    StoreLibrary,
    StoreServer,
    Tombstone,
    User,
    Written,
)
from oppserver.store.queries import (
    ActivityQuery,
    ActivitySearch,
    Change,
    ChangeNumbers,
    ChangesPage,
    Fingerprint,
    FormedValues,
    IdempotencyRecord,
    IdStatus,
    LeadNumbers,
    LeadSearch,
    Plan,
    RenderedChanges,
    RenderedColumns,
    RenderedPage,
    RenderedRows,
    Search,
    SearchIndex,
    TimelinePage,
)

BUSY_TIMEOUT_S: Final = 10.0
"""Seconds to wait for another process's write lock. Ours: an import's batch takes far less."""

SQLITE_WRITER_CACHE_BYTES: Final = 64 << 20
"""Bytes of page cache for the one writer: the upper pages of the indexes stay in it."""

_T = TypeVar("_T")


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a store. An engine ignores those that it has no use for.

    ``readers``: threads that can read at once; more of them wait for each other, in no fair order.
    ``sqlite_read_parts``: readers among which the ids of one bulk read are divided while they idle.
    ``read_urls``: standbys that reads go to; ``on_server`` gets each server, twice a second,
    by threads of the store's.
    """

    readers: int = limits.WORKER_THREADS_DEFAULT
    query_timeout_s: float = limits.QUERY_TIMEOUT_S_DEFAULT
    sqlite_mmap_bytes: int = limits.SQLITE_MMAP_BYTES_DEFAULT
    sqlite_cache_bytes: int = limits.SQLITE_CACHE_BYTES_DEFAULT
    sqlite_read_parts: int = 1
    sqlite_writer_cache_bytes: int = SQLITE_WRITER_CACHE_BYTES
    read_urls: tuple[str, ...] = ()
    on_server: Callable[[StoreServer], None] | None = None


class Transaction(Protocol):
    """One transaction that reads and writes, given to the work of ``Store.write``.

    What it reads is of one moment and includes what it has written. Nobody else writes what would
    make an answer of its own untrue before it ends.
    """

    def catalogue(self) -> Catalogue:
        """All types and fields."""
        ...

    def opportunities(self, ids: Sequence[str]) -> dict[str, StoredOpportunity]:
        """The opportunities of ids, by id, each with its lead's and owner's address."""
        ...

    def tombstones(self, ids: Sequence[str]) -> dict[str, Tombstone]:
        """Return the tombstones of the ids that are deleted, by id."""
        ...

    def opportunity_like(self, event_code: int, values: Mapping[str, str]) -> str | None:
        """The id of the oldest opportunity of a type whose stored columns have these values."""
        ...

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        """Write opportunities, as ``Store.write_opportunities``."""
        ...

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        """Delete opportunities, as ``Store.delete_opportunities``."""
        ...

    def leads(self, ids: Sequence[str]) -> dict[str, Lead]:
        """The leads of ids, by id."""
        ...

    def leads_by(self, stored: str, values: Sequence[str]) -> dict[str, Lead]:
        """The lead of each value of ``email``, ``phone`` or ``mobile``, by the value as given.

        Addresses do not tell the letters A to Z from a to z. Of several leads, the lowest id's.
        """
        ...

    def write_leads(self, batch: Sequence[Lead]) -> None:
        """Creates or replaces leads by id; an address that changes is changed on opportunities too.

        Owners that are not there are created, without an address. Of two leads with one id, the
        last is written.
        """
        ...

    def users(self, ids: Sequence[str]) -> dict[str, User]:
        """The users of ids, by id."""
        ...

    def users_by_email(self, emails: Sequence[str]) -> dict[str, User]:
        """The user of each address, by the address as given; of several, the lowest id's.

        Letters A to Z are not told from a to z.
        """
        ...

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        """Create activity types, as ``Store.put_activity_types``."""
        ...

    def write_activities(self, batch: Sequence[Activity]) -> None:
        """Adds activities; ids are new."""
        ...

    def idempotency_record(self, key_sha256: str, *, not_before: str) -> IdempotencyRecord | None:
        """The answer that was kept under a key at ``not_before`` (stored form) or later."""
        ...

    def put_idempotency_record(self, answer: IdempotencyRecord, *, not_before: str) -> None:
        """Keeps an answer, and throws away those that were kept before ``not_before``."""
        ...


class Snapshot(Protocol):
    """One moment of a store, given to the work of ``Store.read``: all that is read is of it."""

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        """Read rows, as ``Store.bulk_read``."""
        ...

    def bulk_read_columns(self, plan: Plan) -> list[RenderedColumns]:
        """The rows that ``bulk_read`` has, in the same order, by column.

        Values are the same, but CreatedOn and ModifiedOn are in the stored form.
        """
        ...

    def fingerprint(self, plan: Plan) -> Fingerprint:
        """Return a fingerprint of the rows. Equal fingerprints mean equal bytes; much cheaper.

        Two moments with one fingerprint for a plan have the same rows for it, byte for byte, also
        when the database was restored or made anew in between. A write that changes nothing that
        the rows show may change it; without a write to its opportunities, or to users, it stays.
        """
        ...

    def change_numbers(self) -> ChangeNumbers:
        """Return change numbers, as ``Store.change_numbers``."""
        ...

    def changes(
        self, *, after: int, until: int, limit: int, event_code: int | None
    ) -> list[Change]:
        """Up to ``limit`` changes with numbers above ``after`` and up to ``until``, by number.

        Every opportunity that is stored or deleted is there once, at its last change. Of one type:
        also what has ever been of another type, so that whoever holds it learns that it has left.
        """
        ...

    def rendered_changes(self, page: ChangesPage, columns: tuple[Column, ...]) -> RenderedChanges:
        """A page of changes as JSON objects, by number.

        Each has ``Change`` (``Upserted``, ``Deleted``, or ``Moved`` when the page is of another
        type), ``ProspectActivityId`` and ``EventCode``; a deleted one ``DeletedOn`` in the form of
        answers; an upserted one its row as ``Opportunity``, unless there are no columns.
        """
        ...

    def ids_of_type(
        self, event_code: int, *, after_id: str, modified_since: str | None, limit: int
    ) -> list[str]:
        """Up to ``limit`` ids above ``after_id`` of the opportunities of a type, in their order.

        ``modified_since`` (stored form): only of those whose ModifiedOn is not before it.
        """
        ...

    def identity(self) -> str:
        """The random name of the database; a backup has another one."""
        ...

    def versions(self, plan: Plan) -> list[bytes]:
        """For each entry, a line ``ID VERSION`` of each row of ``bulk_read``, in their order.

        A line ends in LF. A version is a whole number, and another after each write that changes
        the opportunity: equal lines, equal opportunities, but for their owners' addresses.
        """
        ...

    def id_statuses(self, ids: Sequence[str]) -> dict[str, IdStatus]:
        """Return the type, and the deletion, of the ids that are stored or deleted, by id."""
        ...


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

    def read(self, work: Callable[[Snapshot], _T]) -> _T:
        """Does work that reads several things of one moment, and returns what it returns.

        The moment ends with the work. An engine may have to do the work again from its beginning,
        so it has no other effects.
        """
        ...

    def change_numbers(self) -> ChangeNumbers:
        """The number of the last change, and of the last change of an owner's address.

        Each write of an opportunity takes a number that none has had: creation, replacement,
        deletion, a new address of its lead. Whoever sees a number sees all changes with lower ones.
        While ``last`` stays, rows stay; it rises when an owner's address changes too, which rows
        show but which is no change of theirs.
        """
        ...

    def timeline_id(self) -> int:
        """A number that rises when the store's past may have become another one.

        A replica that was made the primary may lack the last writes, and give their numbers again.
        To be asked after what is held to it was read.
        """
        ...

    # --- the other reads

    def opportunity(self, one: str) -> StoredOpportunity | Tombstone | None:
        """The opportunity of an id, or what is left of it; None when it was never there."""
        ...

    def search(self, search: Search) -> RenderedPage:
        """A page of opportunities, and how many there are in all, of one moment.

        Values are rendered as ``bulk_read`` does, except dates: they are in the stored form.
        Columns, in conditions too, may also be of the row's lead (``lead.`` before the stored name
        of a lead's column), ``owner_name``, and the CONSTANTS of ``contract/columns.py``.
        """
        ...

    def leads(self, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
        """The leads of ids, in their order, as flat objects; unknown ids are left out.

        A row has the columns in order: the value as a JSON string, or null. ``created_on`` and
        ``modified_on`` have ``.000`` at their end. Columns may also be ``owner_name``,
        ``owner_email``, and, as the last one, ``EVERY_ATTRIBUTE``.
        """
        ...

    def search_leads(self, search: LeadSearch) -> RenderedPage:
        """A page of leads as flat objects, and how many there are in all, of one moment."""
        ...

    def lead_numbers(self, ending: str, *, limit: int) -> list[LeadNumbers]:
        """Up to ``limit`` leads whose phone or mobile number has this end, by id.

        The end is the last seven characters of a number without what is between its digits
        (``store/schema.py``), or all of a shorter one.
        """
        ...

    def activities(self, ids: Sequence[str]) -> list[Activity]:
        """The activities of ids, in their order; unknown ids are left out."""
        ...

    def timeline(self, search: ActivitySearch) -> TimelinePage:
        """A page of activities, and how many there are in all, of one moment."""
        ...

    def search_activities(self, query: ActivityQuery) -> TimelinePage:
        """A page of activities, and how many there are in all, of one moment."""
        ...

    def users(self, ids: Sequence[str] | None = None) -> list[User]:
        """All users, or those of ids, by id."""
        ...

    # --- writes

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        """Does work in one transaction; what it returns is returned when all of it is durable.

        What the work raises undoes all that it did, and is raised. An engine may have to do the
        work again from its beginning, so it has no other effects. A session ends with its work.
        """
        ...

    # --- who may call

    def key(self, access_key: str) -> Key | None:
        """Return a key by its access key, revoked ones too; None for an unknown one."""
        ...

    def keys(self) -> list[Key]:
        """All keys, oldest first."""
        ...

    def add_key(
        self, key: Key, *, first_name: str | None = None, last_name: str | None = None
    ) -> Key:
        """Adds a key; the user is found by e-mail (without regard to case) or created.

        Names that are given become the user's. Returns the key as stored: its ``user_id`` is the
        user's, which may have been there.
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
        """Creates types; one that is there is replaced, and keeps its fields."""
        ...

    def put_fields(self, fields: Sequence[Field], *, keeps_unfit: bool = False) -> None:
        """Creates fields, and their types; one that is there is replaced.

        Stored values get the form of a field's new data type. Raises InvalidInput where values do
        not fit, and then nothing is changed; ``keeps_unfit`` keeps them. Options that a dropdown
        no longer has are kept in any case.
        """
        ...

    def form_values(self, on_page: Callable[[int], None]) -> FormedValues:
        """Bring the values that older versions have stored to the form of their data types.

        Page by page, each in a transaction: ``on_page`` gets the number of rows that were looked
        at. Values that do not fit are kept.
        """
        ...

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        """Creates activity types; one that is there takes the new name, and settings if given."""
        ...

    # --- opportunities

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
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
        batches: Iterable[Sequence[ColumnBlock]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        """Write many batches in order, each as ``write_opportunities``, but faster.

        ``on_written`` gets each batch when it is durable, maybe on another thread. The next
        batch is asked for while one is written. What ``batches`` raises ends the load: batches that
        came before are written. In an empty store, reads by anything but ids are slow meanwhile.
        """
        ...

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[StoredOpportunity]:
        """Up to ``limit`` opportunities with ids above ``after_id``, by id; of one type or all."""
        ...

    def count_opportunities(self, *, event_code: int | None) -> int:
        """Count opportunities, of one type or all."""
        ...

    # --- indexes of searches

    def search_indexes(self) -> list[SearchIndex]:
        """The indexes that operators have added, by name."""
        ...

    def add_search_index(self, index: SearchIndex) -> bool:
        """Builds an index, for which writes wait; False when there is one of that name."""
        ...

    def drop_search_index(self, name: str) -> bool:
        """Drop an index that was added; False when no index has the name."""
        ...

    # --- the store itself

    def ping(self) -> None:
        """Returns when the store can be read; raises Unavailable when it cannot."""
        ...

    def size_bytes(self) -> int:
        """Bytes that the store takes, its log too where it is a file; raises Unavailable."""
        ...

    def servers(self) -> list[StoreServer]:
        """The servers of a store that reads standbys, the primary first; else none."""
        ...

    def library(self) -> StoreLibrary | None:
        """The library in this process that holds the database; None where servers hold it."""
        ...

    def engine(self) -> str:
        """Return the engine and its version: ``SQLite 3.54.1 (apsw)``. Raises Unavailable."""
        ...

    def check(self) -> list[str]:
        """List the faults of the stored data, one line each; empty when it is sound."""
        ...

    def backup(self, path: Path) -> list[Path]:
        """Write a copy of this moment to a new file, while others read and write.

        The file is there when it is whole and durable, and not before. Returns the unfinished
        copies that other backups have in the same folder. Raises DatabaseRefused; then there is no
        file.
        """
        ...

    def is_distributed(self) -> bool:
        """Return true when the tables are sharded over a cluster, which is experimental."""
        ...

    def distribute(self, *, shards: int) -> list[str]:
        """Spreads the tables over the machines of a cluster; names those that it has moved now.

        Raises DatabaseRefused where there is no cluster, or tables are spread in another way.
        """
        ...

    def close(self) -> None:
        """Gives back what the store holds. The store is not used afterwards."""
        ...
