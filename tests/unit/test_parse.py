"""From the bytes of a body to what was asked."""

import json
from typing import Any

import pytest

from oppserver.calls.bulk_read.parse import (
    AskedBulkRead,
    AskedGroup,
    GetOpportunitiesByIdWire,
    parse_bulk_read,
)
from oppserver.calls.shared.decode import Body
from oppserver.contract.errors import (
    BodyTooLarge,
    LimitExceeded,
    MalformedBody,
    MissingAttribute,
    WrongContentType,
    WrongDataType,
)
from tests.support.calling import a_call

ID = "24cf277e-70fe-4b2f-a9c2-9a68f45feaba"


_ABSENT: list[tuple[str, object]] = [
    ("EventCode", ...),
    ("EventCode", None),
    ("EventCode", ""),
    ("EventCode", "  "),
    ("ProspectActivityId", ...),
    ("ProspectActivityId", None),
    ("ProspectActivityId", []),
    ("Columns", ...),
    ("Columns", None),
]
"""Members with the values that count as missing; ``...`` is not there at all."""


BODY = Body(GetOpportunitiesByIdWire)


def parsed(body: bytes | None, content_type: str = "application/json") -> AskedBulkRead:
    """The request in a body; one that was not read whole had more than 1,000 bytes."""
    message = BODY.decode(body, content_type=content_type, body_bytes_max=1_000)
    return parse_bulk_read(a_call("GetOpportunitiesById"), message)


def group(**changes: Any) -> dict[str, Any]:
    """A valid group with changes; a value of ``...`` leaves the member out."""
    whole = {
        "EventCode": "12003",
        "ProspectActivityId": [ID],
        "Columns": {"Include_CSV": "Owner"},
    }
    return {name: value for name, value in (whole | changes).items() if value is not ...}


def body_of(*groups: object) -> bytes:
    """The body that asks for groups."""
    return json.dumps({"SearchParameters": groups}).encode()


def test_a_body_is_what_it_asks() -> None:
    """Groups come in order; ids and columns are as they were written."""
    other = group(EventCode=12001, ProspectActivityId=["x", ID, ID], Columns={"Include_CSV": " a,"})
    assert parsed(body_of(group(), other)).groups == [
        AskedGroup(event_code="12003", ids=[ID], include_csv="Owner"),
        AskedGroup(event_code="12001", ids=["x", ID, ID], include_csv=" a,"),
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "APPLICATION/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8;x=y",
        " application/json ",
        "application/vnd.api+json",
    ],
)
def test_json_media_types_are_taken(content_type: str) -> None:
    """``application/json`` in any case, with parameters, and its relatives."""
    assert len(parsed(body_of(group()), content_type).groups) == 1


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/x-www-form-urlencoded", "json", "text/json"]
)
def test_other_media_types_are_refused(content_type: str) -> None:
    """A body that is not said to be JSON is refused, naming what it was said to be."""
    with pytest.raises(WrongContentType, match="application/json"):
        parsed(body_of(group()), content_type)


def test_what_surrounds_the_object_does_no_harm() -> None:
    """A byte order mark, blanks and unknown keys, at any depth, are ignored."""
    body = {"SearchParameters": [group(More=[1]) | {"x": {}}], "SearchParameter": 1, "": None}
    body["SearchParameters"][0]["Columns"]["More"] = "x"  # type: ignore[index]  # JSON
    assert len(parsed(b"\xef\xbb\xbf \r\n" + json.dumps(body).encode() + b"\n ").groups) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"", b"  \n", b"\xef\xbb\xbf", b"{", b"{}x", b"{'a':1}", b"\xff\xfe{\x00}\x00", b"nul",
        b'{"SearchParameters":[{"EventCode":"\xff"}]}', b'{"a":' * 199, b"\x00",
        b'{"SearchParameters": [NaN]}', b'{"SearchParameters":[],}',
        b'{"SearchParameters":[{"EventCode":"\\ud800"}]}',
    ],
)  # fmt: skip
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    """No body, no JSON or no UTF-8 is a malformed request."""
    with pytest.raises(MalformedBody):
        parsed(body)


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_body_that_is_nested_too_deeply_is_refused(depth: int) -> None:
    """Valid JSON of any depth, in a key that is ignored, is no fault."""
    nested = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    with pytest.raises((MalformedBody, MissingAttribute)):
        parsed(nested)


