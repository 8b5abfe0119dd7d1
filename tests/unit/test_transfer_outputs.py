"""The writer of all outputs, and the files beside a fetch, met at their narrow places."""

import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from oppserver.cli.pull_state import PullState, read_state, write_state
from oppserver.transfer.files import opened
from oppserver.transfer.outputs import written
from oppserver.transfer.resumable import Resumable

ACL = "system.posix_acl_access"


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.csv.zst"])
def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    """The old file stays until the new one is whole; nothing else is left in the folder."""
    path = tmp_path / name
    path.write_bytes(b"before")

    def write(fault: Exception | None) -> None:
        with written(path) as file:
            file.write(b"x" * 100_000)
            if fault is not None:
                raise fault

    with pytest.raises(ZeroDivisionError):
        write(ZeroDivisionError())
    assert path.read_bytes() == b"before"
    write(None)
    with opened(path) as source:
        assert source.bytes.read() == b"x" * 100_000
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_an_access_list_is_kept(tmp_path: Path) -> None:
    """Else the rights of its mask would become those of the group."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"before")
    entries = ((0x01, 6, -1), (0x02, 6, 65534), (0x04, 0, -1), (0x10, 6, -1), (0x20, 0, -1))
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little")
        + rights.to_bytes(2, "little")
        + (who & 0xFFFFFFFF).to_bytes(4, "little")
        for tag, rights, who in entries
    )
    try:
        os.setxattr(path, ACL, acl)
    except OSError:
        pytest.skip("no access lists here")
    with written(path) as file:
        file.write(b"after")
    assert os.getxattr(path, ACL) == acl
    assert path.read_bytes() == b"after"


def test_a_state_behind_a_link_is_followed(tmp_path: Path) -> None:
    """The link stays one, before the file is there and after."""
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to("folder/state.json")
    state = PullState(host="https://example.com", event_code=12000)
    for up_to in ("2024-01-01 00:00:00", "2024-01-02 00:00:00"):
        write_state(link, PullState(host=state.host, event_code=state.event_code, up_to=up_to))
        assert link.is_symlink()
        assert read_state(link, host=state.host, event_code=12000).up_to == up_to
    assert [one.name for one in (tmp_path / "folder").iterdir()] == ["state.json"]


def test_the_journal_is_locked_under_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that ends between the opening and the lock takes the file away: it is made anew.

    Else the next run would find no journal, and both would write one output.
    """
    output = tmp_path / "out.csv"
    journal = tmp_path / "out.csv.journal"
    lock = fcntl.flock
    is_first = [True]

    def lock_late(file: Any, how: int) -> None:
        if is_first:
            is_first.clear()
            journal.unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    made = Resumable(output, job={"host": "x"}, restart=False)
    with pytest.raises(Exception, match="is being made by another process"):
        Resumable(output, job={"host": "x"}, restart=False)
    made.close()
    assert list(tmp_path.iterdir()) == []


def test_a_journal_goes_while_it_is_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that keeps nothing removes its files first: they are never those of the next run."""
    made = Resumable(tmp_path / "out.csv", job={"host": "x"}, restart=False)
    unlink = Path.unlink
    locked: list[bool] = []

    def watched(path: Path, *, missing_ok: bool = False) -> None:
        with path.open("rb") as other:
            try:
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                locked.append(path.name == "out.csv.journal")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    made.close()
    assert locked == [True]
