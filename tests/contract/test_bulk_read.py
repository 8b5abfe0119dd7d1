"""GetOpportunitiesById over a socket: every rule of docs/fidelity.md."""

import json
from typing import Any

import pytest

from oppserver.contract import example
from tests.running import BULK_READ, Server, asking, group
from tests.world import (
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

FIRST, SECOND, THIRD = (
    "24cf277e-70fe-4b2f-a9c2-9a68f45feaba",
    "67db1ccf-ea8b-41b8-9bc2-4cdbe2391a0d",
    "2232837f-0f5e-4607-8e50-2728d90b9b5c",
)
UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"


def rows(server: Server, *groups: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The rows of each entry."""
    answer = server.post(asking(*groups))
    assert answer.status == 200, answer.body
    for entry in answer.json:
        assert list(entry) == ["EventCode", "RecordCount", "Opportunities"]
        assert entry["RecordCount"] == len(entry["Opportunities"])
    return [entry["Opportunities"] for entry in answer.json]


def wide_row(server: Server, columns: str, id_: str = WIDE_ID) -> dict[str, Any]:
    [[row]] = rows(server, group([id_], columns, code=WIDE_CODE))
    return row


def ids(entry: list[dict[str, Any]]) -> list[str]:
    return [row["ProspectActivityId"] for row in entry]


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
    """What is not there leaves no gap and no error."""
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


# --- input -------------------------------------------------------------------------------------


REFUSED: list[tuple[str, Any, str, list[str]]] = [
    ("no body", b"", "MXMalformedRequestException", ["no body"]),
    ("blank body", b"  \n", "MXMalformedRequestException", ["no body"]),
    ("not JSON", b'{"SearchParameters":', "MXMalformedRequestException", ["JSON"]),
    ("not UTF-8", b'{"SearchParameters":"\xff"}', "MXMalformedRequestException", ["UTF-8"]),
    ("UTF-16", '{"a":1}'.encode("utf-16"), "MXMalformedRequestException", ["UTF-8"]),
    ("nested deeply", b'{"x":' + b"[" * 100_000, "MXMalformedRequestException", []),
    ("not an object", [1], "MXInvalidDataTypeException", ["$", "object", "array"]),
    ("null", None, "MXInvalidDataTypeException", ["$", "object"]),
    (
        "SearchParameters not an array",
        {"SearchParameters": "x"},
        "MXInvalidDataTypeException",
        ["$.SearchParameters", "array", "str"],
    ),
    (
        "an entry not an object",
        {"SearchParameters": [7]},
        "MXInvalidDataTypeException",
        ["$.SearchParameters[0]", "object", "int"],
    ),
    (
        "EventCode an object",
        asking(group([FIRST]), group([FIRST], code={})),
        "MXInvalidDataTypeException",
        ["$.SearchParameters[1].EventCode", "str", "object"],
    ),
    (
        "ids not an array",
        asking({**group([]), "ProspectActivityId": FIRST}),
        "MXInvalidDataTypeException",
        ["$.SearchParameters[0].ProspectActivityId", "array"],
    ),
    (
        "an id a number",
        asking(group([FIRST, 5])),
        "MXInvalidDataTypeException",
        ["$.SearchParameters[0].ProspectActivityId[1]", "str", "int"],
    ),
    (
        "Columns a string",
        asking({**group([FIRST]), "Columns": "Owner"}),
        "MXInvalidDataTypeException",
        ["$.SearchParameters[0].Columns", "object"],
    ),
    (
        "Include_CSV an array",
        asking({**group([FIRST]), "Columns": {"Include_CSV": ["Owner"]}}),
        "MXInvalidDataTypeException",
        ["$.SearchParameters[0].Columns.Include_CSV", "str"],
    ),
    *(
        (
            f"SearchParameters {case}",
            message,
            "MXMandatoryAttributeMissingException",
            ["'SearchParameters' is mandatory"],
        )
        for case, message in (
            ("missing", {}),
            ("null", {"SearchParameters": None}),
            ("empty", {"SearchParameters": []}),
        )
    ),
    *(
        (
            f"{name} {case}",
            asking(group([FIRST]), {**group([FIRST]), name: value}),
            "MXMandatoryAttributeMissingException",
            [f"'{name}' is mandatory in SearchParameters[1]"],
        )
        for name, case, value in (
            ("EventCode", "null", None),
            ("EventCode", "empty", ""),
            ("EventCode", "blank", "  "),
            ("ProspectActivityId", "null", None),
            ("ProspectActivityId", "empty", []),
            ("Columns", "null", None),
        )
    ),
    *(
        (
            f"{name} missing",
            asking({key: value for key, value in group([FIRST]).items() if key != name}),
            "MXMandatoryAttributeMissingException",
            [f"'{name}' is mandatory in SearchParameters[0]"],
        )
        for name in ("EventCode", "ProspectActivityId", "Columns")
    ),
    *(
        (
            f"Include_CSV {case}",
            asking({**group([FIRST]), "Columns": value}),
            "MXMandatoryAttributeMissingException",
            ["'Include_CSV' is mandatory in SearchParameters[0].Columns"],
        )
        for case, value in (
            ("missing", {}),
            ("null", {"Include_CSV": None}),
            ("empty", {"Include_CSV": ""}),
            ("only commas", {"Include_CSV": " , ,"}),
        )
    ),
    (
        "an EventCode of no type",
        asking(group([FIRST]), group([FIRST], code="12999")),
        "MXInvalidEntityReferenceException",
        ["SearchParameters[1].EventCode", "'12999'", "12003", "oppserver type create"],
    ),
    (
        "an EventCode that is no number",
        asking(group([FIRST], code="Home loan")),
        "MXInvalidEntityReferenceException",
        ["SearchParameters[0].EventCode", "'Home loan'"],
    ),
    (
        "an id that is no GUID",
        asking(group([FIRST, "42"])),
        "MXInvalidInputException",
        ["SearchParameters[0].ProspectActivityId[1]", "'42'", "GUID"],
    ),
    (
        "an unknown column",
        asking(group([FIRST], "CreatedOn,Onwer")),
        "MXUnknownAttributeException",
        [
            "SearchParameters[0].Columns.Include_CSV",
            "'Onwer'",
            "Owner",
            "oppserver field add 12003",
        ],
    ),
    (
        "a slot without a field",
        asking(group([FIRST], "mx_Custom_1")),
        "MXUnknownAttributeException",
        ["'mx_Custom_1'", "12003"],
    ),
    (
        "a slot past the last",
        asking(group([WIDE_ID], "mx_Custom_251", code=WIDE_CODE)),
        "MXUnknownAttributeException",
        ["'mx_Custom_251'"],
    ),
    (
        "2,001 ids",
        asking(group([f"99999999-9999-4999-8999-{number:012d}" for number in range(2_001)])),
        "MXLimitExceededException",
        ["2001", "2000"],
    ),
    (
        "2,001 ids over two groups",
        asking(
            group([f"99999999-9999-4999-8999-{number:012d}" for number in range(1_001)]),
            group(
                [f"99999999-9999-4999-8888-{number:012d}" for number in range(1_000)], code="12001"
            ),
        ),
        "MXLimitExceededException",
        ["2001", "2000"],
    ),
    (
        "101 groups",
        asking(*[group([FIRST])] * 101),
        "MXLimitExceededException",
        ["101", "100"],
    ),
]


@pytest.mark.parametrize(
    ("message", "exception_type", "named"),
    [case[1:] for case in REFUSED],
    ids=[case[0] for case in REFUSED],
)
def test_bad_input_is_a_400_that_names_the_place(
    server: Server, message: Any, exception_type: str, named: list[str]
) -> None:
    """Each fault has its exception type, and the message says where and what."""
    answer = server.post(message)
    assert answer.status == 400, answer.body
    assert list(answer.json) == ["Status", "ExceptionType", "ExceptionMessage"]
    assert answer.json["Status"] == "Error"
    assert answer.headers["content-type"] == "application/json"
    assert answer.exception_type == exception_type
    for part in named:
        assert part in answer.message
    assert answer.headers["x-request-id"]


def test_2000_distinct_ids_may_be_named_more_than_once(server: Server) -> None:
    """The limit counts distinct ids of the whole call."""
    known = [f"99999999-9999-4999-8999-{number:012d}" for number in range(2_000)]
    assert server.post(asking(group(known), group(known))).status == 200


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_content_type_that_is_not_json(server: Server, content_type: str) -> None:
    """400, with what to set."""
    answer = server.post(asking(group([FIRST])), Content_Type=content_type)
    assert (answer.status, answer.exception_type) == (400, "MXInvalidContentTypeException")
    assert "application/json" in answer.message


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"]
)
def test_a_content_type_that_is_json(server: Server, content_type: str) -> None:
    """Parameters and case don't matter."""
    assert server.post(asking(group([FIRST])), Content_Type=content_type).status == 200


def test_event_code_as_a_number_is_answered_as_a_string(server: Server) -> None:
    """12003 and "12003" are the same."""
    assert server.post(asking(group([FIRST], code=12003))).json[0]["EventCode"] == "12003"
    assert server.post(asking(group([FIRST], code=" 12003 "))).json[0]["EventCode"] == "12003"


@pytest.mark.parametrize(
    "form", [FIRST.upper(), "{" + FIRST + "}", FIRST.replace("-", ""), f" {FIRST} "]
)
def test_other_forms_of_a_guid_are_answered_in_canonical_form(server: Server, form: str) -> None:
    """Upper case, braces and missing dashes are accepted."""
    [row] = rows(server, group([form]))
    assert ids(row) == [FIRST]


def test_unknown_keys_in_the_body_are_ignored(server: Server) -> None:
    """At every level."""
    entry = {**group([FIRST]), "X": [1], "Columns": {"Include_CSV": "Owner", "Y": {}}}
    assert server.post({"Z": None, **asking(entry)}).status == 200


def test_a_byte_order_mark_is_ignored(server: Server) -> None:
    """UTF-8 with a byte order mark is UTF-8."""
    body = b"\xef\xbb\xbf" + json.dumps(asking(group([FIRST]))).encode()
    assert server.post(body).status == 200


def test_a_long_value_is_cut_in_the_message(server: Server) -> None:
    """An error repeats enough of a value to recognise it, and no control characters."""
    answer = server.post(asking(group(["x\n" * 5_000])))
    assert answer.status == 400
    assert len(answer.message) < 400
    assert "\n" not in answer.message


def test_another_path_is_404(server: Server) -> None:
    """In the envelope of every error."""
    for path in ("/", "/v2/OpportunityManagement.svc", BULK_READ + "/x", "/v2/x?accessKey=A"):
        answer = server.call("POST", path, b"{}")
        if path == "/":
            assert answer.status == 405
            continue
        assert (answer.status, answer.exception_type) == (404, "MXApiNotFoundException")
        assert answer.headers["x-request-id"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_another_method_is_405_with_allow(server: Server, method: str) -> None:
    """``Allow`` names the method that the call takes."""
    answer = server.call(method, BULK_READ)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


def test_the_path_in_another_case_or_with_a_doubled_slash(server: Server) -> None:
    """As callers are known to write it."""
    for path in (BULK_READ.lower(), BULK_READ.replace(".svc/", ".svc//"), "/" + BULK_READ):
        assert server.post(asking(group([FIRST])), path=path).status == 200
