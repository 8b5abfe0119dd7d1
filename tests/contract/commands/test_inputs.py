"""Files that commands read: packed ones, spreadsheets, data frames, other kinds, keys."""

import bz2
import gzip
import json
import lzma
import os
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import zstandard

from oppserver.testing.host import make_empty
from tests.support.fetching import command, fetch, write_ids
from tests.support.import_lines import line
from tests.support.running import OPPSERVER, clean_environment, one_line, poll, run
from tests.support.scripted_host import IDS, error, scripted_host
from tests.support.stores import guid, lead

NAMES = "ProspectActivityId,EventCode,ProspectId,Status"


def cells(number: int) -> str:
    return f"{guid(number)},12000,{lead(number)},Open"


def imported(
    folder: Path, name: str, content: bytes, *more: str
) -> "subprocess.CompletedProcess[str]":
    (folder / name).write_bytes(content)
    return run("import", name, *more, folder=folder)


# --- packed -------------------------------------------------------------------------------------

_ZSTD = zstandard.ZstdCompressor().compress
_SKIPPED = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"\x0c\0\0\0"
_EMPTY = b"\x5f\x2a\x4d\x18\0\0\0\0"
ONE, TWO = f"{line(1)}\n".encode(), f"{line(2)}\n".encode()

PACKED = {
    "F11": _SKIPPED + _ZSTD(ONE + TWO),
    "skippable between": _ZSTD(ONE) + _SKIPPED + _ZSTD(TWO) + _EMPTY,
    "skippable twice": _SKIPPED + _EMPTY + _ZSTD(b"") + _ZSTD(ONE) + _ZSTD(TWO),
    "members of gzip": gzip.compress(ONE) + gzip.compress(TWO),
    "gzip with zeros behind it": gzip.compress(ONE + TWO) + bytes(512),
}


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
def test_f11_frames_and_members_are_read_as_one(tmp_path: Path, packed: bytes) -> None:
    """By the import, and as a list of ids."""
    assert "imported 2 opportunities" in imported(tmp_path, "in.ndjson", packed).stdout
    one, two = (f"{id_}\n".encode() for id_ in IDS[:2])
    (tmp_path / "ids.txt").write_bytes(_SKIPPED + _ZSTD(one) + _SKIPPED + _ZSTD(two))
    with scripted_host() as host:
        assert "fetched 2 " in fetch(tmp_path, host.url).stderr


@pytest.mark.parametrize(
    "packed", [_SKIPPED[:9], _SKIPPED + _ZSTD(ONE)[:9], _ZSTD(ONE) + _SKIPPED[:3], _EMPTY[:7]]
)
def test_f11_a_packed_file_that_was_cut_is_one_line(tmp_path: Path, packed: bytes) -> None:
    """Wherever it was cut."""
    assert "it was cut off" in one_line(imported(tmp_path, "in.ndjson", packed))


# --- spreadsheets and data frames ----------------------------------------------------------------

READ = {
    "F14": [NAMES, cells(1), ",,,", ",,,,,", cells(2), ""],
    "trailing commas": [f"{NAMES},,", f"{cells(1)},,", f"{cells(2)},,"],
    "commas behind records": [NAMES, f"{cells(1)},,", f"{cells(2)},"],
    "blank lines first": ["", ",,,", NAMES, cells(1), cells(2)],
    "Excel's line": ["sep=,", NAMES, cells(1), cells(2)],
    "quoted blanks": [NAMES, '"","",,', cells(1), cells(2)],
}


@pytest.mark.parametrize("text", READ.values(), ids=READ)
def test_f14_blank_records_and_trailing_commas_are_nothing(tmp_path: Path, text: list[str]) -> None:
    """Nothing of what a spreadsheet writes is rejected."""
    done = imported(tmp_path, "in.csv", "\r\n".join(text).encode(), "--on-error", "skip")
    assert (done.returncode, done.stdout[:24]) == (0, "imported 2 opportunities"), done.stderr


def test_f14_a_value_without_a_name_is_still_rejected(tmp_path: Path) -> None:
    """A trailing comma hides nothing."""
    said = one_line(imported(tmp_path, "in.csv", f"{NAMES},\n{cells(1)},x\n".encode()))
    assert "line 2: has 5 cells, where the first line has 4" in said


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "level_0"])
def test_f14_an_index_in_csv_is_named(tmp_path: Path, name: str) -> None:
    """With what leaves it out."""
    said = one_line(imported(tmp_path, "in.csv", f"{name},{NAMES}\n0,{cells(1)}\n".encode()))
    assert "index=False" in said


