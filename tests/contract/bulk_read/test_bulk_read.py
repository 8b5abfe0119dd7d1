"""GetOpportunitiesById over a socket: what is answered, by the rules of docs/fidelity.md."""

import json
from itertools import chain, combinations
from typing import Any

import pytest

from oppserver.contract import example
from tests.support.bulk_reads import FIRST, SECOND, THIRD, ids, rows
from tests.support.running import BULK_READ, Server, asking, group
from tests.support.world import (
    DELETED_ID,
    LEAD_ID,
    NOTE,
    OTHER_CODE,
    OTHER_ID,
    OWNER_ID,
    SPARSE_ID,
    WIDE_CODE,
    WIDE_ID,
)

ENGINES = ["sqlite", "postgres"]

UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"


def wide_row(server: Server, columns: str, id_: str = WIDE_ID) -> dict[str, Any]:
    [[row]] = rows(server, group([id_], columns, code=WIDE_CODE))
    return row


# --- the answer --------------------------------------------------------------------------------


def test_the_example() -> None:
    """The example in the package is the documented one: three rows, the third moved, then none."""
    first, second = json.loads(example.response())
    assert (first["RecordCount"], second["RecordCount"]) == (3, 0)
    assert ids(first["Opportunities"]) == [FIRST, SECOND, THIRD]


def test_the_page_s_example_is_answered_to_the_letter(server: Server) -> None:
    """The documented request gets the documented answer, value for value, key order included."""
    answer = server.post(example.request())
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    wanted = json.dumps(json.loads(example.response()), separators=(",", ":"))
    assert answer.body.decode() == wanted


def test_one_entry_per_group_in_request_order(server: Server) -> None:
    """The answer has one entry per group, in request order, also where two have one type."""
    answer = server.post(
        asking(
            group([WIDE_ID], code=str(WIDE_CODE)),
            group([FIRST], code="12003"),
            group([SPARSE_ID], code=str(WIDE_CODE)),
        )
    )
    assert [entry["EventCode"] for entry in answer.json] == ["12100", "12003", "12100"]
    assert [ids(entry["Opportunities"]) for entry in answer.json] == [
        [WIDE_ID],
        [FIRST],
        [SPARSE_ID],
    ]


def test_a_row_starts_with_three_columns_then_those_asked_in_their_order(server: Server) -> None:
    """Three identities, then the order asked; the owner's address right after Owner."""
    row = wide_row(server, "Status,mx_Custom_2,Owner,mx_Custom_1")
    assert list(row.items()) == [
        ("ProspectId", LEAD_ID),
        ("EmailAddress", "wide@example.com"),
        ("ProspectActivityId", WIDE_ID),
        ("Status", "Open"),
        ("mx_Custom_2", "value 2"),
        ("Owner", OWNER_ID),
        ("OwnerEmailAddress", "owner@example.com"),
        ("mx_Custom_1", "value 1"),
    ]


def test_an_entry_that_found_nothing_stays(server: Server) -> None:
    """Nothing found: RecordCount 0 and an empty array."""
    answer = server.post(asking(group([UNKNOWN_ID])))
    assert answer.json == [{"EventCode": "12003", "RecordCount": 0, "Opportunities": []}]


def test_system_dates_have_the_page_s_form(server: Server) -> None:
    """M/d/yyyy h:mm:ss AM/PM, no padding; hour 12 at midnight and noon."""
    row = wide_row(server, "CreatedOn,ModifiedOn")
    assert row["CreatedOn"] == "2/29/2024 12:00:00 AM"
    assert row["ModifiedOn"] == "12/1/2024 12:05:09 PM"
    assert wide_row(server, "CreatedOn", SPARSE_ID)["CreatedOn"] == "1/1/2024 11:59:59 PM"


def test_custom_dates_are_answered_as_stored(server: Server) -> None:
    """A DateTime value in mx_Custom_N is answered as YYYY-MM-DD HH:MM:SS."""
    assert wide_row(server, "mx_Custom_8")["mx_Custom_8"] == "2024-03-01 07:08:09"


