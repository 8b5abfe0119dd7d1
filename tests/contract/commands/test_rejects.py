"""Lines of a damaged file that an import rejects: named by line, as they stood."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from oppserver.formats.parquet import ParquetRecords
from tests.support.import_lines import CODE, line
from tests.support.running import one_line, run, run_well
from tests.support.stores import guid, lead

HEADER = "ProspectActivityId,EventCode,ProspectId,Status,OpportunityNote"


def row(number: int, *more: str) -> str:
    return ",".join([guid(number), str(CODE), lead(number), "Open", *(more or ("note",))])


def skip(folder: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Imports a file; what the command printed as JSON, the rejected lines, and its stderr."""
    done = run("import", name, "--on-error", "skip", "--json", folder=folder)
    assert done.returncode in (0, 3), done.stderr
    printed = json.loads(done.stdout)
    rejects = folder / f"{name}.rejects.ndjson"
    lines = rejects.read_text().splitlines() if rejects.exists() else []
    return printed, [json.loads(one) for one in lines], done.stderr


def stored(folder: Path) -> list[str]:
    text = run_well("export", folder=folder)
    return [json.loads(one)["ProspectActivityId"] for one in text.splitlines()]


# --- CSV -----------------------------------------------------------------------------------------

UNCLOSED = row(2, '"note')


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_f4_a_quote_that_is_not_closed_rejects_what_it_takes_in(tmp_path: Path, end: str) -> None:
    """All its lines are kept as they stand, counted one by one; corrected, they are imported."""
    lines = [HEADER, row(1), UNCLOSED, row(3), row(4), row(5)]
    (tmp_path / "in.csv").write_text("".join(f"{one}{end}" for one in lines), newline="")
    printed, [rejected], said = skip(tmp_path, "in.csv")
    assert (printed["created"], printed["rejected"]) == (1, 4)
    assert (rejected["line"], rejected["lastLine"]) == (3, 6)
    assert rejected["content"] == end.join(lines[2:])
    assert "a quote in line 3 may not be closed" in rejected["reason"]
    assert f"lines 3 to 6: {rejected['reason']}\n" in said
    assert "4 lines rejected" in said
    corrected = f"{HEADER}\n{rejected['content'].replace(chr(34), '')}"
    (tmp_path / "corrected.csv").write_text(corrected, newline="")
    run_well("import", "corrected.csv", folder=tmp_path)
    assert stored(tmp_path) == [guid(n) for n in range(1, 6)]


def test_an_import_that_stops_names_all_these_lines(tmp_path: Path) -> None:
    """Without ``skip``: the range, and nothing stored."""
    (tmp_path / "in.csv").write_text("\n".join([HEADER, row(1), UNCLOSED, row(3), row(4)]))
    said = one_line(run("import", "in.csv", folder=tmp_path))
    assert said.startswith("oppserver: in.csv, lines 3 to 5: not CSV: ")
    assert "0 opportunities of it are stored" in said


@pytest.mark.parametrize(
    ("bad", "ranges", "left"),
    [
        ([row(2, '"note'), row(3), row(4, '"closed by it"')], [(3, 5)], [1, 9]),
        ([row(2, "no", "te")], [(3, None)], [1, 9]),
        ([guid(2)], [(3, None)], [1, 9]),
        ([row(2, '"two\nlines"', "more")], [(3, 4)], [1, 9]),
        ([row(2, '"no"te'), row(3), row(4, "NUL \0")], [(3, None), (5, None)], [1, 3, 9]),
        ([row(2, "\udcff"), row(3)], [(3, None)], [1, 3, 9]),
    ],
)
def test_every_line_of_a_csv_is_imported_or_named(
    tmp_path: Path, bad: list[str], ranges: list[tuple[int, int | None]], left: list[int]
) -> None:
    """Quotes, cells, zero bytes, what is not UTF-8: the ranges of lines, with what is in them."""
    lines = "\n".join([HEADER, row(1), *bad, row(9)]).split("\n")
    data = "".join(f"{one}\n" for one in lines).encode("utf-8", "surrogateescape")
    (tmp_path / "in.csv").write_bytes(data)
    printed, rejected, _ = skip(tmp_path, "in.csv")
    assert [(one["line"], one.get("lastLine")) for one in rejected] == ranges
    for one in rejected:
        text = "\n".join(lines[one["line"] - 1 : one.get("lastLine", one["line"])])
        assert one["content"] == text.encode("utf-8", "backslashreplace").decode()
    assert printed["created"] + printed["rejected"] == len(lines) - 1
    assert stored(tmp_path) == [guid(n) for n in left]


# --- NDJSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 3])
def test_every_line_of_an_ndjson_is_imported_or_named(tmp_path: Path, place: int) -> None:
    """Cut off, with zero bytes, without end: also as the first line, also as the last."""
    bad = [b'{"ProspectActivityId": "\0"}', line(7).encode()[:-5], b"{" + b"x" * (17 << 20)]
    lines = [line(n).encode() for n in (1, 2, 3)]
    lines[place:place] = bad
    (tmp_path / "in.ndjson").write_bytes(b"\n".join(lines))
    printed, rejected, _ = skip(tmp_path, "in.ndjson")
    assert (printed["created"], printed["rejected"]) == (3, 3)
    assert [one["line"] for one in rejected] == [place + 1, place + 2, place + 3]
    assert rejected[1]["content"] == bad[1].decode()
    assert rejected[2]["reason"] == "longer than 16 MiB"
    assert stored(tmp_path) == [guid(n) for n in (1, 2, 3)]


