"""``GET /v1/opportunities`` over a socket: whole types, formats, cursors, refusals."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
from pyarrow import parquet

from oppserver.contract.limits import STREAM_UNIT_IDS
from oppserver.contract.model import DataType
from oppserver.store import Store, open_store
from tests.support.databases import database_of, execute, kept_in
from tests.support.running import Answer, Server, create_key, serving
from tests.support.stores import NOW, field, guid, opportunity

ENGINES = ["sqlite", "postgres"]

ROWS = 2 * STREAM_UNIT_IDS + 500
FORMATS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with a database of two types, one of which takes several pages."""
    folder = kept_in(tmp_path_factory.mktemp("export"), folder_engine)
    store = open_store(database_of(folder))
    store.put_fields([field(1, display_name="Deal size", data_type=DataType.NUMBER)])
    store.write_opportunities(
        [
            opportunity(
                number,
                status="Open",
                modified_on=f"2024-01-{1 + number % 28:02d} 00:00:00",
                slots={"mx_custom_1": str(number)},
            )
            for number in range(ROWS)
        ],
        now=NOW,
    )
    store.write_opportunities([opportunity(9_999, event_code=12_001)], now=NOW)
    store.close()
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server over the database, with a reader's key."""
    with serving(folder, keys=create_key(folder, role="reader")) as running:
        yield running


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """The database as another process has it."""
    opened = open_store(database_of(folder))
    yield opened
    opened.close()


def asked(server: Server, form: str = "ndjson", **query: Any) -> Answer:
    headers = {**server.keys.headers, "Accept": FORMATS[form]}
    path = f"/v1/opportunities?{urlencode({'event_code': 12_000} | query)}"
    return server.call("GET", path, headers=headers)


def lines(answer: Answer) -> tuple[list[Any], Any]:
    """The rows and the end of an export as NDJSON."""
    assert answer.status == 200, answer.body
    *rows, end = map(json.loads, answer.body.splitlines())
    assert end["End"]["RecordCount"] == len(rows)
    return rows, end["End"]


def ids(rows: list[Any]) -> list[str]:
    return [row["ProspectActivityId"] for row in rows]


def refused(answer: Answer, status: int = 400) -> Any:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    [fault] = answer.json["errors"]
    return fault


def test_a_whole_type_in_the_order_of_ids(server: Server) -> None:
    """Every row once, with all columns of the type; the end has the number and a digest."""
    rows, end = lines(asked(server))
    assert ids(rows) == [guid(number) for number in range(ROWS)]
    assert rows[7]["mx_Custom_1"] == "7"
    assert (rows[7]["EventCode"], rows[7]["OpportunityNote"]) == ("12000", None)
    assert (end["HasMore"], end["Cursor"]) == (False, None)
    digest = hashlib.sha256(b"".join(b"%b 1\n" % one.encode() for one in ids(rows)))
    assert end["Digest"] == digest.hexdigest()


def test_every_format_has_the_same_rows(server: Server) -> None:
    """Typed where the format has types."""
    query: dict[str, Any] = {"columns": "mx_Custom_1", "limit": STREAM_UNIT_IDS + 7}
    rows, end = lines(asked(server, **query))
    document = asked(server, "json", **query).json
    assert document.pop("Opportunities") == rows
    assert document == end
    table = pa.ipc.open_stream(asked(server, "arrow", **query).body).read_all()
    assert table.column("ProspectActivityId").to_pylist() == ids(rows)
    assert pa.types.is_decimal(table.schema.field("mx_Custom_1").type)
    assert parquet.read_table(io.BytesIO(asked(server, "parquet", **query).body)).equals(table)
    records = asked(server, "csv", **query, csv_end="record").body.decode().splitlines()
    assert records[1].startswith("12000,") and len(records) == len(rows) + 2
    assert records[-1].startswith("End,")


def test_rows_since_a_date(server: Server) -> None:
    """In any of the forms of dates; the day itself belongs to it."""
    for since in ("2024-01-28", "2024-01-28 00:00:00", "1/28/2024 12:00:00 AM"):
        rows, _ = lines(asked(server, columns="ModifiedOn", modified_since=since))
        assert {row["ModifiedOn"] for row in rows} == {"1/28/2024 12:00:00 AM"}
        assert len(rows) == ROWS // 28
    assert lines(asked(server, modified_since="2024-02-01"))[0] == []
    empty = asked(server, "json", modified_since="2024-02-01").json
    assert (empty["Opportunities"], empty["RecordCount"]) == ([], 0)


