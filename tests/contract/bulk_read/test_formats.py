"""The bulk read's formats over a socket: chosen by ``Accept``, and what rows are in each."""

import csv
import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oppserver.contract.model import DataType
from oppserver.store import open_store
from tests.support.running import (
    BULK_READ,
    Answer,
    Keys,
    Server,
    asking,
    create_key,
    group,
    serving,
)
from tests.support.stores import NOW, field, guid, lead, opportunity, owner
from tests.support.world import NOTE, OTHER_CODE, OTHER_ID, SPARSE_ID, WIDE_CODE, WIDE_ID

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
ALL = [JSON, NDJSON, CSV, ARROW, PARQUET]

ONE = asking(group([WIDE_ID, SPARSE_ID], "Status,CreatedOn,OpportunityNote", code=WIDE_CODE))
TWO = asking(
    group([WIDE_ID], "Status,mx_Custom_1", code=WIDE_CODE),
    group([OTHER_ID, SPARSE_ID], "CreatedOn,Status", code=OTHER_CODE),
    group([SPARSE_ID], "mx_Custom_2", code=WIDE_CODE),
)


def answered(server: Server, accept: str, message: Any = ONE, query: str = "") -> Answer:
    answer = server.post(message, path=f"{BULK_READ}?{query}", Accept=accept)
    assert answer.status == 200, answer.body
    return answer


def arrow(answer: Answer) -> Any:
    """The table of an Arrow stream or a Parquet file."""
    if answer.headers["content-type"] == PARQUET:
        return pq.read_table(io.BytesIO(answer.body))
    return pa.ipc.open_stream(answer.body).read_all()


def records(answer: Answer) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))


# --- which format ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", CSV),
        *((media_type, media_type) for media_type in ALL),
        ("TEXT/CSV", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("text/csv;q=0.5, application/x-ndjson", NDJSON),
        ("text/csv, */*", JSON),
        ("text/csv, */*;q=0.1", CSV),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/json;q=0, application/*", NDJSON),
        ("application/xml, application/vnd.apache.parquet;q=0.001", PARQUET),
        pytest.param("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON, id="H1"),
        ("*", JSON),
        ("*;q=0.5, text/csv;q=.4", JSON),
        ("application/json;q=.4, text/csv;q=.5", CSV),
        ("application/json;q=0., text/csv;q=1.0000", CSV),
        ("text/csv;Q=0.9, application/json ; Q=0.1", CSV),
        ("text/csv\t;\tq = 0.9,\tapplication/json;q=0.1", CSV),
        (", ,text/csv,,", CSV),
        ('text/csv;header="a,b;q=0";q=0.9, application/json;q=0.1', CSV),
        ('text/csv;note="a\\"b, */*";q="0.9", application/json;q=0.1', CSV),
        ("application/json;odata=verbose", JSON),
        ("application/json;q=1.5", JSON),
        ("text/csv;q=5, application/json;q=0.5", CSV),
        ("text/csv;q=x", CSV),
        ("text/csv;q=", CSV),
        ("text/csv;q=-1, */*", JSON),
        ("text/*;q=0.3, application/*;q=0.2", CSV),
        ("application/json;q=0, *;q=.1", NDJSON),
    ],
)
def test_the_format_is_the_one_that_the_caller_likes_best(
    server: Server, accept: str, chosen: str
) -> None:
    """By weights, then by how much a range names; JSON where all is the same to the caller."""
    answer = answered(server, accept)
    assert answer.headers["content-type"].partition(";")[0] == chosen
    assert answer.headers["vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    "accept",
    ["application/xml", "text/html", "json", "*/*;q=0", "*;q=0.", "text/csv;q=0", "text/csv;q=-1"],
)
def test_an_unknown_format_is_406_with_the_list(server: Server, accept: str) -> None:
    """In the envelope of every error, after keys and limit."""
    answer = server.post(ONE, Accept=accept)
    assert (answer.status, answer.exception_type) == (406, "MXNotAcceptableException")
    for media_type in ALL:
        assert media_type in answer.message
    assert server.post(ONE, keys=Keys("x", "y"), Accept=accept).status == 401


