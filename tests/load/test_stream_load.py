"""A long stream: memory stays, however many ids come; every row arrives."""

import json
import threading
from pathlib import Path

import psutil
import pytest

from tests.load.test_load import CODE, fill, guid
from tests.support.databases import kept_in
from tests.support.running import SCALE, create_key, serving
from tests.support.streaming import plain, streaming

ENGINES = ["sqlite", "postgres"]

IDS = int(200_000 * SCALE) // 2_000 * 2_000
GROWTH_BYTES_MAX = 150 << 20
UNIT = 2_000


def own_bytes(process: psutil.Process) -> int:
    """Memory of a process itself, without files that are mapped."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path, folder_engine: str) -> None:
    """Rows are read as ids are sent; the server holds a few batches, never the stream.

    OPPSERVER_TEST_SCALE=25 makes it 5,000,000 ids.
    """
    fill(kept_in(tmp_path, folder_engine))
    units = [
        plain([guid(n) for n in range(first, first + UNIT)]) for first in range(0, 50_000, UNIT)
    ]
    with serving(tmp_path, keys=create_key(tmp_path)) as server:
        process = psutil.Process(server.process.pid)
        with streaming(server, f"event_code={CODE}&columns=mx_Custom_1") as stream:

            def send() -> None:
                for number in range(IDS // UNIT):
                    stream.send(units[number % len(units)])
                stream.end()

            stream.send(b"\n")
            idle = peak = own_bytes(process)
            sending = threading.Thread(target=send)
            sending.start()
            rows, last = 0, b""
            for line in iter(stream.response.readline, b""):
                rows, last = rows + 1, line
                if rows % 20_000 == 0:
                    peak = max(peak, own_bytes(process))
            sending.join()
        print(f"{rows - 1} rows, {peak - idle >> 20} MB above {idle >> 20} MB")  # with pytest -rP
        end = json.loads(last)["End"]
        assert (rows - 1, end["Found"], end["Requested"]) == (IDS, IDS, IDS)
        assert peak - idle < GROWTH_BYTES_MAX


def test_a_caller_that_does_not_read_is_sent_no_further(tmp_path: Path) -> None:
    """Its rows wait, so its ids wait too: the server takes a few batches of them, then none."""
    fill(tmp_path)
    unit = plain([guid(n) for n in range(UNIT)])
    with serving(tmp_path, keys=create_key(tmp_path)) as server:
        process = psutil.Process(server.process.pid)
        query = f"event_code={CODE}&columns=mx_Custom_1"
        with streaming(server, query, receive_bytes=4_096) as stream:
            stream.send(b"\n")
            idle, units = own_bytes(process), 0
            stream.socket.settimeout(1)  # longer than the server takes for a batch
            with pytest.raises(TimeoutError):
                while units * UNIT < 5_000_000:
                    stream.send(unit)
                    units += 1
            print(f"{units * UNIT} ids, {own_bytes(process) - idle >> 20} MB")  # with pytest -rP
            assert own_bytes(process) - idle < GROWTH_BYTES_MAX
