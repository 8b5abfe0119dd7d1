"""Outputs as typed: devices, pipes, links, what is there already, and runs that were killed."""

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from tests.support import outputs
from tests.support.fetching import fetch, files, ids_in, write_ids
from tests.support.outputs import BAD, GOOD, ROWS, export, is_root, needs_root, reading, rows_in
from tests.support.running import OPPSERVER, clean_environment, one_line, poll, run
from tests.support.scripted_host import IDS, error, scripted_host

store = outputs.store

# --- devices -------------------------------------------------------------------------------------


def node(path: Path, minor: int) -> os.stat_result:
    """A device of our own: 3 is that of /dev/null, 7 that of /dev/full."""
    os.mknod(path, stat.S_IFCHR | 0o640, os.makedev(1, minor))
    return path.stat()


def same_node(path: Path, before: os.stat_result) -> bool:
    """Return whether a path still leads to the device as it was."""
    now = path.stat()
    return (now.st_mode, now.st_ino, now.st_rdev) == (
        before.st_mode,
        before.st_ino,
        before.st_rdev,
    )


@needs_root
@pytest.mark.parametrize("through_link", [False, True])
def test_f1_a_device_stays_a_device(tmp_path: Path, store: str, *, through_link: bool) -> None:
    """Every command that writes a file writes into it, also where a link leads to it."""
    before = node(tmp_path / "null", 3)
    name = "null"
    if through_link:
        (tmp_path / "link").symlink_to("null")
        name = "link"
    assert export(tmp_path, store, name, "--format", "csv").returncode == 0
    (tmp_path / "in.ndjson").write_text(f"{GOOD}\n{BAD}\n")
    done = run("import", "in.ndjson", "--on-error", "skip", "--rejects", name, folder=tmp_path)
    assert done.returncode == 3
    write_ids(tmp_path, IDS[:3])
    with scripted_host(absent=frozenset(IDS[:1])) as host:
        more = ("--missing", name, "--format", "csv")
        done = fetch(tmp_path, host.url, *more, output=name)
    assert done.returncode == 0, done.stderr
    assert same_node(tmp_path / "null", before)
    expected = {"null", "in.ndjson", "ids.txt", "oppserver.db"}
    assert files(tmp_path) - {"link"} == expected


@needs_root
@pytest.mark.parametrize("name", ["full.ndjson", "full.csv.gz", "full.parquet"])
def test_f1_a_full_device_is_one_line(tmp_path: Path, store: str, name: str) -> None:
    """An output that cannot be written is reported, whichever part of it meets the end."""
    before = node(tmp_path / name, 7)
    said = one_line(export(tmp_path, store, name))
    assert said == f"oppserver: {name} cannot be written: No space left on device"
    assert same_node(tmp_path / name, before)
    assert files(tmp_path) == {name}


# --- pipes and descriptors -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.ndjson", "out.csv.gz", "out.csv.zst", "out.parquet"])
def test_f1_the_reader_of_a_pipe_gets_all(tmp_path: Path, store: str, name: str) -> None:
    """In every format, packed or not; the pipe is still one, and nothing is beside it."""
    with reading(tmp_path / name) as whole:
        assert export(tmp_path, store, name).returncode == 0
        assert rows_in(whole(), name) == ROWS
    assert (tmp_path / name).is_fifo()
    assert files(tmp_path) == {name}


@pytest.mark.parametrize("name", ["out.csv", "out.parquet", "out.arrow"])
def test_a_fetch_into_a_pipe(tmp_path: Path, name: str) -> None:
    """Rows and missing ids, each to the reader of its pipe."""
    write_ids(tmp_path)
    with (
        scripted_host(absent=frozenset(IDS[:2])) as host,
        reading(tmp_path / name) as whole,
        reading(tmp_path / "missing") as missing,
    ):
        done = fetch(tmp_path, host.url, "--missing", "missing", output=name)
        assert done.returncode == 0, done.stderr
        assert rows_in(whole(), name) == len(IDS) - 2
        assert missing().decode().split() == IDS[:2]
    assert files(tmp_path) == {"ids.txt", name, "missing"}


def test_a_fetch_into_a_pipe_says_that_a_stop_keeps_nothing(tmp_path: Path) -> None:
    """There is no file in which it could go on; nothing is promised that is not kept."""
    write_ids(tmp_path)
    os.mkfifo(tmp_path / "out.csv")
    with scripted_host() as host:
        host.answer = lambda request: (
            error(400, "no") if IDS[-1] in request.ids else host.rows(request)
        )
        done = fetch(tmp_path, host.url)
    assert done.returncode == 3
    assert f"4,000 of {len(IDS):,} ids are read, and not kept" in done.stderr
    assert files(tmp_path) == {"ids.txt", "out.csv"}


@pytest.mark.parametrize("text", [GOOD, f"{GOOD}\n{BAD}"])
def test_rejected_lines_into_a_pipe(tmp_path: Path, text: str) -> None:
    """Its reader comes to an end also when no line was rejected."""
    (tmp_path / "in.ndjson").write_text(f"{text}\n")
    with reading(tmp_path / "rejects") as whole:
        run("import", "in.ndjson", "--on-error", "skip", "--rejects", "rejects", folder=tmp_path)
        assert [json.loads(one)["content"] for one in whole().splitlines()] == (
            [BAD] if BAD in text else []
        )


