"""From what was asked to what will be done."""

import re

import pytest

from oppserver.calls.bulk_read.parse import AskedGroup
from oppserver.calls.bulk_read.plan import plan_entries
from oppserver.contract.columns import CUSTOM_COLUMNS, SYSTEM_COLUMNS
from oppserver.contract.errors import InvalidValue, LimitExceeded, UnknownColumn, UnknownEventCode
from oppserver.contract.limits import BULK_READ_IDS_MAX, EVENT_CODE_MAX
from oppserver.contract.model import Catalogue, Field, OpportunityType
from oppserver.store.queries import Plan, PlannedEntry
from tests.support.stores import guid

FIRST, SECOND, WIDE = 12_001, 12_003, EVENT_CODE_MAX
IDENTITY = ["ProspectId", "EmailAddress", "ProspectActivityId"]


def catalogue() -> Catalogue:
    """Two types with a slot each, and one with all slots."""
    slots = {FIRST: [1], SECOND: [2], WIDE: range(1, 251)}
    return Catalogue(
        version=1,
        types={code: OpportunityType(event_code=code, name=str(code)) for code in slots},
        fields={
            code: {
                f"mx_Custom_{slot}": Field(
                    event_code=code, schema_name=f"mx_Custom_{slot}", display_name=""
                )
                for slot in numbers
            }
            for code, numbers in slots.items()
        },
    )


def asked(*ids: str, code: object = FIRST, columns: str = "Status") -> AskedGroup:
    """A group that asks for ids."""
    return AskedGroup(event_code=str(code), ids=ids, include_csv=columns)


def planned(*groups: AskedGroup) -> Plan:
    """The plan of groups."""
    return plan_entries(groups, catalogue())


def ids_of(*groups: AskedGroup) -> list[list[str]]:
    """The ids of each entry of the plan."""
    return [list(entry.ids) for entry in planned(*groups).entries]


def names_of(columns: str, *, code: int = FIRST) -> list[str]:
    """The columns after the three of every row."""
    [entry] = planned(asked(guid(1), code=code, columns=columns)).entries
    names = [column.name for column in entry.columns]
    assert names[:3] == IDENTITY
    assert len(set(names)) == len(names)
    return names[3:]


# --- ids ---------------------------------------------------------------------------------------


def test_ids_are_canonical_distinct_and_in_order() -> None:
    """One id in four spellings is one id, where it stood first."""
    one, two = guid(0xABC), guid(0xDEF)
    spellings = [two, "{" + one.upper() + "}", one.replace("-", ""), two.upper(), f" {one} "]
    assert ids_of(asked(*spellings)) == [[two, one]]


def test_2000_distinct_ids_are_taken() -> None:
    """The limit counts distinct ids of the whole call, in whatever spelling and group they are."""
    ids = [guid(number) for number in range(BULK_READ_IDS_MAX)]
    assert ids_of(asked(*ids)) == [ids]
    assert ids_of(asked(*ids, *reversed(ids))) == [ids]
    assert ids_of(asked(*ids), asked(*(one.upper() for one in ids))) == [ids, ids]
    assert ids_of(asked(*ids[:1_000]), asked(*ids[1_000:])) == [ids[:1_000], ids[1_000:]]


@pytest.mark.parametrize("in_first", [0, 1, 1_000, 2_000, 2_001])
def test_2001_distinct_ids_are_refused(in_first: int) -> None:
    """One id above the limit is refused, naming number and limit, however the groups share them."""
    ids = [guid(number) for number in range(BULK_READ_IDS_MAX + 1)]
    groups = [asked(*part) for part in (ids[:in_first], ids[in_first:]) if part]
    with pytest.raises(LimitExceeded, match=r"\b2001 .*\b2000\b"):
        planned(*groups)


@pytest.mark.parametrize("text", ["", "12", guid(1)[:-1], guid(1) + "0", "x" * 36, "\ud800"])
def test_an_id_that_is_no_guid_is_named_with_its_place(text: str) -> None:
    """The group, the place in it, and the value."""
    with pytest.raises(InvalidValue) as refused:
        planned(asked(guid(1)), asked(guid(1), guid(2), text))
    assert str(refused.value).startswith("SearchParameters[1].ProspectActivityId[2]: '")


# --- which entry a row goes to -----------------------------------------------------------------


def test_entries_are_as_many_as_groups_and_in_their_order() -> None:
    """Also those of one type, each with its own columns."""
    plan = planned(
        asked(guid(1), code=SECOND, columns="Owner"),
        asked(guid(2)),
        asked(guid(3), code=SECOND, columns="mx_Custom_2"),
    )
    assert [entry.event_code for entry in plan.entries] == [SECOND, FIRST, SECOND]
    assert [[column.name for column in entry.columns[3:]] for entry in plan.entries] == [
        ["Owner", "OwnerEmailAddress"],
        ["Status"],
        ["mx_Custom_2"],
    ]


