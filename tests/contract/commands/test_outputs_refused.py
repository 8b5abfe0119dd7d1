"""Outputs that are refused before a command begins: no place to write, or one of its inputs."""

import ctypes
import os
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support import outputs
from tests.support.fetching import files
from tests.support.outputs import BAD, GOOD, is_root, seen
from tests.support.running import OPPSERVER, clean_environment, one_line, run

store = outputs.store


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
def test_f12_an_input_is_not_an_output(
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
