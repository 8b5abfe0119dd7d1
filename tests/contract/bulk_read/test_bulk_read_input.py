"""GetOpportunitiesById over a socket: what may be sent, and how everything else is refused."""

import json
from typing import Any

import pytest

from tests.support.bulk_reads import FIRST, ids, rows
from tests.support.running import BULK_READ, Server, asking, group
from tests.support.world import WIDE_CODE, WIDE_ID

ENGINES = ["sqlite", "postgres"]

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
    """Paths as callers are known to write them."""
    for path in (BULK_READ.lower(), BULK_READ.replace(".svc/", ".svc//"), "/" + BULK_READ):
        assert server.post(asking(group([FIRST])), path=path).status == 200
