"""Rows that a server keeps in memory, over a socket: quick to have again, and never stale."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.databases import kept_in
from tests.support.running import BULK_READ, Server, asking, create_key, group, run_well, serving
from tests.support.stores import guid

ENGINES = ["sqlite", "postgres"]
IDS = [guid(number) for number in range(50)]
ASKED = asking(group(IDS, "Status", code=12_000))


@pytest.fixture
def folder(tmp_path: Path, folder_engine: str) -> Path:
    made = kept_in(tmp_path, folder_engine)
    write(made, "Open")
    return made


def write(folder: Path, status: str) -> None:
    """All opportunities anew, by a process of its own."""
    lines = [
        json.dumps(
            {"ProspectActivityId": one, "EventCode": 12_000, "ProspectId": one, "Status": status}
        )
        for one in IDS
    ]
    (folder / "rows.ndjson").write_text("\n".join(lines))
    run_well("import", "rows.ndjson", folder=folder)


def statuses(server: Server) -> set[str]:
    (entry,) = server.post(ASKED).json
    assert entry["RecordCount"] == len(IDS)
    return {row["Status"] for row in entry["Opportunities"]}


def ids_read(server: Server, source: str) -> float:
    line = f'oppserver_bulk_read_ids_total{{source="{source}"}} '
    text = server.get("/metrics").body.decode()
    return float(next((one for one in text.splitlines() if line in one), "0").split()[-1])


def test_what_another_process_has_written_is_read_at_once(folder: Path) -> None:
    """Rows come from memory from the third time on, until any process writes them."""
    with serving(folder, keys=create_key(folder, role="reader")) as server:
        for _ in range(4):
            assert statuses(server) == {"Open"}
        assert (ids_read(server, "store"), ids_read(server, "memory")) == (100, 100)
        write(folder, "Won")
        for _ in range(2):
            assert statuses(server) == {"Won"}
        assert (ids_read(server, "store"), ids_read(server, "memory")) == (150, 150)


def test_a_server_without_kept_rows(folder: Path) -> None:
    """``--row-cache-bytes 0`` reads every row from the store."""
    keys = create_key(folder, role="reader")
    with serving(folder, "--row-cache-bytes", "0", keys=keys) as server:
        for _ in range(4):
            assert statuses(server) == {"Open"}
        assert ids_read(server, "memory") == 0


def test_another_call_gets_its_own_answer(folder: Path) -> None:
    """Calls that differ in their ids, format, options or fields, between calls that come again."""
    with serving(folder, keys=create_key(folder, role="reader")) as server:
        for _ in range(4):
            assert statuses(server) == {"Open"}
        turned = asking(group([IDS[1], IDS[0], *IDS[2:]], "Status", code=12_000))
        for _ in range(4):
            (entry,) = server.post(turned).json
            assert [row["ProspectActivityId"] for row in entry["Opportunities"]][:2] == IDS[1::-1]
        lines = server.post(ASKED, Accept="application/x-ndjson")
        assert len(lines.body.splitlines()) == len(IDS)
        missing = server.post(ASKED, path=f"{BULK_READ}?missing=true").json
        assert missing[0]["Missing"] == []
        assert server.post(ASKED, path=f"{BULK_READ}?etag=true").headers["etag"]
        assert server.post(ASKED, path=f"{BULK_READ}?types=maybe").status == 400
        packed = server.post(ASKED, Accept_Encoding="gzip")
        assert packed.headers["content-encoding"] == "gzip"
        refused = server.post(ASKED, keys=replace(server.keys, secret="wrong"))
        assert refused.status == 401
        assert statuses(server) == {"Open"}