def test_several_accept_fields_are_one(server: Server) -> None:
    """A field may be sent in several lines (RFC 9110, 5.3)."""
    connection = server.connect()
    connection.putrequest("POST", BULK_READ)
    body = json.dumps(ONE).encode()
    headers = {"Content-Type": JSON, "Content-Length": str(len(body)), **server.keys.headers}
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.putheader("Accept", "application/xml")
    connection.putheader("Accept", "text/csv")
    connection.endheaders(body)
    response = connection.getresponse()
    assert (response.status, response.headers["content-type"].partition(";")[0]) == (200, CSV)
    connection.close()


@pytest.mark.parametrize("accept", ALL)
def test_every_format_counts_in_headers(server: Server, accept: str) -> None:
    """Every format reports the numbers of requested, found and missing ids."""
    headers = answered(server, accept, TWO).headers
    assert [headers[f"x-opportunities-{name}"] for name in ("requested", "found", "missing")] == [
        "3",
        "3",
        "0",
    ]


def test_text_is_encoded_and_the_rest_is_not(server: Server) -> None:
    """A content coding makes text smaller; Arrow and Parquet pack themselves."""
    ids = [WIDE_ID] + [guid(number) for number in range(5)]
    columns = ",".join(f"mx_Custom_{number}" for number in range(1, 120))
    message = asking(group(ids, columns, code=WIDE_CODE))
    for accept in ALL:
        plain = answered(server, accept, message)
        zipped = server.post(message, Accept=accept, Accept_Encoding="gzip")
        if accept in (ARROW, PARQUET):
            assert "content-encoding" not in zipped.headers
            assert zipped.body == plain.body
        else:
            assert zipped.headers["content-encoding"] == "gzip"
            assert gzip.decompress(zipped.body) == plain.body


@pytest.mark.parametrize("accept", ALL[1:])
def test_missing_ids_need_json(server: Server, accept: str) -> None:
    """Rows alone have no place for it: 400 that says where it is to be had."""
    answer = server.post(ONE, path=f"{BULK_READ}?missing=true", Accept=accept)
    assert (answer.status, answer.exception_type) == (400, "MXInvalidInputException")
    assert "'missing'" in answer.message
    assert JSON in answer.message


@pytest.mark.parametrize("query", ["csv_formulas=drop", "types=float", "types=Text2"])
def test_an_unknown_word_in_the_query_is_a_400(server: Server, query: str) -> None:
    """That names the parameter and the words."""
    answer = server.post(ONE, path=f"{BULK_READ}?{query}")
    assert (answer.status, answer.exception_type) == (400, "MXInvalidInputException")
    assert query.partition("=")[0] in answer.message


# --- NDJSON ------------------------------------------------------------------------------------


def test_ndjson_has_the_rows_of_json_a_line_each(server: Server) -> None:
    """The same members and values, after the type."""
    lines = answered(server, NDJSON).body.decode().splitlines()
    rows = [json.loads(line, object_pairs_hook=list) for line in lines]
    [entry] = answered(server, JSON).json
    expected = [[["EventCode", str(WIDE_CODE)], *row.items()] for row in entry["Opportunities"]]
    assert [[list(pair) for pair in row] for row in rows] == [
        [list(pair) for pair in row] for row in expected
    ]


def test_ndjson_of_several_entries_tells_them_apart(server: Server) -> None:
    """``Entry`` is the place in SearchParameters; each row has the columns of its entry."""
    lines = answered(server, NDJSON, TWO).body.decode().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [(row["Entry"], row["EventCode"], row["ProspectActivityId"]) for row in rows] == [
        (0, str(WIDE_CODE), WIDE_ID),
        (1, str(OTHER_CODE), OTHER_ID),
        (2, str(WIDE_CODE), SPARSE_ID),
    ]
    assert list(rows[1])[5:] == ["CreatedOn", "Status"]


def test_event_code_that_is_asked_for_is_not_repeated(server: Server) -> None:
    """It stands first in every format of rows."""
    message = asking(group([WIDE_ID], "Status,EventCode", code=WIDE_CODE))
    [line] = answered(server, NDJSON, message).body.splitlines()
    assert list(json.loads(line)) == records(answered(server, CSV, message))[0]
    assert list(json.loads(line))[0::4] == ["EventCode", "Status"]


# --- CSV ---------------------------------------------------------------------------------------


