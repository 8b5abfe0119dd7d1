"""Rows and chunks, without a network."""

import copy
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from oppserver.client import InvalidCall, Opportunity
from oppserver.client.bulk_read import chunks
from oppserver.client.results import answered_names
from oppserver.client.rows import text_of

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"
ROW = Opportunity(
    {
        "ProspectId": "a368678f-1e81-4fb8-af0a-4b896f6330e1",
        "EmailAddress": "jane@example.com",
        "ProspectActivityId": ID,
        "CreatedOn": "4/6/2023 3:23:34 PM",
        "ModifiedOn": None,
        "Owner": "d5d08e32-5ca9-11ea-8dd7-029e1407a868",
        "OwnerEmailAddress": "owner@example.com",
        "Status": "Open",
        "mx_Custom_6": "200,000.50",
        "mx_Custom_8": "2024-03-01 07:08:09",
        "mx_Custom_9": "soon",
        "mx_Custom_10": "2024-03-01 07:08:09.000",
    }
)


def guid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def test_properties_stand_for_columns() -> None:
    """The common columns have typed properties."""
    assert ROW.id == ID
    assert ROW.lead_id == "a368678f-1e81-4fb8-af0a-4b896f6330e1"
    assert ROW.lead_email == "jane@example.com"
    assert ROW.owner_id == "d5d08e32-5ca9-11ea-8dd7-029e1407a868"
    assert ROW.owner_email == "owner@example.com"
    assert ROW.status == "Open"
    assert ROW.created_on == datetime(2023, 4, 6, 15, 23, 34, tzinfo=UTC)
    assert ROW.modified_on is None


def test_a_row_of_a_list_has_the_same_properties() -> None:
    """Lists spell id, lead and type differently."""
    row = Opportunity({"OpportunityId": ID, "RelatedProspectId": "x", "OpportunityEvent": "12000"})
    assert (row.id, row.lead_id, row.event_code) == (ID, "x", 12000)


def test_columns_by_name() -> None:
    """In any case; as mapping, dict, date and number."""
    assert ROW["mx_custom_6"] == "200,000.50"
    assert ROW.number("mx_Custom_6") == Decimal("200000.50")
    moment = datetime(2024, 3, 1, 7, 8, 9, tzinfo=UTC)
    assert ROW.date("mx_Custom_8") == ROW.date("mx_Custom_10") == moment
    assert "Status" in ROW
    assert ROW.get("Stage", "none") == "none"
    assert dict(ROW.items()) == ROW.to_dict() == {name: ROW[name] for name in ROW}
    assert list(ROW.keys()) == list(ROW)
    assert len(list(ROW.values())) == len(ROW) == 12
    assert dict(ROW) == ROW.to_dict()


def test_errors_name_column_and_value() -> None:
    """For a column that was not requested, and a value that is not a date or number."""
    with pytest.raises(KeyError, match=r"Statsu was not requested.*Did you mean Status\?"):
        ROW["Statsu"]
    with pytest.raises(KeyError, match="OpportunityNote was not requested"):
        _ = ROW.note
    with pytest.raises(ValueError, match="mx_Custom_9: 'soon' is not a date"):
        ROW.date("mx_Custom_9")
    with pytest.raises(ValueError, match="mx_Custom_9: 'soon' is not a number"):
        ROW.number("mx_Custom_9")


def test_a_row_is_frozen_and_a_value() -> None:
    """It cannot be changed, equals its copy, and goes through a pickle."""
    with pytest.raises(AttributeError):
        ROW.anything = 1  # type: ignore[attr-defined]  # the point of the test
    ROW.to_dict()["Status"] = "Lost"
    assert ROW.status == "Open"
    assert pickle.loads(pickle.dumps(ROW)) == copy.copy(ROW) == ROW
    assert "jane@example.com" in repr(ROW)


def test_numbers_and_booleans_become_text() -> None:
    """Spelled as this API spells them."""
    assert [text_of(value) for value in (None, "a", 7, 1.5, True, False, [1])] == [
        None,
        "a",
        "7",
        "1.5",
        "1",
        "0",
        "[1]",
    ]


def test_full_calls_of_distinct_ids() -> None:
    """Every call but the last has 2,000 distinct ids, however often ids are repeated."""
    ids = [guid(n // 2) for n in range(9_000)]
    found = list(chunks(ids))
    assert [len(chunk.distinct) for chunk in found] == [
        2_000,
        2_000,
        502,
    ]  # two ids stand in two calls
    assert [one for chunk in found for one in chunk.asked] == ids


def test_repeated_ids_do_not_fill_the_memory() -> None:
    """A call is sent after 20,000 ids, even if few are distinct."""
    found = chunks(guid(n % 3) for n in range(1_000_000_000))
    assert len(next(found).asked) <= 22_000


def test_ids_are_taken_as_they_are_needed() -> None:
    """An endless iterable gives only what the next call needs."""
    taken: list[int] = []

    def endless() -> Iterator[str]:
        for n in range(10**9):
            taken.append(n)
            yield guid(n)

    next(chunks(endless()))
    assert len(taken) == 2_000


def test_ids_in_any_form() -> None:
    """Upper case, braces, no dashes, UUIDs: the call has the canonical form."""
    spelled: list[Any] = [ID.upper(), f"{{{ID}}}", ID.replace("-", ""), UUID(ID), ID]
    [chunk] = chunks(spelled)
    assert list(chunk.distinct) == [ID]
    assert list(chunk.asked) == [ID] * 5
    assert list(chunks([])) == []


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        ([guid(1), "abc"], r"ids\[1\]: 'abc' is not a GUID"),
        ([*map(guid, range(2_500)), ""], r"ids\[2500\]: '' is not a GUID"),
        ([7], r"ids\[0\] is a int"),
        (ID, "ids is one text"),
    ],
)
def test_invalid_ids_are_rejected(ids: Any, said: str) -> None:
    """The error has the place of the id, counted over all calls."""
    with pytest.raises(InvalidCall, match=said):
        list(chunks(ids))


def test_names_of_answered_columns() -> None:
    """Identity first, canonical spelling, the owner's address after the owner, no name twice."""
    assert answered_names(
        "owneremailaddress,STATUS,Owner,mx_custom_1,status,ProspectId,P_City"
    ) == [
        "ProspectId",
        "EmailAddress",
        "ProspectActivityId",
        "Status",
        "Owner",
        "OwnerEmailAddress",
        "mx_Custom_1",
        "P_City",
    ]
