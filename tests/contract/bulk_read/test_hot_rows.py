"""Rows that a server keeps in memory, over a socket: quick to have again, and never stale."""

import json
from pathlib import Path

import pytest

from tests.support.databases import kept_in
from tests.support.running import Server, asking, create_key, group, run_well, serving
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