@pytest.mark.parametrize("output", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "link"])
def test_a_descriptor_is_written_from_where_it_is(tmp_path: Path, store: str, output: str) -> None:
    """Text that the shell put into the file before and after stays there, also when it appends."""
    (tmp_path / "link").symlink_to("/dev/stdout")
    words = shlex.join([OPPSERVER, "export", "--database", store, "--output", output])
    script = f"(echo first; {words} --format ndjson; echo last) > all; {words} --format csv >> all"
    subprocess.run(
        ["bash", "-ec", script],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    lines = (tmp_path / "all").read_text().splitlines()
    assert (lines[0], lines[ROWS + 1], len(lines)) == ("first", "last", 2 * ROWS + 3)
    assert files(tmp_path) == {"all", "link"}


def test_an_output_of_the_shell(tmp_path: Path, store: str) -> None:
    """``>(command)`` is a descriptor to a pipe."""
    words = shlex.join([OPPSERVER, "export", "--database", store, "--format", "ndjson"])
    subprocess.run(
        ["bash", "-ec", f"{words} --output >(wc -l > count)"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        check=True,
    )
    poll(lambda: (tmp_path / "count").read_text().strip() == str(ROWS) or None, what="the count")


@pytest.mark.parametrize(
    ("redirected", "output", "said"),
    [
        (">&-", "-", "the standard output cannot be written: it is closed"),
        (">&-", "/dev/stdout", "/dev/stdout cannot be written: it is closed"),
        ("> /dev/full", "-", "the standard output cannot be written: No space left on device"),
        ("", "/dev/fd/77", "/dev/fd/77 cannot be written: Bad file descriptor"),
        ("< /dev/null", "/dev/fd/0", "/dev/fd/0 cannot be written: it is open for reading only"),
    ],
)
def test_a_descriptor_that_takes_nothing(
    tmp_path: Path, store: str, redirected: str, output: str, said: str
) -> None:
    """One line says so."""
    words = shlex.join([OPPSERVER, "export", "--database", store, "--output", output])
    done = subprocess.run(
        ["bash", "-c", f"{words} --format ndjson {redirected}"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert one_line(done) == f"oppserver: {said}"


# --- links, and files that are there already -----------------------------------------------------


def owned(path: Path, *, mode: int) -> None:
    """A file that is not as a new one would be."""
    path.write_text("before")
    if is_root:
        os.chown(path, 12, 34)
    path.chmod(mode)


def test_f1_a_file_keeps_its_mode_and_its_owner(tmp_path: Path, store: str) -> None:
    """Behind two links; the links stay, and the folders have nothing else in them."""
    (tmp_path / "folder").mkdir()
    owned(tmp_path / "folder" / "real.csv", mode=0o604)
    (tmp_path / "one.csv").symlink_to("folder/real.csv")
    (tmp_path / "two.csv").symlink_to(tmp_path / "one.csv")
    before = (tmp_path / "folder" / "real.csv").stat()
    assert export(tmp_path, store, "two.csv").returncode == 0
    after = (tmp_path / "two.csv").stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode,
        before.st_uid,
        before.st_gid,
    )
    assert after.st_ino != before.st_ino  # replaced, not written over
    assert rows_in((tmp_path / "folder" / "real.csv").read_bytes(), "real.csv") == ROWS
    assert (tmp_path / "two.csv").is_symlink()
    assert (tmp_path / "one.csv").is_symlink()
    assert files(tmp_path / "folder") == {"real.csv"}
    assert files(tmp_path) == {"folder", "one.csv", "two.csv"}


def test_a_link_to_nothing_becomes_a_link_to_a_file(tmp_path: Path, store: str) -> None:
    """The link is followed, as with ``>`` in the shell."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to("folder/new.csv")
    assert export(tmp_path, store, "link.csv").returncode == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert rows_in((tmp_path / "folder" / "new.csv").read_bytes(), "new.csv") == ROWS


def test_f1_the_other_commands_follow_links_too(tmp_path: Path) -> None:
    """``fetch`` with both of its files, ``import`` with its rejected lines; modes stay."""
    (tmp_path / "folder").mkdir()
    for name in ("out.csv", "missing.txt", "rejects"):
        owned(tmp_path / "folder" / name, mode=0o604)
        (tmp_path / name).symlink_to(f"folder/{name}")
    write_ids(tmp_path, IDS[:3])
    with scripted_host(absent=frozenset(IDS[:1])) as host:
        assert fetch(tmp_path, host.url, "--missing", "missing.txt").returncode == 0
    (tmp_path / "in.ndjson").write_text(f"{GOOD}\n{BAD}\n")
    run("import", "in.ndjson", "--on-error", "skip", "--rejects", "rejects", folder=tmp_path)
    assert ids_in(tmp_path / "folder" / "out.csv") == IDS[1:3]
    assert (tmp_path / "folder" / "missing.txt").read_text() == f"{IDS[0]}\n"
    assert json.loads((tmp_path / "folder" / "rejects").read_text())["content"] == BAD
    for name in ("out.csv", "missing.txt", "rejects"):
        assert (tmp_path / name).is_symlink()
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o604
    assert files(tmp_path / "folder") == {"out.csv", "missing.txt", "rejects"}


def test_a_long_name_is_a_name(tmp_path: Path, store: str) -> None:
    """255 bytes, which leave no room for more beside them."""
    name = f"{'ä' * 125}.csv"
    assert export(tmp_path, store, name).returncode == 0
    assert files(tmp_path) == {name}
