"""The model of a store: dictionaries, a lock, nothing to go wrong. It passes the engines' suite.

A write works on a copy and puts it in place of what was there, so it happens whole or not at all.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar
from uuid import uuid4

import msgspec

from oppserver.contract.dates import to_answer
from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.model import (
    Activity,
    ActivityType,
    Catalogue,
    Field,
    KeptAnswer,
    Key,
    Lead,
    Opportunity,
    OpportunityType,
    Plan,
    PlannedEntry,
    RenderedRows,
    Role,
    Tombstone,
    User,
    Written,
)
from oppserver.store.port import Moment
from tests.memory_moment import MemoryMoment

_T = TypeVar("_T")


class _State(msgspec.Struct, kw_only=True):
    version: int = 1
    users: dict[str, User] = {}
    keys: dict[str, Key] = {}
    leads: dict[str, Lead] = {}
    types: dict[int, OpportunityType] = {}
    fields: dict[int, dict[str, Field]] = {}
    activity_types: dict[int, ActivityType] = {}
    opportunities: dict[str, Opportunity] = {}
    deleted: dict[str, Tombstone] = {}
    activities: dict[str, Activity] = {}
    kept_answers: dict[str, KeptAnswer] = {}

    def copied(self) -> Self:
        """A copy that can be changed; the values themselves are frozen."""
        copies: dict[str, Any] = {
            name: dict(value) if isinstance(value, dict) else value
            for name, value in msgspec.structs.asdict(self).items()
        }
        copies["fields"] = {code: dict(fields) for code, fields in self.fields.items()}
        return type(self)(**copies)


class MemoryDatabase:
    """What the stores that are opened on one database share."""

    def __init__(self, state: _State | None = None) -> None:
        self.state = state or _State()
        self.lock = threading.Lock()
        self.identity = str(uuid4())

    @classmethod
    def from_backup(cls, path: Path) -> Self:
        """The database that a backup holds."""
        return cls(msgspec.json.decode(path.read_bytes(), type=_State))


class MemoryStore:
    """The promises of ``port.Store``, in memory."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database

    @contextmanager
    def _write(self) -> Iterator[_State]:
        with self._database.lock:
            state = self._database.state.copied()
            yield state
            self._database.state = state

    # --- the hot read

    def bulk_read(self, plan: Plan) -> list[RenderedRows]:
        state = self._database.state
        return [_rendered(entry, state) for entry in plan.entries]

    # --- the other reads

    def opportunity(self, one: str) -> Opportunity | Tombstone | None:
        state = self._database.state
        stored = state.opportunities.get(one)
        return state.deleted.get(one) if stored is None else _with_emails(stored, state)

    def users(self) -> list[User]:
        state = self._database.state
        administrators = {
            key.user_id
            for key in state.keys.values()
            if key.role is Role.ADMINISTRATOR and key.revoked_on is None
        }
        return [
            msgspec.structs.replace(user, is_administrator=user.id in administrators)
            for _, user in sorted(state.users.items())
        ]

    def read(self, work: Callable[[Moment], _T]) -> _T:
        moment = MemoryStore(MemoryDatabase(self._database.state))
        return work(MemoryMoment(moment, identity=self._database.identity))

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
        state = self._database.state
        return Catalogue(
            version=state.version,
            types=dict(sorted(state.types.items())),
            fields={
                code: dict(sorted(fields.items(), key=lambda item: (item[1].sequence, item[0])))
                for code, fields in state.fields.items()
            },
            activity_types=dict(sorted(state.activity_types.items())),
        )

    def put_types(self, types: Sequence[OpportunityType]) -> None:
        with self._write() as state:
            for one in types:
                _put_type(state, one)

    def put_fields(self, fields: Sequence[Field]) -> None:
        with self._write() as state:
            for one in fields:
                _put_field(state, one)

    def put_activity_types(self, types: Sequence[ActivityType]) -> None:
        with self._write() as state:
            for one in types:
                state.activity_types[one.event_code] = one
                state.version += 1

    # --- opportunities

    def write_opportunities(self, batch: Sequence[Opportunity], *, now: str) -> Written:
        with self._write() as state:
            replaced = sum(_write_one(state, one, now=now) for one in batch)
            return Written(created=len(batch) - replaced, replaced=replaced)

    def delete_opportunities(self, ids: Sequence[str], *, now: str, by: str | None) -> int:
        with self._write() as state:
            there = state.opportunities.keys() & set(ids)
            for one in there:
                code = state.opportunities.pop(one).event_code
                state.deleted[one] = Tombstone(
                    id=one, event_code=code, deleted_on=now, deleted_by=by
                )
            return len(there)

    def load(
        self,
        batches: Iterable[Sequence[Opportunity]],
        *,
        now: Callable[[], str],
        on_written: Callable[[Written], None],
    ) -> None:
        for batch in batches:
            on_written(self.write_opportunities(batch, now=now()))

    def read_opportunities(
        self, *, event_code: int | None, after_id: str, limit: int
    ) -> list[Opportunity]:
        state = self._database.state
        ids = sorted(one for one in _of_type(state, event_code) if one > after_id)
        return [_with_emails(state.opportunities[one], state) for one in ids[:limit]]

    def count_opportunities(self, *, event_code: int | None) -> int:
        return len(_of_type(self._database.state, event_code))

    # --- the store itself

    def ping(self) -> None:
        pass

    def check(self) -> list[str]:
        return []

    def backup(self, path: Path) -> None:
        try:
            with path.open("xb") as file:
                file.write(msgspec.json.encode(self._database.state))
        except OSError as error:
            raise DatabaseRefused(f"The backup to {path} failed: {error}") from None

    def close(self) -> None:
        pass