def test_what_is_not_set_is_null_and_its_key_is_there(server: Server) -> None:
    """A value that is not set is null, with its key in its place."""
    row = wide_row(server, "Owner,Status,OpportunityNote,mx_Custom_5,CreatedBy", SPARSE_ID)
    assert list(row)[3:] == [
        "Owner",
        "OwnerEmailAddress",
        "Status",
        "OpportunityNote",
        "mx_Custom_5",
        "CreatedBy",
    ]
    assert set(list(row.values())[3:]) == {None}


def test_every_system_column_on_every_type(server: Server) -> None:
    """The twelve system columns (and the note's other name) need no field."""
    row = wide_row(
        server,
        "EventCode,Owner,Status,OpportunityNote,ActivityEvent_Note,CreatedOn,CreatedBy,ModifiedOn,"
        "ModifiedBy",
    )
    assert row["EventCode"] == "12100"
    assert row["OpportunityNote"] == row["ActivityEvent_Note"] == NOTE
    assert (row["CreatedBy"], row["ModifiedBy"]) == ("creator", "modifier")
    assert all(isinstance(value, str) for value in row.values())


def test_the_three_first_columns_are_not_repeated(server: Server) -> None:
    """ProspectId, EmailAddress and ProspectActivityId asked for: still once, still first."""
    row = wide_row(server, "Status,ProspectActivityId,EmailAddress,ProspectId")
    assert list(row) == ["ProspectId", "EmailAddress", "ProspectActivityId", "Status"]


def test_owner_email_address_without_owner_stands_where_it_was_asked(server: Server) -> None:
    """OwnerEmailAddress alone keeps its place; with Owner it follows it, wherever it was asked."""
    assert list(wide_row(server, "Status,OwnerEmailAddress,CreatedBy"))[3:] == [
        "Status",
        "OwnerEmailAddress",
        "CreatedBy",
    ]
    assert list(wide_row(server, "OwnerEmailAddress,Status,Owner"))[3:] == [
        "Status",
        "Owner",
        "OwnerEmailAddress",
    ]


def test_names_in_any_case_with_blanks_once_in_canonical_spelling(server: Server) -> None:
    """Case and blanks don't matter; a column named twice is answered once."""
    row = wide_row(server, " STATUS , mx_custom_3,MX_CUSTOM_3,,status , createdon")
    assert list(row)[3:] == ["Status", "mx_Custom_3", "CreatedOn"]


def test_all_columns_at_once(server: Server) -> None:
    """A row may have all 250 slots and all system columns, in the order asked."""
    names = [f"mx_Custom_{slot}" for slot in range(250, 0, -1)]
    row = wide_row(server, "Status," + ",".join(names) + ",OpportunityNote")
    assert list(row)[3:] == ["Status", *names, "OpportunityNote"]
    assert row["mx_Custom_250"] == "value 250"
    assert row["OpportunityNote"] == NOTE


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_members_keep_their_names_with_any_columns(accept: str, server: Server) -> None:
    """With and without an owner, of one id and of two, and when rows are asked for again."""
    names = ("Status", "CreatedOn", "Owner", "OwnerEmailAddress", "mx_Custom_3")
    for columns in chain(*(combinations(names, size) for size in range(1, len(names) + 1))):
        wanted = list(columns)
        if "Owner" in columns and "OwnerEmailAddress" not in columns:
            wanted.insert(wanted.index("Owner") + 1, "OwnerEmailAddress")  # it comes with its owner
        for asked in ([WIDE_ID], [WIDE_ID, SPARSE_ID], [SPARSE_ID, WIDE_ID]):
            answer = server.post(
                asking(group(asked, ",".join(columns), code=WIDE_CODE)), Accept=accept
            )
            assert answer.status == 200, answer.body
            if accept == "application/json":
                [entry] = answer.json
                found = entry["Opportunities"]
            else:
                found = [json.loads(line) for line in answer.body.splitlines()]
            assert ids(found) == asked
            heads = 3 if accept == "application/json" else 4  # a line begins with its event code
            assert [list(row)[heads:] for row in found] == [wanted] * len(asked)


