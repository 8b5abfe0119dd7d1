"""Kept rows are those of the store, whoever writes meanwhile, on every engine."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.shared.call import Answer
from oppserver.calls.shared.repeats import AnswerCache, Question, State
from oppserver.contract.formats import Format
from oppserver.store import Store
from oppserver.store.queries import Plan, PlannedEntry, RenderedRows
from oppserver.store.row_cache import RowCache
from tests.property.laws import examples
from tests.support import stores
from tests.support.memory_store import MemoryDatabase, MemoryStore
from tests.support.stores import ENGINES, LATER, NOW, guid, lead, opportunity, owner, scaled

Write = Callable[[Store], Any]

# Few ids, values and people, so that what is kept is written to; a note that looks like two rows.
numbers = st.integers(0, 5)
opportunities = st.builds(
    lambda number, person, **values: opportunity(number, lead_id=lead(person), **values),
    numbers,
    st.integers(0, 1),
    event_code=st.sampled_from([12_000, 12_000, 12_001]),
    status=st.sampled_from(["Open", "Won", '"},{"ProspectId":"x","ProspectActivityId":"', None]),
    lead_email=st.sampled_from([None, "a@example.com", '},{"ProspectId":']),
    owner_id=st.just(owner(1)),
    owner_email=st.sampled_from([None, "o@example.com", "p@example.com"]),
)
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(
        lambda some: lambda store: store.write_opportunities(some, now=NOW),
        st.lists(opportunities, min_size=1, max_size=4),
    ),
    st.builds(
        lambda some: lambda store: store.delete_opportunities(sorted(some), now=LATER, by=None),
        st.sets(numbers.map(guid), min_size=1),
    ),
)
entries = st.builds(
    lambda some, names, code: entry(some, *names, event_code=code),
    st.lists(numbers.map(guid), min_size=1, unique=True),
    st.sampled_from([("Status",), ("Status", "Owner", "OwnerEmailAddress")]),
    st.sampled_from([12_000, 12_000, 12_001]),
)
plans = st.builds(lambda some: Plan(entries=tuple(some)), st.lists(entries, min_size=1, max_size=2))


def entry(ids: Sequence[str], *names: str, event_code: int = 12_000) -> PlannedEntry:
    """An entry as bulk reads have them: with the columns of every row in front."""
    always = ("ProspectId", "EmailAddress", "ProspectActivityId")
    return stores.entry(ids, *always, *names, event_code=event_code)


def kept_rows(bytes_max: int = 1 << 20) -> RowCache:
    return RowCache(bytes_max=bytes_max, on_read=lambda _kept, _fetched: None)


@pytest.mark.parametrize("engine", ENGINES)
def test_kept_rows_are_those_of_the_store(engine: str, tmp_path: Path) -> None:
    """After every write, of another store too, with much or hardly any memory: the same bytes."""
    database = ENGINES[engine](tmp_path)
    store, other = database.open(), database.open()

    @given(
        history=st.lists(st.tuples(writes, st.lists(plans, max_size=4)), min_size=1, max_size=10),
        bytes_max=st.sampled_from([1 << 20, 2_000, 1]),
    )
    @examples(50)
    def holds(history: list[tuple[Write, list[Plan]]], bytes_max: int) -> None:
        hot = kept_rows(bytes_max)
        for write, asked in history:
            write(other)
            for plan in asked * 3:
                assert hot.bulk_read(store, plan).rows == store.bulk_read(plan)

    holds()
    store.close()
    other.close()


def test_only_what_has_changed_is_read_again(tmp_path: Path) -> None:
    """Rows that were asked for twice come from memory; after a write, all but the written one."""
    store = ENGINES["sqlite"](tmp_path).open()
    store.write_opportunities([opportunity(number) for number in range(10)], now=NOW)
    told: list[tuple[int, int]] = []
    hot = RowCache(bytes_max=1 << 20, on_read=lambda *numbers: told.append(numbers))
    plan = Plan(entries=(entry([guid(number) for number in range(12)], "Status"),))
    for _ in range(3):
        hot.bulk_read(store, plan)
    store.write_opportunities([opportunity(3, status="Won"), opportunity(11)], now=NOW)
    hot.bulk_read(store, plan)
    store.delete_opportunities([guid(0)], now=LATER, by=None)
    hot.bulk_read(store, plan)
    hot.bulk_read(store, plan)
    assert told == [(0, 12), (0, 12), (12, 0), (10, 2), (11, 1), (12, 0)]
    store.close()


def test_many_changes_drop_everything(tmp_path: Path) -> None:
    """More changes than are looked up, as an import makes them, leave no old row behind."""
    store = ENGINES["sqlite"](tmp_path).open()
    store.write_opportunities([opportunity(number) for number in range(2_500)], now=NOW)
    hot = kept_rows()
    plan = Plan(entries=(entry([guid(number) for number in range(9)], "Status"),))
    for _ in range(3):
        hot.bulk_read(store, plan)
    won = [opportunity(number, status="Won") for number in range(2_500)]
    store.write_opportunities(won, now=NOW)
    assert [
        {row["Status"] for row in rows} for rows in decoded(hot.bulk_read(store, plan).rows)
    ] == [{"Won"}]
    store.close()


def test_a_replica_that_takes_over_has_its_own_rows() -> None:
    """Numbers that it gives a second time do not make rows of the old primary its own."""
    old, new = (_Server(timeline_id) for timeline_id in (1, 2))
    for store, status in ((old, "Open"), (new, "Won")):
        store.write_opportunities([opportunity(1, status=status)], now=NOW)
    assert old.change_numbers() == new.change_numbers()
    hot = kept_rows()
    plan = Plan(entries=(entry([guid(1)], "Status"),))
    for store in (old, new):
        for _ in range(4):
            assert hot.bulk_read(store, plan).rows == store.bulk_read(plan)


class _Server(MemoryStore):
    def __init__(self, timeline_id: int) -> None:
        super().__init__(MemoryDatabase())
        self._timeline_id = timeline_id

    def timeline_id(self) -> int:
        return self._timeline_id


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_readers_that_race_a_writer(engine: str, tmp_path: Path) -> None:
    """No answer is older than a write that had returned, and none mixes two moments.

    Rows that are kept, and whole answers that are kept for the same call.
    """
    database = ENGINES[engine](tmp_path)
    store, other = database.open(), database.open()
    ids = [guid(number) for number in range(8)]
    plan = Plan(entries=(entry(ids, "Status"), entry(list(reversed(ids))[:5], "Status")))
    hot, given = kept_rows(), []
    answers = AnswerCache(bytes_max=1 << 20, on_read=lambda kept, _: given.append(kept))
    returned = 0
    rounds = scaled(100)

    def write() -> None:
        nonlocal returned
        for round_number in range(1, rounds + 1):
            batch = [opportunity(number, status=str(round_number)) for number in range(8)]
            other.write_opportunities(batch, now=NOW)
            returned = round_number

    def read(_: int) -> None:
        while (before := returned) < rounds and writer.is_alive():
            entries = msgspec.json.decode(answer_of(store, plan, hot, answers))
            seen = {int(row["Status"]) for rows in entries for row in rows}
            assert len(seen) <= 1
            assert min(seen, default=0) >= before

    writer = threading.Thread(target=write)
    writer.start()
    with ThreadPoolExecutor(3) as readers:
        list(readers.map(read, range(3)))
    writer.join()
    assert returned == rounds
    assert len(answer_of(store, plan, hot, answers)) == len(answer_of(store, plan, hot, answers))
    assert given[-1] == len(ids)
    store.close()
    other.close()


QUESTION = Question(b"{}", "application/json", {}, None, Format.JSON)


def answer_of(store: Store, plan: Plan, hot: RowCache, answers: AnswerCache) -> bytes:
    """The answer as the runner makes it: one that is kept, or a new one."""
    kept = answers.find(QUESTION, store)
    if kept is not None:
        return kept.body
    version = store.catalogue().version
    rows, place = hot.bulk_read(store, plan)
    body = b"[" + b",".join(one.json for one in rows) + b"]"
    if place is not None:
        answers.keep(
            QUESTION, State(place, version), Answer(body=body), ids=len(plan.entries[0].ids)
        )
    return body


def test_kept_answers_have_a_bound(tmp_path: Path) -> None:
    """The ones that were not used for longest go; one that is too large is not kept."""
    store = ENGINES["sqlite"](tmp_path).open()
    numbers = store.change_numbers()
    state = State((store.timeline_id(), numbers), store.catalogue().version)
    answers = AnswerCache(bytes_max=10_000, on_read=lambda _kept, _fetched: None)
    questions = [QUESTION._replace(body=b"%05d" % n) for n in range(20)]
    for question in questions:
        answers.keep(question, state, Answer(body=b"." * 1_000), ids=1)
        assert answers.find(questions[0], store) is not None
    kept = [n for n, one in enumerate(questions) if answers.find(one, store) is not None]
    assert kept == [0, 17, 18, 19]
    answers.keep(QUESTION, state, Answer(body=b"." * 10_000), ids=1)
    assert answers.find(QUESTION, store) is None
    answers.keep(questions[19], state, Answer(body=b"new"), ids=1)
    found = answers.find(questions[19], store)
    assert found is not None
    assert found.body == b"new"
    others = [
        questions[18]._replace(content_type="text/json"),
        questions[18]._replace(query={"types": "true"}),
        questions[18]._replace(if_none_match="*"),
        questions[18]._replace(format=Format.NDJSON),
    ]
    assert [answers.find(one, store) for one in others] == [None] * 4
    assert answers.find(questions[18], store) is not None
    store.close()


def decoded(found: list[RenderedRows]) -> list[list[dict[str, Any]]]:
    return [msgspec.json.decode(rows.json) for rows in found]


def test_rows_take_no_more_memory_than_allowed(tmp_path: Path) -> None:
    """Rows that nobody asks for any more make room for others."""
    store = ENGINES["sqlite"](tmp_path).open()
    store.write_opportunities([opportunity(number) for number in range(400)], now=NOW)
    hot = kept_rows(bytes_max=100_000)
    for start in range(0, 400, 20):
        asked: PlannedEntry = entry([guid(start + number) for number in range(20)], "Status")
        for _ in range(3):
            hot.bulk_read(store, Plan(entries=(asked,)))
    kept = hot._kept
    rows = [row for one in (kept._young, kept._old) for form in one.values() for row in form]
    assert 100 < len(rows) < 400
    store.close()
