"""Laws of searches: an engine finds, orders, counts and renders what the model does.

Everything is drawn from few values, so that rows are equal in some columns and conditions meet.
"""

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.contract.columns import (
    CONSTANTS,
    CUSTOM_COLUMNS,
    LIST_COLUMNS,
    SYSTEM_COLUMNS,
    Column,
)
from oppserver.contract.leads import STANDARD_COLUMNS
from oppserver.contract.model import Lead, StoredOpportunity
from oppserver.store import Store
from oppserver.store.queries import (
    ColumnCondition,
    Comparison,
    ConditionGroup,
    Ordering,
    RowForm,
    Search,
)
from tests.property.laws import both, examples, texts
from tests.support.stores import ENGINES, NOW, guid, key, lead, opportunity, owner, scaled

CODES: Final = [12_000, 12_001]
SLOTS: Final = ["mx_custom_1", "mx_custom_2", "mx_custom_250"]

values = st.sampled_from(
    ["", "a", "A", "b", "ä", "9", "10", "10.0", "-1.5", "1.", "%", "é\U0001f600"]
)
values |= texts(max_size=3)
dates = st.sampled_from(
    ["0001-01-01 00:00:00", "2024-02-29 12:00:00", "2024-02-29 12:00:01", "9999-12-31 23:59:59"]
)
emails = st.sampled_from(["a@x", "A@x", "b@x", "Ö@x", "ö@x", ""])
maybe = st.none() | values

leads = st.builds(
    Lead,
    id=st.sampled_from([lead(1), lead(2), lead(3)]),
    email=st.none() | emails,
    first_name=maybe,
    phone=maybe,
    attributes=st.dictionaries(st.sampled_from(["mx_City", "Source"]), values),
)
opportunities = st.builds(
    StoredOpportunity,
    id=st.sampled_from([guid(number) for number in range(40)]),
    event_code=st.sampled_from(CODES),
    lead_id=st.sampled_from([lead(1), lead(2), lead(3)]),
    owner_id=st.sampled_from([None, owner(1), owner(2)]),
    status=st.sampled_from([None, "Open", "Won"]),
    note=maybe,
    created_on=dates,
    modified_on=dates,
    created_by=maybe,
    slots=st.dictionaries(st.sampled_from(SLOTS), values),
)

# columns of every kind, each as likely as the others
stored_columns = st.sampled_from(
    [
        *{column.stored for column in SYSTEM_COLUMNS},
        "owner_name",
        *CONSTANTS,
        *SLOTS,
        *(f"lead.{column.stored}" for column in STANDARD_COLUMNS[:5]),
        "lead.attributes.mx_City",
        "lead.attributes.Source",
    ]
)
often_equal = st.sampled_from(["status", "mx_custom_1", "mx_custom_2", "lead_id", "modified_on"])
operands = (
    values
    | dates
    | emails
    | st.sampled_from([lead(1), owner(1), guid(1), "12000", "2", "Open", "OWNER1@X"])
)


@st.composite
def conditions(draw: st.DrawFn) -> ColumnCondition:
    """Any condition; what it compares numbers with are numbers."""
    comparison = draw(st.sampled_from(Comparison))
    is_number = draw(st.booleans())
    number = {"between": 2, "isnull": 0, "isnotnull": 0}.get(comparison.value, 1)
    operand = st.sampled_from(["9", "10", "-1.5", "0", "12000"]) if is_number else operands
    return ColumnCondition(
        stored=draw(often_equal | stored_columns),
        comparison=comparison,
        values=tuple(draw(operand) for _ in range(number)),
        is_number=is_number,
    )


def grouped(members: st.SearchStrategy[Any]) -> st.SearchStrategy[ConditionGroup]:
    return st.builds(
        ConditionGroup, members=st.lists(members, max_size=3).map(tuple), is_any=st.booleans()
    )


