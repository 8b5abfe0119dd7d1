"""Callers who write and read while the servers of their database die, and what they hold to."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg

from oppserver.store import open_store
from tests.support.running import (
    BULK_READ,
    Answer,
    Server,
    asking,
    create_key,
    group,
    poll,
    read,
    serving,
)
from tests.support.writing import CAPTURE, DEAL, capturing, define

PACE_S: Final = 0.01
"""Between two tries of one write. Less than ``Retry-After``: so more of them meet a failure."""


def body(name: str) -> dict[str, Any]:
    """A capture of an opportunity of a name, for a lead of its own."""
    lead = [{"Attribute": "EmailAddress", "Value": f"{name}@example.com"}]
    return capturing(lead=lead, values={"c1": name})


def names_in(url: str) -> list[str]:
    """The names that are stored, as another program sees them."""
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT mx_custom_1 FROM opportunity ORDER BY 1").fetchall()
    return [name for (name,) in rows]


def refused_well(answer: Answer) -> None:
    """A refusal is a 503 that says when to come again; nothing else is one."""
    assert answer.status == 503, (answer.status, answer.body)
    assert answer.exception_type == "MXServiceUnavailableException"
    assert int(answer.headers["retry-after"]) >= 1


class Callers:
    """Threads that write and read until they are told to end.

    ``acknowledged``: the names of writes that were answered 200, each sent with one
    Idempotency-Key until then. ``refused`` and ``reads`` count.
    """

    def __init__(self, server: Server, *, writers: int = 3, readers: int = 1) -> None:
        self.acknowledged: list[str] = []
        self.refused = 0
        self.reads = 0
        self._server = server
        self._end = threading.Event()
        self._is_given_up = False
        self._first = self.write("first", uuid4().hex)
        self._threads = ThreadPoolExecutor(writers + readers)
        self._under_way = [
            *(self._threads.submit(self._write, number) for number in range(writers)),
            *(self._threads.submit(self._read) for _ in range(readers)),
        ]

    def write(self, name: str, key: str) -> str:
        """One write, again and again until it is acknowledged; the id of what it made."""
        with closing(self._server.connect(timeout_s=60)) as connection:
            return self._until_acknowledged(connection, name, key)

    def wait_for_writes(self, number: int = 5) -> None:
        """Returns when a number of further writes have been acknowledged."""
        wanted = len(self.acknowledged) + number
        self._poll(lambda: len(self.acknowledged) >= wanted, "writes")

    def wait_for_refusals(self) -> None:
        """Returns when one more write was refused."""
        wanted = self.refused + 1
        self._poll(lambda: self.refused >= wanted, "a refusal")

    def wait_for_reads(self) -> None:
        """Returns when some more reads were answered."""
        wanted = self.reads + 3
        self._poll(lambda: self.reads >= wanted, "reads")

    def end(self) -> None:
        """Lets each write under way be acknowledged, and raises what any thread has met."""
        self._end.set()
        try:
            for one in self._under_way:
                one.result(timeout=60)
        finally:
            self.give_up()

    def give_up(self) -> None:
        """Ends all threads; what they have met plays no part."""
        self._end.set()
        self._is_given_up = True
        self._threads.shutdown()

    def _poll(self, reached: Any, what: str) -> None:
        def look() -> bool | None:
            for one in self._under_way:
                if one.done():
                    one.result()
            return reached() or None

        poll(look, what=what, timeout_s=90)

    def _write(self, writer: int) -> None:
        with closing(self._server.connect(timeout_s=60)) as connection:
            for number in count():
                if self._end.is_set():
                    return
                self._until_acknowledged(connection, f"{writer}-{number}", uuid4().hex)

    def _until_acknowledged(self, connection: HTTPConnection, name: str, key: str) -> str:
        message = json.dumps(body(name))
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **self._server.keys.headers,
        }
        while True:
            connection.request("POST", CAPTURE, message, headers)
            answer = read(connection.getresponse())
            if answer.status == 200:
                self.acknowledged.append(name)
                return str(answer.json["CreatedOpportunityId"])
            refused_well(answer)
            self.refused += 1
            assert not self._is_given_up, "a write was not acknowledged"
            self._end.wait(PACE_S)

    def _read(self) -> None:
        """Asks for what was written before all else: it is there in each answer."""
        message = json.dumps(asking(group([self._first], "mx_Custom_1", code=DEAL)))
        headers = {"Content-Type": "application/json", **self._server.keys.headers}
        with closing(self._server.connect(timeout_s=60)) as connection:
            while not self._end.is_set():
                connection.request("POST", BULK_READ, message, headers)
                answer = read(connection.getresponse())
                if answer.status == 200:
                    [found] = answer.json[0]["Opportunities"]
                    assert found["mx_Custom_1"] == "first"
                    self.reads += 1
                else:
                    refused_well(answer)
                self._end.wait(PACE_S)


@contextmanager
def calling(server: Server, **how: int) -> Iterator[Callers]:
    """Callers while the block runs; every write of theirs is acknowledged afterwards."""
    callers = Callers(server, **how)
    try:
        yield callers
    except BaseException:
        callers.give_up()
        raise
    callers.end()


@contextmanager
def serving_on(folder: Path, url: str, *flags: str) -> Iterator[Server]:
    """A server over a database that has the world's types, with a key; statements take 1 s."""
    with open_store_of(url):
        pass
    keys = create_key(folder, database=url)
    with serving(folder, "--database", url, "--query-timeout-s", "1", *flags, keys=keys) as server:
        yield server


@contextmanager
def open_store_of(url: str) -> Iterator[None]:
    """Defines the world's types in a database."""
    store = open_store(url)
    try:
        define(store)
        yield
    finally:
        store.close()
