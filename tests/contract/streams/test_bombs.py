"""Bodies and heads that are small when they are sent and large when they are read.

Each is sent to a real server, whose memory and processor time are measured while it answers.
"""

import io
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from oppserver.contract.limits import ID_ARROW_BATCH_ROWS_MAX
from tests.support.databases import kept_in
from tests.support.measuring import measured
from tests.support.running import (
    BULK_READ,
    OPPSERVER,
    Server,
    asking,
    create_key,
    events,
    group,
    poll,
    run_python,
    serving,
)
from tests.support.streaming import (
    ARROW,
    CSV,
    JSON_LINES,
    PLAIN,
    PROBLEM,
    end_of,
    read_stream,
    records,
    rows_of,
)
from tests.support.world import SPARSE_ID, WIDE_CODE, WIDE_ID, fill

PEAK_BYTES_MAX = 200 << 20
"""The most that a body of a megabyte may take. Chosen: pyarrow itself takes 60 MB, and today's
bombs took gigabytes."""

CPU_S_MAX = 3.0
"""The most that one call may take. Chosen: far above any honest call, also on a busy machine."""

QUERY = f"event_code={WIDE_CODE}&columns=Status"
NAME = "ProspectActivityId"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: its memory is that of these calls alone. It has loaded pyarrow."""
    folder = kept_in(tmp_path_factory.mktemp("bombs"), "sqlite")
    fill(folder)
    with serving(folder, keys=create_key(folder, role="reader")) as running:
        records(read_stream(running, QUERY, ids_of(pa.array([WIDE_ID])), Content_Type=ARROW))
        yield running


# --- Arrow -------------------------------------------------------------------------------------


def ids_of(array: Any, *, name: str = NAME, batches: int = 1, **others: Any) -> bytes:
    """An Arrow stream whose ids are an array, with other columns beside it."""
    batch = pa.record_batch([array, *others.values()], names=[name, *others])
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        for _ in range(batches):
            stream.write_batch(batch)
    return sink.getvalue()


def views_of(rows: int, length: int, *, is_null: bool = False) -> Any:
    """Views that share the bytes of one text."""
    view = struct.pack("<i4sii", length, b"xxxx", 0, 0) * rows
    valid = pa.py_buffer(bytes(rows // 8 + 1)) if is_null else None
    buffers = [valid, pa.py_buffer(view), pa.py_buffer(b"x" * length)]
    return pa.Array.from_buffers(pa.string_view(), rows, buffers)


def dictionary_of(values: Any, rows: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), values)


def compressed(array: Any) -> bytes:
    batch = pa.record_batch([array], names=[NAME])
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, batch.schema, options=options) as stream:
        stream.write_batch(batch)
    return sink.getvalue()


def deltas() -> bytes:
    """A dictionary that grows by a part with each batch."""
    sink, schema = io.BytesIO(), pa.schema([(NAME, pa.dictionary(pa.int8(), pa.string()))])
    options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
    with pa.ipc.new_stream(sink, schema, options=options) as stream:
        for size in range(1, 5):
            texts = [f"{number:08x}-0000-4000-8000-000000000001" for number in range(size)]
            array = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array(texts))
            stream.write_batch(pa.record_batch([array], schema=schema))
    return sink.getvalue()


def with_bytes(body: bytes, old: bytes, new: bytes) -> bytes:
    assert old in body
    return body.replace(old, new)


MEGABYTE = "x" * 1_000_000
PLAIN_IDS = pa.array([WIDE_ID, SPARSE_ID])

ARROW_BOMBS: dict[str, Callable[[], bytes]] = {
    "dictionary of a long text": lambda: ids_of(dictionary_of(pa.array([MEGABYTE]), 2_500)),
    "dictionary of large_string": lambda: ids_of(
        dictionary_of(pa.array([MEGABYTE], pa.large_string()), 2_500)
    ),
    "dictionary of views": lambda: ids_of(dictionary_of(views_of(1, 1_000_000), 2_500)),
    "views that share a text": lambda: ids_of(views_of(2_500, 1_000_000)),
    "many views of a middling text": lambda: ids_of(views_of(60_000, 5_000)),
    "dictionary with too many rows": lambda: ids_of(
        dictionary_of(pa.array([WIDE_ID]), ID_ARROW_BATCH_ROWS_MAX + 1)
    ),
    "runs": lambda: ids_of(
        pa.RunEndEncodedArray.from_arrays(pa.array([2**30], pa.int32()), pa.array([WIDE_ID]))
    ),
    "nulls": lambda: ids_of(pa.nulls(2**30)),
    "lists": lambda: ids_of(pa.array([[WIDE_ID]])),
    "structs": lambda: ids_of(pa.array([{"a": WIDE_ID}])),
    "binary": lambda: ids_of(pa.array([b"x" * 17], pa.binary(17))),
    "compressed": lambda: compressed(pa.array(["x" * 10_000_000])),
    "deltas": deltas,
    "name that is not UTF-8": lambda: with_bytes(ids_of(PLAIN_IDS), NAME.encode(), b"\xff" * 18),
    "other name that is not UTF-8": lambda: with_bytes(
        ids_of(PLAIN_IDS, other=PLAIN_IDS), b"other", b"\xc3\x28\xff\xfe\x00"
    ),
    "two columns of the name": lambda: with_bytes(
        ids_of(PLAIN_IDS, ProspectActivityIx=PLAIN_IDS), b"ProspectActivityIx", NAME.encode()
    ),
    "many columns": lambda: ids_of(PLAIN_IDS, **{f"c{n}": PLAIN_IDS for n in range(20_000)}),
    "two schemas": lambda: ids_of(PLAIN_IDS)[:-8] + ids_of(PLAIN_IDS),
}


@pytest.mark.parametrize("on_error", ["stop", "skip"])
@pytest.mark.parametrize("bomb", ARROW_BOMBS.values(), ids=ARROW_BOMBS)
def test_an_arrow_body_that_would_grow_is_refused(
    server: Server, bomb: Callable[[], bytes], on_error: str
) -> None:
    """400 before anything of it is decoded; also where invalid ids are skipped."""
    body = bomb()
    with measured(server.process.pid) as used:
        answer = read_stream(server, f"{QUERY}&on_error={on_error}", body, Content_Type=ARROW)
    assert (answer.status, answer.headers["content-type"]) == (400, PROBLEM), answer.body[:300]
    assert answer.json["type"] == "/problems/malformed-body"
    assert used.peak_bytes < PEAK_BYTES_MAX, used
    assert used.cpu_s < CPU_S_MAX, used
    assert not events(server, "fault")


SOUND: dict[str, Callable[[], Any]] = {
    "text": lambda: PLAIN_IDS,
    "large_string": lambda: PLAIN_IDS.cast(pa.large_string()),
    "views": lambda: PLAIN_IDS.cast(pa.string_view()),
    "dictionary": PLAIN_IDS.dictionary_encode,
    "bytes": lambda: pa.array([bytes.fromhex(one.replace("-", "")) for one in (WIDE_ID, SPARSE_ID)])
    .cast(pa.binary(16)),
    "uuid": lambda: pa.ExtensionArray.from_storage(pa.uuid(), SOUND["bytes"]()),
}  # fmt: skip


@pytest.mark.parametrize("make", SOUND.values(), ids=SOUND)
def test_every_form_of_an_id_column_is_taken(server: Server, make: Callable[[], Any]) -> None:
    """In several batches, beside other columns, which are not decoded."""
    other = pa.nulls(2)
    body = ids_of(make(), batches=3, other=other, more=PLAIN_IDS.dictionary_encode())
    found = records(read_stream(server, QUERY, body, Content_Type=ARROW))
    assert [one[NAME] for one in rows_of(found)] == [WIDE_ID, SPARSE_ID]
    assert end_of(found)["Repeated"] == 4


def test_long_views_of_null_rows_say_nothing(server: Server) -> None:
    """Bytes behind a null are not looked at: the rows are null, and may be skipped."""
    body = ids_of(views_of(4, 1_000, is_null=True))
    found = records(read_stream(server, f"{QUERY}&on_error=skip", body, Content_Type=ARROW))
    assert end_of(found)["Skipped"] == 4


def test_a_dictionary_costs_once(server: Server) -> None:
    """A large one is not decoded anew for each of the batches that use it."""
    texts = [f"{number:08x}-0000-4000-8000-000000000001" for number in range(20_000)]
    array = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array(texts))
    body = ids_of(array, batches=1_500)
    with measured(server.process.pid) as used:
        found = records(read_stream(server, QUERY, body, Content_Type=ARROW))
    assert end_of(found)["Requested"] == 1
    assert used.cpu_s < CPU_S_MAX, used
    assert used.peak_bytes < PEAK_BYTES_MAX, used


# --- lines and heads ---------------------------------------------------------------------------

LINE_BOMBS = {
    "open quote over many lines": (CSV, b'a\n"' + b"\n" * 60_000),
    "quotes": (CSV, b"a\n" + b'"' * 60_001 + b"\n" * 60_000),
    "a field of the whole body": (CSV, b"a," + b"x" * 900_000 + b"\n"),
    "a quoted field of the whole body": (CSV, b'a,"' + b"x" * 900_000 + b'"\n'),
    "deep JSON": (JSON_LINES, b"[" * 60_000 + b"\n"),
    "deep JSON in an object": (JSON_LINES, b'{"x":' + b"[" * 60_000 + b"\n"),
    "digits": (JSON_LINES, b"9" * 60_000 + b"\n"),
    "an exponent": (JSON_LINES, b"1e999999999\n"),
    "a long id": (PLAIN, b"a" * 60_000 + b"\n"),
}  # fmt: skip


@pytest.mark.parametrize(("form", "body"), LINE_BOMBS.values(), ids=LINE_BOMBS)
def test_lines_that_would_take_long_are_refused(server: Server, form: str, body: bytes) -> None:
    """Quotes that stay open, fields of the whole body, nesting and numbers without an end."""
    with measured(server.process.pid) as used:
        answer = read_stream(server, QUERY, body, Content_Type=form)
    assert answer.status == 400, answer.body[:300]
    assert used.cpu_s < CPU_S_MAX, used
    assert used.peak_bytes < PEAK_BYTES_MAX, used
    assert not events(server, "fault")


HOSTILE = ["redis://:", "accessKey=", "password%3D", "a/", "//", '"', "W/", "a,", ";q=", "0", "%41"]
HEADERS = [
    *("Accept", "Accept-Encoding", "If-None-Match", "Content-Type", "X-Request-Id"),
    *("x-LSQ-AccessKey", "x-LSQ-SecretKey", "Idempotency-Key", "Host"),
]
LONG = 60_000


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_of_a_head_takes_long(server: Server, unit: str) -> None:
    """Paths, queries and headers of strangers, on one processor's time: the loop never stands."""
    text = unit * (LONG // len(unit))
    message = json.dumps(asking(group([WIDE_ID], code=WIDE_CODE)))
    paths = [f"/{text}", f"/v1/{text}", f"{BULK_READ}/{text}", f"{BULK_READ}?x={text}"]
    with measured(server.process.pid) as used:
        for path in paths:
            assert server.call("GET", path.replace('"', "%22")).status < 500
        for name in HEADERS:
            headers = {**server.keys.headers, "Content-Type": "application/json", name: text}
            assert server.call("POST", BULK_READ, message, headers).status < 500
    assert used.cpu_s < CPU_S_MAX, used
    assert not events(server, "fault")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/opportunities?event_code={code}&columns={text}",
        "/v1/changes?columns={text}",
        "/v1/changes?cursor={text}",
        "/v1/opportunities?event_code={code}&modified_since={text}",
        "/v1/opportunities?event_code={text}",
    ],
)
def test_no_value_of_a_query_takes_long(server: Server, path: str) -> None:
    """Twelve thousand unknown columns, for each of which a near name could be looked for."""
    text = ",".join(f"{number:04x}" for number in range(12_000))
    with measured(server.process.pid) as used:
        answer = server.get(path.format(code=WIDE_CODE, text=text))
    assert answer.status == 400
    assert len(answer.body) < 50_000
    assert used.cpu_s < CPU_S_MAX, used


