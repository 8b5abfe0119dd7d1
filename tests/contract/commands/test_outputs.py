"""Outputs as typed: devices, pipes, links, what is there already, and runs that were killed."""

import ctypes
import gzip
import io
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import zstandard
from pyarrow import ipc, parquet

from oppserver.contract.model import StoredOpportunity
from oppserver.store import open_store
from tests.support.fetching import fetch, files, ids_in, write_ids
from tests.support.import_lines import line
from tests.support.running import OPPSERVER, clean_environment, one_line, poll, run
from tests.support.scripted_host import IDS, error, scripted_host
from tests.support.stores import guid, lead

ROWS = 20_000
"""An export of them takes long enough to be met on its way."""

GOOD = line(1)
BAD = "not JSON"

is_root = os.geteuid() == 0
needs_root = pytest.mark.skipif(not is_root, reason="only root makes device nodes")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store that is only read."""
    file = tmp_path_factory.mktemp("store") / "oppserver.db"
    filled = open_store(f"sqlite:///{file}")
    rows = [StoredOpportunity(id=guid(n), event_code=12000, lead_id=lead(n)) for n in range(ROWS)]
    filled.write_opportunities(rows, now="2024-01-01 00:00:00")
    filled.close()
    return f"sqlite:///{file}"


def export(folder: Path, store: str, output: str, *more: str) -> "subprocess.CompletedProcess[str]":
    return run("export", "--output", output, "--database", store, *more, folder=folder)


def rows_in(data: bytes, name: str) -> int:
    """The number of rows of an exported file, by its name."""
    if name.endswith(".parquet"):
        return int(parquet.read_table(io.BytesIO(data)).num_rows)
    if name.endswith(".arrow"):
        return int(ipc.open_file(io.BytesIO(data)).read_all().num_rows)
    if name.endswith(".gz"):
        data = gzip.decompress(data)
    if name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return data.count(b"\n") - (".csv" in name)


@contextmanager
def reading(path: Path) -> Iterator[Callable[[], bytes]]:
    """A pipe with a reader; the function waits for its end and gives what came through."""
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()

    def whole() -> bytes:
        reader.join(60)
        assert got, "the reader still waits"
        return got[0]

    try:
        yield whole
    finally:
        with suppress(OSError):  # it has ended
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        reader.join(60)


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
def test_a_device_stays_a_device(tmp_path: Path, store: str, *, through_link: bool) -> None:
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
def test_a_full_device_is_one_line(tmp_path: Path, store: str, name: str) -> None:
    """An output that cannot be written is reported, whichever part of it meets the end."""
    before = node(tmp_path / name, 7)
    said = one_line(export(tmp_path, store, name))
    assert said == f"oppserver: {name} cannot be written: No space left on device"
    assert same_node(tmp_path / name, before)
    assert files(tmp_path) == {name}


# --- pipes and descriptors -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["out.ndjson", "out.csv.gz", "out.csv.zst", "out.parquet"])
def test_the_reader_of_a_pipe_gets_all(tmp_path: Path, store: str, name: str) -> None:
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


def test_a_file_keeps_its_mode_and_its_owner(tmp_path: Path, store: str) -> None:
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


def test_the_other_commands_follow_links_too(tmp_path: Path) -> None:
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


def _folder(path: Path) -> str:
    (path / "place").mkdir()
    return "place"


def _no_folder(_: Path) -> str:
    return "place/out.csv"


def _file_as_folder(path: Path) -> str:
    (path / "place").touch()
    return "place/out.csv"


def _circle(path: Path) -> str:
    (path / "place").symlink_to("other")
    (path / "other").symlink_to("place")
    return "place"


def _link_to_no_folder(path: Path) -> str:
    (path / "place").symlink_to("no/where")
    return "place"


def _socket(path: Path) -> str:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(os.path.relpath(path / "place"))
    return "place"


def _closed_folder(path: Path) -> str:
    (path / "folder").mkdir()
    (path / "folder" / "place").write_text("before")
    (path / "folder").chmod(0o555)
    return "folder/place"


def _file_for_readers(path: Path) -> str:
    (path / "place").write_text("before")
    (path / "place").chmod(0o444)
    return "place"


def seen(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Everything in a folder, and what a write would change of it."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {
        path: (one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns) for path, one in found.items()
    }


def without_privilege() -> None:
    """Takes from root, in a new process, what lets it write where modes forbid it."""
    if is_root:
        drop, dac_override = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
        assert ctypes.CDLL(None, use_errno=True).prctl(drop, dac_override, 0, 0, 0) == 0


@pytest.mark.parametrize(
    ("command", "made", "said"),
    [
        ("export", _folder, "place cannot be written: it is a folder. Name a file."),
        (
            "export",
            _no_folder,
            "place/out.csv cannot be made: there is no folder place. Make it first.",
        ),
        ("export", _file_as_folder, "place/out.csv cannot be written: Not a directory"),
        ("export", _circle, "place cannot be written: Too many levels of symbolic links"),
        (
            "export",
            _link_to_no_folder,
            "place cannot be made: there is no folder no. Make it first.",
        ),
        ("export", _socket, "place cannot be written: it is a socket. Name a file or a pipe."),
        (
            "export",
            _closed_folder,
            "folder/place cannot be made: its folder folder takes no new files.",
        ),
        ("export", _file_for_readers, "place cannot be written: Permission denied"),
        ("fetch --output", _closed_folder, "folder/place cannot be made: its folder folder"),
        ("fetch --missing", _no_folder, "place/out.csv cannot be made: there is no folder"),
        ("fetch --missing", _closed_folder, "folder/place cannot be made: its folder folder"),
        ("import", _folder, "place cannot be written: it is a folder. Name a file."),
        ("import", _circle, "place cannot be written: Too many levels of symbolic links"),
    ],
)
def test_where_nothing_can_be_written(
    tmp_path: Path, store: str, command: str, made: Callable[[Path], str], said: str
) -> None:
    """One line, before anything is read or asked for; what is there stays as it is."""
    name = made(tmp_path)
    before = seen(tmp_path)
    host = ("--host", "http://127.0.0.1:1", "--event-code", "12000", "--columns", "Status")
    arguments = {
        "export": ["export", "--database", store, "--format", "csv", "--output", name],
        "fetch --output": ["fetch", *host, "--ids", "-", "--format", "csv", "--output", name],
        "fetch --missing": ["fetch", *host, "--ids", "-", "--output", "x.csv", "--missing", name],
        "import": ["import", "-", "--on-error", "skip", "--rejects", name],
    }[command]
    done = subprocess.run(
        [OPPSERVER, *arguments],
        cwd=tmp_path,
        env=clean_environment(),
        input="",
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=without_privilege,
    )
    assert one_line(done).startswith(f"oppserver: {said}")
    assert seen(tmp_path) == before


# --- an output that is an input ------------------------------------------------------------------


def _same(path: Path) -> str:
    return path.name


def _link(path: Path) -> str:
    (path.parent / "other").symlink_to(path.name)
    return "other"


def _hard_link(path: Path) -> str:
    os.link(path, path.parent / "other")
    return "other"


def _another_way(path: Path) -> str:
    (path.parent / "folder").mkdir()
    return f"folder/../{path.name}"


INPUTS: Sequence[tuple[str, str]] = [
    ("in.ndjson", "import in.ndjson --on-error skip --rejects OUTPUT"),
    ("in.ndjson", "import - --on-error skip --rejects OUTPUT"),
    ("oppserver.db", "import in.ndjson --on-error skip --rejects OUTPUT"),
    ("oppserver.db", "export --format csv --output OUTPUT"),
    ("in.ndjson", "fetch FETCH --ids in.ndjson --format csv --output OUTPUT"),
    ("in.ndjson", "fetch FETCH --ids in.ndjson --output out.csv --missing OUTPUT"),
    ("keys", "fetch FETCH --ids in.ndjson --keys-file keys --format csv --output OUTPUT"),
    ("keys", "fetch FETCH --ids in.ndjson --keys-file keys --output x.csv --missing OUTPUT"),
    ("out.csv", "fetch FETCH --ids in.ndjson --output out.csv --missing OUTPUT"),
    ("out.csv.part", "fetch FETCH --ids in.ndjson --output out.csv --missing OUTPUT"),
    ("out.csv.journal", "fetch FETCH --ids in.ndjson --output out.csv --missing OUTPUT"),
    ("keys", "pull PULL --keys-file keys --state OUTPUT"),
    ("oppserver.db", "pull PULL --keys-file keys --state OUTPUT"),
]


NAMES = (_same, _link, _hard_link, _another_way)
CASES = [(*INPUTS[0], named) for named in NAMES] + [
    (*one, NAMES[number % len(NAMES)]) for number, one in enumerate(INPUTS[1:])
]


@pytest.mark.parametrize(("file", "command", "named"), CASES)
def test_an_input_is_not_an_output(
    tmp_path: Path, file: str, command: str, named: Callable[[Path], str]
) -> None:
    """Whatever name it has; the line names both, and the file stays as it is."""
    (tmp_path / "in.ndjson").write_text(f"{GOOD}\n{BAD}\n")
    for name in {"oppserver.db", "keys", file} - {"in.ndjson"}:
        (tmp_path / name).write_text("precious")
    before = (tmp_path / file).read_bytes()
    host = "--host http://127.0.0.1:1 --event-code 12000"
    words = command.replace("FETCH", f"{host} --columns Status").replace("PULL", host)
    arguments = words.replace("OUTPUT", named(tmp_path / file)).split()
    with (tmp_path / "in.ndjson").open() as given:
        done = subprocess.run(
            [OPPSERVER, *arguments],
            cwd=tmp_path,
            env=clean_environment(),
            stdin=given,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "is the same file as" in one_line(done)
    assert (tmp_path / file).read_bytes() == before


def test_a_store_that_is_not_there_yet_is_an_input_too(tmp_path: Path) -> None:
    """The state of a mirror does not take the place of the store that the pull would make."""
    host = ("--host", "http://127.0.0.1:1", "--event-code", "12000")
    done = run("pull", *host, "--state", "oppserver.db", folder=tmp_path)
    assert "is the same file as oppserver.db" in one_line(done)
    assert files(tmp_path) == set()


def test_a_state_has_to_be_read_again(tmp_path: Path) -> None:
    """A device or a pipe keeps nothing for the next pull."""
    os.mkfifo(tmp_path / "state")
    host = ("--host", "http://127.0.0.1:1", "--event-code", "12000")
    done = run("pull", *host, "--state", "state", folder=tmp_path)
    assert "--state state has to be a file" in one_line(done)


# --- runs that were killed -----------------------------------------------------------------------


def can_unshare() -> bool:
    try:
        done = subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def on_its_way(folder: Path, store: str, prefix: Sequence[str] = ()) -> Iterator[Path]:
    """An export to out.csv that has begun; it is killed at the end of the block."""
    before = set(folder.glob(".out.csv.*"))
    words = [OPPSERVER, "export", "--database", store, "--output", "out.csv"]
    process = subprocess.Popen(
        [*prefix, *words], cwd=folder, env=clean_environment(), stderr=subprocess.DEVNULL
    )
    try:
        yield poll(
            lambda: next(iter(set(folder.glob(".out.csv.*")) - before), None), what="the export"
        )
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("prefix", [(), ("unshare", "--pid", "--fork", "--kill-child")])
def test_a_killed_export_is_run_again(tmp_path: Path, store: str, prefix: tuple[str, ...]) -> None:
    """Also in a container, where every run has the process id 1.

    What the killed ones left is named in one line, and is still there afterwards.
    """
    if prefix and not can_unshare():
        pytest.skip("no process namespaces here")
    left = []
    for _ in range(2):
        with on_its_way(tmp_path, store, prefix) as unfinished:
            pass
        left.append(unfinished.name)
    words = ["export", "--database", store, "--output", "out.csv"]
    done = subprocess.run(
        [*prefix, OPPSERVER, *words],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, summary = done.stderr.splitlines()
    assert told == (
        "oppserver: runs that were killed have left unfinished files of out.csv:"
        f" {', '.join(sorted(left))}. Nothing reads them; remove them."
    )
    assert summary == f"exported {ROWS:,} opportunities"
    assert files(tmp_path) == {"out.csv", *left}
    assert rows_in((tmp_path / "out.csv").read_bytes(), "out.csv") == ROWS


def test_two_runs_at_once_do_not_meet(tmp_path: Path, store: str) -> None:
    """The second ends while the first stands still; neither removes or reports the other's file."""
    words = [OPPSERVER, "export", "--database", store, "--output", "out.csv"]
    first = subprocess.Popen(
        words, cwd=tmp_path, env=clean_environment(), stderr=subprocess.PIPE, text=True
    )
    try:
        unfinished = poll(lambda: next(tmp_path.glob(".out.csv.*"), None), what="the first")
        first.send_signal(signal.SIGSTOP)
        done = export(tmp_path, store, "out.csv")
        assert (done.returncode, done.stderr) == (0, f"exported {ROWS:,} opportunities\n")
        assert unfinished.exists()
        first.send_signal(signal.SIGCONT)
        _, said = first.communicate(timeout=60)
    finally:
        first.kill()
        first.wait()
    assert (first.returncode, said) == (0, f"exported {ROWS:,} opportunities\n")
    assert rows_in((tmp_path / "out.csv").read_bytes(), "out.csv") == ROWS
    assert files(tmp_path) == {"out.csv"}


