"""A real server on a socket, and whatever Hypothesis thinks of: 200 or a named 4xx, never more."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from copy import deepcopy
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oppserver.contract.errors import HTTP_ERRORS
from tests.property.laws import examples
from tests.support.running import BULK_READ, Answer, Server, asking, group, read
from tests.support.stores import guid
from tests.support.world import DELETED_ID, OTHER_CODE, OTHER_ID, SPARSE_ID, WIDE_CODE, WIDE_ID

ENGINES = ["sqlite", "postgres"]

REFUSALS = {(error.status, error.exception_type) for error in HTTP_ERRORS if error.status < 500}


def sent(server: Server, body: bytes, path: str = BULK_READ, **headers: str) -> Answer:
    """The answer to a body; its connection is good for another call, or is said to close."""
    given_headers = {"Content-Type": "application/json", **server.keys.headers}
    given_headers |= {name.replace("_", "-"): value for name, value in headers.items()}
    with closing(server.connect()) as connection:
        connection.request("POST", path, body, given_headers)
        answer = read(connection.getresponse())
        if answer.headers.get("connection", "").lower() != "close":
            assert connection.sock is not None
            connection.request("GET", "/health/live")
            assert read(connection.getresponse()).status == 200
        return answer


def is_answer(answer: Answer) -> bool:
    """Return whether an answer is 200 in the documented form; others are named refusals."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    if answer.status != 200:
        assert (answer.status, answer.exception_type) in REFUSALS
        assert list(answer.json) == ["Status", "ExceptionType", "ExceptionMessage"]
        assert answer.json["Status"] == "Error"
        assert answer.message
        return False
    for entry in answer.json:
        assert list(entry) == ["EventCode", "RecordCount", "Opportunities"]
        assert entry["RecordCount"] == len(entry["Opportunities"])
        for row in entry["Opportunities"]:
            assert all(value is None or isinstance(value, str) for value in row.values())
    return True


def faults(server: Server) -> list[dict[str, Any]]:
    """The faults that the server had no name for."""
    return [line for line in server.log() if line["event"] == "fault"]


@pytest.fixture(autouse=True, scope="module")
def _is_well(server: Server) -> Iterator[None]:
    """The server that took it all still runs, and its log names no fault."""
    before = faults(server)
    yield
    assert server.process.poll() is None
    assert faults(server) == before


# --- bodies ------------------------------------------------------------------------------------

names = st.sampled_from(
    ["SearchParameters", "EventCode", "ProspectActivityId", "Columns", "Include_CSV"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**200), 2**200)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([WIDE_ID, OTHER_ID, WIDE_CODE, "12003", "Owner", "\ud800", "\0", "9" * 400])
)
shapes = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(names | st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)
asked_ids = st.sampled_from([WIDE_ID, SPARSE_ID, DELETED_ID, OTHER_ID, guid(1), OTHER_ID.upper()])
asked_columns = st.sampled_from(
    ["Owner", "CreatedOn", "mx_Custom_1", " status ", "ProspectId", "Nothing", "", "mx_Custom_251"]
)
groups = st.builds(
    lambda some, columns, code: group(some, ",".join(columns), code=code),
    st.lists(asked_ids, min_size=1, max_size=5),
    st.lists(asked_columns, min_size=1, max_size=4),
    st.sampled_from([WIDE_CODE, str(WIDE_CODE), OTHER_CODE, 12_001, "12003", 99]),
)
messages = st.lists(groups, min_size=1, max_size=4).map(lambda some: asking(*some))


@st.composite
def altered(draw: st.DrawFn, valid: st.SearchStrategy[Any] = messages) -> Any:
    """A valid message in which one place, wherever it is, holds something else or nothing."""
    message = deepcopy(draw(valid))
    place: Any = message
    while True:
        at = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        inner = place[at]
        if not (isinstance(inner, dict | list) and inner) or draw(st.booleans()):
            break
        place = inner
    if draw(st.booleans()):
        place[at] = draw(shapes)
    else:
        del place[at]
    return message


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The bytes of a valid message in which a stretch is missing, doubled or something else."""
    data = json.dumps(draw(messages)).encode()
    begins = draw(st.integers(0, len(data)))
    ends = draw(st.integers(begins, min(len(data), begins + 40)))
    stretch = data[begins:ends]
    return data[:begins] + draw(st.binary(max_size=4) | st.just(stretch * 2)) + data[ends:]


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_a_message_of_the_right_shape_is_answered_or_named(server: Server) -> None:
    """Known and unknown types, ids and columns; of such messages some are 200 and some are not."""
    seen = set()

    @given(body=messages.map(dumped))
    @examples(60)
    def fuzz(body: bytes) -> None:
        seen.add(is_answer(sent(server, body)))

    fuzz()
    assert seen == {True, False}


@given(body=st.binary(max_size=300) | st.text(max_size=100).map(lambda t: t.encode("utf-16")))
@examples(150)
def test_any_bytes_are_answered(server: Server, body: bytes) -> None:
    """Bytes that are nothing."""
    assert not is_answer(sent(server, body))


@given(body=shapes.map(dumped))
@examples(300)
def test_json_of_any_shape_is_answered(server: Server, body: bytes) -> None:
    """Numbers without an end, lone surrogates, NaN, wrong types at any depth."""
    is_answer(sent(server, body))


@given(body=altered().map(dumped))
@examples(500)
def test_a_message_with_one_thing_wrong_is_answered(server: Server, body: bytes) -> None:
    """Whatever stands in one place of a message, or does not."""
    is_answer(sent(server, body))


@given(body=damaged())
@examples(300)
def test_a_damaged_message_is_answered(server: Server, body: bytes) -> None:
    """Bytes cut out, doubled, or put in."""
    is_answer(sent(server, body))


# --- what stands around a body -----------------------------------------------------------------

header_values = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30)
header_names = st.sampled_from(
    [
        *("Content_Type", "Accept", "Accept_Encoding", "Content_Encoding", "Origin", "Cookie"),
        *("x_LSQ_AccessKey", "x_LSQ_SecretKey", "X_Request_Id", "X_HTTP_Method_Override"),
    ]
)


@given(
    body=messages.map(dumped) | st.binary(max_size=20),
    headers=st.dictionaries(header_names, header_values | st.just("application/json"), max_size=3),
)
@examples(200)
def test_any_headers_are_answered(server: Server, body: bytes, headers: Mapping[str, str]) -> None:
    """Invalid keys, encodings and types."""
    is_answer(sent(server, body, **headers))


@given(query=st.binary(max_size=40), path=st.sampled_from(["", "/", "//", "x", "/../x", "%00"]))
@examples(150)
def test_any_query_is_answered(server: Server, query: bytes, path: str) -> None:
    """Whatever the query holds, and however the path ends."""
    is_answer(sent(server, b"{}", f"{BULK_READ}{path}?{quote_from_bytes(query, safe='=&;%')}"))


@given(path=st.binary(max_size=40))
@examples(150)
def test_any_path_is_answered(server: Server, path: bytes) -> None:
    """Bytes that are no text, and characters that mean something elsewhere."""
    is_answer(sent(server, b"{}", f"/x{quote_from_bytes(path)}"))