def test_a_long_path_is_logged_short(server: Server) -> None:
    """Its beginning and its length, and no part of a password that is cut."""
    path = "/x" * 100 + "/redis://:" + "tHePaSs" * 5_000 + "@host"
    request_id = server.call("GET", path).headers["x-request-id"]

    def line() -> dict[str, Any] | None:
        return next(
            (one for one in events(server, "call") if one["request_id"] == request_id), None
        )

    logged = poll(line, what="the line of the call")["path"]
    assert len(logged) < 600
    assert logged.endswith(f"… ({len(path):,} characters)")
    assert "tHePaSs" not in server.log_file.read_text()


# --- files -------------------------------------------------------------------------------------

IMPORT = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
print(done.returncode, peak)
"""


@pytest.mark.parametrize("is_shared", [True, False], ids=["one text", "a text for each row"])
def test_a_parquet_file_of_large_values_takes_no_more_memory(
    tmp_path: Path, is_shared: bool
) -> None:
    """A file of some hundred KB that holds a GB: the rows are rejected, each for its length."""
    count, length = 1_000, 1_000_000
    texts = ["x" * length if is_shared else f"{n:06}" + "x" * length for n in range(count)]
    ids = [f"{number:08x}-0000-4000-8000-000000000001" for number in range(count)]
    columns = {NAME: ids, "EventCode": [WIDE_CODE] * count, "ProspectId": ids}
    path = tmp_path / "large.parquet"
    names = [*columns, "OpportunityNote"]
    with parquet.ParquetWriter(
        path,
        pa.schema([(one, pa.int64() if one == "EventCode" else pa.string()) for one in names]),
        compression="zstd",
        write_batch_size=10,  # rows of a page, which is always read whole
    ) as file:
        table = pa.table({**columns, "OpportunityNote": pa.array(texts)})
        file.write_table(table, row_group_size=count)
    del texts, table
    assert path.stat().st_size < 2_000_000
    done = run_python(IMPORT, OPPSERVER, "import", str(path), folder=tmp_path)
    status, peak_bytes = map(int, done.stdout.split())
    assert status == 1, done
    assert peak_bytes < 700 << 20
