"""The model of a store: dictionaries, a lock, nothing to go wrong. It passes the engines' suite.

A write works on a copy and puts it in place of what was there, so it happens whole or not at all.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import uuid4

import msgspec

from oppserver.contract.columns import Column
from oppserver.contract.dates import to_answer
from oppserver.contract.errors import DatabaseRefused, InvalidInput
from oppserver.contract.model import (
    Activity,
    ActivityType,
    Catalogue,
    ColumnBlock,
    Field,
    Key,
    OpportunityType,
    Role,
    StoredOpportunity,
    StoreServer,
    Tombstone,
    User,
    Written,
)
from oppserver.contract.values import status_field
from oppserver.store.port import Snapshot, Transaction
from oppserver.store.queries import (
    ActivityQuery,
    ActivitySearch,
    ChangeNumbers,
    FormedValues,
    LeadNumbers,
    LeadSearch,
    Plan,
    PlannedEntry,
    RenderedPage,
    RenderedRows,
    Search,
    SearchIndex,
    TimelinePage,
)
from tests.support import memory_leads, memory_search
from tests.support.memory_snapshot import MemorySnapshot
from tests.support.memory_state import (
    State,
    delete_all,
    form_values,
    put_activity_types,
    put_field,
    put_type,
    version_of,
    with_emails,
    write_all,
)
from tests.support.memory_transaction import MemoryTransaction

_T = TypeVar("_T")


class MemoryDatabase:
    """The state that the stores opened on one database share."""

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        self.lock = threading.Lock()
        self.identity = str(uuid4())

    @classmethod
    def from_backup(cls, path: Path) -> Self:
        """The database that a backup holds."""
        return cls(msgspec.json.decode(path.read_bytes(), type=State))


class MemoryStore:
    """The promises of ``port.Store``, in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @contextmanager
    def _write(self) -> Iterator[State]:
        with self._database.lock:
            state = self._database.state.copied()
            yield state
            self._database.state = state

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        state = self._database.state
        return [_rendered(entry, state) for entry in plan.entries]

    def read(self, work: Callable[[Snapshot], _T]) -> _T:
        state = self._database.state
        snapshot = MemoryStore(MemoryDatabase(state))
        return work(MemorySnapshot(snapshot, state, identity=self._database.identity))

    def change_numbers(self) -> ChangeNumbers:
        state = self._database.state
        return ChangeNumbers(last=state.last_number, addresses=state.addresses_number)

    # --- the other reads

    def timeline_id(self) -> int:
        return 0

    def opportunity(self, one: str) -> StoredOpportunity | Tombstone | None:
        state = self._database.state
        stored = state.opportunities.get(one)
        return state.deleted.get(one) if stored is None else with_emails(stored, state)

    def leads(self, ids: Sequence[str], columns: Sequence[Column]) -> RenderedRows:
        return memory_leads.leads(self._database.state, ids, columns)

    def search(self, search: Search) -> RenderedPage:
        return memory_search.search(self._database.state, search)

    def search_leads(self, search: LeadSearch) -> RenderedPage:
        return memory_search.search_leads(self._database.state, search)

    def lead_numbers(self, ending: str, *, limit: int) -> list[LeadNumbers]:
        return memory_leads.numbers(self._database.state, ending, limit=limit)

    def activities(self, ids: Sequence[str]) -> list[Activity]:
        there = self._database.state.activities
        return [there[one] for one in ids if one in there]

    def timeline(self, search: ActivitySearch) -> TimelinePage:
        return memory_leads.timeline(self._database.state, search)

    def search_activities(self, query: ActivityQuery) -> TimelinePage:
        return memory_search.search_activities(self._database.state, query)

    def users(self, ids: Sequence[str] | None = None) -> list[User]:
        state = self._database.state
        administrators = {
            key.user_id
            for key in state.keys.values()
            if key.role is Role.ADMINISTRATOR and key.revoked_on is None
        }
        return [
            msgspec.structs.replace(user, is_administrator=user.id in administrators)
            for _, user in sorted(state.users.items())
            if ids is None or user.id in ids
        ]

    # --- writes

    def write(self, work: Callable[[Transaction], _T]) -> _T:
        with self._write() as state:
            return work(MemoryTransaction(state))

    # --- who may call

    def key(self, access_key: str) -> Key | None:
        state = self._database.state
        key = state.keys.get(access_key)
        return key and _with_user(key, state)

    def keys(self) -> list[Key]:
        state = self._database.state
        keys = sorted(state.keys.values(), key=lambda key: (key.created_on, key.access_key))
        return [_with_user(key, state) for key in keys]

    def add_key(
        self, key: Key, *, first_name: str | None = None, last_name: str | None = None
    ) -> Key:
        with self._write() as state:
            same = [
                user_id
                for user_id, user in sorted(state.users.items())
                if user.email and user.email.casefold() == key.email.casefold()
            ]
            user_id = same[0] if same else key.user_id
            if not same:
                state.users[user_id] = User(
                    id=user_id, email=key.email, is_active=key.user_is_active
                )
            user = state.users[user_id]
            state.users[user_id] = msgspec.structs.replace(
                user,
                first_name=user.first_name if first_name is None else first_name,
                last_name=user.last_name if last_name is None else last_name,
            )
            state.keys[key.access_key] = msgspec.structs.replace(key, user_id=user_id)
            return _with_user(state.keys[key.access_key], state)

    def revoke_key(self, access_key: str, *, now: str) -> bool:
        with self._write() as state:
            key = state.keys.get(access_key)
            if key is None or key.revoked_on is not None:
                return False
            state.keys[access_key] = msgspec.structs.replace(key, revoked_on=now)
            return True

    # --- types and fields

    def catalogue(self) -> Catalogue:
        return self._database.state.catalogue()

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        with self._write() as state:
            for one in types:
                put_type(state, one)

    def put_fields(self, fields: Sequence[Field], *, keeps_unfit: bool = False) -> None:
        with self._write() as state:
            new = {(one.event_code, one.schema_name): one for one in fields}
            formed = form_values(state, [one for one in new.values() if _has_new_form(state, one)])
            if formed.unfit and not keeps_unfit:
                raise InvalidInput("Nothing was changed: values do not fit")
            for one in fields:
                put_field(state, one)

    def form_values(self, on_page: Callable[[int], None]) -> FormedValues:
        with self._write() as state:
            fields = [one for of_type in state.fields.values() for one in of_type.values()]
            on_page(len(state.opportunities))
            return form_values(state, [*fields, *map(status_field, state.fields)])

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        with self._write() as state:
            put_activity_types(state, types)

    # --- opportunities

    def write_opportunities(self, batch: Sequence[StoredOpportunity], *, now: str) -> Written:
        with self._write() as state:
            return write_all(state, batch, now=now)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        with self._write() as state:
            return delete_all(state, ids, now=now, by=by)

    def load(
        self,
        batches: Iterable[Sequence[ColumnBlock]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        for batch in batches:
            places = [place for block in batch for place in block.places]
            rows = [one for block in batch for one in block.opportunities()]
            ordered = [row for _, row in sorted(zip(places, rows, strict=True), key=itemgetter(0))]
            on_written(self.write_opportunities(ordered, now=now()))

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[StoredOpportunity]:
        state = self._database.state
        ids = sorted(one for one in _of_type(state, event_code) if one > after_id)
        return [with_emails(state.opportunities[one], state) for one in ids[:limit]]

    def count_opportunities(self, *, event_code: int | None) -> int:
        return len(_of_type(self._database.state, event_code))

    # --- indexes of searches

    def search_indexes(self) -> list[SearchIndex]:
        return [index for _, index in sorted(self._database.state.search_indexes.items())]

    def add_search_index(self, index: SearchIndex) -> bool:
        with self._write() as state:
            is_new = index.name not in state.search_indexes
            state.search_indexes.setdefault(index.name, index)
            return is_new

    def drop_search_index(self, name: str) -> bool:
        with self._write() as state:
            return state.search_indexes.pop(name, None) is not None

    # --- the store itself

    def ping(self) -> None:
        pass

    def size_bytes(self) -> int:
        return len(msgspec.json.encode(self._database.state))

    def servers(self) -> list[StoreServer]:
        return []

    def library(self) -> None:
        return None

    def engine(self) -> str:
        return "memory 1.0"

    def check(self) -> list[str]:
        return []

    def is_distributed(self) -> bool:
        return False

    def distribute(self, *, shards: int) -> list[str]:
        del shards  # there is nowhere to put them
        raise DatabaseRefused("What is in memory is on one machine.")

    def backup(self, path: Path) -> list[Path]:
        try:
            with path.open("xb") as file:
                file.write(msgspec.json.encode(self._database.state))
        except OSError as error:
            raise DatabaseRefused(f"The backup to {path} failed: {error}") from None
        return []

    def close(self) -> None:
        pass


def _has_new_form(state: State, one: Field) -> bool:
    before = state.fields.get(one.event_code, {}).get(one.schema_name)
    return before is None or any(
        getattr(before, name) != getattr(one, name)
        for name in ("data_type", "options", "dependent_options")
    )


def _of_type(state: State, event_code: int | None) -> list[str]:
    return [one.id for one in state.opportunities.values() if event_code in (None, one.event_code)]


def _with_user(key: Key, state: State) -> Key:
    user = state.users[key.user_id]
    assert user.email is not None, "a user with a key was found by an address"
    return msgspec.structs.replace(key, email=user.email, user_is_active=user.is_active)


def _rendered(entry: PlannedEntry, state: State) -> RenderedRows:
    found = [
        with_emails(state.opportunities[one], state)
        for one in entry.ids
        if one in state.opportunities and state.opportunities[one].event_code == entry.event_code
    ]
    rows = [{column.name: _value(one, column.stored) for column in entry.columns} for one in found]
    return RenderedRows(count=len(rows), json=msgspec.json.encode(rows))


def _value(one: StoredOpportunity, stored_name: str) -> str | None:
    if stored_name.startswith("mx_custom_"):
        return memory_search.slot_value(one, stored_name)
    if stored_name == "version":
        return str(version_of(one))
    values: Mapping[str, Any] = msgspec.structs.asdict(one)
    value = values[stored_name]
    if stored_name in ("created_on", "modified_on"):
        return to_answer(value)
    return None if value is None else str(value)