def test_lines_with_different_names_are_rejected_in_order(tmp_path: Path) -> None:
    """Lines with the same names are checked together; faults are reported in the order of lines."""
    lines = [
        line(n, Owner="bob")
        if n % 7 == 0
        else line(n, mx_Custom_1=[n])
        if n % 7 == 3
        else line(n, CreatedOn="never", mx_Custom_2=n)
        if n % 7 == 5
        else line(n, Statsu="x")
        if n == 4
        else line(n, **{f"mx_Custom_{1 + n % 5}": n})
        for n in range(200)
    ]
    (tmp_path / "in.ndjson").write_text("\n".join(lines))
    bad = [n for n in range(200) if n % 7 in (0, 3, 5) or n == 4]
    printed, rejected, _ = skip(tmp_path, "in.ndjson")
    assert (printed["created"], printed["rejected"]) == (200 - len(bad), len(bad))
    assert [one["line"] - 1 for one in rejected] == bad
    assert [one["content"] for one in rejected] == [lines[n] for n in bad]
    for one in rejected:
        number = one["line"] - 1
        name = {0: "Owner: ", 3: "mx_Custom_1: ", 5: "CreatedOn: ", 4: "'Statsu' is"}[number % 7]
        assert one["reason"].startswith(name)
    (tmp_path / "stop.ndjson").write_text("\n".join(lines[1:]))
    said = one_line(run("import", "stop.ndjson", folder=tmp_path))
    assert said.startswith("oppserver: stop.ndjson, line 3: mx_Custom_1: ")


# --- packed files --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["cut", "turned"])
def test_a_packed_file_that_breaks_off_is_told_with_what_is_stored(
    tmp_path: Path, way: str
) -> None:
    """One line; the lines that were rejected before are kept, and nothing half is stored."""
    chance = random.Random(1)
    notes = [line(n, OpportunityNote=chance.randbytes(40).hex()) for n in range(3_000)]
    packed = gzip.compress("\n".join(["not JSON", *notes]).encode(), mtime=0)
    half = len(packed) // 2
    damaged = packed[:half] if way == "cut" else packed[:half] + b"\xff" * 9 + packed[half + 9 :]
    (tmp_path / "in.ndjson.gz").write_bytes(damaged)
    done = run("import", "in.ndjson.gz", "--on-error", "skip", folder=tmp_path)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith("oppserver: in.ndjson.gz is packed, and cannot be unpacked: ")
    assert said.endswith("0 opportunities of it are stored.")
    assert "Traceback" not in done.stderr
    assert '"line":1' in (tmp_path / "in.ndjson.gz.rejects.ndjson").read_text()
    assert stored(tmp_path) == []


# --- Parquet -------------------------------------------------------------------------------------


def test_a_row_group_that_is_damaged_is_rejected_alone(tmp_path: Path) -> None:
    """Its rows are named by number; those of the other groups are stored."""
    from pyarrow import parquet  # noqa: PLC0415 (slow to load, for this test alone)

    names = ["ProspectActivityId", "EventCode", "ProspectId"]
    path = tmp_path / "in.parquet"
    with path.open("wb") as file:
        writer = ParquetRecords(file, names, integers=["EventCode"])
        for start in (0, 10, 20):
            values = [(guid(n), CODE, lead(n)) for n in range(start, start + 10)]
            writer.write([dict(zip(names, one, strict=True)) for one in values])
        writer.close()
    column = parquet.read_metadata(path).row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size // 2] ^= 0xFF
    path.write_bytes(data)
    printed, [rejected], said = skip(tmp_path, "in.parquet")
    assert (printed["created"], printed["rejected"]) == (20, 10)
    assert (rejected["line"], rejected["lastLine"], rejected["content"]) == (11, 20, None)
    assert "lines 11 to 20: the row group is damaged" in said
    assert stored(tmp_path) == [guid(n) for n in range(30) if n // 10 != 1]


def test_a_value_that_is_not_text_rejects_its_row(tmp_path: Path) -> None:
    """A text of Parquet may hold any bytes; the rows around it are stored."""
    import pyarrow as pa  # noqa: PLC0415 (slow to load, for this test alone)
    from pyarrow import parquet  # noqa: PLC0415 (as above)

    statuses = pa.array([b"Open", b"\xff\xfe", b"Won"]).cast(pa.string(), safe=False)
    columns = {
        "ProspectActivityId": [guid(n) for n in range(3)],
        "EventCode": [CODE] * 3,
        "ProspectId": [lead(n) for n in range(3)],
        "Status": pa.Array.from_buffers(pa.string(), 3, statuses.buffers()),
    }
    parquet.write_table(pa.table(columns), tmp_path / "in.parquet")
    printed, [rejected], _ = skip(tmp_path, "in.parquet")
    assert (printed["created"], printed["rejected"], rejected["line"]) == (2, 1, 2)
    assert "a value cannot be read" in rejected["reason"]
    assert stored(tmp_path) == [guid(0), guid(2)]
