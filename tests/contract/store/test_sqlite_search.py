"""The work of SQLite with searches, counted in steps of its machine, which are not time."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from oppserver.contract.model import OpportunityType
from oppserver.store import StoreOptions
from oppserver.store.queries import (
    Change,
    ColumnCondition,
    Comparison,
    ConditionGroup,
    Ordering,
    SearchIndex,
)
from oppserver.store.sqlite.engine import SqliteStore
from oppserver.store.sqlite.library import Connection
from oppserver.store.sqlite.search import SQLITE_TOTALS_CHARACTERS_MAX, SQLITE_TOTALS_MAX, Totals
from tests.support import stores
from tests.support.searches import asked, is_
from tests.support.stores import NOW, guid, lead, opportunity

ROWS: Final = 20_000
PAGE: Final = 50
STEPS_COUNTED_AT_ONCE: Final = 20
STEPS_OF_A_PAGE: Final = 5_000
"""More than a page of 50 rows takes, and fewer than a look at a tenth of the rows would."""

BY_MODIFIED_ON: Final = Ordering(stored="modified_on")
BY_CREATED_ON: Final = Ordering(stored="created_on")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    """Many rows of one type: two of each lead, 100 of each stage, a half of them open."""
    folder = tmp_path_factory.mktemp("steps")
    store = SqliteStore.open(f"sqlite:///{folder}/a.db", StoreOptions(readers=1), migrate=True)
    store.write_opportunities(
        [
            opportunity(
                number,
                lead_id=lead(number // 2),
                lead_email=f"{number // 2}@example.com",
                status="Open" if number % 2 else "Won",
                created_on=_date(number * 7919 % ROWS),
                modified_on=_date(number * 104_729 % ROWS),
                slots={"mx_custom_2": str(number % 200)},
            )
            for number in range(ROWS)
        ],
        now=NOW,
    )
    store.add_search_index(
        SearchIndex(name="search_status_mx_custom_2", columns=("status", "mx_custom_2"))
    )
    yield store
    store.close()


def _date(number: int) -> str:
    minutes, seconds = divmod(number, 60)
    hours, minutes = divmod(minutes, 60)
    return f"2024-01-01 {hours:02d}:{minutes:02d}:{seconds:02d}"


def steps(store: SqliteStore, work: Callable[[], Any]) -> int:
    """The steps of the machine that work takes, about."""
    counted = 0

    def count() -> bool:
        nonlocal counted
        counted += STEPS_COUNTED_AT_ONCE
        return False

    with store._reader() as connection:
        connection.set_progress_handler(count, STEPS_COUNTED_AT_ONCE)
    work()
    with store._reader() as connection:
        connection.set_progress_handler(None, 0)
    return counted


def steps_of_page(
    store: SqliteStore, *members: ColumnCondition | ConditionGroup, **more: Any
) -> int:
    """The steps of a page beside those of its count."""
    search = asked(*members, **{"ordering": BY_MODIFIED_ON, "limit": PAGE} | more)
    of_count = steps(store, lambda: store.search(asked(*members, **more | {"limit": 0})))
    return steps(store, lambda: store.search(search)) - of_count


def test_the_last_page_is_as_near_as_the_first(store: SqliteStore) -> None:
    """The first and the last page of a type take the same work, whatever is between them."""
    first, last = (steps_of_page(store, offset=offset) for offset in (0, ROWS - PAGE))
    assert max(first, last) < STEPS_OF_A_PAGE
    assert steps_of_page(store, offset=ROWS // 2) > STEPS_OF_A_PAGE, "what is passed over counts"


@pytest.mark.parametrize("stored", ["modified_on", "created_on"])
def test_a_span_of_dates_is_walked_from_either_end(stored: str, store: SqliteStore) -> None:
    """Bounds on the column of the order are the ends of the walk."""
    span = is_(stored, Comparison.BETWEEN, _date(2_000), _date(12_000))
    ordering = Ordering(stored=stored)
    for offset in (0, 10_001 - PAGE):
        assert steps_of_page(store, span, offset=offset, ordering=ordering) < STEPS_OF_A_PAGE


@pytest.mark.parametrize("stored", ["lead_id", "lead.email"])
@pytest.mark.parametrize("event_code", [12_000, None])
def test_a_lead_s_opportunities_are_found_without_the_others(
    event_code: int | None, stored: str, store: SqliteStore
) -> None:
    """A list of a lead looks at its rows alone, though the type's are in the order asked for."""
    value = lead(77) if stored == "lead_id" else "77@EXAMPLE.com"
    search = asked(is_(stored, "eq", value), event_code=event_code, ordering=BY_MODIFIED_ON)
    assert store.search(search).total == 2
    assert steps(store, lambda: store.search(search)) < STEPS_OF_A_PAGE