def test_csv_has_a_header_and_a_record_for_each_row(server: Server) -> None:
    """RFC 4180: quoted where it has to be; what is not set is empty; dates as they are stored."""
    answer = answered(server, CSV)
    assert answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    assert answer.body.count(b"\r\n") == answer.body.count(b"\r") == 3
    header, wide, sparse = records(answer)
    assert header == [
        *("EventCode", "ProspectId", "EmailAddress", "ProspectActivityId"),
        *("Status", "CreatedOn", "OpportunityNote"),
    ]
    assert wide[3:] == [WIDE_ID, "Open", "2024-02-29 00:00:00", NOTE]
    assert sparse[3:] == [SPARSE_ID, "", "2024-01-01 23:59:59", ""]


def test_csv_of_several_entries_has_the_columns_of_all(server: Server) -> None:
    """Each column once, in the order in which they come up; other entries' cells are empty."""
    header, first, second, third = records(answered(server, CSV, TWO))
    assert header[:2] == ["Entry", "EventCode"]
    assert header[5:] == ["Status", "mx_Custom_1", "CreatedOn", "mx_Custom_2"]
    assert first[5:] == ["Open", "value 1", "", ""]
    assert (second[0], second[1], second[5:]) == (
        "1",
        str(OTHER_CODE),
        ["", "", "2024-05-05 05:05:05", ""],
    )
    assert third[0] == "2"


@pytest.mark.parametrize("accept", [NDJSON, CSV, ARROW, PARQUET])
def test_nothing_found_is_a_whole_answer(server: Server, accept: str) -> None:
    """No lines; a header; an empty table with its columns."""
    answer = answered(server, accept, asking(group([guid(99)], "Status", code=WIDE_CODE)))
    if accept == NDJSON:
        assert answer.body == b""
    elif accept == CSV:
        assert answer.body == b"EventCode,ProspectId,EmailAddress,ProspectActivityId,Status\r\n"
    else:
        table = arrow(answer)
        assert (table.num_rows, table.column_names[-1]) == (0, "Status")


# --- typed formats -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server over opportunities with values of every type."""
    folder = tmp_path_factory.mktemp("typed")
    store = open_store(f"sqlite:///{folder / 'oppserver.db'}")
    kinds = {1: DataType.NUMBER, 2: DataType.DATE_TIME, 3: DataType.BOOLEAN, 4: DataType.STRING}
    store.put_fields(
        [field(slot, data_type=kind, display_name=f"My {kind}") for slot, kind in kinds.items()]
    )
    store.put_fields([field(1, event_code=12_001, data_type=DataType.STRING)])
    names = [f"mx_custom_{slot}" for slot in kinds]

    def one(number: int, *values: str, **more: Any) -> Any:
        return opportunity(number, slots=dict(zip(names, values, strict=False)), **more)

    store.write_opportunities(
        [
            one(1, "1234567.10", "2024-02-29 13:05:09", "1", "=1+1", owner_id=owner(1)),
            one(2, "-0.0000000001", "4/6/2023 3:23:34 PM", "No", "+x"),
            one(3, "9" * 28, "2024-02-29", "TRUE", "-5"),
            one(4),
            one(5, "twelve", "soon", "maybe", "@y"),
            one(6, "0.12345678901", "2024-02-30 00:00:00"),
            one(7, "n/a", event_code=12_001),
        ],
        now=NOW,
    )
    store.close()
    with serving(folder, keys=create_key(folder)) as server:
        yield server


