"""The steps of the bulk read against an oracle that follows the rules word by word.

The oracle knows the whole world (a few opportunities of a few types), looks everything up again for
every id of every group, and shares nothing with the steps but the errors it has no part in.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oppserver.calls.bulk_read.parse import GetOpportunitiesByIdWire, parse_bulk_read
from oppserver.calls.bulk_read.plan import plan_entries
from oppserver.calls.bulk_read.render import render_entries
from oppserver.calls.shared.decode import Body
from oppserver.contract.dates import to_answer
from oppserver.contract.model import Field, OpportunityType, StoredOpportunity
from oppserver.store import Store
from tests.property.laws import cased, examples, spellings
from tests.support import calling
from tests.support.memory_store import MemoryDatabase, MemoryStore
from tests.support.stores import guid, lead, owner

SLOTS = {12_001: [1], 12_002: [1, 2], 12_003: [2, 250]}
"""The types there are, and the slots that each has."""

CODE_OF = {guid(number): sorted(SLOTS)[number % 3] for number in range(9)}
"""The opportunities there are, and their types."""

ASKED_FOR = [*CODE_OF, guid(98), guid(99)]
"""Ids that are asked for; two of them are nobody's."""

SYSTEM: dict[str, Callable[[Any], str | None]] = {
    "ProspectId": lambda one: one.lead_id,
    "EmailAddress": lambda one: one.lead_email,
    "ProspectActivityId": lambda one: one.id,
    "EventCode": lambda one: str(one.event_code),
    "Owner": lambda one: one.owner_id,
    "OwnerEmailAddress": lambda one: one.owner_email,
    "Status": lambda one: one.status,
    "OpportunityNote": lambda one: one.note,
    "ActivityEvent_Note": lambda one: one.note,
    "CreatedOn": lambda one: to_answer(one.created_on),
    "CreatedBy": lambda one: one.created_by,
    "ModifiedOn": lambda one: to_answer(one.modified_on),
    "ModifiedBy": lambda one: one.modified_by,
}
FIRST_THREE = ["ProspectId", "EmailAddress", "ProspectActivityId"]


def world() -> dict[str, StoredOpportunity]:
    """Every opportunity by id; some have an owner, some a status, some a value in a slot."""
    return {
        one: StoredOpportunity(
            id=one,
            event_code=code,
            lead_id=lead(number),
            lead_email=f"lead{number}@example.com" if number % 2 else None,
            owner_id=owner(number) if number % 4 else None,
            owner_email=f"owner{number}@example.com" if number % 4 > 1 else None,
            status="Open" if number % 5 else None,
            created_on=f"2024-01-{number + 1:02d} {number * 2:02d}:00:00",
            modified_on=f"2024-02-{number + 1:02d} {number * 2 + 1:02d}:00:00",
            slots={f"mx_custom_{slot}": f"{number}.{slot}" for slot in SLOTS[code][: number % 3]},
        )
        for number, (one, code) in enumerate(CODE_OF.items())
    }


WORLD = world()


def filled() -> Store:
    """A store that holds the world."""
    store = MemoryStore(MemoryDatabase())
    store.put_types([OpportunityType(event_code=code, name=str(code)) for code in SLOTS])
    store.put_fields(
        [
            Field(event_code=code, schema_name=f"mx_Custom_{slot}", display_name="")
            for code, slots in SLOTS.items()
            for slot in slots
        ]
    )
    store.write_opportunities(list(WORLD.values()), now="2024-01-01 00:00:00")
    return store


STORE = filled()


# --- the oracle --------------------------------------------------------------------------------

Group = Mapping[str, Any]
"""A group as asked: its ``code``, ``ids`` (canonical) and ``names`` (canonical) as they stand."""


def entry_of(number: int, one: str, groups: Sequence[Group]) -> list[int]:
    """The entries in which an id is answered that the group of a number asks for."""
    code = CODE_OF.get(one)
    of_its_type = [n for n, group in enumerate(groups) if group["code"] == code]
    if not of_its_type:
        return []  # no entry is of its type: it is not answered
    asked_there = [n for n in of_its_type if one in groups[n]["ids"]]
    if asked_there:
        return [number] if number in asked_there else []  # it stands in a group of its own type
    return of_its_type[:1]  # the first entry whose EventCode is its type


def names_of(group: Group) -> list[str]:
    """The names of a row of the group: three, then those asked in order, each once."""
    names = [*FIRST_THREE]
    for name in group["names"]:
        if name == "OwnerEmailAddress" and "Owner" in group["names"]:
            continue  # it stands right after Owner
        if name not in names:
            names.append(name)
            if name == "Owner":
                names.append("OwnerEmailAddress")
    return names


