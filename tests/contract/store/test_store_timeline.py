"""The promises of every engine about a timeline: activities, in order, page by page."""

from collections.abc import Sequence
from typing import Any

import pytest

from oppserver.contract.model import Activity, StoredOpportunity
from oppserver.store import Store
from oppserver.store.queries import (
    ActivityQuery,
    ActivitySearch,
    ColumnCondition,
    Comparison,
    ConditionGroup,
    Ordering,
)
from tests.support import stores
from tests.support.stores import LATER, NOW, a_lead, guid, lead, opportunity, owner

database, store = stores.database, stores.store

EARLIER = "2024-01-31 23:59:59"
CALL = 200
MEETING = 201


def activity(number: int, **values: Any) -> Activity:
    """A call with a lead of its own, now, unless said otherwise."""
    given: dict[str, Any] = {
        "id": guid(number, kind=4),
        "event_code": CALL,
        "lead_id": lead(number),
        "created_on": NOW,
        "modified_on": NOW,
    }
    return Activity(**given | values)


def add(store: Store, *activities: Activity) -> None:
    store.write(lambda transaction: transaction.write_activities(activities))


def found(store: Store, **asked: Any) -> Sequence[Activity | StoredOpportunity]:
    """All rows that are found, in order; their number is what the store counted."""
    page = store.timeline(ActivitySearch(**{"offset": 0, "limit": 1_000} | asked))
    assert page.total == len(page.rows)
    return page.rows


def ids(rows: Sequence[Activity | StoredOpportunity]) -> list[str]:
    return [one.id for one in rows]


# --- rows --------------------------------------------------------------------------------------


def test_an_empty_store_has_no_activities(store: Store) -> None:
    """Nothing is there: no rows, of none."""
    assert found(store) == []
    assert found(store, with_opportunities=True) == []
    assert found(store, lead_id=lead(1), event_code=CALL) == []


def test_an_activity_is_read_as_it_was_written(store: Store) -> None:
    """Every value of it, those that are not set too."""
    full = activity(
        1,
        opportunity_id=guid(1),
        note="a note",
        owner_id=owner(1),
        created_by=owner(2),
        created_on=EARLIER,
        fields={"mx_Custom_1": "one", "Status": 'He said "{}"'},
    )
    add(store, full, activity(2))
    assert found(store, lead_id=lead(1)) == [full]
    assert found(store, lead_id=lead(2)) == [activity(2)]


def test_opportunities_are_activities_where_it_is_asked(store: Store) -> None:
    """A lead's timeline has them among the rest, whole, with the addresses of lead and owner."""
    one = opportunity(
        1,
        lead_email="lead@example.com",
        owner_id=owner(1),
        owner_email="owner@example.com",
        status="Open",
        created_on=EARLIER,
        modified_on=LATER,
        slots={"mx_custom_1": "one", "mx_custom_250": "last"},
    )
    store.write_opportunities([one], now=NOW)
    add(store, activity(1))
    assert found(store, lead_id=lead(1)) == [activity(1)]
    assert found(store, lead_id=lead(1), with_opportunities=True) == [activity(1), one]
    assert found(store, lead_id=lead(1), with_opportunities=True, by_modified_on=True) == [
        one,
        activity(1),
    ]


def test_a_deleted_opportunity_is_on_no_timeline(store: Store) -> None:
    """It is gone from here too."""
    store.write_opportunities([opportunity(n, lead_id=lead(1)) for n in (1, 2)], now=NOW)
    store.delete_opportunities([guid(1)], now=NOW, by=None)
    assert ids(found(store, lead_id=lead(1), with_opportunities=True)) == [guid(2)]


# --- what is asked for -------------------------------------------------------------------------


