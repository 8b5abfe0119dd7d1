"""The condition language is read as it is written, without a server."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.shared.advanced_search import AskedSearch, SearchWire, parse_search
from oppserver.calls.shared.decode import Body
from oppserver.contract.errors import ApiError, InvalidValue
from tests.property.laws import examples
from tests.support.calling import a_call

BASE = {"LSO": "ActivityEvent", "Operator": "eq", "RSO": "1"}


def parsed(advanced: Any) -> AskedSearch:
    """The request of a search of type 1."""
    body = {"OpportunityEventCode": 1, "AdvancedSearch": json.dumps(advanced)}
    message = Body(SearchWire).decode(
        json.dumps(body).encode(), content_type="application/json", body_bytes_max=1 << 20
    )
    return parse_search(a_call("Search"), message)


def row(name: str, joiner: str | None = None) -> dict[str, Any]:
    return {"LSO": name, "Operator": "isnull", "SubConOp": joiner}


def said(search: AskedSearch) -> tuple[bool, list[tuple[bool, list[str]]]]:
    """The names of each group, and how all is joined."""
    groups = [(group.is_any, [one.name for one in group.comparisons]) for group in search.groups]
    return search.is_any, groups


JOINERS = [None, "And", "Or"]


@pytest.mark.parametrize(("base", "first", "second"), list(product(JOINERS, repeat=3)))
def test_two_rows_and_their_joiners(
    base: str | None, first: str | None, second: str | None
) -> None:
    """The rows that say something agree, or are refused; what the base row says does not count."""
    rows = [{**BASE, "SubConOp": base}, row("a", first), row("b", second)]
    words = {first, second} - {None}
    if len(words) == 2:
        with pytest.raises(InvalidValue, match=r"RowCondition\[2\].SubConOp is"):
            parsed({"Conditions": [{"RowCondition": rows}]})
        return
    is_any = words == {"Or"}
    assert said(parsed({"Conditions": [{"RowCondition": rows}]})) == (False, [(is_any, ["a", "b"])])


@pytest.mark.parametrize(("of_all", "first", "second", "third"), list(product(JOINERS, repeat=4)))
def test_three_conditions_and_their_joiners(
    of_all: str | None, first: str | None, second: str | None, third: str | None
) -> None:
    """All but the first, and the search itself, agree or are refused."""
    conditions = [
        {"ConOp": first, "RowCondition": [BASE, row("a")]},
        {"ConOp": second, "RowCondition": [row("b")]},
        {"ConOp": third, "RowCondition": [row("c")]},
    ]
    advanced = {"GrpConOp": of_all, "Conditions": conditions}
    words = {of_all, second, third} - {None}
    if len(words) == 2:
        with pytest.raises(InvalidValue, match="what binds first"):
            parsed(advanced)
        return
    assert said(parsed(advanced)) == (
        words == {"Or"},
        [(False, ["a"]), (False, ["b"]), (False, ["c"])],
    )


@pytest.mark.parametrize("joiner", JOINERS)
def test_where_there_is_nothing_to_join_nothing_is_refused(joiner: str | None) -> None:
    """One row, one Condition with members: joiners that differ say nothing."""
    conditions = [
        {"ConOp": "Or", "RowCondition": [BASE, row("a", joiner)]},
        {"ConOp": "And", "RowCondition": [BASE]},
        {"ConOp": "Or"},
    ]
    search = parsed({"GrpConOp": joiner, "Conditions": conditions})
    assert said(search) == (False, [(False, ["a"])])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["And", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "GrpConOp",
                    "Conditions",
                    "Type",
                    "ConOp",
                    "RowCondition",
                    "LSO",
                    "Operator",
                    "RSO",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(advanced=values)
@examples(400)
def test_whatever_stands_in_the_text_is_read_or_refused(advanced: Any) -> None:
    """JSON of any shape."""
    try:
        search = parsed(advanced)
    except ApiError as error:
        assert error.status == 400
        assert str(error)
        return
    assert search.event_code == "1"