groups = grouped(conditions() | grouped(conditions() | grouped(conditions())))
orderings = st.builds(
    Ordering,
    stored=st.sampled_from(["modified_on", "created_on", "id"]) | stored_columns,
    is_descending=st.booleans(),
    is_number=st.booleans(),
)
searches = st.builds(
    Search,
    event_code=st.none() | st.sampled_from([*CODES, 5]),
    where=st.just(ConditionGroup()) | groups,
    ordering=orderings,
    offset=st.integers(0, 45),
    limit=st.integers(0, 45) | st.integers(1, 3),
    columns=st.lists(
        st.sampled_from([*SYSTEM_COLUMNS, *LIST_COLUMNS, *CUSTOM_COLUMNS[:2], CUSTOM_COLUMNS[249]]),
        min_size=1,
        unique=True,
    ).map(tuple),
    form=st.sampled_from(RowForm),
)


def fill(
    store: Store, some_leads: list[Lead], batch: list[StoredOpportunity], names: list[str]
) -> None:
    """Leads, opportunities, and two owners, of whom the first has a key and two names."""
    store.write(lambda transaction: transaction.write_leads(some_leads))
    owners = [
        StoredOpportunity(
            id=guid(90 + number),
            event_code=5_000,
            lead_id=lead(1),
            owner_id=owner(number),
            owner_email=f"Owner{number}@x",
        )
        for number in (1, 2)
    ]
    store.write_opportunities([*owners, *batch], now=NOW)
    store.add_key(key("AK1", email="owner1@x"), first_name=names[0], last_name=names[1])


def searched(store: Store, search: Search) -> tuple[int, Any]:
    """Rows as pairs, so that the order of members counts."""
    found = store.search(search)
    return found.total, json.loads(found.json, object_pairs_hook=list)


@pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])
def test_an_engine_finds_what_the_model_finds(engine: str) -> None:
    """Random data and random searches: the same rows, order, number and JSON."""

    @given(
        some_leads=st.lists(leads, max_size=3),
        batch=st.lists(opportunities, min_size=5, max_size=40),
        names=st.lists(values, min_size=2, max_size=2),
        some=st.lists(searches, min_size=10, max_size=30),
    )
    @examples(60)
    def law(
        some_leads: list[Lead],
        batch: list[StoredOpportunity],
        names: list[str],
        some: list[Search],
    ) -> None:
        with both(engine) as (store, model):
            for one in (store, model):
                fill(one, some_leads, batch, names)
            for search in some:
                assert searched(store, search) == searched(model, search)

    law()


# --- while others write ------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_pages_are_exact_while_rows_come_and_go(engine: str, tmp_path: Path) -> None:
    """Whoever writes meanwhile, a page is the rows of its moment, and so is the total.

    Rows are numbered from 0 without gaps: one is added behind the last, or the last is deleted. So
    a page that was read with the number of another moment would have other rows than its own.
    """
    database = ENGINES[engine](tmp_path)
    stores = [database.open() for _ in range(2)]
    rows, size, turns = 30, 7, scaled(2_000)
    stores[0].write_opportunities([opportunity(number) for number in range(rows)], now=NOW)
    stop = threading.Event()
    last = rows - 1

    def write() -> None:
        nonlocal last
        chance = random.Random(5)
        for turn in count():
            if stop.is_set():
                return
            store = stores[turn % 2]
            if (chance.random() < 0.5 and last < 60) or last < 10:
                last += 1
                store.write_opportunities([opportunity(last)], now=NOW)
            else:
                store.delete_opportunities([guid(last)], now=NOW, by=None)
                last -= 1

    def page(number: int) -> int:
        chance = random.Random(number)
        offset = chance.randrange(0, 65)
        search = Search(
            event_code=chance.choice([12_000, None]),
            ordering=Ordering(stored="id", is_descending=False),
            offset=offset,
            limit=size,
            columns=(Column(name="Id", stored="id"),),
        )
        found = stores[number % 2].search(search)
        numbers = [int(row["Id"][:8], 16) for row in json.loads(found.json)]
        assert numbers == list(range(offset, min(offset + size, found.total)))
        return found.total

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with ThreadPoolExecutor(4) as pagers:
            totals = set(pagers.map(page, range(turns)))
    finally:
        stop.set()
        writer.join()
    assert len(totals) > 1, "nothing was written meanwhile"
    assert stores[0].check() == []
    for store in stores:
        store.close()