@pytest.fixture
def several(store: Store) -> Store:
    """Two leads with two types of activities, and one opportunity each."""
    store.write_opportunities(
        [
            opportunity(1, lead_id=lead(1), created_on=NOW, modified_on=LATER),
            opportunity(2, lead_id=lead(2), event_code=12_001, created_on=EARLIER),
        ],
        now=NOW,
    )
    add(
        store,
        activity(1, lead_id=lead(1), created_on=EARLIER, modified_on=LATER),
        activity(2, lead_id=lead(1), event_code=MEETING, opportunity_id=guid(1)),
        activity(3, lead_id=lead(2), opportunity_id=guid(2), created_on=LATER),
        activity(4, lead_id=lead(2), event_code=MEETING, created_on=EARLIER, modified_on=EARLIER),
    )
    return store


@pytest.mark.parametrize(
    ("asked", "activities", "opportunities"),
    [
        ({}, {1, 2, 3, 4}, {1, 2}),
        ({"lead_id": lead(1)}, {1, 2}, {1}),
        ({"lead_id": lead(3)}, set(), set()),
        ({"event_code": CALL}, {1, 3}, set()),
        ({"event_code": 12_001}, set(), {2}),
        ({"event_code": 1}, set(), set()),
        ({"lead_id": lead(1), "event_code": MEETING}, {2}, set()),
        ({"lead_id": lead(1), "event_code": 12_000}, set(), {1}),
        ({"opportunity_id": guid(1)}, {2}, set()),
        ({"opportunity_id": guid(2), "event_code": CALL}, {3}, set()),
        ({"opportunity_id": guid(2), "event_code": MEETING}, set(), set()),
        ({"opportunity_id": guid(1), "lead_id": lead(2)}, set(), set()),
        ({"from_date": NOW}, {2, 3}, {1}),
        ({"to_date": EARLIER}, {1, 4}, {2}),
        ({"from_date": NOW, "to_date": NOW}, {2}, {1}),
        ({"from_date": LATER, "by_modified_on": True}, {1}, {1}),
        ({"to_date": NOW, "by_modified_on": True, "lead_id": lead(2)}, {3, 4}, {2}),
        ({"from_date": LATER, "to_date": EARLIER}, set(), set()),
    ],
)
def test_what_is_asked_for_is_what_is_found(
    asked: dict[str, Any], activities: set[int], opportunities: set[int], several: Store
) -> None:
    """Lead, opportunity, type, and a span of dates to which both ends belong, in any company."""
    wanted = {guid(number, kind=4) for number in activities}
    assert set(ids(found(several, **asked))) == wanted
    wanted |= {guid(number) for number in opportunities}
    assert set(ids(found(several, with_opportunities=True, **asked))) == wanted


def test_no_opportunity_belongs_to_an_opportunity(several: Store) -> None:
    """The timeline of an opportunity has activities alone, whatever is asked for."""
    rows = found(several, opportunity_id=guid(1), with_opportunities=True)
    assert ids(rows) == [guid(2, kind=4)]


# --- order and pages ---------------------------------------------------------------------------


def test_the_order_is_by_date_then_by_id(several: Store) -> None:
    """In one direction both; newest first where nothing is said."""
    by_created_on = [
        *(guid(4, kind=4), guid(1, kind=4), guid(2)),
        *(guid(2, kind=4), guid(1)),
        guid(3, kind=4),
    ]
    in_order = sorted(by_created_on[:3]), sorted(by_created_on[3:5]), by_created_on[5:]
    expected = [one for group in in_order for one in group]
    assert ids(found(several, with_opportunities=True, is_descending=False)) == expected
    assert ids(found(several, with_opportunities=True)) == expected[::-1]


def test_what_was_modified_in_a_span_in_the_order_of_its_creation(store: Store) -> None:
    """The span is of ModifiedOn, the order of CreatedOn, of activities and of opportunities."""
    dates = [(LATER, LATER), (NOW, LATER), (LATER, NOW)]
    add(
        store,
        *(
            activity(number, created_on=created_on, modified_on=modified_on)
            for number, (created_on, modified_on) in enumerate(dates)
        ),
    )
    store.write_opportunities([opportunity(1, created_on=NOW, modified_on=LATER)], now=NOW)
    rows = found(
        store,
        from_date=LATER,
        by_modified_on=True,
        in_order_of_created_on=True,
        is_descending=False,
        with_opportunities=True,
    )
    created_now = sorted([guid(1, kind=4), guid(1)])
    assert ids(rows) == [*created_now, guid(0, kind=4)]


