"""The calls that write, and whatever Hypothesis sends to them: 200 or a named 4xx, never more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.laws import examples
from tests.property.test_fuzz import REFUSALS, altered, dumped, faults, sent, shapes
from tests.support import writing
from tests.support.running import Server
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    OWNER_EMAIL,
    UNIQUE,
    UNKNOWN_ID,
    UPDATE,
    captured,
    fields,
    lead,
    store_of,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server

VALUES = {
    "Status": "Open",
    "Owner": OWNER_EMAIL,
    "OpportunityNote": "note",
    "c1": "name",
    "c2": "Prospecting",
    "c6": "1,000.5",
    "c8": "2024-02-29",
    "c9": True,
    "c10": 1.5,
}
DETAILS = lead(
    SearchBy="EmailAddress", EmailAddress="fuzz@example.com", FirstName="F", mx_City="C", Phone=1
)
EMAIL = "fuzz@example.com"


@pytest.fixture(autouse=True, scope="module")
def _is_well(server: Server, folder: Path) -> Iterator[None]:
    """The server that took it all still runs, its log names no fault, and its data is sound."""
    yield
    assert server.process.poll() is None
    assert faults(server) == []
    store = store_of(folder)
    assert store.check() == []
    store.close()


def is_answer(server: Server, body: bytes, path: str) -> bool:
    """Return whether an answer is 200; others are named refusals with a message."""
    answer = sent(server, body, path)
    if answer.status == 200:
        return True
    assert (answer.status, answer.exception_type) in REFUSALS
    assert list(answer.json) == ["Status", "ExceptionType", "ExceptionMessage"]
    assert answer.message
    return False


captures = st.builds(
    lambda code, more: {
        "LeadDetails": DETAILS,
        "Opportunity": {"OpportunityEventCode": code, "Fields": fields(**VALUES), **more},
    },
    st.just(DEAL),
    st.dictionaries(
        st.sampled_from(["OverwriteFields", "DoNotChangeOwner", "OpportunityDateTime"]),
        st.sampled_from([True, "false", "2024-01-01 00:00:00", None]),
    ),
)
additions = st.just(
    [
        {"SearchByValue": EMAIL, "OpportunityEventCode": DEAL, "Fields": fields(**VALUES)},
        {
            "SearchByValue": EMAIL,
            "OpportunityEventCode": UNIQUE,
            "OpportunityOwnerEmail": OWNER_EMAIL,
            "UpdateEmptyFields": True,
            "Fields": fields(Status="Won", c1="a", c2="b"),
        },
    ]
)


def updates(one: str) -> st.SearchStrategy[Any]:
    return st.builds(
        lambda some: {
            "ProspectOpportunityId": one,
            "OpportunityEventCode": DEAL,
            "Fields": fields(**{name: VALUES[name] for name in some}),
        },
        st.lists(st.sampled_from(list(VALUES)), min_size=1, unique=True),
    )


def test_a_capture_with_one_thing_wrong_is_answered(server: Server) -> None:
    """Whatever stands in one place of it, or does not; of valid ones some are 200."""

    @given(message=captures | altered(captures))
    @examples(300)
    def fuzz(message: Any) -> None:
        seen.add(is_answer(server, dumped(message), CAPTURE))

    seen: set[bool] = set()
    fuzz()
    assert seen == {True, False}


def test_an_update_with_one_thing_wrong_is_answered(server: Server) -> None:
    """Updates of an opportunity that is there, alone and in bulk."""
    one = captured(server)
    valid = updates(one)
    in_bulk = valid.map(lambda update: [update])

    @given(message=valid | altered(valid), messages=in_bulk | altered(in_bulk))
    @examples(200)
    def fuzz(message: Any, messages: Any) -> None:
        seen.add(is_answer(server, dumped(message), UPDATE))
        seen.add(is_answer(server, dumped(messages), BULK_UPDATE))

    seen: set[bool] = set()
    fuzz()
    assert seen == {True, False}


def test_an_addition_with_one_thing_wrong_is_answered(server: Server) -> None:
    """Among two."""
    captured(server, lead=DETAILS)

    @given(messages=additions | altered(additions))
    @examples(200)
    def fuzz(messages: Any) -> None:
        seen.add(is_answer(server, dumped(messages), f"{BULK_ADD}?SearchBy=EmailAddress"))

    seen: set[bool] = set()
    fuzz()
    assert seen == {True, False}


@pytest.mark.parametrize("path", [CAPTURE, UPDATE, BULK_UPDATE, f"{BULK_ADD}?SearchBy=Phone"])
def test_json_of_any_shape_is_answered(path: str, server: Server) -> None:
    """Numbers without an end, lone surrogates, NaN, wrong types at any depth."""

    @given(body=shapes.map(dumped))
    @examples(60)
    def fuzz(body: bytes) -> None:
        assert not is_answer(server, body, path)

    fuzz()


def test_values_of_any_kind_are_answered(server: Server) -> None:
    """In every field of a deal, of a lead, and as its id."""
    values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)

    @given(
        given_values=st.dictionaries(st.sampled_from(list(VALUES)), values, max_size=3),
        attributes=st.dictionaries(
            st.sampled_from(["Phone", "Mobile", "EmailAddress", "ProspectID", "SearchBy", "mx_A"]),
            values | st.sampled_from([UNKNOWN_ID, "Phone"]),
            max_size=3,
        ),
    )
    @examples(200)
    def fuzz(given_values: dict[str, Any], attributes: dict[str, Any]) -> None:
        message = {
            "LeadDetails": lead(**{"EmailAddress": EMAIL} | attributes),
            "Opportunity": {
                "OpportunityEventCode": DEAL,
                "Fields": fields(**VALUES | given_values),
            },
        }
        is_answer(server, dumped(message), CAPTURE)

    fuzz()