def test_f14_an_index_in_parquet_is_named(tmp_path: Path) -> None:
    """``to_parquet`` keeps one that is no range."""
    row = dict(zip(NAMES.split(","), cells(1).split(","), strict=True))
    frame = pd.DataFrame([row], index=[7])
    frame.to_parquet(tmp_path / "in.parquet")
    said = one_line(run("import", "in.parquet", folder=tmp_path))
    assert "'__index_level_0__'" in said
    assert "index=False" in said


# --- files of another kind -----------------------------------------------------------------------


def _parquet() -> bytes:
    frame = pd.DataFrame({"a": [1]})
    written: bytes = frame.to_parquet()
    return written


def _arrow() -> bytes:
    table, sink = pa.table({"a": [1]}), BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _zip() -> bytes:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("in.csv", NAMES)
    return sink.getvalue()


OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "F13": (_parquet, "is a Parquet file. Give --format parquet"),
    "Arrow": (_arrow, "is an Arrow file"),
    "Excel": (_zip, "is a ZIP archive or an Excel workbook"),
    "bzip2": (lambda: bz2.compress(ONE), "is packed by bzip2"),
    "xz": (lambda: lzma.compress(ONE), "is packed by xz"),
    "UTF-16": (lambda: ONE.decode().encode("utf-16"), "is a text in UTF-16"),
    "SQLite": (lambda: b"SQLite format 3\0" + bytes(84), "is an SQLite database"),
}