def test_ids_that_only_other_types_ask_for_come_last_in_the_first_entry_of_a_type() -> None:
    """Own ids first, then the others in request order; a later entry of the type gets none."""
    assert ids_of(
        asked(guid(1), guid(2)),
        asked(guid(3), guid(1), code=SECOND),
        asked(guid(4), guid(2)),
        asked(guid(5), code=SECOND),
    ) == [
        [guid(1), guid(2), guid(3), guid(5)],
        [guid(3), guid(1), guid(2), guid(4)],
        [guid(4), guid(2)],
        [guid(5)],
    ]


def test_groups_of_one_type_take_nothing_from_each_other() -> None:
    """An id is read in every group of its type that asks for it, and in no other of that type."""
    assert ids_of(asked(guid(1), guid(2)), asked(guid(2), guid(3))) == [
        [guid(1), guid(2)],
        [guid(2), guid(3)],
    ]


# --- columns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked_for", "names"),
    [
        ("Status,CreatedOn", ["Status", "CreatedOn"]),
        ("CreatedOn,Status", ["CreatedOn", "Status"]),
        (" status ,\tCREATEDON\n", ["Status", "CreatedOn"]),
        ("Status,CreatedOn,STATUS", ["Status", "CreatedOn"]),
        (",,Status, ,", ["Status"]),
        ("ProspectActivityId,Status,ProspectId,EmailAddress", ["Status"]),
        ("ProspectId", []),
        ("Owner,Status", ["Owner", "OwnerEmailAddress", "Status"]),
        ("Owner,OwnerEmailAddress", ["Owner", "OwnerEmailAddress"]),
        ("OwnerEmailAddress,Status,Owner", ["Status", "Owner", "OwnerEmailAddress"]),
        ("Owner,Status,OwnerEmailAddress", ["Owner", "OwnerEmailAddress", "Status"]),
        ("OwnerEmailAddress,Status", ["OwnerEmailAddress", "Status"]),
        ("OpportunityNote,ActivityEvent_Note", ["OpportunityNote", "ActivityEvent_Note"]),
        ("mx_custom_1,Status", ["mx_Custom_1", "Status"]),
    ],
)
def test_columns_stand_in_the_order_asked(asked_for: str, names: list[str]) -> None:
    """After the three of every row, once each, in canonical spelling; Owner brings its address."""
    assert names_of(asked_for) == names


def test_all_columns_may_be_asked_for() -> None:
    """Every system column and every slot, in one call, in any order."""
    known = [column.name for column in SYSTEM_COLUMNS + CUSTOM_COLUMNS]
    assert set(names_of(",".join(known), code=WIDE)) == set(known) - set(IDENTITY)
    assert names_of(",".join(reversed(known)), code=WIDE)[:2] == ["mx_Custom_250", "mx_Custom_249"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Stauts", "'Stauts' is no column of type 12001. Did you mean Status?"),
        (" mx_Custom_2 ", "'mx_Custom_2' is no column of type 12001."),
        ("mx_Custom_251", "'mx_Custom_251' is no column"),
        ("*", "'*' is no column"),
        ("Status;CreatedOn", "'Status;CreatedOn' is no column"),
        ("x" * 500, "'" + "x" * 80 + "…' is no column"),
    ],
)
def test_a_column_that_the_type_lacks_is_named(name: str, said: str) -> None:
    """With its place, near names of this type, and the command that adds a field."""
    with pytest.raises(UnknownColumn) as refused:
        planned(asked(guid(1)), asked(guid(1), columns=f"Status,{name}"))
    message = str(refused.value)
    assert message.startswith(f"SearchParameters[1].Columns.Include_CSV: {said}")
    assert message.endswith("'oppserver field add 12001 mx_Custom_N' adds a field.")


# --- event codes -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["12001", "0000012001", str(EVENT_CODE_MAX)])
def test_an_event_code_is_its_number(text: str) -> None:
    """Leading zeros do not make another type."""
    [entry] = planned(asked(guid(1), code=text)).entries
    assert isinstance(entry, PlannedEntry)
    assert entry.event_code == int(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "12002", "-12001", "+12001", "12_001", "12001.0", "1.2e4", "", "x"),
        *("\u0661\u0662\u0660\u0660\u0661", "²", "00000012001", "9" * 5_000),
        *(str(EVENT_CODE_MAX + 1), str(2**63)),
    ],
)
def test_an_event_code_of_no_type_is_named(text: str) -> None:
    """The place, the value, the types there are, and the command that adds one."""
    with pytest.raises(UnknownEventCode) as refused:
        planned(asked(guid(1)), asked(guid(1), code=text))
    message = str(refused.value)
    assert message.startswith(f"SearchParameters[1].EventCode: '{text[:80]}")
    assert "Known: 12001, 12003, 2147483647." in message
    assert len(message) < 300


def test_at_most_ten_known_types_are_named() -> None:
    """The lowest ten; none where there is none."""
    group = [asked(guid(1), code=99)]
    types = {code: OpportunityType(event_code=code, name="") for code in range(50, 30, -1)}
    with pytest.raises(UnknownEventCode, match=re.escape(", ".join(map(str, range(31, 41))) + ".")):
        plan_entries(group, Catalogue(version=1, types=types, fields={}))
    with pytest.raises(UnknownEventCode, match=r"Known: none\."):
        plan_entries(group, Catalogue(version=1, types={}, fields={}))
