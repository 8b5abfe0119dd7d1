"""The law of missing ids, over the same world as the bulk read's rules: found + missing = asked."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.shared.call import Answer
from oppserver.store import Store
from tests.property.laws import examples
from tests.property.test_bulk_read import CODE_OF, SLOTS, filled
from tests.support.calling import add_key, bulk_read_of
from tests.support.running import asking, group
from tests.support.stores import guid, lead, opportunity

DELETED = {guid(number): sorted(SLOTS)[number % 3] for number in range(20, 24)}
"""Opportunities that were there, and of which types they were."""

DELETED_ON = "2024-06-06 18:06:06"


def world() -> Store:
    store = filled()
    store.write_opportunities(
        [opportunity(0, id=one, event_code=code, lead_id=lead(0)) for one, code in DELETED.items()],
        now=DELETED_ON,
    )
    store.delete_opportunities(list(DELETED), now=DELETED_ON, by=None)
    add_key(store)
    return store


STORE = world()
ids = st.sampled_from([*CODE_OF, *DELETED, guid(98), guid(99)])
asked_groups = st.lists(
    st.builds(
        lambda some, code: group(some, "Status", code=code),
        st.lists(ids, min_size=1, max_size=12),
        st.sampled_from(sorted(SLOTS)),
    ),
    min_size=1,
    max_size=5,
)


def answered(groups: Sequence[Mapping[str, Any]], **query: str) -> Answer:
    return bulk_read_of(STORE, asking(*map(dict, groups)), query)


def reason_of(one: str, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The reason for an id that is not in the entry of the group that asked for it."""
    if one in DELETED:
        dates = {"EventCode": str(DELETED[one]), "DeletedOn": "6/6/2024 6:06:06 PM"}
        return {"ProspectActivityId": one, "Reason": "Deleted", **dates}
    if one not in CODE_OF:
        return {"ProspectActivityId": one, "Reason": "NotFound"}
    of_its_type = [n for n, other in enumerate(groups) if other["EventCode"] == CODE_OF[one]]
    asked_there = [n for n in of_its_type if one in groups[n]["ProspectActivityId"]]
    return {
        "ProspectActivityId": one,
        "Reason": "OtherEventCode",
        "EventCode": str(CODE_OF[one]),
        "AnsweredIn": next(iter(asked_there or of_its_type), None),
    }


@given(asked_groups)
@examples(500)
def test_found_and_missing_are_what_was_asked(groups: list[dict[str, Any]]) -> None:
    """In every entry, each id that its group asked for is a row of it, or is missing from it.

    What an entry has beside is missing from another, which says so.
    """
    entries = json.loads(answered(groups, missing="true").body)
    for place, (entry, asked) in enumerate(zip(entries, groups, strict=True)):
        own = list(dict.fromkeys(asked["ProspectActivityId"]))
        rows = [row["ProspectActivityId"] for row in entry["Opportunities"]]
        missing = [one["ProspectActivityId"] for one in entry["Missing"]]
        found = [one for one in rows if one in own]
        assert len(found) + len(missing) == len(own)
        assert sorted(found + missing) == sorted(own)
        assert missing == [one for one in own if one in missing]
        assert entry["Missing"] == [reason_of(one, groups) for one in missing]
        assert entry["RecordCount"] == len(rows)
        for moved in rows[len(found) :]:
            assert any(
                one["ProspectActivityId"] == moved and one.get("AnsweredIn") == place
                for other in entries
                for one in other["Missing"]
            )


@given(asked_groups)
@examples(300)
def test_the_headers_count_distinct_ids(groups: list[dict[str, Any]]) -> None:
    """The ids that were asked for, and those that any entry answers; the same with ``missing``."""
    answer, told = answered(groups), answered(groups, missing="true")
    asked = {one for group in groups for one in group["ProspectActivityId"]}
    rows = [row for entry in json.loads(answer.body) for row in entry["Opportunities"]]
    found = {row["ProspectActivityId"] for row in rows}
    assert answer.headers["X-Opportunities-Requested"] == str(len(asked))
    assert answer.headers["X-Opportunities-Found"] == str(len(found))
    assert answer.headers["X-Opportunities-Missing"] == str(len(asked) - len(found))
    assert told.headers == answer.headers


@given(asked_groups)
@examples(200)
def test_missing_is_all_that_it_adds(groups: list[dict[str, Any]]) -> None:
    """Without its member the answer is the one to a call that did not ask for it."""
    told = json.loads(answered(groups, missing="true").body)
    for entry in told:
        del entry["Missing"]
    plain = answered(groups).body
    assert json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() == plain
