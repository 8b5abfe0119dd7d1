"""Files that are damaged anywhere: each of their lines is imported, or rejected by number."""

import gzip
import io
import itertools
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from oppserver.contract.errors import InvalidFile, RejectedLine
from oppserver.formats.parquet import ParquetRecords
from oppserver.store import open_store
from oppserver.transfer import lines
from oppserver.transfer.files import Line, opened
from oppserver.transfer.lines import read_csv, read_ndjson, read_parquet
from oppserver.transfer.outputs import written
from oppserver.transfer.store import Import, Rejection
from tests.support.import_lines import line
from tests.support.running import SCALE
from tests.support.stores import NOW, guid, lead

HEADER = b"ProspectActivityId,EventCode,ProspectId,Status,OpportunityNote\r\n"
ROWS = 12

Damage = tuple[float, bytes, int]
"""Where in the file, from 0 to 1; what is put there; how many bytes are taken away first."""

PIECES = (b'"', b'""', b"\n", b"\r", b"\r\n", b"\0", b",", b"\xff", b"{", b"}", b"", b"x" * 400)
damages = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(PIECES), st.integers(0, 30)), min_size=1, max_size=4
)


def damaged(data: bytes, damage: Sequence[Damage]) -> bytes:
    for where, piece, taken in damage:
        start = int(where * len(data))
        data = data[:start] + piece + data[start + taken :]
    return data


def csv_rows() -> bytes:
    notes = ("plain", '"two\r\nlines"', '"say ""hi"", now"', "")
    rows = [
        f"{guid(n)},12000,{lead(n)},Open,{notes[n % len(notes)]}\r\n".encode() for n in range(ROWS)
    ]
    return b"".join(rows)


def ndjson_rows() -> bytes:
    return b"".join(line(n, OpportunityNote="a\nb").encode() + b"\n" for n in range(ROWS))


def lines_of(text: str) -> list[str]:
    """The lines as an editor shows them, with their ends."""
    return list(io.StringIO(text, newline=""))


def is_blank(line: str) -> bool:
    """Return true for a line without a value: an empty row of a spreadsheet has commas."""
    return not line.replace(",", "").replace('"', "").strip()


def imported(lines: Sequence[Line], folder: Path) -> tuple[int, list[Rejection]]:
    """The number of lines that an import stores, and those that it rejects."""
    rejected: list[Rejection] = []
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    try:
        job = Import(store, batch_rows=5, now=lambda: NOW, on_reject=rejected.append)
        done = job.run(lines)
    finally:
        store.close()
    assert done.rejected == sum(one.line.records for one in rejected)
    return done.stored, rejected


# --- text ----------------------------------------------------------------------------------------


@given(damages)
@example([(0.2, b'"', 0)])  # a quote that nothing closes
@example([(0.2, b',"', 0), (0.6, b'"', 0)])  # and one that another row closes
@settings(max_examples=int(100 * SCALE), deadline=None)
def test_every_line_of_a_damaged_csv_is_in_a_record(damage: list[Damage]) -> None:
    """The records have all lines as they stand, each once and in order; the others are blank."""
    data = damaged(csv_rows(), damage)
    records = list(read_csv(io.BufferedReader(io.BytesIO(HEADER + data)), "file.csv"))
    lines = lines_of((HEADER + data).decode("utf-8", "surrogateescape"))
    seen = 1
    for record in records:
        assert record.last is not None
        assert all(map(is_blank, lines[seen : record.number - 1]))
        assert record.raw == "".join(lines[record.number - 1 : record.last])
        seen = record.last
    assert all(map(is_blank, lines[seen:]))


@given(damages)
@settings(max_examples=int(100 * SCALE), deadline=None)
def test_every_line_of_a_damaged_ndjson_is_a_line(damage: list[Damage]) -> None:
    """Each line but blank ones comes once, as it stands."""
    data = damaged(ndjson_rows(), damage)
    try:
        records = list(read_ndjson(io.BytesIO(data), "file.ndjson"))
    except InvalidFile as error:
        assert "not a text file" in str(error)  # its first line has lost its brace
        return
    by_newline = [one for one in data.split(b"\n") if one.strip()]
    assert len(records) == len(by_newline)
    assert b"".join(record.raw for record in records).split() == data.split()


@given(damages, st.sampled_from(["csv", "ndjson"]))
@settings(max_examples=int(15 * SCALE), deadline=None)
def test_imported_and_rejected_are_all(damage: list[Damage], form: str) -> None:
    """Whatever a damaged row became, it is counted on one side; a record may have several lines."""
    with TemporaryDirectory() as name:
        if form == "csv":
            data = HEADER + damaged(csv_rows(), damage)
            records = list(read_csv(io.BufferedReader(io.BytesIO(data)), "file.csv"))
        else:
            data = b"{}\n" + damaged(ndjson_rows(), damage)
            records = list(read_ndjson(io.BytesIO(data), "file.ndjson"))
        stored, rejected = imported(records, Path(name))
    of_lines = {one.line.number for one in rejected}
    assert stored == sum(record.number not in of_lines for record in records)
    for one in rejected:
        if isinstance(one.line.members, RejectedLine) and form == "csv":
            assert one.line.records == sum(not text.isspace() for text in lines_of(one.line.raw))


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_a_line_that_is_too_long_is_one_reject(
    monkeypatch: pytest.MonkeyPatch, form: str, ends: bytes
) -> None:
    """It is named with its beginning; the lines around it are read."""
    monkeypatch.setattr(lines, "IMPORT_LINE_BYTES_MAX", 300)
    for place, long in itertools.product(range(3), (b"x" * 301, b"x" * 5_000, b'"' + b"x" * 900)):
        rows = (csv_rows() if form == "csv" else ndjson_rows()).splitlines()[:1] * 2
        rows.insert(place, long)
        data = (HEADER if form == "csv" else b"{}\n") + ends.join(rows) + ends
        file = io.BufferedReader(io.BytesIO(data))
        read = read_csv if form == "csv" else read_ndjson
        found = list(read(file, "file"))[0 if form == "csv" else 1 :]
        bad = [one for one in found if isinstance(one.members, RejectedLine)]
        assert [one.number for one in bad] == [2 + place], (place, found)
        assert "longer than" in str(bad[0].members)
        assert len(found) == 3
        assert 0 < len(bad[0].raw) < 100


