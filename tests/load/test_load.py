"""Sixteen clients at once for a while: every answer is right, none is lost, memory stays."""

import http.client
import json
import random
import threading
import time
from pathlib import Path

import psutil
import pytest

from oppserver.contract.model import Field, StoredOpportunity
from oppserver.store import open_store
from tests.support.databases import database_of
from tests.support.running import BULK_READ, SCALE, Server, asking, create_key, group, serving

CLIENTS = 16
SECONDS = 20 * SCALE
ROWS = 50_000
RESIDENT_BYTES_MAX = 250 << 20
CODE = 12000


def guid(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


def fill(folder: Path) -> None:
    store = open_store(database_of(folder))
    store.put_fields([Field(event_code=CODE, schema_name="mx_Custom_1", display_name="Name")])
    for start in range(0, ROWS, 5_000):
        store.write_opportunities(
            [
                StoredOpportunity(
                    id=guid(n),
                    event_code=CODE,
                    lead_id=guid(n),
                    lead_email=f"{n}@example.com",
                    slots={"mx_custom_1": f"opportunity {n}"},
                )
                for n in range(start, start + 5_000)
            ],
            now="2024-01-01 00:00:00",
        )
    store.close()


def one_client(
    server: Server, seed: int, until: float, answered: list[int], wrong: list[str]
) -> None:
    """Reads 2,000 random ids again and again over one connection, and checks every row."""
    chance = random.Random(seed)
    connection = server.connect()
    headers = {"Content-Type": "application/json", **server.keys.headers}
    while time.monotonic() < until:
        numbers = chance.sample(range(ROWS), 2_000)
        message = asking(group([guid(n) for n in numbers], "mx_Custom_1", code=CODE))
        try:
            connection.request("POST", BULK_READ, json.dumps(message), headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            wrong.append(repr(error))
            return
        if response.status != 200:
            wrong.append(f"{response.status} {body[:200]!r}")
            return
        expected = [
            {
                "ProspectId": guid(n),
                "EmailAddress": f"{n}@example.com",
                "ProspectActivityId": guid(n),
                "mx_Custom_1": f"opportunity {n}",
            }
            for n in numbers
        ]
        if json.loads(body) != [
            {"EventCode": str(CODE), "RecordCount": 2_000, "Opportunities": expected}
        ]:
            wrong.append("rows of another call, or in another order")
            return
        answered.append(1)
    connection.close()


def anonymous_bytes(process: psutil.Process) -> int:
    """Resident memory of the process's own: without mapped pages of the database file."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise AssertionError("no RssAnon")


@pytest.mark.slow
def test_sixteen_clients(tmp_path: Path) -> None:
    """16 clients, 2,000 ids each, all answers right, none lost, at most 250 MB resident."""
    fill(tmp_path)
    keys = create_key(tmp_path)
    answered: list[int] = []
    wrong: list[str] = []
    with serving(tmp_path, keys=keys) as server:
        process = psutil.Process(server.process.pid)
        until = time.monotonic() + SECONDS
        threads = [
            threading.Thread(target=one_client, args=(server, seed, until, answered, wrong))
            for seed in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        peak = 0
        while any(thread.is_alive() for thread in threads):
            peak = max(peak, anonymous_bytes(process))
            threads[0].join(0.05)
            for thread in threads:
                thread.join(0.001)
        logged = sum(line.get("call") == "GetOpportunitiesById" for line in server.log())
    assert not wrong
    assert len(answered) >= CLIENTS
    assert logged == len(answered)
    assert peak <= RESIDENT_BYTES_MAX