COLUMNS = "CreatedOn,Owner,mx_Custom_1,mx_Custom_2,mx_Custom_3,mx_Custom_4"
TYPED = asking(group([guid(n) for n in (1, 2, 3, 4)], COLUMNS, code=12_000))


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_columns_are_typed_from_their_fields(typed: Server, accept: str) -> None:
    """Numbers to the last digit, dates as moments in UTC, booleans; what is not set is null."""
    table = arrow(answered(typed, accept, TYPED))
    rows = table.to_pylist()
    seconds = {"CreatedOn": datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC)}
    assert rows[0] == {
        "EventCode": 12_000,
        "ProspectId": lead(1),
        "EmailAddress": None,
        "ProspectActivityId": guid(1),
        **seconds,
        "Owner": owner(1),
        "OwnerEmailAddress": None,
        "mx_Custom_1": Decimal("1234567.10"),
        "mx_Custom_2": datetime(2024, 2, 29, 13, 5, 9, tzinfo=UTC),
        "mx_Custom_3": True,
        "mx_Custom_4": "=1+1",
    }
    assert [row["mx_Custom_1"] for row in rows[1:]] == [
        Decimal("-1E-10"),
        Decimal("9" * 28),
        None,
    ]
    assert [row["mx_Custom_2"] for row in rows[1:]] == [
        datetime(2023, 4, 6, 15, 23, 34, tzinfo=UTC),
        datetime(2024, 2, 29, tzinfo=UTC),
        None,
    ]
    assert [row["mx_Custom_3"] for row in rows[1:]] == [False, True, None]
    assert table.schema.field("mx_Custom_1").type == pa.decimal128(38, 10)
    unit = "s" if accept == ARROW else "ms"  # Parquet has no seconds
    assert table.schema.field("CreatedOn").type == pa.timestamp(unit, tz="UTC")
    assert table.schema.field("mx_Custom_1").metadata[b"display_name"] == b"My Number"


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
@pytest.mark.parametrize(
    ("number", "column"),
    [
        (5, "mx_Custom_1"),
        pytest.param(6, "mx_Custom_1", id="V2"),
        (5, "mx_Custom_2"),
        (6, "mx_Custom_2"),
        (5, "mx_Custom_3"),
    ],
)
def test_a_stored_value_that_is_not_of_its_type_is_null(
    typed: Server, accept: str, number: int, column: str
) -> None:
    """It hides no other value; never another number in its place."""
    message = asking(group([guid(1), guid(number)], column, code=12_000))
    first, second = arrow(answered(typed, accept, message)).column(column).to_pylist()
    assert first is not None
    assert second is None


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_all_values_can_be_had_as_text(typed: Server, accept: str) -> None:
    """``types=text``: whatever is stored, as it is stored."""
    message = asking(group([guid(5), guid(6), guid(4)], COLUMNS, code=12_000))
    table = arrow(answered(typed, accept, message, "types=text"))
    assert set(table.schema.types) == {pa.string()}
    assert table.column("mx_Custom_1").to_pylist() == ["twelve", "0.12345678901", None]
    assert table.column("mx_Custom_2").to_pylist()[0] == "soon"
    assert table.column("CreatedOn").to_pylist()[0] == NOW


@pytest.mark.parametrize("accept", [ARROW, PARQUET])
def test_a_column_that_types_differ_in_is_text(typed: Server, accept: str) -> None:
    """A table has one type for a column; a value is never bent to fit it."""
    message = asking(
        group([guid(1)], "mx_Custom_1,mx_Custom_2", code=12_000),
        group([guid(7)], "mx_Custom_1", code=12_001),
    )
    table = arrow(answered(typed, accept, message))
    assert table.column("mx_Custom_1").to_pylist() == ["1234567.10", "n/a"]
    assert table.column("mx_Custom_2").null_count == 1
    assert table.column("Entry").to_pylist() == [0, 1]
    assert table.column("EventCode").to_pylist() == [12_000, 12_001]


def test_formulas_are_made_harmless_when_asked(typed: Server) -> None:
    """A value that a spreadsheet would calculate gets an apostrophe; others are as stored."""
    message = asking(group([guid(n) for n in (1, 2, 3, 5)], "mx_Custom_4", code=12_000))
    plain = [record[-1] for record in records(answered(typed, CSV, message))]
    escaped = [
        record[-1] for record in records(answered(typed, CSV, message, "csv_formulas=escape"))
    ]
    assert plain == ["mx_Custom_4", "=1+1", "+x", "-5", "@y"]
    assert escaped == ["mx_Custom_4", "'=1+1", "'+x", "'-5", "'@y"]


def test_without_the_extra_the_typed_formats_are_406(tmp_path: Path) -> None:
    """That names the extra; a caller that also takes text gets text."""
    store = open_store(f"sqlite:///{tmp_path / 'oppserver.db'}")
    store.write_opportunities([opportunity(1)], now=NOW)
    store.close()
    keys = create_key(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pyarrow'] = None\n")
    message = asking(group([guid(1)], "Status", code=12_000))
    with serving(tmp_path, keys=keys, environment={"PYTHONPATH": str(tmp_path)}) as server:
        answer = server.post(message, Accept=PARQUET)
        assert answer.status == 406
        assert "pip install pyarrow" in answer.message
        assert answered(server, f"{ARROW}, {CSV};q=0.1", message).body.startswith(b"EventCode,")
        assert answered(server, "application/*", message).headers["content-type"] == JSON
