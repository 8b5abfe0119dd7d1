"""``POST /v1/opportunities/read`` over a socket: ids in every form, rows in every format."""

import csv
import gzip
import io
import json
import subprocess
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from tests.support.running import Answer, Server, asking, group
from tests.support.streaming import (
    ARROW,
    CSV,
    JSON_LINES,
    PARQUET,
    PLAIN,
    READ,
    arrow_of,
    digest_of,
    end_of,
    plain,
    read_stream,
    records,
    rows_of,
    streaming,
)
from tests.support.world import DELETED_ID, OTHER_CODE, OTHER_ID, SPARSE_ID, WIDE_CODE, WIDE_ID

ENGINES = ["sqlite", "postgres"]

UNKNOWN_ID = "99999999-9999-4999-8999-999999999999"
QUERY = f"event_code={WIDE_CODE}&columns=Status,CreatedOn,Version"
ASKED = [WIDE_ID, UNKNOWN_ID, SPARSE_ID, DELETED_ID, OTHER_ID, WIDE_ID]


def counted(end: dict[str, Any]) -> list[int]:
    return [end[name] for name in ("Requested", "Found", "Missing", "Repeated", "Skipped")]


def note_of(answer: Answer, name: str = "End") -> Any:
    """The end in the last batch of an Arrow stream."""
    stream = pa.ipc.open_stream(answer.body)
    notes = []
    while True:
        try:
            batch, metadata = stream.read_next_batch_with_custom_metadata()
        except StopIteration:
            break
        if metadata:
            notes.append((batch.num_rows, dict(metadata)))
    [(number, metadata)] = notes
    assert number == 0
    return json.loads(metadata[f"oppserver.{name}".encode()])


# --- rows --------------------------------------------------------------------------------------


def test_rows_are_those_of_the_bulk_read(server: Server) -> None:
    """Rows are byte for byte those of NDJSON; one record about the whole follows."""
    query = f"event_code={WIDE_CODE}&columns=Status,CreatedOn,OpportunityNote,mx_Custom_1"
    answer = read_stream(server, query, plain([SPARSE_ID, UNKNOWN_ID, WIDE_ID]))
    columns = "Status,CreatedOn,OpportunityNote,mx_Custom_1"
    message = asking(group([SPARSE_ID, WIDE_ID], columns, code=WIDE_CODE))
    bulk = server.post(message, Accept=JSON_LINES)
    rows, _, _ = answer.body.rpartition(b'{"End"')
    assert rows == bulk.body
    assert answer.headers["content-type"] == JSON_LINES
    assert counted(end_of(records(answer))) == [3, 2, 1, 0, 0]


def test_without_columns_rows_have_all_of_them(server: Server) -> None:
    """The system's and the type's, each under one name."""
    [row, _] = records(read_stream(server, f"EVENT_CODE={WIDE_CODE}", plain([WIDE_ID])))
    assert len(row) == 12 + 250
    assert row["mx_Custom_250"] == "value 250"


def test_counts_and_digest_are_those_of_the_rows(server: Server) -> None:
    """Each line was requested, repeated or skipped; a caller can make the digest anew."""
    found = records(read_stream(server, QUERY, plain(ASKED)))
    assert counted(end_of(found)) == [5, 2, 3, 1, 0]
    assert end_of(found)["Digest"] == digest_of(rows_of(found))


def test_no_ids_have_no_rows(server: Server) -> None:
    """An empty body is a stream that has ended."""
    assert counted(end_of(records(read_stream(server, QUERY, b"")))) == [0, 0, 0, 0, 0]
    assert counted(end_of(records(read_stream(server, QUERY, b"\n \r\n")))) == [0, 0, 0, 0, 0]


# --- ids ---------------------------------------------------------------------------------------

IN_EVERY_FORM = {
    "strings": (JSON_LINES, "".join(f'"{one}"\n' for one in ASKED).encode()),
    "objects": (
        "application/ndjson; charset=utf-8",
        "\r\n".join(
            json.dumps({"x": [1], "ProspectActivityId": one, "Status": None}) for one in ASKED
        ).encode(),
    ),
    "lines": (PLAIN, "\n".join(ASKED).encode()),
    "no type": ("", "\r\n".join(ASKED).encode()),
    "every spelling": (
        PLAIN,
        b"\xef\xbb\xbf"
        + "\n".join(
            [f"  {{{WIDE_ID.upper()}}} ", UNKNOWN_ID.replace("-", ""), "", *ASKED[2:]]
        ).encode(),
    ),
    "csv by name": (
        CSV,
        ("a,ProspectActivityId\r\n" + "".join(f'"x,\ny",{one}\r\n' for one in ASKED)).encode(),
    ),
    "csv, first column": (CSV, ("id,b\n" + "".join(f"{one},z\n" for one in ASKED)).encode()),
    "csv without a header": (CSV, "\n".join(ASKED).encode()),
    "H3 lines by CR": (PLAIN, "\r".join([*ASKED, ""]).encode()),
    "H3 strings by CR": (JSON_LINES, "".join(f'"{one}"\r' for one in ASKED).encode()),
    "H3 csv by CR": (
        CSV,
        ("a,ProspectActivityId\r" + "".join(f'"x\r",{one}\r' for one in ASKED)).encode(),
    ),
    "arrow": (ARROW, arrow_of({"id": ASKED}, batch_rows=2)),
    "arrow by name": (ARROW, arrow_of({"a": [1] * 6, "ProspectActivityId": ASKED})),
    "arrow dictionary": (ARROW, arrow_of({"id": pa.array(ASKED).dictionary_encode()})),
    "arrow large": (ARROW, arrow_of({"id": pa.array(ASKED, pa.large_string())})),
}