def _put_type(state: _State, one: OpportunityType) -> None:
    state.types[one.event_code] = one
    state.fields.setdefault(one.event_code, {})
    state.version += 1


def _put_field(state: _State, one: Field) -> None:
    if one.event_code not in state.types:
        code = one.event_code
        _put_type(state, OpportunityType(event_code=code, name=f"Opportunity {code}"))
    state.fields[one.event_code][one.schema_name] = one
    state.version += 1


def _write_one(state: _State, one: Opportunity, *, now: str) -> bool:
    """Writes one opportunity and what it brings with it; whether it was there."""
    _check_text(one)
    _put_catalogue_of(state, one)
    lead = state.leads.setdefault(one.lead_id, Lead(id=one.lead_id))
    if one.lead_email is not None:
        state.leads[one.lead_id] = msgspec.structs.replace(lead, email=one.lead_email)
    if one.owner_id is not None:
        owner = state.users.setdefault(one.owner_id, User(id=one.owner_id, email=None))
        if one.owner_email is not None:
            state.users[one.owner_id] = msgspec.structs.replace(owner, email=one.owner_email)
    stored = state.opportunities.get(one.id)
    created_on = one.created_on or (stored.created_on if stored else now)
    modified_on = one.modified_on or (stored.modified_on if stored else created_on)
    state.opportunities[one.id] = msgspec.structs.replace(
        one, created_on=created_on, modified_on=modified_on
    )
    state.deleted.pop(one.id, None)
    return stored is not None


def _put_catalogue_of(state: _State, one: Opportunity) -> None:
    code = one.event_code
    if code not in state.types:
        _put_type(state, OpportunityType(event_code=code, name=f"Opportunity {code}"))
    for stored_name in one.slots:
        slot = int(stored_name.removeprefix("mx_custom_"))
        name = f"mx_Custom_{slot}"
        if name not in state.fields[code]:
            _put_field(
                state, Field(event_code=code, schema_name=name, display_name=name, sequence=slot)
            )


def _check_text(one: Opportunity) -> None:
    values = [one.lead_email, one.owner_id, one.status, one.note, *one.slots.values()]
    if not all(value is None or isinstance(value, str) for value in values):
        raise TypeError("a value is of a type that is not supported: every value is text")


def _of_type(state: _State, event_code: int | None) -> list[str]:
    return [one.id for one in state.opportunities.values() if event_code in (None, one.event_code)]


def _with_user(key: Key, state: _State) -> Key:
    user = state.users[key.user_id]
    assert user.email is not None, "a user with a key was found by an address"
    return msgspec.structs.replace(key, email=user.email, user_is_active=user.is_active)


def _with_emails(one: Opportunity, state: _State) -> Opportunity:
    owner = None if one.owner_id is None else state.users[one.owner_id]
    return msgspec.structs.replace(
        one, lead_email=state.leads[one.lead_id].email, owner_email=owner and owner.email
    )


def _rendered(entry: PlannedEntry, state: _State) -> RenderedRows:
    found = [
        _with_emails(state.opportunities[one], state)
        for one in entry.ids
        if one in state.opportunities and state.opportunities[one].event_code == entry.event_code
    ]
    rows = [{column.name: _value(one, column.stored) for column in entry.columns} for one in found]
    return RenderedRows(count=len(rows), json=msgspec.json.encode(rows))


def _value(one: Opportunity, stored_name: str) -> str | None:
    if stored_name.startswith("mx_custom_"):
        return one.slots.get(stored_name)
    values: Mapping[str, Any] = msgspec.structs.asdict(one)
    value = values[stored_name]
    if stored_name in ("created_on", "modified_on"):
        return to_answer(value)
    return None if value is None else str(value)
