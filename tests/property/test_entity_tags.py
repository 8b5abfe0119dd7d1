"""Equal tags, equal bytes, whatever is written in between, on every engine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.shared.call import Answer
from oppserver.store import Store
from tests.property.laws import examples
from tests.support.calling import add_key, bulk_read_of
from tests.support.running import asking, group
from tests.support.stores import ENGINES, LATER, NOW, field, guid, lead, opportunity, owner

Write = Callable[[Store], Any]

# Few ids, values and people: what changes one answer back to another has to come up.
numbers = st.integers(0, 2)
emails = st.sampled_from([None, "a@example.com", "b@example.com"])
opportunities = st.builds(
    lambda number, **values: opportunity(number, lead_id=lead(1), **values),
    numbers,
    event_code=st.sampled_from([12_000, 12_000, 12_001]),
    status=st.sampled_from(["Open", "Won"]),
    lead_email=emails,
    owner_id=st.just(owner(1)),
    owner_email=emails,
    created_on=st.just(NOW),
)
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(
        lambda some: lambda store: store.write_opportunities(some, now=NOW),
        st.lists(opportunities, min_size=1, max_size=2),
    ),
    st.builds(
        lambda number, now: (
            lambda store: store.delete_opportunities([guid(number)], now=now, by=None)
        ),
        numbers,
        st.sampled_from([NOW, LATER]),
    ),
    st.builds(
        lambda name: lambda store: store.put_fields([field(1, display_name=name)]),
        st.sampled_from(["a", "b"]),
    ),
)
IDS = [guid(number) for number in range(4)]
messages = st.sampled_from(
    [
        asking(group(IDS, "Owner,Status,mx_Custom_1", code=12_000)),
        asking(group(IDS[:1], "Status", code=12_000)),
        asking(group(IDS[1:], "OwnerEmailAddress", code=12_000), group(IDS[:2], code=12_001)),
    ]
)
wanted = st.sampled_from(
    [
        ("application/json", {}),
        ("application/json", {"missing": "true"}),
        ("application/x-ndjson", {}),
        ("text/csv", {}),
        ("application/vnd.apache.arrow.stream", {"types": "text"}),
    ]
)


def tagged(store: Store, message: Any, form: tuple[str, dict[str, str]], **more: Any) -> Answer:
    accept, query = form
    return bulk_read_of(store, message, query | {"etag": "true"}, accept=accept, **more)


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_tags_mean_equal_bytes(engine: str, tmp_path: Path) -> None:
    """After random writes: what has the tag of an answer is that answer; who has it gets 304."""
    database = ENGINES[engine](tmp_path)
    store = database.open()
    add_key(store)
    store.put_fields([field(1), field(1, event_code=12_001)])

    @given(
        message=messages,
        form=wanted,
        history=st.lists(writes, min_size=1, max_size=12),
    )
    @examples(150)
    def holds(message: Any, form: Any, history: list[Write]) -> None:
        seen: dict[str, bytes] = {}
        for write in history:
            write(store)
            answer = tagged(store, message, form)
            tag = answer.headers["ETag"]
            assert seen.setdefault(tag, answer.body) == answer.body
            assert tagged(store, message, form).headers["ETag"] == tag
            for known in seen:
                again = tagged(store, message, form, if_none_match=known)
                assert again.status == (304 if known == tag else 200)
                assert again.body == (b"" if known == tag else answer.body)

    holds()
    store.close()
