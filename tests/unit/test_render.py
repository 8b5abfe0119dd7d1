"""From rendered rows to the body of an answer."""

import pytest

from oppserver.calls.bulk_read.render import render_entries
from oppserver.store.queries import Plan, RenderedRows
from tests.support.stores import entry

NOTHING = RenderedRows(count=0, json=b"[]")


def test_entries_stand_in_the_order_of_the_plan() -> None:
    """Members in the documented order, the code as a string, the rows byte for byte."""
    plan = Plan(entries=(entry([], event_code=12_003), entry([], event_code=0)))
    rows = [RenderedRows(count=2, json='[{"a":"ü"}, {"a":null}]'.encode()), NOTHING]
    assert (
        render_entries(plan, rows)
        == (
            '[{"EventCode":"12003","RecordCount":2,"Opportunities":[{"a":"ü"}, {"a":null}]},'
            '{"EventCode":"0","RecordCount":0,"Opportunities":[]}]'
        ).encode()
    )


def test_one_entry_that_found_nothing_stays() -> None:
    """With 0 and an empty array."""
    assert render_entries(Plan(entries=(entry([]),)), [NOTHING]) == (
        b'[{"EventCode":"12000","RecordCount":0,"Opportunities":[]}]'
    )


@pytest.mark.parametrize("number", [0, 2])
def test_a_store_that_answers_other_entries_than_planned_is_a_fault(number: int) -> None:
    """No entry is left out or made up in silence."""
    with pytest.raises(ValueError, match="zip"):
        render_entries(Plan(entries=(entry([]),)), [NOTHING] * number)