def test_a_quote_that_is_not_closed_takes_in_a_bounded_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A damaged part is rejected as it stands; then reading goes on."""
    monkeypatch.setattr(lines, "IMPORT_LINE_BYTES_MAX", 1_000)
    row = f"{guid(1)},12000,{lead(1)},Open,\r\n"
    text = row + row.replace("Open", '"Open') + row * 100
    file = io.BufferedReader(io.BytesIO(HEADER + text.encode()))
    records = list(read_csv(file, "file.csv"))
    assert "".join(record.raw for record in records) == text
    [bad] = [one for one in records if isinstance(one.members, RejectedLine)]
    assert bad.place == f"lines 3 to {bad.last}"
    assert bad.last is not None
    assert bad.records == bad.last - 2 < 20
    assert len(records) == 1 + 1 + 101 - bad.records


# --- packed files --------------------------------------------------------------------------------


def packed(folder: Path, ending: str) -> tuple[Path, bytes]:
    path = folder / f"file.ndjson.{ending}"
    with written(path) as file:
        for number in range(200):
            file.write(line(number).encode() + b"\n")
    return path, path.read_bytes()


@pytest.mark.parametrize("ending", ["gz", "zst"])
@given(st.floats(0, 1, exclude_max=True), st.none() | st.integers(1, 255))
@settings(max_examples=int(60 * SCALE), deadline=None)
def test_a_packed_file_is_whole_or_refused(ending: str, where: float, bits: int | None) -> None:
    """Cut off, or with bits turned over: what an export has packed is never read as another."""
    with TemporaryDirectory() as name:
        path, whole = packed(Path(name), ending)
        at = int(where * len(whole))
        changed = whole[:at] if bits is None else bytearray(whole)
        if isinstance(changed, bytearray):
            changed[at] ^= bits or 0
        path.write_bytes(changed)
        try:
            with opened(path) as source:
                numbers = [one.number for one in read_ndjson(source.bytes, "file")]
        except InvalidFile:
            return
    assert not changed or changed[:4] != whole[:4] or len(numbers) == 200


@pytest.mark.parametrize("unpack", [gzip.decompress, zstandard.decompress])
def test_an_output_that_failed_does_not_look_whole(
    tmp_path: Path, unpack: Callable[[bytes], bytes]
) -> None:
    """The reader of a pipe sees that the packed file was cut off."""
    path = tmp_path / ("pipe.gz" if unpack is gzip.decompress else "pipe.zst")
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()

    def fail() -> None:
        with written(path) as file:
            file.write(b"".join(line(n).encode() for n in range(10_000)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    reader.join(60)
    with pytest.raises((EOFError, zstandard.ZstdError)):
        unpack(got[0])


# --- Parquet -------------------------------------------------------------------------------------


def parquet_file(folder: Path) -> tuple[Path, list[dict[str, str | int]]]:
    """A file of 5 row groups with 100 rows each."""
    names = ["ProspectActivityId", "EventCode", "ProspectId", "Status"]
    rows: list[dict[str, str | int]] = [
        dict(zip(names, (guid(n), 12000, lead(n), f"Open {n}"), strict=True)) for n in range(500)
    ]
    path = folder / "file.parquet"
    with path.open("wb") as file:
        writer = ParquetRecords(file, names, integers=["EventCode"])
        for start in range(0, 500, 100):
            writer.write(rows[start : start + 100])
        writer.close()
    return path, rows


@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3))
@settings(max_examples=int(40 * SCALE), deadline=None)
def test_every_row_of_a_damaged_parquet_file_is_counted(damage: list[tuple[float, int]]) -> None:
    """Row groups that are damaged are rejected with their rows' numbers; the others are right."""
    with TemporaryDirectory() as name:
        path, rows = parquet_file(Path(name))
        metadata = parquet.read_metadata(path)
        last = metadata.row_group(4).column(3)
        end = (last.dictionary_page_offset or last.data_page_offset) + last.total_compressed_size
        data = bytearray(path.read_bytes())
        for where, bits in damage:
            data[4 + int(where * (end - 4))] ^= bits
        path.write_bytes(data)
        found = list(read_parquet(path))
    seen = 0
    for one in found:
        assert one.number == seen + 1
        if isinstance(one.members, RejectedLine):
            assert one.last == seen + one.records
        else:
            assert one.members == rows[seen]
        seen += one.records
    assert seen == len(rows)