def test_files_that_only_look_like_leftovers_are_left_alone(tmp_path: Path, store: str) -> None:
    """Nothing is removed or reported that is not named as our own."""
    names = [".out.csv.part", ".out.csv.backup.part", "out.csv.part", ".out.0123456789abcdef.part"]
    for name in names:
        (tmp_path / name).write_text("precious")
    done = export(tmp_path, store, "out.csv")
    assert done.stderr == f"exported {ROWS:,} opportunities\n"
    assert files(tmp_path) == {"out.csv", *names}
    assert all((tmp_path / name).read_text() == "precious" for name in names)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_other_commands_report_leftovers(tmp_path: Path, more: tuple[str, ...]) -> None:
    """``import`` and ``fetch``, before they begin; results on stdout stay as they are."""
    (tmp_path / "in.ndjson").write_text(f"{GOOD}\n")
    (tmp_path / ".in.ndjson.rejects.ndjson.0123456789abcdef.part").touch()
    (tmp_path / ".missing.fedcba9876543210.part").touch()
    done = run("import", "in.ndjson", "--on-error", "skip", *more, folder=tmp_path)
    assert ".in.ndjson.rejects.ndjson.0123456789abcdef.part" in done.stderr
    assert "unfinished" not in done.stdout
    write_ids(tmp_path, IDS[:3])
    with scripted_host() as host:
        done = fetch(tmp_path, host.url, "--missing", "missing", *more)
    assert ".missing.fedcba9876543210.part" in done.stderr
    assert len(list(tmp_path.glob(".*.part"))) == 2