@pytest.mark.parametrize("form", IN_EVERY_FORM)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 7])
def test_ids_come_in_every_form(server: Server, form: str, piece_bytes: int) -> None:
    """Whole, and in pieces that end anywhere; the answer is the same."""
    content_type, body = IN_EVERY_FORM[form]
    wanted = records(read_stream(server, QUERY, plain(ASKED)))
    with streaming(server, QUERY, Content_Type=content_type) as stream:
        for start in range(0, len(body), piece_bytes):
            stream.send(body[start : start + piece_bytes])
        stream.end()
        assert stream.rest() == wanted


@pytest.mark.parametrize("separator", [*"\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_h3_lines_end_at_cr_and_lf_alone(server: Server, separator: str, quote: str) -> None:
    """Other separators of lines in Unicode are characters of a cell, which may hold an id too."""
    note = f"{quote}call{separator}back,{SPARSE_ID}{quote}" if quote else f"call{separator}back"
    body = f"Name,ProspectActivityId,Note,Parent\nAnn,{WIDE_ID},{note},{SPARSE_ID}\n"
    found = records(read_stream(server, QUERY, body.encode(), Content_Type=CSV))
    assert [row["ProspectActivityId"] for row in rows_of(found)] == [WIDE_ID]
    assert counted(end_of(found)) == [1, 1, 0, 0, 0]
    object_line = json.dumps(
        {"a": f"{separator}{SPARSE_ID}", "ProspectActivityId": WIDE_ID}, ensure_ascii=False
    )
    lines = read_stream(
        server, f"{QUERY}&on_error=skip", object_line.encode(), Content_Type=JSON_LINES
    )
    assert all(row["ProspectActivityId"] == WIDE_ID for row in rows_of(records(lines)))
    joined = f"{UNKNOWN_ID}{separator}{SPARSE_ID}".encode()
    skipped = records(read_stream(server, f"{QUERY}&on_error=skip", joined, Content_Type=PLAIN))
    assert counted(end_of(skipped)) == [0, 0, 0, 0, 1]


def test_a_repeat_is_read_once_in_two_thousand_lines(server: Server) -> None:
    """Whenever lines come; an id that comes again later is answered again."""
    ids = [WIDE_ID] * 2_000 + [WIDE_ID, SPARSE_ID, WIDE_ID]
    found = records(read_stream(server, QUERY, plain(ids)))
    assert [row["ProspectActivityId"] for row in rows_of(found)] == [WIDE_ID, WIDE_ID, SPARSE_ID]
    assert counted(end_of(found)) == [3, 3, 0, 2_000, 0]


# --- formats -----------------------------------------------------------------------------------


def test_csv(server: Server) -> None:
    """A header and records; the record about the whole is there when it is asked for."""
    answer = read_stream(server, QUERY, plain(ASKED), Accept=CSV)
    assert answer.headers["content-type"] == "text/csv; header=present; charset=utf-8"
    lines = list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))
    identity = ["ProspectId", "EmailAddress", "ProspectActivityId"]
    assert lines[0] == ["EventCode", *identity, "Status", "CreatedOn", "Version"]
    assert [line[3] for line in lines[1:]] == [WIDE_ID, SPARSE_ID]
    told = read_stream(server, f"{QUERY}&csv_end=record", plain(ASKED), Accept=CSV)
    last = list(csv.reader(io.StringIO(told.body.decode(), newline=""), strict=True))[-1]
    assert (last[0], len(last)) == ("End", len(lines[0]))
    assert counted(json.loads(last[1])) == [5, 2, 3, 1, 0]


def test_arrow_and_parquet(server: Server) -> None:
    """Typed tables; the end is in the last batch's metadata, and in the footer's."""
    streamed = read_stream(server, QUERY, plain(ASKED), Accept=ARROW)
    table = pa.ipc.open_stream(streamed.body).read_all()
    assert table["ProspectActivityId"].to_pylist() == [WIDE_ID, SPARSE_ID]
    assert table.schema.field("CreatedOn").type == pa.timestamp("s", tz="UTC")
    wanted = end_of(records(read_stream(server, QUERY, plain(ASKED))))
    assert note_of(streamed) == wanted
    filed = read_stream(server, QUERY, plain(ASKED), Accept=PARQUET)
    file = pq.ParquetFile(io.BytesIO(filed.body))
    assert file.read()["Version"].to_pylist() == table["Version"].to_pylist()
    assert json.loads(file.metadata.metadata[b"oppserver.End"]) == wanted