@pytest.mark.parametrize("ordering", [BY_MODIFIED_ON, BY_CREATED_ON])
def test_two_conditions_with_an_index(ordering: Ordering, store: SqliteStore) -> None:
    """Rows that an operator's index singles out are found and counted in it, in any order."""
    conditions = is_("status", "eq", "Open"), is_("mx_custom_2", "eq", "77")
    search = asked(*conditions, ordering=ordering, limit=PAGE)
    assert store.search(search).total == 100
    assert steps(store, lambda: store.search(search)) < STEPS_OF_A_PAGE


def test_what_half_of_the_rows_meet_is_met_by_walking(store: SqliteStore) -> None:
    """Where much matches, the first page is reached in order, and nothing is sorted."""
    for ordering in (BY_MODIFIED_ON, BY_CREATED_ON):
        condition = is_("status", "eq", "Open")
        assert steps_of_page(store, condition, ordering=ordering) < STEPS_OF_A_PAGE


@pytest.mark.parametrize("event_code", [None, 12_000])
def test_a_page_of_changes_is_read_in_their_order(
    event_code: int | None, store: SqliteStore
) -> None:
    """From any number on: nothing is sorted, and nothing before it is looked at."""

    def page(after: int) -> list[Change]:
        return store.read(
            lambda moment: moment.changes(
                after=after, until=ROWS, limit=PAGE, event_code=event_code
            )
        )

    for after in (0, ROWS // 2, ROWS - PAGE):
        assert len(page(after)) == PAGE
        assert steps(store, partial(page, after)) < STEPS_OF_A_PAGE


def test_the_ids_of_a_type_are_walked_or_sorted(store: SqliteStore) -> None:
    """A page of all that there is, and of the few that were modified last, is found at once."""

    def page(after_id: str, since: str) -> list[str]:
        return store.read(
            lambda moment: moment.ids_of_type(
                12_000, after_id=after_id, modified_since=since, limit=PAGE
            )
        )

    for after_id in ("", guid(ROWS // 2)):
        assert len(page(after_id, "")) == PAGE
        assert steps(store, partial(page, after_id, "")) < 2 * STEPS_OF_A_PAGE
    assert 0 < len(page("", _date(ROWS - 20))) <= 20
    assert steps(store, partial(page, "", _date(ROWS - 20))) < STEPS_OF_A_PAGE


def test_a_total_is_counted_once_for_all_pages(store: SqliteStore) -> None:
    """The pages behind the first do not count again, until something is written."""

    def of_page(number: int) -> int:
        search = asked(ordering=BY_MODIFIED_ON, limit=PAGE, offset=number * PAGE)
        return steps(store, lambda: store.search(search))

    for _ in range(2):
        store.put_types([OpportunityType(event_code=5, name="Other")])
        assert of_page(0) > ROWS
        assert max(map(of_page, range(3))) < STEPS_OF_A_PAGE


def test_what_another_program_writes_counts(tmp_path: Path) -> None:
    """A total is counted anew after a row was deleted in the file, whoever did it."""
    store = SqliteStore.open(f"sqlite:///{tmp_path}/a.db", StoreOptions(), migrate=True)
    store.write_opportunities([opportunity(number) for number in range(5)], now=NOW)
    with closing(Connection(tmp_path / "a.db")) as other:
        for total in (5, 4, 3):
            assert [store.search(asked(limit=1)).total for _ in range(2)] == [total, total]
            other.execute("DELETE FROM opportunity WHERE id = (SELECT max(id) FROM opportunity)")
    store.close()


def test_what_is_remembered_has_a_bound() -> None:
    """Totals of whole lists and of long values are not kept, and of others the last ones."""
    with closing(Connection(":memory:")) as connection:
        connection.execute("CREATE TABLE opportunity (x)")
        connection.execute("INSERT INTO opportunity VALUES (1), (2)")
        totals = Totals()

        def count(*values: str, page_end: int = 1) -> int:
            where = " AND ".join("? <> ''" for _ in values)
            return totals.count(connection, where, values, page_end=page_end)

        assert count("whole", page_end=2) == count("x" * SQLITE_TOTALS_CHARACTERS_MAX) == 2
        assert len(totals._totals) == 0
        for number in range(2 * SQLITE_TOTALS_MAX):
            assert count(str(number)) == 2
            assert count("0") == 2
        assert len(totals._totals) == SQLITE_TOTALS_MAX
        assert ("? <> ''", ("0",)) in totals._totals


def test_the_store_is_the_suite_s(store: SqliteStore) -> None:
    """The check finds the index and the rows sound."""
    assert store.check() == []
    assert len(stores.everything(store)) == ROWS