# --- the files beside a fetch --------------------------------------------------------------------


def test_a_part_of_somebody_else_is_kept(tmp_path: Path) -> None:
    """A file that has the name of a fetch's part, and no journal, is not written over."""
    (tmp_path / "out.csv.part").write_text("precious")
    write_ids(tmp_path, IDS[:3])
    with scripted_host() as host:
        done = fetch(tmp_path, host.url)
        assert host.requests == []
        assert "out.csv.part is there, and is not of a run that can go on" in one_line(done)
        assert (tmp_path / "out.csv.part").read_text() == "precious"
        assert files(tmp_path) == {"ids.txt", "out.csv.part"}
        assert fetch(tmp_path, host.url, "--restart").returncode == 0
    assert files(tmp_path) == {"ids.txt", "out.csv"}


def test_a_link_and_its_file_are_one_output(tmp_path: Path) -> None:
    """Two fetches at once are noticed, whichever names they were given."""
    (tmp_path / "link.csv").symlink_to("out.csv")
    write_ids(tmp_path, IDS[:3])
    is_second_over = threading.Event()

    def answer(request: Any) -> Any:
        is_second_over.wait(60)
        return host.rows(request)

    with scripted_host(answer=answer) as host:
        first = threading.Thread(target=fetch, args=(tmp_path, host.url))
        first.start()
        poll(lambda: host.requests or None, what="the first call")
        done = fetch(tmp_path, host.url, output="link.csv")
        is_second_over.set()
        first.join(60)
    assert "link.csv is being made by another process" in one_line(done)
    assert ids_in(tmp_path / "out.csv") == IDS[:3]
    assert files(tmp_path) == {"ids.txt", "out.csv", "link.csv"}
