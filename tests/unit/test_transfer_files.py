"""Files as they come: packed, with marks and line ends of other systems, broken in every way."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from oppserver.contract.errors import InvalidFile, InvalidInput, RejectedLine
from oppserver.transfer.files import (
    IMPORT_LINE_BYTES_MAX,
    STANDARD,
    Format,
    Line,
    format_of,
    opened,
)
from oppserver.transfer.lines import read_csv, read_ndjson

HEADER = b"ProspectActivityId,EventCode,ProspectId,Status\r\n"


def ndjson(data: bytes) -> list[Line]:
    return list(read_ndjson(io.BytesIO(data), "file.ndjson"))


def csv(data: bytes) -> list[Line]:
    return list(read_csv(io.BufferedReader(io.BytesIO(data)), "file.csv"))


def numbers(lines: list[Line]) -> list[tuple[int, Any]]:
    return [
        (line.number, None if isinstance(line.members, RejectedLine) else line.members)
        for line in lines
    ]


# --- NDJSON ------------------------------------------------------------------------------------


def test_lines_are_numbered_from_one_and_blank_ones_count() -> None:
    """A number is the line of the file, as an editor shows it."""
    data = b'\xef\xbb\xbf{"a": 1}\r\n\r\n   \n{"b": 1.50}\n{"c": null}'
    assert numbers(ndjson(data)) == [(1, {"a": 1}), (4, {"b": "1.50"}), (5, {"c": None})]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"nope", "not JSON"),
        (b"{", "not JSON"),
        (b'"text"', "a JSON object is expected"),
        (b"17", "a JSON object is expected"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\\ud800"}', "not JSON"),
        (b'{"a":' * 5_000, "nested too deeply"),
    ],
)
def test_a_bad_line_does_not_hide_the_next(bad: bytes, reason: str) -> None:
    """Each bad line says why, and reading goes on."""
    first, second = ndjson(bad + b'\n{"a": 1}\n')
    assert isinstance(first.members, RejectedLine)
    assert reason in str(first.members)
    assert (second.number, second.members) == (2, {"a": 1})


def test_an_endless_line_is_not_read_whole() -> None:
    """A line past the limit is named, skipped to its end, and held only in part."""

    class Endless(io.RawIOBase):
        """A first line of a gigabyte, then a good one."""

        def __init__(self) -> None:
            self.left = 1 << 30
            self.rest = b'\n{"a": 1}\n'

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            data = b"x" * min(len(buffer), self.left) or self.rest[: len(buffer)]
            if self.left:
                self.left -= len(data)
            else:
                self.rest = self.rest[len(data) :]
            buffer[: len(data)] = data
            return len(data)

    file = io.BufferedReader(Endless(), 1 << 20)
    long, good = read_ndjson(file, "file.ndjson")
    assert str(long.members) == f"longer than {IMPORT_LINE_BYTES_MAX >> 20} MiB"
    assert len(long.raw) < 200
    assert (good.number, good.members) == (2, {"a": 1})


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'[{"a": 1}]', "jq -c"),
        (b"Status,ProspectActivityId\n", "--format csv"),
        (b"SQLite format 3\0", "not a text file"),
    ],
)
def test_another_kind_of_file_is_told_at_once(data: bytes, said: str) -> None:
    """The error says what the file is, and what to do, instead of a complaint about each line."""
    with pytest.raises(InvalidFile, match=said):
        ndjson(data)


# --- CSV ---------------------------------------------------------------------------------------


def test_records_are_numbered_by_their_first_line() -> None:
    """Also when a cell before it has line ends in it; blank lines are nothing."""
    data = b"\xef\xbb\xbf" + HEADER + b'1,2,3,"a\r\nb"\r\n\r\n4,5,6,"say ""hi"", now"\r\n'
    lines = csv(data)
    assert [(number, members["Status"]) for number, members in numbers(lines)] == [
        (2, "a\r\nb"),
        (5, 'say "hi", now'),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"1,2,3", "has 3 cells, where the first line has 4"),
        (b"1,2,3,4,5", "has 5 cells"),
        (b'1,2,3,"a"b', "not CSV"),
    ],
)
def test_a_bad_record_does_not_hide_the_next(bad: bytes, reason: str) -> None:
    """Each bad record says why, and reading goes on."""
    first, second = csv(HEADER + bad + b"\r\n1,2,3,4\r\n")
    assert isinstance(first.members, RejectedLine)
    assert reason in str(first.members)
    assert first.number == 2
    assert (second.number, isinstance(second.members, dict)) == (3, True)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"ProspectActivityId,EventCode\n", "ProspectId is missing"),
        (b"ProspectActivityId,EventCode,ProspectId,Stauts\n", "Did you mean Status"),
        (b"ProspectActivityId;EventCode;ProspectId\n", "separator seems to be ';'"),
        (HEADER.replace(b"Status", b"eventcode"), "are the same member"),
    ],
)
def test_a_first_line_that_names_no_members_refuses_the_file(header: bytes, said: str) -> None:
    """Every record would be wrong, so the file is."""
    with pytest.raises(InvalidFile, match=said):
        csv(header + b"1,2,3\n")


# --- packed files, formats, whole files ---------------------------------------------------------


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        zstandard.compress,
        lambda data: gzip.compress(data[:5]) + gzip.compress(data[5:]),
    ],
)
def test_a_packed_file_is_read_whatever_its_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """Its first bytes tell how it is packed; the position counts the file's own bytes."""
    path = tmp_path / "file.ndjson"
    path.write_bytes(pack(b'{"a": 1}\n' * 1_000))
    with opened(path) as source:
        assert len(list(read_ndjson(source.bytes, "file"))) == 1_000
        assert source.position() == source.size == path.stat().st_size


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_that_was_cut_is_refused(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    """Half a file is never taken for a whole one."""
    path = tmp_path / "file.ndjson"
    whole = pack(b"".join(b'{"a": %d}\n' % n for n in range(100_000)))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFile, match=r"cannot be unpacked"), opened(path) as source:
        list(read_ndjson(source.bytes, "file"))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.ndjson", Format.NDJSON),
        ("a.JSONL.gz", Format.NDJSON),
        ("a.b.csv.zst", Format.CSV),
        ("a.parquet", Format.PARQUET),
        (str(STANDARD), Format.NDJSON),
    ],
)
def test_a_name_says_the_format(name: str, form: Format) -> None:
    """In any case, packed or not."""
    assert format_of(Path(name), None) is form
    assert format_of(Path(name), Format.CSV) is Format.CSV


def test_a_name_that_says_nothing_is_asked_about() -> None:
    """The formats and the names are listed."""
    with pytest.raises(InvalidInput, match=r"--format ndjson, csv, parquet"):
        format_of(Path("a.txt"), None)
