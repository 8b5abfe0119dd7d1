"""Random histories: an engine, opened twice, does what the model in memory does."""

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from oppserver.contract.errors import InvalidInput
from oppserver.contract.model import (
    ActivityType,
    Catalogue,
    Field,
    Key,
    OpportunityType,
    Role,
    StoredOpportunity,
    Tombstone,
    Written,
)
from oppserver.store import Store
from oppserver.store.port import Snapshot, Transaction
from oppserver.store.queries import ChangeNumbers, ChangesPage, Plan, PlannedEntry, Search
from tests.property.laws import examples
from tests.property.store_values import (
    CODES,
    KEY_USERS,
    activity_types,
    batches,
    codes,
    dates,
    emails,
    entries,
    fields,
    ids,
    session_calls,
    some_ids,
    types,
    values,
)
from tests.property.test_search import searched, searches
from tests.support import stores
from tests.support.memory_store import MemoryDatabase, MemoryStore
from tests.support.stores import ENGINES, by_column, guid


class Failed(Exception):
    """An error that the work of a transaction raises on purpose."""


def worked(transaction: Transaction, calls: Sequence[tuple[str, Any]], *, fails: bool) -> list[Any]:
    """The answer of each call."""
    answers = [getattr(transaction, name)(**arguments) for name, arguments in calls]
    answers.append(sorted(transaction.catalogue().types))
    if fails:
        raise Failed
    return answers


