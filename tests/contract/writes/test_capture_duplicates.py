"""``Capture`` of what is there already: what is created, what is changed, what is posted."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from oppserver.calls.shared.names import DUPLICATE_DETECTED, OPPORTUNITY_CAPTURED
from oppserver.contract.model import Activity
from oppserver.store.port import Transaction
from oppserver.store.queries import ActivitySearch
from tests.support import writing
from tests.support.running import Server
from tests.support.writing import (
    CAPTURE,
    OWNER_EMAIL,
    UNIQUE,
    capture,
    captured,
    capturing,
    fresh,
    lead,
    row,
    store_of,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server


# --- duplicates


def of_unique(lead_id: str, **values: Any) -> dict[str, Any]:
    return {
        "code": UNIQUE,
        "lead": lead(ProspectID=lead_id, SearchBy="ProspectId"),
        "values": values,
    }


def test_a_duplicate_is_not_created(server: Server) -> None:
    """Nothing is written, and the answer names the opportunity that is there."""
    name = fresh()
    first = capture(server, code=UNIQUE, values={"c1": name, "c3": "first"})
    same = of_unique(first["RelatedProspectId"], c1=name, c3="second")
    second = capture(server, **same)
    one = first["CreatedOpportunityId"]
    assert (first["IsUnique"], second["IsUnique"]) == (True, False)
    assert second["CreatedOpportunityId"] is None
    assert second["ConflictedOpportunityId"] == one
    assert second["PrimaryAction"] == 3
    assert second["AdditionalDetails"][0]["PostDeDupActionPerformed"] == 3
    assert value(server, one, "mx_Custom_3", code=UNIQUE) == "first"


def test_what_is_not_alike_in_a_whole_rule_is_no_duplicate(server: Server) -> None:
    """Every column of a rule is set and equal: another lead, another case, no value are not."""
    name, other = fresh(), fresh()
    first = capture(server, code=UNIQUE, values={"c1": name})
    of_another_lead = capture(server, code=UNIQUE, values={"c1": name})
    spelled = capture(server, **of_unique(first["RelatedProspectId"], c1=name.upper()))
    assert [one["IsUnique"] for one in (of_another_lead, spelled)] == [True, True]
    without = [capture(server, **of_unique(first["RelatedProspectId"])) for _ in range(2)]
    assert [one["IsUnique"] for one in without] == [True, True]
    capture(server, code=UNIQUE, values={"c2": other})
    assert not capture(server, code=UNIQUE, values={"c2": other})["IsUnique"]


def test_without_a_rule_everything_is_unique(server: Server) -> None:
    """Two equal opportunities of a type without rules are two."""
    same = {"lead": lead(EmailAddress=f"{fresh()}@example.com"), "values": {"c1": "same"}}
    assert [capture(server, **same)["IsUnique"] for _ in range(2)] == [True, True]


def test_the_oldest_duplicate_is_the_conflicted_one(server: Server, folder: Path) -> None:
    """By CreatedOn, also when it was written later."""
    name = fresh()
    first = capture(server, code=UNIQUE, values={"c1": name})
    store = store_of(folder)
    older = str(uuid4())

    def copied(transaction: Transaction) -> None:
        one = transaction.opportunities([first["CreatedOpportunityId"]])
        [stored] = one.values()
        values = {name: getattr(stored, name) for name in stored.__struct_fields__}
        copy = type(stored)(**values | {"id": older, "created_on": "2020-01-01 00:00:00"})
        transaction.write_opportunities([copy], now="2024-01-01 00:00:00")

    store.write(copied)
    store.close()
    again = capture(server, **of_unique(first["RelatedProspectId"], c1=name))
    assert again["ConflictedOpportunityId"] == older


def test_overwrite_fields_gives_the_values_to_the_duplicate(server: Server) -> None:
    """All of them, also those that clear; what is not named stays."""
    key = fresh()
    first = capture(
        server, code=UNIQUE, values={"c2": key, "c1": "a", "c3": "c"}, OpportunityNote="old"
    )
    one = first["CreatedOpportunityId"]
    done = capture(
        server,
        code=UNIQUE,
        values={"Status": "Won", "c2": key, "c1": None, "Owner": OWNER_EMAIL},
        OpportunityNote="new",
        OverwriteFields=True,
    )
    assert done["ConflictedOpportunityId"] == one
    assert done["PrimaryAction"] == 2
    assert done["AdditionalDetails"][0]["PostDeDupActionPerformed"] == 2
    columns = ("Status", "OpportunityNote", "mx_Custom_1", "mx_Custom_3", "OwnerEmailAddress")
    found = row(server, one, ",".join(columns), code=UNIQUE)
    assert found is not None
    assert [found[name] for name in columns] == ["Won", "new", None, "c", OWNER_EMAIL]


def test_update_empty_fields_gives_what_the_duplicate_lacks(server: Server) -> None:
    """Values that are set stay; when nothing is lacking, nothing was done."""
    key = fresh()
    first = capture(server, code=UNIQUE, values={"c2": key, "c1": "a"})
    one = first["CreatedOpportunityId"]
    again = {"code": UNIQUE, "values": {"c2": key, "c1": "b", "c3": "c"}, "UpdateEmptyFields": True}
    assert [capture(server, **again)["PrimaryAction"] for _ in range(2)] == [2, 3]
    found = row(server, one, "mx_Custom_1,mx_Custom_3", code=UNIQUE)
    assert found is not None
    assert [found["mx_Custom_1"], found["mx_Custom_3"]] == ["a", "c"]


def test_do_not_change_owner_keeps_the_duplicate_s(server: Server) -> None:
    """The owner is kept, also if there is none."""
    key = fresh()
    one = captured(server, code=UNIQUE, values={"c2": key})
    capture(
        server,
        code=UNIQUE,
        values={"c2": key, "Owner": OWNER_EMAIL, "c3": "x"},
        OverwriteFields=True,
        DoNotChangeOwner=True,
    )
    assert value(server, one, "Owner", code=UNIQUE) is None
    assert value(server, one, "mx_Custom_3", code=UNIQUE) == "x"


def test_a_hundred_captures_of_one_thing_at_once_make_one(server: Server) -> None:
    """One is unique; all others name it."""
    key = fresh()
    bodies = [capturing(code=UNIQUE, values={"c2": key}) for _ in range(100)]
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda body: well(server.post(body, path=CAPTURE)), bodies))
    created = [one["CreatedOpportunityId"] for one in done if one["IsUnique"]]
    assert len(created) == 1
    assert {one["ConflictedOpportunityId"] for one in done if not one["IsUnique"]} == set(created)


# --- activities


def activities(folder: Path, one: str) -> Sequence[Activity]:
    """The activities of an opportunity, oldest first."""
    store = store_of(folder)
    page = store.timeline(
        ActivitySearch(opportunity_id=one, is_descending=False, offset=0, limit=10)
    )
    store.close()
    return [one for one in page.rows if isinstance(one, Activity)]


def test_a_captured_activity_is_posted(server: Server, folder: Path) -> None:
    """On the lead and the opportunity, of the same moment and user; the answer has its id."""
    date = "2021-11-24 13:17:20"
    done = capture(server, OpportunityDateTime=date)
    one = done["CreatedOpportunityId"]
    assert activities(folder, one) == [
        Activity(
            id=done["AdditionalDetails"][0]["ActivityId"],
            event_code=OPPORTUNITY_CAPTURED,
            lead_id=done["RelatedProspectId"],
            opportunity_id=one,
            created_by=value(server, one, "CreatedBy"),
            created_on=date,
            modified_on=date,
        )
    ]


def test_a_duplicate_is_posted_on_the_conflicted_one(server: Server, folder: Path) -> None:
    """On it and on its lead, unless DoNotPostDuplicateActivity is set."""
    key = fresh()
    first = capture(server, code=UNIQUE, values={"c2": key})
    again = {"code": UNIQUE, "values": {"c2": key}}
    second = capture(server, **again)
    third = capture(server, **again, DoNotPostDuplicateActivity=True)
    posted = activities(folder, first["CreatedOpportunityId"])
    [duplicate] = [one for one in posted if one.event_code == DUPLICATE_DETECTED]
    assert duplicate.lead_id == first["RelatedProspectId"] != second["RelatedProspectId"]
    assert second["AdditionalDetails"][0]["ActivityId"] == duplicate.id
    assert third["AdditionalDetails"][0]["ActivityId"] is None
    assert len(posted) == 2
