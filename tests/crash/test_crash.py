"""SIGKILL at random points: what was acknowledged is there, and the store is sound.

An import acknowledges a batch by a line; here the writing process prints a line per batch
after the store's call has returned, and dies whenever the parent likes.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from oppserver.store import open_store
from tests.support import stores
from tests.support.running import (
    SCALE,
    asking,
    clean_environment,
    create_key,
    group,
    run_well,
    serving,
)

KILLS = {"sqlite": max(10, int(50 * SCALE)), "postgres": max(10, int(15 * SCALE))}
"""Fewer where the process that dies is not the one that keeps the data."""
BATCH_ROWS = 200
CODE = 12000

WRITER = f"""
import sys
from oppserver.contract.model import StoredOpportunity
from oppserver.store import open_store
store = open_store(sys.argv[1])
batch = int(sys.argv[2])
while True:
    rows = [
        StoredOpportunity(
            id=f"{{n * 2654435761 % 2**32:08x}}-0000-4000-8000-{{n:012x}}",
            event_code={CODE},
            lead_id=f"{{batch % 50:08x}}-0000-4000-8000-000000000000",
            lead_email=f"{{batch}}@example.com",
            slots={{"mx_custom_1": str(batch)}},
        )
        for n in range(batch * {BATCH_ROWS}, (batch + 1) * {BATCH_ROWS})
    ]
    store.write_opportunities(rows, now="2024-01-01 00:00:00")
    print(batch, flush=True)
    batch += 1
"""


def guid(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def write_and_die(url: str, first: int, after_s: float) -> int:
    """Runs the writer and kills it; the number of batches that it acknowledged, from the start."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(first)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    acknowledged = first - 1
    line = process.stdout.readline()  # the first batch: it is past its imports
    acknowledged = int(line)
    time.sleep(after_s)
    process.kill()
    for line in process.stdout:
        if line.endswith("\n"):
            acknowledged = int(line)
    process.stdout.close()
    process.wait()
    return acknowledged + 1


@pytest.mark.slow
@pytest.mark.parametrize("engine", stores.UNOPENED)
def test_every_acknowledged_batch_survives_sigkill(engine: str, tmp_path: Path) -> None:
    """Kills of a writer: each acknowledged batch is whole; one more may be there, whole too."""
    chance = random.Random(7)
    url = stores.UNOPENED[engine](tmp_path)
    open_store(url).close()
    done = 0
    for _ in range(KILLS[engine]):
        done = write_and_die(url, done, after_s=chance.uniform(0, 0.05))
        store = open_store(url)
        stored = store.count_opportunities(event_code=CODE)
        assert stored % BATCH_ROWS == 0, "a batch is there in part"
        assert done * BATCH_ROWS <= stored <= (done + 1) * BATCH_ROWS
        assert store.check() == []
        store.close()
        done = stored // BATCH_ROWS


@pytest.mark.slow
@pytest.mark.parametrize("engine", stores.UNOPENED)
def test_a_killed_server_leaves_a_sound_store(engine: str, tmp_path: Path) -> None:
    """A server killed while it answers, with a writer beside it: sound, and it serves again."""
    chance = random.Random(8)
    url = stores.UNOPENED[engine](tmp_path)
    database = ("--database", url)
    run_well("type", "create", str(CODE), *database, folder=tmp_path)
    keys = create_key(tmp_path, database=url)
    batches = 0
    for _ in range(max(3, int(5 * SCALE))):
        with serving(tmp_path, *database, keys=keys) as server:
            batches = write_and_die(url, batches, after_s=chance.uniform(0, 0.05))
            ids = [guid(n) for n in range((batches - 1) * BATCH_ROWS, batches * BATCH_ROWS)]
            answer = server.post(asking(group(ids, "mx_Custom_1", code=CODE)))
            assert answer.status == 200
            assert answer.json[0]["RecordCount"] == BATCH_ROWS
            server.process.kill()
        assert run_well("db", "check", *database, folder=tmp_path) == "ok\n"