@pytest.mark.parametrize("value", [[], "x", 1, 1.5, True, None])
def test_a_body_that_is_no_object_is_refused(value: object) -> None:
    """Any JSON that is no object is named by the place ``$``."""
    with pytest.raises(WrongDataType, match=r"^\$: "):
        parsed(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        ({"SearchParameters": {}}, "$.SearchParameters"),
        ({"SearchParameters": "x"}, "$.SearchParameters"),
        ({"SearchParameters": [1]}, "$.SearchParameters[0]"),
        ({"SearchParameters": [group(), None]}, "$.SearchParameters[1]"),
        ({"SearchParameters": [group(EventCode=1.5)]}, "$.SearchParameters[0].EventCode"),
        ({"SearchParameters": [group(EventCode=True)]}, "$.SearchParameters[0].EventCode"),
        ({"SearchParameters": [group(EventCode=[])]}, "$.SearchParameters[0].EventCode"),
        (
            {"SearchParameters": [group(ProspectActivityId=ID)]},
            "$.SearchParameters[0].ProspectActivityId",
        ),
        (
            {"SearchParameters": [group(), group(ProspectActivityId=[ID, 1])]},
            "$.SearchParameters[1].ProspectActivityId[1]",
        ),
        (
            {"SearchParameters": [group(ProspectActivityId=[None])]},
            "$.SearchParameters[0].ProspectActivityId[0]",
        ),
        ({"SearchParameters": [group(Columns="Owner")]}, "$.SearchParameters[0].Columns"),
        (
            {"SearchParameters": [group(Columns={"Include_CSV": ["Owner"]})]},
            "$.SearchParameters[0].Columns.Include_CSV",
        ),
    ],
)
def test_a_wrong_type_is_named_with_its_place(bad: object, place: str) -> None:
    """The place of a wrong type and the type that was expected are in the message."""
    with pytest.raises(WrongDataType) as refused:
        parsed(json.dumps(bad).encode())
    assert str(refused.value).startswith(f"{place}: Expected ")


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        ({}, "'SearchParameters' is mandatory"),
        ({"SearchParameters": None}, "'SearchParameters' is mandatory"),
        ({"SearchParameters": []}, "'SearchParameters' is mandatory"),
        ({"searchparameters": [group()]}, "'SearchParameters' is mandatory"),
        *(
            (
                {"SearchParameters": [group(), group(**{name: value})]},
                f"'{name}' is mandatory in SearchParameters[1]",
            )
            for name, value in _ABSENT
        ),
        *(
            (
                {"SearchParameters": [group(Columns=columns)]},
                "'Include_CSV' is mandatory in SearchParameters[0].Columns",
            )
            for columns in (
                {},
                {"Include_CSV": None},
                {"Include_CSV": ""},
                {"Include_CSV": " ,\t,\n"},
                {"Include_CSV": ",\u00a0,\u2003"},
            )
        ),
    ],
)
def test_what_is_missing_is_named(bad: object, name: str) -> None:
    """A mandatory member that is missing, null or empty is named with its place."""
    with pytest.raises(MissingAttribute) as refused:
        parsed(json.dumps(bad).encode())
    assert str(refused.value).startswith(name)


def test_a_body_past_the_limit_is_refused() -> None:
    """A body that the door did not read whole is too large, whatever else is wrong with it."""
    with pytest.raises(BodyTooLarge, match="1000 bytes"):
        parsed(None, "text/plain")


def test_a_hundred_groups_are_taken_and_no_more() -> None:
    """The number of groups is limited; the number and the limit are named."""
    body = body_of(*[group()] * 100)
    assert len(parsed(body).groups) == 100
    with pytest.raises(LimitExceeded, match=r"101 .* 100"):
        parsed(body_of(*[group()] * 101))


@pytest.mark.parametrize("digits", ["0", "-1", "9" * 18, str(2**63), str(2**64), "1" * 4_000])
def test_an_event_code_may_be_any_number(digits: str) -> None:
    """A number that is too large for a machine is an event code like others."""
    body = body_of(group(EventCode="?")).replace(b'"?"', digits.encode())
    assert parsed(body).groups[0].event_code == digits


def test_a_number_of_too_many_digits_is_refused() -> None:
    """A number that Python would not read is a wrong type, not a fault."""
    body = body_of(group(EventCode="?")).replace(b'"?"', b"1" * 10_000)
    with pytest.raises(WrongDataType, match="EventCode"):
        parsed(body)