# --- which entry a row goes to -----------------------------------------------------------------


def test_an_id_of_another_type_is_answered_in_the_first_entry_of_its_type(server: Server) -> None:
    """It comes after the entry's own ids, with that entry's columns, and only in the first."""
    first, other, second = rows(
        server,
        group([SECOND], "Status"),
        group([THIRD, OTHER_ID, FIRST], "CreatedOn", code=str(OTHER_CODE)),
        group([SECOND], "ModifiedOn"),
    )
    assert ids(first) == [SECOND, THIRD, FIRST]
    assert list(first[1])[3:] == ["Status"]
    assert ids(other) == [OTHER_ID]
    assert ids(second) == [SECOND]


def test_an_id_in_a_group_of_its_type_is_not_moved(server: Server) -> None:
    """Asked for under its own type and under another: answered under its own alone."""
    other, first, second = rows(
        server,
        group([THIRD], "Status", code=str(OTHER_CODE)),
        group([FIRST], "Status"),
        group([THIRD], "CreatedOn"),
    )
    assert (ids(other), ids(first), ids(second)) == ([], [FIRST], [THIRD])


def test_an_id_of_a_type_that_no_entry_has_is_not_answered(server: Server) -> None:
    """No entry is of its type: it is left out."""
    assert rows(server, group([OTHER_ID, FIRST])) == [rows(server, group([FIRST]))[0]]


def test_repeated_ids(server: Server) -> None:
    """Once per group; and in both of two groups of its type, each with its own columns."""
    [row] = rows(server, group([FIRST, FIRST.upper(), SECOND, FIRST]))
    assert ids(row) == [FIRST, SECOND]
    one, two = rows(server, group([FIRST], "Status"), group([FIRST], "CreatedOn"))
    assert (list(one[0])[3:], list(two[0])[3:]) == (["Status"], ["CreatedOn"])


def test_unknown_and_deleted_ids_are_left_out(server: Server) -> None:
    """Missing ids leave no gap and cause no error."""
    [row] = rows(server, group([UNKNOWN_ID, WIDE_ID, DELETED_ID], code=WIDE_CODE))
    assert ids(row) == [WIDE_ID]


def test_2000_ids_in_request_order(server: Server) -> None:
    """The limit itself is answered, in request order."""
    unknown = [f"99999999-9999-4999-8999-{number:012d}" for number in range(1_997)]
    [row] = rows(server, group([THIRD, *unknown, SECOND, FIRST]))
    assert ids(row) == [THIRD, SECOND, FIRST]


# --- keys --------------------------------------------------------------------------------------


def test_keys_in_the_query_in_any_case_and_position(server: Server) -> None:
    """AccessKey and secretKey, names in any case, anywhere in the query."""
    keys = server.keys
    for query in (
        keys.query,
        f"x=1&SECRETKEY={keys.secret}&y&AccessKey={keys.access}",
        f"secretkey={keys.secret}&accesskey={keys.access}&",
    ):
        answer = server.call(
            "POST",
            f"{BULK_READ}?{query}",
            json.dumps(asking(group([FIRST]))),
            {"Content-Type": "application/json"},
        )
        assert answer.status == 200


def test_headers_outrank_the_query(server: Server) -> None:
    """With both, the headers count."""
    path = f"{BULK_READ}?accessKey=wrong&secretKey=wrong"
    assert server.post(asking(group([FIRST])), path=path).status == 200
    body = json.dumps(asking(group([FIRST])))
    wrong = {"x-LSQ-AccessKey": "wrong", "x-LSQ-SecretKey": "wrong"}
    headers = {"Content-Type": "application/json", **wrong}
    assert server.call("POST", f"{BULK_READ}?{server.keys.query}", body, headers).status == 401