def test_missing_reports_every_id(server: Server) -> None:
    """Behind the rows of a batch: records of their own kind, or rows that have a Reason."""
    body = plain(ASKED) + b"no id\n"
    query = f"{QUERY}&missing=true&on_error=skip"
    found = records(read_stream(server, query, body))
    missing = [one["Missing"] for one in found if "Missing" in one]
    deleted = {"ProspectActivityId": DELETED_ID, "Reason": "Deleted", "EventCode": str(WIDE_CODE)}
    assert missing == [
        {"ProspectActivityId": UNKNOWN_ID, "Reason": "NotFound"},
        {**deleted, "DeletedOn": "6/6/2024 6:06:06 AM"},
        {
            "ProspectActivityId": OTHER_ID,
            "Reason": "OtherEventCode",
            "EventCode": str(OTHER_CODE),
        },
        {"Reason": "NotAnId", "Line": 7, "Asked": "no id"},
    ]
    assert counted(end_of(found)) == [5, 2, 3, 1, 1]
    for accept in (ARROW, PARQUET):
        answer = read_stream(server, query, body, Accept=accept)
        data = io.BytesIO(answer.body)
        table = pa.ipc.open_stream(data).read_all() if accept == ARROW else pq.read_table(data)
        reasons = [None, None, "NotFound", "Deleted", "OtherEventCode", "NotAnId"]
        assert table["Reason"].to_pylist() == reasons
        assert table["Line"].to_pylist()[-1] == 7
        assert table["EventCode"].to_pylist()[2:] == [None, WIDE_CODE, OTHER_CODE, None]
    lines = read_stream(server, query, body, Accept=CSV).body.decode().splitlines()
    assert lines[-1] == ",,,,,,,NotAnId,,7,no id"


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_text_is_packed_as_it_is_sent(server: Server, coding: str) -> None:
    """It is the same text, whatever comes before its rows."""
    for accept in (JSON_LINES, CSV):
        wanted = read_stream(server, QUERY, plain(ASKED), Accept=accept).body
        answer = read_stream(server, QUERY, plain(ASKED), Accept=accept, Accept_Encoding=coding)
        assert answer.headers["content-encoding"] == coding
        unpacked = (
            gzip.decompress(answer.body)
            if coding == "gzip"
            else zstandard.ZstdDecompressor().decompressobj().decompress(answer.body)
        )
        assert unpacked == wanted
    packed = read_stream(server, QUERY, plain(ASKED), Accept_Encoding=coding, Accept=ARROW)
    assert "content-encoding" not in packed.headers


# --- both ways at once -------------------------------------------------------------------------


def test_rows_come_while_ids_are_still_sent(server: Server) -> None:
    """A caller may wait for a row before it sends the next id."""
    with streaming(server, QUERY) as stream:
        for one in (WIDE_ID, SPARSE_ID, WIDE_ID):
            stream.send(one.encode() + b"\n")
            if one != WIDE_ID or stream._response is None:
                assert stream.record()["ProspectActivityId"] == one
        stream.end()
        assert [counted(end_of(stream.rest()))] == [[2, 2, 0, 1, 0]]


def test_packed_rows_come_while_ids_are_still_sent(server: Server) -> None:
    """The bytes that were packed so far are whole."""
    with streaming(server, QUERY, Accept_Encoding="zstd") as stream:
        unpacking = zstandard.ZstdDecompressor().decompressobj()
        stream.send(WIDE_ID.encode() + b"\n")
        text = b""
        while not text.endswith(b"\n"):
            text += unpacking.decompress(stream.response.read1(65_536))
        assert json.loads(text)["ProspectActivityId"] == WIDE_ID
        stream.end()


def test_expect_100_continue(server: Server) -> None:
    """The body is asked for when keys and query are good."""
    with streaming(server, QUERY, Expect="100-continue") as stream:
        assert stream.socket.recv(65_536).startswith(b"HTTP/1.1 100 ")
        stream.send(plain(ASKED))
        stream.end()
        assert counted(end_of(stream.rest())) == [5, 2, 3, 1, 0]
    with streaming(server, "event_code=1", Expect="100-continue") as stream:
        assert stream.socket.recv(65_536).startswith(b"HTTP/1.1 400 ")


def test_curl_sends_and_reads_at_once(server: Server) -> None:
    """A pipe into curl and out of it: a row is there before the next id is written.

    With ``-T .`` curl reads its input without waiting for it; with ``-T -`` it would wait.
    """
    command = ["curl", "-sN", "-X", "POST", "-T", ".", f"{server.url}{READ}?{QUERY}"]
    for name, value in server.keys.headers.items():
        command += ["-H", f"{name}: {value}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as curl:
        assert curl.stdin is not None
        assert curl.stdout is not None
        for one in (WIDE_ID, SPARSE_ID):
            curl.stdin.write(one.encode() + b"\n")
            curl.stdin.flush()
            assert json.loads(curl.stdout.readline())["ProspectActivityId"] == one
        curl.stdin.close()
        assert counted(json.loads(curl.stdout.readline())["End"]) == [2, 2, 0, 0, 0]
