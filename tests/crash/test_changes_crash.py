"""SIGKILL of servers that are written to and followed: copies are the store all the same.

What a follower has read whole, it keeps; it goes on at the next server from its last cursor. An
export that is cut goes on behind the last row that has come whole.
"""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from oppserver.contract.model import ColumnBlock, StoredOpportunity
from oppserver.store import Store
from tests.crash.test_api_crash import Client
from tests.support.databases import kept_in
from tests.support.running import SCALE, Keys, Server, create_key, serving, start
from tests.support.stores import NOW, guid
from tests.support.writing import DEAL, define, store_of

ROUNDS = max(3, int(5 * SCALE))
WRITERS = 3
STOCK = 5_000
"""Opportunities that are there from the beginning, so that an export takes a while."""
COLUMN = "mx_Custom_1"


class Following:
    """One who keeps a copy of a type by changes: the value of a column by id."""

    def __init__(self) -> None:
        self.cursor = ""
        self.copy: dict[str, str | None] = {}
        self.pages = 0

    def until_gone(self, server: Server) -> None:
        """Follows until the server does not answer."""
        try:
            while True:
                self.step(server)
        except (OSError, HTTPException):
            pass  # a page that has not come whole is asked for again

    def step(self, server: Server) -> bool:
        """Reads a page; whether there are more."""
        query = {"event_code": DEAL, "columns": COLUMN, "cursor": self.cursor, "limit": 500}
        answer = server.get(f"/v1/changes?{urlencode(query)}")
        assert answer.status == 200, answer.body
        page = answer.json
        for one in page["Changes"]:
            if one["Change"] == "Upserted":
                self.copy[one["ProspectActivityId"]] = one["Opportunity"][COLUMN]
            else:
                self.copy.pop(one["ProspectActivityId"], None)
        self.cursor = page["Cursor"]
        self.pages += 1
        return bool(page["HasMore"])


class Exporting:
    """One who exports a type; ``end`` is what was told at its end."""

    def __init__(self) -> None:
        self.cursor = ""
        self.rows: list[tuple[str, str | None]] = []
        self.end: dict[str, Any] | None = None

    def until_gone(self, server: Server) -> None:
        """Exports until it has ended or the server is gone."""
        with suppress(OSError, HTTPException):  # the connection says that an answer was cut
            self.go_on(server)

    def followed(self) -> Following:
        """The copy that it is, to be kept by changes from where the export began."""
        assert self.end is not None
        following = Following()
        following.copy, following.cursor = dict(self.rows), self.end["ChangesCursor"]
        return following

    def go_on(self, server: Server) -> None:
        """Exports what has not come yet."""
        if self.end is not None:
            return
        after = self.rows[-1][0] if self.rows else ""
        query = {"event_code": DEAL, "columns": COLUMN, "cursor": self.cursor, "after": after}
        with closing(server.connect()) as connection:
            path = f"/v1/opportunities?{urlencode(query)}"
            connection.request("GET", path, headers=server.keys.headers)
            response = connection.getresponse()
            assert response.status == 200
            self.cursor = response.headers["x-cursor"]
            while (line := response.readline()).endswith(b"\n") and self.end is None:
                row = json.loads(line)
                if "End" in row:
                    self.end = row["End"]
                else:
                    self.rows.append((row["ProspectActivityId"], row[COLUMN]))


def written_and_followed(
    folder: Path, keys: Keys, writers: list[Client], readers: list[Any], *, after_s: float
) -> None:
    """A round: all work on one server until it is killed."""
    with ExitStack() as stack, ThreadPoolExecutor(WRITERS + len(readers)) as threads:
        server = start(folder, "--rate-limit", "off")
        stack.callback(server.process.wait)
        stack.callback(server.process.kill)
        server.keys = keys
        working = [threads.submit(one.write_until_gone, server) for one in writers]
        working += [threads.submit(one.until_gone, server) for one in readers]
        time.sleep(after_s)
        server.process.kill()
        for one in working:
            one.result()


def held(store: Store) -> dict[str, str | None]:
    found = store.read_opportunities(event_code=DEAL, after_id="", limit=1_000_000)
    return {one.id: one.slots.get(COLUMN.lower()) for one in found}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_copies_outlive_the_servers_that_they_are_made_from(engine: str, tmp_path: Path) -> None:
    """Kills under writes: one follows from the beginning, one exports and then follows."""
    chance = random.Random(4)
    kept_in(tmp_path, engine)
    store = store_of(tmp_path)
    define(store)
    stock = [StoredOpportunity(id=guid(n), event_code=DEAL, lead_id=guid(n)) for n in range(STOCK)]
    store.load([[ColumnBlock.of(stock)]], now=lambda: NOW, on_written=lambda _: None)
    keys = create_key(tmp_path)
    writers = [Client(number) for number in range(WRITERS)]
    following, exporting = Following(), Exporting()
    for _ in range(ROUNDS):
        readers = [following, exporting]
        after_s = chance.uniform(0.05, 0.3)
        written_and_followed(tmp_path, keys, writers, readers, after_s=after_s)
    with serving(tmp_path, keys=keys) as server:
        exporting.go_on(server)
        ended = exporting.followed()
        for copy in (following, ended):
            while copy.step(server):
                pass
    ids = [one for one, _ in exporting.rows]
    assert ids == sorted(set(ids)), "a row came twice"
    assert following.copy == ended.copy == held(store)
    assert following.pages > ROUNDS
    store.close()
