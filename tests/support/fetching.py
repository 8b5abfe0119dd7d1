"""``oppserver fetch`` as typed, and the files that it leaves."""

import csv
import gzip
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from oppserver.transfer.files import opened
from tests.support import forked
from tests.support.both_clients import ACCESS, SECRET
from tests.support.running import OPPSERVER, clean_environment
from tests.support.scripted_host import IDS

COLUMNS = "Status,CreatedOn,mx_Custom_1"
ENVIRONMENT = {"OPPSERVER_ACCESS_KEY": ACCESS, "OPPSERVER_SECRET_KEY": SECRET}


def write_ids(folder: Path, ids: list[str] = IDS) -> None:
    """The file of ids that ``command`` names."""
    (folder / "ids.txt").write_text("\n".join(ids))


def command(host: str, *more: str, output: str = "out.csv") -> list[str]:
    """The command, unlimited unless a limit is among ``more``."""
    fixed = ["--host", host, "--event-code", "12000", "--ids", "ids.txt", "--columns", COLUMNS]
    limit = [] if "--rate-limit" in more else ["--rate-limit", "off"]
    return [OPPSERVER, "fetch", *fixed, "--output", output, *limit, *more]


def fetch(
    folder: Path, host: str, *more: str, output: str = "out.csv", text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs the command with the keys of tests; whatever the exit status is."""
    typed, environment = command(host, *more, output=output), clean_environment() | ENVIRONMENT
    return forked.run(typed, folder=folder, environment=environment, text=text)


def files(folder: Path) -> set[str]:
    """The names of the files in a folder."""
    return {path.name for path in folder.iterdir()}


def ids_in(path: Path) -> list[str]:
    """The ids of the rows of a CSV file, in order."""
    with path.open(encoding="utf-8") as file:
        return [line["ProspectActivityId"] for line in csv.DictReader(file)]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of any format, dates as text."""
    if path.suffix == ".csv":
        return list(csv.DictReader(path.read_text().splitlines()))
    if path.suffix == ".gz":
        return list(csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines()))
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".zst":
        with opened(path) as source:
            return [json.loads(line) for line in source.bytes]
    if path.suffix == ".parquet":
        table = parquet.read_table(path)
    else:
        with pa.ipc.open_file(path) as file:
            table = file.read_all()
    assert str(table.schema.field("CreatedOn").type) in (
        "timestamp[s, tz=UTC]",
        "timestamp[ms, tz=UTC]",
    )
    return [
        row | {"CreatedOn": row["CreatedOn"].strftime("%Y-%m-%d %H:%M:%S")}
        for row in table.to_pylist()
    ]


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A command under way; killed at the end of the block."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        env=clean_environment() | ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