@pytest.mark.parametrize("by_modified_on", [True, False])
@pytest.mark.parametrize("asked", [{}, {"lead_id": lead(1)}, {"event_code": CALL}])
def test_pages_are_the_whole_in_pieces(
    asked: dict[str, Any], by_modified_on: bool, store: Store
) -> None:
    """Pages that follow each other hold every row once; each tells how many there are in all."""
    add(
        store,
        *(
            activity(n, lead_id=lead(n % 2), event_code=CALL + n % 3, modified_on=f"{NOW[:-1]}{n}")
            for n in range(10)
        ),
    )
    store.write_opportunities(
        [opportunity(n, lead_id=lead(n % 2), event_code=12_000 + n % 2) for n in range(6)], now=NOW
    )
    search = {"with_opportunities": True, "by_modified_on": by_modified_on, **asked}
    whole = found(store, **search)
    rows: list[Activity | StoredOpportunity] = []
    for offset in range(0, len(whole) + 3, 3):
        page = store.timeline(ActivitySearch(offset=offset, limit=3, **search))
        assert page.total == len(whole)
        rows += page.rows
    assert rows == list(whole)


def test_a_large_page_is_read_at_once(store: Store) -> None:
    """Five thousand rows in one page, and none of them twice."""
    add(store, *(activity(n) for n in range(3_000)))
    store.write_opportunities([opportunity(n) for n in range(2_500)], now=NOW)
    search = ActivitySearch(with_opportunities=True, offset=100, limit=5_000)
    page = store.timeline(search)
    assert (page.total, len(set(ids(page.rows)))) == (5_500, 5_000)


def test_many_types_are_found_as_few_are(store: Store) -> None:
    """The number of types that activities are of has no bound."""
    add(store, *(activity(n, event_code=CALL + n) for n in range(600)))
    rows = found(store, is_descending=False, limit=1_000)
    assert ids(rows) == [guid(n, kind=4) for n in range(600)]


def test_activities_of_a_type_are_found_by_conditions(store: Store) -> None:
    """By their own columns, their fields and their lead's; the number is of all."""
    store.write(
        lambda transaction: transaction.write_leads([a_lead(number) for number in (1, 2, 3)])
    )
    made = [
        Activity(
            id=guid(number),
            event_code=200 if number < 5 else 201,
            lead_id=lead(number % 3 + 1),
            created_on=NOW,
            modified_on=LATER,
            note=None if number % 2 else "note",
            fields={"mx_Custom_3": str(number * 5)},
        )
        for number in range(1, 7)
    ]
    store.write(lambda transaction: transaction.write_activities(made))

    def found(*members: ColumnCondition, **more: Any) -> tuple[int, list[str]]:
        asked: dict[str, Any] = {
            "ordering": Ordering(stored="id", is_descending=False),
            "offset": 0,
            "limit": 9,
        }
        query = ActivityQuery(event_code=200, where=ConditionGroup(members=members), **asked | more)
        page = store.search_activities(query)
        return page.total, [one.id for one in page.rows]

    def one(stored: str, comparison: Comparison, *values: str, **more: Any) -> ColumnCondition:
        return ColumnCondition(stored=stored, comparison=comparison, values=values, **more)

    assert found() == (4, [guid(number) for number in (1, 2, 3, 4)])
    assert found(one("note", Comparison.IS_NOT_NULL)) == (2, [guid(2), guid(4)])
    above = one("fields.mx_Custom_3", Comparison.GREATER, "9.5", is_number=True)
    assert found(above) == (3, [guid(2), guid(3), guid(4)])
    assert found(one("lead.id", Comparison.EQUAL, lead(2)), above) == (1, [guid(4)])
    ordering = Ordering(stored="fields.mx_Custom_3", is_number=True)
    assert found(ordering=ordering, offset=1, limit=2) == (4, [guid(3), guid(2)])
    ordering = Ordering(stored="modified_on")
    assert found(ordering=ordering, limit=2) == (4, [guid(4), guid(3)])
