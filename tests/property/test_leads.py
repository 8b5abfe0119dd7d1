"""Laws of leads and timelines: an engine finds, orders, counts and renders what the model does.

Everything is drawn from few values, so that rows are equal in some columns and conditions meet.
"""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.contract.leads import EVERY_ATTRIBUTE, READABLE_COLUMNS, lead_column_named
from oppserver.contract.model import Activity, Lead, StoredOpportunity
from oppserver.store import Store
from oppserver.store.queries import (
    ActivitySearch,
    ColumnCondition,
    Comparison,
    ConditionGroup,
    LeadSearch,
    Ordering,
)
from tests.property.laws import both, examples, texts
from tests.support.stores import ENGINES, NOW, guid, key, lead, owner

CUSTOM: Final = ["mx_City", "mx_city", "Source", "Score"]

engines = pytest.mark.parametrize("engine", [name for name in ENGINES if name != "memory"])

values = st.sampled_from(["", "a", "A", "b", "ä", "9", "10", "-1.5", "1.", "%", '"{}\\'])
values |= texts(max_size=3)
maybe = st.none() | values
dates = st.sampled_from(
    ["0001-01-01 00:00:00", "2024-02-29 12:00:00", "2024-02-29 12:00:01", "9999-12-31 23:59:59"]
)
emails = st.sampled_from(["a@x", "A@x", "b@x", "Ö@x", "ö@x", ""])
owners = st.sampled_from([None, owner(1), owner(2)])


# --- leads -------------------------------------------------------------------------------------

leads = st.builds(
    Lead,
    id=st.sampled_from([lead(number) for number in range(12)]),
    email=st.none() | emails,
    first_name=maybe,
    last_name=maybe,
    phone=maybe,
    mobile=maybe,
    owner_id=owners,
    created_on=st.none() | dates,
    modified_on=st.none() | dates,
    attributes=st.dictionaries(st.sampled_from(CUSTOM), values),
)
columns = st.sampled_from(
    [*READABLE_COLUMNS, *(column for name in CUSTOM if (column := lead_column_named(name)))]
)
rows_of_columns = st.lists(columns, min_size=1, unique=True).map(tuple)
every_column = rows_of_columns.map(lambda some: (*some, EVERY_ATTRIBUTE))
stored_columns = columns.map(lambda column: column.stored)


@st.composite
def conditions(draw: st.DrawFn) -> ColumnCondition:
    """Any condition; what it compares numbers with are numbers."""
    comparison = draw(st.sampled_from(Comparison))
    is_number = draw(st.booleans())
    number = {"between": 2, "isnull": 0, "isnotnull": 0}.get(comparison.value, 1)
    text = values | dates | emails | st.sampled_from([lead(1), owner(1)])
    operand = st.sampled_from(["9", "10", "-1.5"]) if is_number else text
    return ColumnCondition(
        stored=draw(stored_columns),
        comparison=comparison,
        values=tuple(draw(operand) for _ in range(number)),
        is_number=is_number,
    )


lead_searches = st.builds(
    LeadSearch,
    where=st.builds(
        ConditionGroup, members=st.lists(conditions(), max_size=2).map(tuple), is_any=st.booleans()
    ),
    ordering=st.builds(
        Ordering, stored=stored_columns, is_descending=st.booleans(), is_number=st.booleans()
    ),
    offset=st.integers(0, 12),
    limit=st.integers(0, 13),
    columns=rows_of_columns | every_column,
)


@engines
@given(
    some=st.lists(leads, max_size=12),
    searches=st.lists(lead_searches, min_size=1, max_size=6),
    asked=st.lists(st.sampled_from([lead(number) for number in range(14)]), unique=True),
)
@examples(60)
def test_leads_are_read_as_the_model_reads_them(
    engine: str, some: list[Lead], searches: list[LeadSearch], asked: list[str]
) -> None:
    """By conditions on every column, in every order, page by page; and by ids."""
    with both(engine) as stores:
        for store in stores:
            store.add_key(key("k", user_id=owner(1), email="Owner@x"), first_name="Ann")
            store.write(lambda transaction: transaction.write_leads(some))
        for search in searches:
            assert _page(stores[0], search) == _page(stores[1], search)
            assert _by_ids(stores[0], asked, search) == _by_ids(stores[1], asked, search)


def _page(store: Store, search: LeadSearch) -> tuple[int, Any]:
    page = store.search_leads(search)
    return page.total, _decoded(page.json, search)


def _by_ids(store: Store, asked: list[str], search: LeadSearch) -> tuple[int, Any]:
    rows = store.leads(asked, search.columns)
    return rows.count, _decoded(rows.json, search)


def _decoded(rows: bytes, search: LeadSearch) -> list[Any]:
    """Rows as pairs: the order of columns counts, that of the attributes behind them does not."""
    number = len([column for column in search.columns if column != EVERY_ATTRIBUTE])
    decoded = json.loads(rows, object_pairs_hook=list)
    return [(row[:number], sorted(row[number:])) for row in decoded]


# --- timelines ---------------------------------------------------------------------------------

CODES: Final = [33, 200, 12_000, 12_001]
codes = st.sampled_from(CODES)
lead_ids = st.sampled_from([lead(1), lead(2)])
opportunity_ids = st.sampled_from([guid(number) for number in range(6)])

activities = st.builds(
    Activity,
    id=st.sampled_from([guid(number, kind=4) for number in range(20)]),
    event_code=codes,
    lead_id=lead_ids,
    opportunity_id=st.none() | opportunity_ids,
    note=maybe,
    owner_id=owners,
    created_by=maybe,
    created_on=dates,
    modified_on=dates,
    fields=st.dictionaries(st.sampled_from(["mx_Custom_1", "Status"]), values),
)
opportunities = st.builds(
    StoredOpportunity,
    id=opportunity_ids,
    event_code=codes,
    lead_id=lead_ids,
    lead_email=st.none() | emails,
    owner_id=owners,
    created_on=dates,
    modified_on=dates,
    slots=st.dictionaries(st.sampled_from(["mx_custom_1", "mx_custom_250"]), values),
)
timeline_searches = st.builds(
    ActivitySearch,
    lead_id=st.none() | lead_ids,
    opportunity_id=st.none() | opportunity_ids,
    event_code=st.none() | codes,
    from_date=st.none() | dates,
    to_date=st.none() | dates,
    by_modified_on=st.booleans(),
    is_descending=st.booleans(),
    with_opportunities=st.booleans(),
    offset=st.integers(0, 20) | st.just(0),
    limit=st.integers(0, 30),
)


@engines
@given(
    some=st.lists(activities, max_size=20, unique_by=lambda one: one.id),
    deals=st.lists(opportunities, max_size=6),
    searches=st.lists(timeline_searches, min_size=1, max_size=8),
)
@examples(80)
def test_timelines_are_read_as_the_model_reads_them(
    engine: str,
    some: list[Activity],
    deals: list[StoredOpportunity],
    searches: list[ActivitySearch],
) -> None:
    """Pages of a lead, an opportunity, a type, a span, or all; by both dates, both directions."""
    with both(engine) as stores:
        for store in stores:
            store.write_opportunities(deals, now=NOW)
            store.write(lambda transaction: transaction.write_activities(some))
        for search in searches:
            assert stores[0].timeline(search) == stores[1].timeline(search)