def value_of(one: StoredOpportunity, name: str) -> str | None:
    """The value of a column, as the wire has it."""
    if name in SYSTEM:
        return SYSTEM[name](one)
    return one.slots.get(name.lower())


def expected(groups: Sequence[Group]) -> list[Any]:
    """The answer to groups, as pairs, so that the order of members counts."""
    answer = []
    for place, group in enumerate(groups):
        own = [one for one in group["ids"] if place in entry_of(place, one, groups)]
        from_others = [
            one
            for number, other in enumerate(groups)
            if number != place
            for one in other["ids"]
            if place in entry_of(number, one, groups)
        ]
        ids: list[str] = []
        for one in own + from_others:
            if one not in ids:
                ids.append(one)
        rows = [[(name, value_of(WORLD[one], name)) for name in names_of(group)] for one in ids]
        answer.append(
            [
                ("EventCode", str(group["code"])),
                ("RecordCount", len(rows)),
                ("Opportunities", rows),
            ]
        )
    return answer


# --- what is asked -----------------------------------------------------------------------------


@st.composite
def asked_groups(draw: st.DrawFn) -> tuple[list[Group], list[Any]]:
    """Groups as the oracle reads them, and the same as a caller may write them."""
    groups: list[Group] = []
    written: list[Any] = []
    for code in draw(st.lists(st.sampled_from(sorted(SLOTS)), min_size=1, max_size=5)):
        ids = draw(st.lists(st.sampled_from(ASKED_FOR), min_size=1, max_size=8))
        known = [*SYSTEM, *(f"mx_Custom_{slot}" for slot in SLOTS[code])]
        names = draw(st.lists(st.sampled_from(known), min_size=1, max_size=6))
        groups.append({"code": code, "ids": ids, "names": names})
        written.append(
            {
                "EventCode": draw(st.sampled_from([code, str(code), f" {code} "])),
                "ProspectActivityId": [draw(spellings(one)) for one in ids],
                "Columns": {"Include_CSV": ",".join(draw(cased(name)) for name in names)},
            }
        )
    return groups, written


BODY = Body(GetOpportunitiesByIdWire)


def answered(written: Sequence[Any]) -> list[Any]:
    """The result of the steps, as pairs."""
    body = json.dumps({"SearchParameters": written}).encode()
    message = BODY.decode(body, content_type="application/json", body_bytes_max=1 << 20)
    asked = parse_bulk_read(calling.a_call("GetOpportunitiesById"), message)
    plan = plan_entries(asked.groups, STORE.catalogue())
    for planned in plan.entries:
        assert len(set(planned.ids)) == len(planned.ids)
    answer = render_entries(plan, STORE.bulk_read(plan))
    pairs: list[Any] = json.loads(answer, object_pairs_hook=list)
    return pairs


@given(asked_groups())
@examples(500)
def test_every_call_is_answered_as_the_rules_say(asked: tuple[list[Group], list[Any]]) -> None:
    """Which rows, in which entry, in which order, with which columns: as the oracle has it."""
    groups, written = asked
    assert answered(written) == expected(groups)


@given(asked_groups())
@examples(200)
def test_no_row_is_lost_and_none_is_doubled(asked: tuple[list[Group], list[Any]]) -> None:
    """An id is answered if and only if an entry is of its type; in an entry at most once."""
    groups, written = asked
    entries = [dict(entry) for entry in answered(written)]
    ids = [[dict(row)["ProspectActivityId"] for row in entry["Opportunities"]] for entry in entries]
    codes = {group["code"] for group in groups}
    asked_ids = {one for group in groups for one in group["ids"]}
    assert {one for of_entry in ids for one in of_entry} == {
        one for one in asked_ids if CODE_OF.get(one) in codes
    }
    for group, of_entry in zip(groups, ids, strict=True):
        assert len(set(of_entry)) == len(of_entry)
        assert all(CODE_OF[one] == group["code"] for one in of_entry)


def test_the_oracle_answers_the_page_s_case() -> None:
    """An id under a type that is not its own comes as the last row of its type's entry."""
    groups = [
        {"code": 12_001, "ids": [guid(0), guid(2)], "names": ["Status"]},
        {"code": 12_003, "ids": [guid(5), guid(8)], "names": ["Owner"]},
    ]
    [first, second] = (dict(entry) for entry in expected(groups))
    assert [dict(row)["ProspectActivityId"] for row in first["Opportunities"]] == [guid(0)]
    ids = [dict(row)["ProspectActivityId"] for row in second["Opportunities"]]
    assert ids == [guid(5), guid(8), guid(2)]
