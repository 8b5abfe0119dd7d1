"""Recently modified rows: nothing is skipped while the host changes."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oppserver.client import Batch, Opportunity, UnexpectedAnswer
from oppserver.client.lists import ModifiedPlan

CODE = 12000
PAGE_ROWS = 1_000


def moment(second: int) -> str:
    return f"2024-01-01 {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


class Host:
    """Rows by id and the second of their last change; pages as the real one gives them."""

    def __init__(self, rows: dict[str, int], *, page_rows_max: int = PAGE_ROWS) -> None:
        self.rows = rows
        self.page_rows_max = page_rows_max
        self.calls = 0
        self.chance = random.Random(1)

    def answer(self, body: Any) -> Batch:
        self.calls += 1
        first, last = (body["Parameter"].get(name, "") for name in ("FromDate", "ToDate"))
        found = [
            (when, one)
            for one, when in self.rows.items()
            if moment(when) >= first and (not last or moment(when) <= last)
        ]
        self.chance.shuffle(found)  # rows of one second are in another order each time
        found.sort(key=lambda row: row[0])
        size = min(body["Paging"]["PageSize"], self.page_rows_max)
        start = (body["Paging"]["PageIndex"] - 1) * size
        rows = [
            Opportunity({"Id": one, "ModifiedOn": moment(when)})
            for when, one in found[start : start + size]
        ]
        return Batch(rows=rows, total=len(found))


def read(
    host: Host,
    *,
    since: str | None = None,
    until: str | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Opportunity]:
    plan = ModifiedPlan(CODE, since=since, until=until)
    rows: list[Opportunity] = []
    while (call := plan.next_call()) is not None:
        assert call.body is not None
        rows += plan.take(host.answer(json.loads(call.body))).rows
        meanwhile()
        assert host.calls < 10_000
    return rows


@settings(max_examples=60, deadline=None)
@given(
    seconds=st.lists(st.integers(0, 30), max_size=60),
    page_rows_max=st.integers(1, 7),
    since=st.none() | st.integers(0, 30),
    until=st.none() | st.integers(0, 30),
)
def test_all_rows_of_a_span_whatever_the_pages(
    seconds: list[int], page_rows_max: int, since: int | None, until: int | None
) -> None:
    """Each row once, the oldest first, for any number per second and any page size."""
    host = Host({f"{n}": when for n, when in enumerate(seconds)}, page_rows_max=page_rows_max)
    host.chance = _Steady()
    rows = read(
        host,
        since=None if since is None else moment(since),
        until=None if until is None else moment(until),
    )
    wanted = {
        one
        for one, when in host.rows.items()
        if (since is None or when >= since) and (until is None or when <= until)
    }
    assert sorted(row.id for row in rows) == sorted(wanted)
    dates = [row["ModifiedOn"] or "" for row in rows]
    assert dates == sorted(dates)


class _Steady(random.Random):
    """An order that is the same in each request."""

    def shuffle(self, x: Any) -> None:
        x.sort(reverse=True)


def test_nothing_is_skipped_while_rows_are_modified() -> None:
    """Rows modified meanwhile come later; all others still come."""
    host = Host({f"{n}": n // 10 for n in range(5_000)})
    clock = iter(range(10_000, 20_000))
    chance = random.Random(5)

    def meanwhile() -> None:
        if host.calls < 20:
            for one in chance.sample(sorted(host.rows), 40):
                host.rows[one] = next(clock)

    assert {row.id for row in read(host, meanwhile=meanwhile)} == set(host.rows)


def test_one_call_for_a_page() -> None:
    """Rows spread over time need about one call per page."""
    host = Host({f"{n}": n for n in range(10_000)})
    assert len(read(host)) == 10_000
    assert host.calls <= 11


def test_rows_of_one_second_in_another_order_each_time() -> None:
    """They are read until all are there."""
    host = Host({f"{n}": 7 for n in range(6)}, page_rows_max=2)
    host.chance = random.Random(3)
    assert {row.id for row in read(host)} == {f"{n}" for n in range(6)}


@pytest.mark.parametrize(
    ("rows", "total", "said"),
    [
        ([("a", moment(2)), ("b", moment(1))], 5, "not sorted by ModifiedOn"),
        ([("a", None)], 1, "has no ModifiedOn"),
        ([("a", "soon")], 1, "has no ModifiedOn"),
    ],
)
def test_an_unsorted_page_is_an_error(
    rows: list[tuple[str, str | None]], total: int, said: str
) -> None:
    """It could make the client skip rows."""
    plan = ModifiedPlan(CODE, since=None, until=None)
    plan.next_call()
    batch = Batch(
        rows=[Opportunity({"Id": one, "ModifiedOn": when}) for one, when in rows], total=total
    )
    with pytest.raises(UnexpectedAnswer, match=said):
        plan.take(batch)


def test_an_incomplete_second_is_an_error() -> None:
    """After five tries, with the number of rows received."""
    host = Host({f"{n}": 7 for n in range(4)}, page_rows_max=2)
    host.answer = lambda _: Batch(  # type: ignore[method-assign,assignment]  # it repeats itself
        rows=[Opportunity({"Id": n, "ModifiedOn": moment(7)}) for n in ("0", "1")], total=4
    )
    with pytest.raises(UnexpectedAnswer, match=r"of 4 rows .* gave 2 in 5 tries"):
        read(host)