def test_pages_of_an_export(server: Server) -> None:
    """With a limit the end has a cursor, which goes on; together they are the whole."""
    found: list[str] = []
    cursor: dict[str, Any] = {}
    for _ in range(3):
        rows, end = lines(asked(server, limit=1_500, columns="Status", **cursor))
        found += ids(rows)
        cursor = {"cursor": end["Cursor"]}
    assert not end["HasMore"]
    assert found == [guid(number) for number in range(ROWS)]


def test_an_export_that_was_cut_goes_on_behind_the_last_row(server: Server) -> None:
    """The cursor is in a header too, before all rows; ``after`` is the last one that has come."""
    answer = asked(server, columns="Status")
    half = ids([json.loads(line) for line in answer.body.splitlines()[:3_000]])
    rest, end = lines(
        asked(server, columns="Status", cursor=answer.headers["x-cursor"], after=half[-1].upper())
    )
    assert half + ids(rest) == [guid(number) for number in range(ROWS)]
    assert end["ChangesCursor"] == lines(answer)[1]["ChangesCursor"]


def test_changes_go_on_where_an_export_began(server: Server, store: Store) -> None:
    """Writes while rows came are reported, and nothing else."""
    _, end = lines(asked(server, limit=1))
    store.write_opportunities([opportunity(3, status="Won")], now=NOW)
    told = server.get(f"/v1/changes?cursor={end['ChangesCursor']}&event_code=12000").json
    assert ids(told["Changes"]) == [guid(3)]
    store.write_opportunities(
        [opportunity(3, status="Open", modified_on="2024-01-04 00:00:00")], now=NOW
    )


BAD: list[tuple[dict[str, Any], str]] = [
    ({"event_code": ""}, "event_code"),
    ({"event_code": "5"}, "event_code"),
    ({"columns": "Stats"}, "columns"),
    ({"modified_since": "yesterday"}, "modified_since"),
    ({"after": "x"}, "after"),
    ({"limit": "0"}, "limit"),
    ({"cursor": "x"}, "cursor"),
    ({"modified_sinse": "2024-01-01"}, "modified_sinse"),
    ({"types": "x"}, "types"),
]


def test_a_bad_parameter_is_named(server: Server) -> None:
    """The error says what is wrong and what to do; so for an unknown format."""
    for query, parameter in BAD:
        fault = refused(asked(server, **query))
        assert fault["parameter"] == parameter
        assert fault["hint"]
    headers = {**server.keys.headers, "Accept": "image/png"}
    path = "/v1/opportunities?event_code=12000"
    assert "application/x-ndjson" in server.call("GET", path, headers=headers).json["detail"]
    assert server.call("GET", path).status == 401
    answer = server.call("POST", path, headers=server.keys.headers)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_cursors_of_exports(server: Server, folder: Path) -> None:
    """They go on with what they began with, in the database that gave them."""
    _, end = lines(asked(server, limit=1))
    cursor = {"cursor": end["Cursor"]}
    assert "given with" in refused(asked(server, modified_since="2024-01-01", **cursor))["what"]
    assert refused(asked(server, cursor=end["ChangesCursor"]))["parameter"] == "cursor"
    [(identity,)] = execute(folder, "SELECT id FROM database_identity")
    execute(folder, "UPDATE database_identity SET id = 'another'")
    assert "another database" in refused(asked(server, **cursor), 410)["what"]
    execute(folder, "UPDATE database_identity SET id = :identity", identity=identity)


def test_an_export_counts_for_every_2000_rows(folder: Path) -> None:
    """4,500 rows are three calls."""
    keys = create_key(folder, role="reader", email="counted@example.com")
    with serving(folder, "--rate-limit", "10/600", keys=keys) as server:
        assert len(lines(asked(server, columns="Status"))[0]) == ROWS
        answer = asked(server, limit=1)
        assert "r=6;" in answer.headers["ratelimit"]
