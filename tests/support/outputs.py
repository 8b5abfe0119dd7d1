"""Outputs of commands, for tests: a store to export, readers of pipes, files as they are."""

import gzip
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zstandard
from pyarrow import ipc, parquet

from oppserver.contract.model import StoredOpportunity
from oppserver.store import open_store
from tests.support.import_lines import line
from tests.support.running import run
from tests.support.stores import guid, lead

if TYPE_CHECKING:
    import subprocess

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


def seen(folder: Path) -> dict[Path, tuple[int, ...]]:
    """Everything in a folder, and what a write would change of it."""
    found = {path: path.lstat() for path in folder.rglob("*")}
    return {
        path: (one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns) for path, one in found.items()
    }