@pytest.mark.parametrize(("made", "said"), OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", ["in.csv", "in.ndjson", "ids.txt"])
def test_f13_a_file_of_another_kind_says_what_it_is(
    tmp_path: Path, made: Callable[[], bytes], said: str, name: str
) -> None:
    """Whatever its name says, also where ids are expected."""
    (tmp_path / name).write_bytes(made())
    if name == "ids.txt":
        line_ = one_line(fetch(tmp_path, "http://127.0.0.1:1"))
    else:
        line_ = one_line(run("import", name, folder=tmp_path))
    assert f"{name} {said}" in line_
    assert line_.isprintable()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.csv", ONE, "seems to be NDJSON. Give --format ndjson"),
        ("in.ndjson", f"{NAMES}\n{cells(1)}\n".encode(), "seems to be CSV. Give --format csv"),
        ("in.jsonl", f"Status,prospectactivityid\n{cells(1)}\n".encode(), "seems to be CSV"),
    ],
)
def test_f13_text_of_the_other_format_says_so(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    assert said in one_line(imported(tmp_path, name, content))


@pytest.mark.parametrize(
    "typed",
    ["import -", "import - --format csv", "type import -", "fetch"],
)
def test_f13_a_closed_input_is_one_line(tmp_path: Path, typed: str) -> None:
    """Where no file is open as the standard input."""
    words = [OPPSERVER, *typed.split()]
    if typed == "fetch":
        words = command("http://127.0.0.1:1", "--ids", "-")
    done = subprocess.run(
        ["bash", "-c", '"$@" <&-', "bash", *words],
        cwd=tmp_path,
        env=clean_environment()
        | {"OPPSERVER_ACCESS_KEY": "access-1", "OPPSERVER_SECRET_KEY": "s-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert one_line(done).startswith("oppserver: The standard input is closed.")


@pytest.mark.parametrize("change", ["--host", "--columns", "--event-code"])
def test_f13_a_fetch_that_has_nothing_yet_starts_over(tmp_path: Path, change: str) -> None:
    """One that was killed before its first answer keeps no other from the same output."""
    write_ids(tmp_path, IDS[:3])
    with scripted_host(answer=lambda _: error(503, Retry_After="60")) as silent:
        process = subprocess.Popen(
            command(silent.url),
            cwd=tmp_path,
            env=clean_environment()
            | {"OPPSERVER_ACCESS_KEY": "acc-1", "OPPSERVER_SECRET_KEY": "s-1"},
            stderr=subprocess.DEVNULL,
        )
        poll(
            lambda: ((tmp_path / "out.csv.journal").exists() and silent.requests) or None,
            what="a call",
        )
        process.kill()
        process.wait()
    with scripted_host() as host:
        more = {
            "--host": (),
            "--columns": ("--columns", "Owner"),
            "--event-code": ("--event-code", "9"),
        }
        done = fetch(tmp_path, host.url, *more[change])
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="only root makes process namespaces",
)
@pytest.mark.parametrize("typed", ["import -", "fetch", "type import -"])
def test_f13_the_first_process_of_a_container_ends_by_sigterm(tmp_path: Path, typed: str) -> None:
    """The kernel ends no process 1 that has not asked for it."""
    words = [OPPSERVER, *typed.split()]
    if typed == "fetch":
        words = command("http://127.0.0.1:1", "--ids", "-")
    process = subprocess.Popen(
        ["unshare", "--pid", "--fork", "--kill-child", *words],
        cwd=tmp_path,
        env=clean_environment() | {"OPPSERVER_ACCESS_KEY": "acc-1", "OPPSERVER_SECRET_KEY": "s-1"},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        child = poll(lambda: _waiting(process.pid), what="the first process")
        os.kill(child, signal.SIGTERM)
        assert process.wait(20) == 143
    finally:
        process.kill()
        process.communicate()


def _waiting(parent: int) -> int | None:
    """The child of a process, once it has a handler for SIGTERM and reads its input."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    if not found:
        return None
    status = Path(f"/proc/{found[0]}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    is_asleep = "State:\tS" in status and "pipe" in Path(f"/proc/{found[0]}/wchan").read_text()
    return int(found[0]) if caught >> (signal.SIGTERM - 1) & 1 and is_asleep else None


# --- keys ----------------------------------------------------------------------------------------

KEYS = {
    "F15": "accessKey  access-1\nsecretKey  secret-1\n\n",
    "CRLF": "accessKey  access-1\r\nsecretKey  secret-1\r\n",
    "BOM": "\ufeffaccessKey  access-1\nsecretKey  secret-1",
    "JSON": json.dumps({"accessKey": "access-1", "secretKey": "secret-1"}, indent=1) + "\n",
    "variables": "export OPPSERVER_ACCESS_KEY='access-1'\nOPPSERVER_SECRET_KEY=secret-1\n",
}


@pytest.mark.parametrize("text", KEYS.values(), ids=KEYS)
def test_f15_keys_of_a_file_are_stripped(tmp_path: Path, text: str) -> None:
    """However its lines end."""
    write_ids(tmp_path, IDS[:1])
    (tmp_path / "keys").write_text(text)
    with scripted_host() as host:
        assert fetch(tmp_path, host.url, "--keys-file", "keys").returncode == 0
    assert host.requests[0].headers["x-lsq-accesskey"] == "access-1"
    assert host.requests[0].headers["x-lsq-secretkey"] == "secret-1"


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t\n"])
def test_f15_keys_of_variables_and_flags_are_stripped(tmp_path: Path, end: str) -> None:
    """A line end comes with ``$(cat key)`` of some shells, and with mounted secrets."""
    write_ids(tmp_path, IDS[:1])
    keys = {"OPPSERVER_ACCESS_KEY": f"access-1{end}", "OPPSERVER_SECRET_KEY": f"{end}secret-1{end}"}
    with scripted_host() as host:
        done = subprocess.run(
            command(host.url), cwd=tmp_path, env=clean_environment() | keys, check=False
        )
    assert done.returncode == 0
    assert host.requests[0].headers["x-lsq-secretkey"] == "secret-1"


# --- the plug-in's cache -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["F7", "missing", "a folder in its place", "another file"])
def test_f7_an_empty_store_needs_no_cache(tmp_path: Path, kind: str) -> None:
    """A cache that cannot be read or written is passed over."""
    kept = tmp_path / "kept"
    if kind == "F7":
        kept.touch()
    elif kind != "missing":
        make_empty(tmp_path / "first.db", kept_in=None)
        kept.mkdir()
        make_empty(tmp_path / "second.db", kept_in=kept)
        [made] = kept.iterdir()
        made.unlink()
        made.mkdir() if kind == "a folder in its place" else made.write_bytes(b"x" * 5_000)
    make_empty(tmp_path / "empty.db", kept_in=kept)
    assert (tmp_path / "empty.db").stat().st_size > 0
    assert run("db", "check", "--database", "sqlite:///empty.db", folder=tmp_path).returncode == 0