class History(RuleBasedStateMachine):
    """The same operations on an engine and on the model.

    Two stores are open on the engine's database; each operation goes through one of them, and what
    is read through either is what the model has.
    """

    def __init__(self, database: stores.Database) -> None:
        super().__init__()
        self.database = database
        self.model: Store = MemoryStore(MemoryDatabase())
        self.stores = [database.open(), database.open()]
        self.key_numbers = count()
        self.catalogue_seen: Catalogue | None = None
        self.numbers_seen = [self.stores[0].change_numbers(), self.model.change_numbers()]

    def both(self, which: int, operation: Callable[[Store], Any]) -> None:
        """Does one thing to the engine and to the model; they answer the same."""
        assert operation(self.stores[which]) == operation(self.model)

    # --- operations

    @initialize()
    def two_users_have_keys(self) -> None:
        for user_id in KEY_USERS:
            self.add_key(0, email=f"{user_id}@example.com", user_id=user_id)

    @rule(which=st.integers(0, 1), batch=batches, now=dates)
    def write(self, which: int, batch: list[StoredOpportunity], now: str) -> None:
        self.both(which, lambda store: store.write_opportunities(batch, now=now))

    @rule(which=st.integers(0, 1), parts=st.lists(batches, max_size=3), now=dates)
    def load(self, which: int, parts: list[list[StoredOpportunity]], now: str) -> None:
        def loaded(store: Store) -> list[Written]:
            written: list[Written] = []
            store.load(by_column(parts), now=lambda: now, on_written=written.append)
            return written

        self.both(which, loaded)

    @rule(which=st.integers(0, 1), calls=st.lists(session_calls, max_size=6), fails=st.booleans())
    def transaction(self, which: int, calls: list[tuple[str, Any]], fails: bool) -> None:
        def done(store: Store) -> list[Any] | None:
            try:
                return store.write(lambda transaction: worked(transaction, calls, fails=fails))
            except Failed:
                return None

        self.both(which, done)

    @rule(
        which=st.integers(0, 1),
        some=some_ids,
        now=dates,
        by=st.none() | st.sampled_from(KEY_USERS),
    )
    def delete(self, which: int, some: list[str], now: str, by: str | None) -> None:
        self.both(which, lambda store: store.delete_opportunities(some, now=now, by=by))

    @rule(which=st.integers(0, 1), some=st.lists(types, max_size=3))
    def put_types(self, which: int, some: list[OpportunityType]) -> None:
        self.both(which, lambda store: store.put_types(some))

    @rule(which=st.integers(0, 1), some=st.lists(fields, max_size=3), keeps_unfit=st.booleans())
    def put_fields(self, which: int, some: list[Field], *, keeps_unfit: bool) -> None:
        def is_put(store: Store) -> bool:
            try:
                store.put_fields(some, keeps_unfit=keeps_unfit)
            except InvalidInput:  # values do not fit
                return False
            return True

        self.both(which, is_put)

    @rule(which=st.integers(0, 1), some=st.lists(activity_types, max_size=2))
    def put_activity_types(self, which: int, some: list[ActivityType]) -> None:
        self.both(which, lambda store: store.put_activity_types(some))

    @rule(
        which=st.integers(0, 1),
        email=emails,
        role=st.sampled_from(Role),
        first_name=st.none() | values,
        last_name=st.none() | values,
    )
    def add_key(
        self,
        which: int,
        email: str,
        role: Role = Role.READER,
        user_id: str = "",
        first_name: str | None = None,
        last_name: str | None = None,
    ) -> None:
        number = next(self.key_numbers)
        user_id = user_id or guid(number, kind=3)
        key = stores.key(f"key{number}", email=email, role=role, user_id=user_id, created_on="x")
        self.both(
            which, lambda store: store.add_key(key, first_name=first_name, last_name=last_name)
        )

    @rule(which=st.integers(0, 1), number=st.integers(0, 4), now=dates)
    def revoke_key(self, which: int, number: int, now: str) -> None:
        self.both(which, lambda store: store.revoke_key(f"key{number}", now=now))

    @rule(which=st.integers(0, 1))
    def reopen(self, which: int) -> None:
        self.stores[which].close()
        self.stores[which] = self.database.open()

    # --- what is read

    @rule(which=st.integers(0, 1), some=st.lists(entries, min_size=1, max_size=4))
    def bulk_read(self, which: int, some: list[PlannedEntry]) -> None:
        plan = Plan(entries=tuple(some))
        self.both(which, lambda store: _decoded(store, plan))
        self.both(which, lambda store: store.read(lambda snapshot: _of_snapshot(snapshot, plan)))

    @rule(
        which=st.integers(0, 1),
        code=st.none() | codes,
        after=st.just("") | ids,
        limit=st.integers(0, 9),
    )
    def read_page(self, which: int, code: int | None, after: str, limit: int) -> None:
        self.both(
            which,
            lambda store: store.read_opportunities(event_code=code, after_id=after, limit=limit),
        )
        self.both(which, lambda store: store.count_opportunities(event_code=code))

    @rule(which=st.integers(0, 1), some=st.lists(searches, min_size=1, max_size=4))
    def search(self, which: int, some: list[Search]) -> None:
        for one in some:
            self.both(which, partial(searched, search=one))

    @invariant()
    def both_stores_have_what_the_model_has(self) -> None:
        for which in range(2):
            self.both(which, stores.everything)
            self.both(which, _one_by_one)
            self.both(which, _keys)
            self.both(which, lambda store: store.users())
            self.both(which, _catalogue)

    @invariant()
    def a_catalogue_that_changes_has_another_version(self) -> None:
        seen, now = self.catalogue_seen, self.stores[0].catalogue()
        if seen is not None and (seen.types, seen.fields) != (now.types, now.fields):
            assert now.version > seen.version
        self.catalogue_seen = now

    @invariant()
    def both_have_changed_alike(self) -> None:
        """Numbers are the engine's own; what has changed since the last look is the same."""
        engine, model = (
            _changed(store, seen)
            for store, seen in zip((self.stores[1], self.model), self.numbers_seen, strict=True)
        )
        assert engine == model
        self.numbers_seen = [self.stores[0].change_numbers(), self.model.change_numbers()]

    def teardown(self) -> None:
        try:
            assert self.stores[0].check() == []
        finally:
            for store in self.stores:
                store.close()


