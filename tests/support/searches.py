"""Searches that a store is asked, and what they find."""

import json
from collections.abc import Sequence
from typing import Any

from oppserver.contract.columns import Column
from oppserver.store import Store
from oppserver.store.queries import ColumnCondition, Comparison, ConditionGroup, Ordering, Search
from tests.support.stores import opportunity, write

ID = Column(name="Id", stored="id")
BY_MODIFIED_ON = Ordering(stored="modified_on")


def is_(
    stored: str, comparison: Comparison | str, *values: str, is_number: bool = False
) -> ColumnCondition:
    """A condition."""
    return ColumnCondition(
        stored=stored, comparison=Comparison(comparison), values=values, is_number=is_number
    )


def every(*members: ColumnCondition | ConditionGroup) -> ConditionGroup:
    """All of these hold."""
    return ConditionGroup(members=members)


def any_(*members: ColumnCondition | ConditionGroup) -> ConditionGroup:
    """Any of these holds."""
    return ConditionGroup(members=members, is_any=True)


def asked(*members: ColumnCondition | ConditionGroup, **more: Any) -> Search:
    """A search of type 12000 for ids, lowest first, unless said otherwise."""
    given: dict[str, Any] = {
        "event_code": 12_000,
        "where": every(*members),
        "ordering": Ordering(stored="id", is_descending=False),
        "offset": 0,
        "limit": 1_000,
        "columns": (ID,),
    }
    return Search(**given | more)


def page(store: Store, search: Search) -> tuple[int, list[Any]]:
    """The number of all, and the rows."""
    found = store.search(search)
    return found.total, json.loads(found.json)


def numbers(store: Store, search: Search) -> list[int]:
    """The numbers of the opportunities that are found; all of them are counted."""
    total, rows = page(store, search)
    found = [int(row["Id"][:8], 16) for row in rows]
    assert total == len(found)
    return found


def with_values(store: Store, stored: str, values: Sequence[str | None]) -> None:
    """Opportunities 0, 1, 2, … with these values."""
    write(
        store,
        *(
            opportunity(number, slots={} if value is None else {stored: value})
            for number, value in enumerate(values)
        ),
    )
