"""Laws of reading lines by column: together they are what each is alone, in any order of blocks."""

from decimal import Decimal
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from oppserver.contract.errors import RejectedLine
from oppserver.contract.limits import TEXT_CHARACTERS_MAX
from oppserver.contract.model import Catalogue, ColumnBlock, DataType, Field, StoredOpportunity
from oppserver.store.sql.batches import prepare
from oppserver.store.sqlite.write import SqliteTransaction
from oppserver.transfer import records
from oppserver.transfer.records import (
    AlikeLines,
    blocks_of,
    opportunity_of,
    sets_of,
    typed_fields,
)
from tests.support.running import SCALE
from tests.support.stores import LATER, NOW, field, guid, lead, opportunity, owner

CATALOGUE = Catalogue(
    version=1,
    types={},
    fields={
        code: {
            one.schema_name: one
            for one in (
                field(1, event_code=code, data_type=DataType.NUMBER),
                field(2, event_code=code, data_type=DataType.DATE_TIME),
                field(3, event_code=code, data_type=DataType.BOOLEAN),
                field(
                    4,
                    event_code=code,
                    data_type=DataType.SEARCHABLE_DROPDOWN,
                    options=("Red", "Blue"),
                ),
                field(5, event_code=code, data_type=DataType.CUSTOM_OBJECT),
                Field(
                    event_code=code,
                    schema_name="mx_Custom_5~mx_CustomObject_1",
                    display_name="Member",
                    data_type=DataType.NUMBER,
                ),
            )
        }
        for code in (12_000, 12_001)
    },
)

ANY: list[Any] = [
    *(None, "", " ", "x", 7, True, 1.5, Decimal("2.50"), float("nan"), "a\0b", "\ud800", "é"),
    *([1], {}, b"bytes", "x" * (TEXT_CHARACTERS_MAX + 1)),
]

VALUES: dict[str, list[Any]] = {
    "ProspectActivityId": [guid(1), guid(2), guid(1).upper(), guid(3).replace("-", ""), "no guid"],
    "EventCode": [12_000, 12_000, 12_001, "12001", " 12000 ", 99, -1, 2**40, "12.5"],
    "ProspectId": [lead(1), lead(2), "{" + lead(1) + "}", "12"],
    "Owner": [owner(1), owner(2), bytes(16), "bob"],
    "OwnerEmailAddress": ["a@example.com"],
    "Status": ["Open", "open", "WON", "Other"],
    "CreatedOn": [NOW, LATER, "2024-02-30 00:00:00", "2024-02-29 00:00:00", "2024-02-28T01:02:03Z"],
    "mx_Custom_1": ["12", "1,200.50", "-0", "1499,90", 12],
    "MX_custom_2": [NOW, "4/6/2023 3:23:34 PM", "yesterday", " 2024-02-29 "],
    "mx_Custom_3": ["yes", "0", False, "maybe"],
    "mx_Custom_4": ["red", "Blue", "green"],
    "mx_Custom_5": ['{"mx_CustomObject_1": "1,000"}', "{}", "{", '{"mx_CustomObject_2": "1"}'],
    "mx_Custom_5~mx_CustomObject_1": ["5", 6],
    "mx_Custom_9": ["any", "text"],
    "mx_Custom_300": ["x"],
}


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """The members of a line: some names in any order, most values right."""
    known = list(VALUES)
    names = known[:3] + draw(st.lists(st.sampled_from(known[3:]), max_size=4, unique=True))
    if draw(st.integers(0, 9)) == 0:
        names.pop(draw(st.integers(0, 2)))
    if draw(st.booleans()):
        names = draw(st.permutations(names))
    if draw(st.integers(0, 9)) > 0:
        names = [name for name in names if name != "mx_Custom_300"]
    others = st.sampled_from(ANY)
    return {
        name: draw(others if draw(st.integers(0, 15)) == 0 else st.sampled_from(VALUES[name]))
        for name in names
    }


@given(st.lists(lines(), max_size=8), st.booleans(), st.sampled_from([1, 2, 20]))
@settings(max_examples=int(80 * SCALE), deadline=None)
def test_lines_together_are_as_each_alone(
    given_lines: list[dict[str, Any]], has_sets: bool, alike_min: int
) -> None:
    """The same opportunities, and the same reasons: a fault concerns its own line alone."""
    fields, sets = typed_fields(CATALOGUE), sets_of(CATALOGUE) if has_sets else {}
    with mock.patch.object(records, "_ALIKE_LINES_MIN", alike_min):
        blocks, errors = blocks_of(dict(enumerate(given_lines, 5)), fields, sets)
    stored = {
        place: one
        for block in blocks
        for place, one in zip(block.places, block.opportunities(), strict=True)
    }
    assert stored.keys().isdisjoint(errors)
    for place, members in enumerate(given_lines, 5):
        alone = AlikeLines(tuple(members), [tuple(members.values())], fields, sets)
        if alone.errors:
            assert errors[place] == alone.errors[0]
        else:
            assert [stored[place]] == ColumnBlock([0], alone.columns).opportunities()
        if not has_sets:
            try:
                assert opportunity_of(members, fields) == stored[place]
            except RejectedLine as error:
                assert errors[place] == str(error)


some_opportunities = st.lists(
    st.builds(
        lambda number, other, values: opportunity(
            number, lead_id=lead(other), event_code=12_000 + other % 2, **values
        ),
        st.integers(0, 5),
        st.integers(0, 2),
        st.fixed_dictionaries(
            {},
            optional={
                "lead_email": st.sampled_from(["a@example.com", "b@example.com"]),
                "owner_id": st.sampled_from([owner(1), owner(2)]),
                "created_on": st.sampled_from([NOW, LATER]),
                "modified_on": st.sampled_from([NOW, LATER]),
                "note": st.just("note"),
                "slots": st.sampled_from([{"mx_custom_1": "x"}, {"mx_custom_2": "y"}]),
            },
        ),
    ),
    max_size=8,
)


@given(some_opportunities, st.randoms(use_true_random=False))
@settings(max_examples=int(80 * SCALE), deadline=None)
def test_blocks_are_written_in_the_order_of_their_rows(
    batch: list[StoredOpportunity], chance: Any
) -> None:
    """However the rows of a batch are divided into blocks, its statements are the same."""
    whole = ColumnBlock.of(batch)
    assert whole.opportunities() == batch
    of_block = [chance.randrange(3) for _ in batch]
    blocks = [whole.where([one == number for one in of_block]) for number in range(3)]
    chance.shuffle(blocks)
    upsert = SqliteTransaction._upsert
    assert prepare(blocks, now=NOW, upsert=upsert)._replace(ids=[]) == prepare(
        [whole], now=NOW, upsert=upsert
    )._replace(ids=[])
