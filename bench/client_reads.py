"""``python -m bench.client_reads``: the client's figures of docs/client.md, against a real server.

The server is limited as the hosted one is. Reading by one call each is measured for as long as two
windows take, and reckoned from there: it would take more than a day.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from oppserver.client import Client
from oppserver.client.bulk_read import BulkPlan, Chunk
from oppserver.contract import sample
from oppserver.store import open_store

LIMIT: Final = "25/5"
CALLS: Final = 25
WINDOW_S: Final = 5.0
NUMBERS: Final = (10_000, 100_000, 500_000)
COLUMNS: Final = "CreatedOn,ModifiedOn,Owner,Status,mx_Custom_1,mx_Custom_2,mx_Custom_3,mx_Custom_6"
MEMORY_ROWS: Final = 1_000_000


class Keys(NamedTuple):
    """A key pair."""

    access: str
    secret: str


def main() -> None:
    """Measures, and prints one line of JSON for each figure."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else MEMORY_ROWS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = _fill(folder, number)
        keys = _keys(folder)
        with _serving(folder, "off") as url:
            _tell("decode", rows_per_s=_decoding(url, keys, ids))
            _tell("iterate", rows_per_s=_iterating(url, keys, ids))
            _tell("fetch parquet", **_fetching(folder, url, keys, ids, "out.parquet", "off"))
        with _serving(folder, LIMIT) as url:
            _tell("one detail call each", calls=2 * CALLS, seconds=_details(url, keys, ids))
            for some in NUMBERS:
                time.sleep(WINDOW_S + 1)  # the window is empty for each
                told = _fetching(folder, url, keys, ids[:some], f"{some}.csv", "learn")
                _tell("fetch limited", **told)


def _tell(what: str, **figures: object) -> None:
    print(json.dumps({"what": what, **figures}), flush=True)


def _fill(folder: Path, number: int) -> list[str]:
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    store.put_types([sample.TYPE])
    store.put_fields(sample.FIELDS)
    rows = sample.opportunities(number)
    ids: list[str] = []
    while batch := list(islice(rows, 20_000)):
        store.write_opportunities(batch, now="2024-01-01 00:00:00")
        ids += [one.id for one in batch]
    store.close()
    return ids


def _keys(folder: Path) -> Keys:
    printed, _ = _run(folder, "key", "create", "--email", "bench@example.com", "--json")
    made = json.loads(printed)
    return Keys(made["accessKey"], made["secretKey"])


def _run(folder: Path, *arguments: str, keys: Keys | None = None) -> tuple[str, int]:
    """The output of a command, and the most bytes that were resident."""
    environment = dict(os.environ)
    if keys is not None:
        environment |= {"OPPSERVER_ACCESS_KEY": keys.access, "OPPSERVER_SECRET_KEY": keys.secret}
    process = subprocess.Popen(
        [sys.executable, "-m", "oppserver", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
    )
    watched, peak = psutil.Process(process.pid), 0
    while process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            peak = max(peak, watched.memory_info().rss)
        time.sleep(0.01)
    assert process.returncode == 0
    assert process.stdout is not None
    return process.stdout.read().decode(), peak


@contextmanager
def _serving(folder: Path, limit: str) -> Iterator[str]:
    log = folder / f"server-{limit.replace('/', '-')}.log"
    command = [sys.executable, "-m", "oppserver", "serve", "--port", "0", "--rate-limit", limit]
    with log.open("wb") as lines:
        process = subprocess.Popen([*command, "--log-format", "json"], cwd=folder, stderr=lines)
    try:
        while not (url := _listening(log)):
            time.sleep(0.01)
        yield url
    finally:
        process.terminate()
        process.wait()


def _listening(log: Path) -> str:
    for line in log.read_text().splitlines():
        if (told := json.loads(line)).get("event") == "listening":
            return str(told["url"])
    return ""


def _decoding(url: str, keys: Keys, ids: Sequence[str]) -> int:
    """Typed rows made of one answer's bytes in a second, and looked at."""
    chunk = Chunk(asked=ids[:2_000], distinct=ids[:2_000])
    call = BulkPlan.of(sample.EVENT_CODE, COLUMNS).call(chunk)
    with Client(url, *keys, rate_limit="off") as client:
        body = _body(client, chunk)
    started = time.perf_counter()
    turns = 100
    for _ in range(turns):
        for row in call.read(body).rows:
            row.status  # noqa: B018 (looked at)
    return round(turns * 2_000 / (time.perf_counter() - started))


def _body(client: Client, chunk: Chunk) -> bytes:
    rows = client.get_opportunities(
        chunk.asked, event_code=sample.EVENT_CODE, columns=COLUMNS, rows_as="dict"
    ).all()
    entry = {"EventCode": "12000", "RecordCount": len(rows), "Opportunities": rows}
    return json.dumps([entry]).encode()


def _iterating(url: str, keys: Keys, ids: Sequence[str]) -> int:
    """Rows a second over loopback, the server's own time and the network's included."""
    with Client(url, *keys, rate_limit="off") as client:
        started = time.perf_counter()
        rows = client.get_opportunities(
            ids[:200_000], event_code=sample.EVENT_CODE, columns=COLUMNS
        )
        number = sum(1 for _ in rows)
        return round(number / (time.perf_counter() - started))


def _details(url: str, keys: Keys, ids: Sequence[str]) -> float:
    with Client(url, *keys) as client:
        started = time.perf_counter()
        for one in ids[: 2 * CALLS + 1]:
            client.get_opportunity(one)
        return round(time.perf_counter() - started, 1)


def _fetching(
    folder: Path, url: str, keys: Keys, ids: Sequence[str], name: str, limit: str
) -> dict[str, object]:
    (folder / "ids.txt").write_text("\n".join(ids))
    fixed = ("--host", url, "--event-code", str(sample.EVENT_CODE), "--ids", "ids.txt")
    told, peak = _run(
        folder,
        "fetch",
        *fixed,
        *("--columns", COLUMNS, "--output", name, "--rate-limit", limit, "--json"),
        keys=keys,
    )
    figures: dict[str, object] = json.loads(told)
    return figures | {"peak_mb": peak >> 20}


if __name__ == "__main__":
    main()