def _of_snapshot(snapshot: Snapshot, plan: Plan) -> list[Any]:
    """Rows by column and as objects, their numbers, and where the first entry's ids are."""
    columns = snapshot.bulk_read_columns(plan)
    return [
        [(one.count, [json.loads(column) for column in one.columns]) for one in columns],
        [json.loads(rows.json) for rows in snapshot.bulk_read(plan)],
        list(snapshot.fingerprint(plan).counts),
        snapshot.id_statuses(plan.entries[0].ids),
        _rendered_changes(snapshot, plan.entries[0]),
        _ids_of_type(snapshot, plan.entries[0].event_code),
    ]


def _changed(store: Store, seen: ChangeNumbers) -> list[Any]:
    """The changes since, whatever the order, and whether an owner's address has changed."""
    now = store.change_numbers()
    all_of_them = stores.changes(store)
    numbers = [one.number for one in all_of_them]
    assert numbers == sorted(set(numbers))
    assert all(0 < number <= now.last for number in numbers)
    new = [one for one in all_of_them if one.number > seen.last]
    assert new == stores.changes(store, after=seen.last)
    told = sorted((one.id, one.event_code, one.has_moved, one.deleted_on) for one in new)
    return [told, now.addresses > seen.last, [_of_type(store, code) for code in CODES]]


def _of_type(store: Store, code: int) -> set[str]:
    return {one.id for one in stores.changes(store, event_code=code)}


def _rendered_changes(snapshot: Snapshot, entry: PlannedEntry) -> list[Any]:
    """All changes as changes of a type, by id: their order is the engine's own."""
    last = snapshot.change_numbers().last
    page = ChangesPage(after=0, until=last, limit=99, event_code=entry.event_code)
    rendered = snapshot.rendered_changes(page, entry.columns)
    changes = json.loads(rendered.json)
    told = snapshot.changes(after=0, until=last, limit=99, event_code=entry.event_code)
    assert [one["ProspectActivityId"] for one in changes] == [one.id for one in told]
    assert (rendered.count, rendered.last) == (len(told), told[-1].number if told else 0)
    return sorted(changes, key=lambda change: str(change["ProspectActivityId"]))


def _ids_of_type(snapshot: Snapshot, code: int) -> list[list[str]]:
    """From every id on, and from every date, in pages of each size."""
    return [
        snapshot.ids_of_type(code, after_id=after, modified_since=since, limit=limit)
        for after in ("", guid(3), guid(9))
        for since in (None, "2024-02-29 12:00:00", "9999")
        for limit in (1, 3, 99)
    ]


def _decoded(store: Store, plan: Plan) -> list[Any]:
    """The rows of each entry as pairs, so that the order of members counts."""
    return [
        (rows.count, json.loads(rows.json, object_pairs_hook=list))
        for rows in store.bulk_read(plan)
    ]


def _one_by_one(store: Store) -> list[StoredOpportunity | Tombstone | None]:
    return [store.opportunity(guid(number)) for number in range(8)]


def _keys(store: Store) -> tuple[list[Key], list[Key | None]]:
    return store.keys(), [store.key(f"key{number}") for number in range(6)]


def _catalogue(store: Store) -> tuple[Sequence[Any], ...]:
    """Types and fields in order; versions are the engine's own."""
    catalogue = store.catalogue()
    by_code = sorted((code, list(of.items())) for code, of in catalogue.fields.items())
    return list(catalogue.types.items()), by_code, list(catalogue.activity_types.items())


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
def test_an_engine_does_what_the_model_does(engine: str, tmp_path: Path) -> None:
    """Whatever is written, deleted, loaded, renamed and read, in any order, the answers are one."""

    class OnEngine(History):
        def __init__(self) -> None:
            shutil.rmtree(tmp_path)
            tmp_path.mkdir()
            super().__init__(ENGINES[engine](tmp_path))

    run_state_machine_as_test(
        OnEngine, settings=examples(40 if engine == "sqlite" else 15, steps=20)
    )
