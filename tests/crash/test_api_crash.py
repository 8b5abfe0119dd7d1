"""SIGKILL of servers that are being written to: what was acknowledged is there, once.

Clients write until their server is gone. Of each, one write is then uncertain: it is sent again to
the next server, with its Idempotency-Key, and so becomes certain without being done twice.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.databases import kept_in
from tests.support.running import SCALE, Keys, Server, create_key, read, serving, start
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    DELETE,
    UPDATE,
    define,
    fields,
    lead,
    store_of,
)

ROUNDS = {"sqlite": max(3, int(25 * SCALE)), "postgres": max(3, int(10 * SCALE))}
SERVERS = 2
"""Over one database, killed together: 50 kills in the short form, fewer where others keep data."""
CLIENTS = 4
NAME = "mx_custom_1"


@dataclass(frozen=True)
class Write:
    """One request, and what it leaves: a name for each id, None where the id is gone.

    New opportunities have no ids yet: their names are in ``new``, in order.
    """

    method: str
    path: str
    message: Any
    key: str
    changed: Mapping[str, str | None]
    new: tuple[str, ...] = ()


class Client:
    """Writes one thing after the other. ``names`` is what was acknowledged, by id."""

    def __init__(self, number: int) -> None:
        self.email = f"client{number}@example.com"
        self.chance = random.Random(number)
        self.numbers = count()
        self.names: dict[str, str | None] = {}
        self.uncertain: Write | None = None
        self.refusals: list[bytes] = []

    def write_until_gone(self, server: Server) -> None:
        """Sends the uncertain write again, then new ones, until the server does not answer."""
        connection = server.connect(timeout_s=20)
        try:
            while not self.refusals:
                self.send(server, connection)
        except (OSError, HTTPException):
            pass  # the server is gone; what was under way is uncertain
        finally:
            connection.close()

    def write_once(self, server: Server) -> None:
        """Sends the uncertain write again, or a new one; afterwards nothing is uncertain."""
        with closing(server.connect()) as connection:
            self.send(server, connection)

    def send(self, server: Server, connection: HTTPConnection) -> None:
        """One write; it is certain when its answer has come."""
        write = self.uncertain = self.uncertain or self.next()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": write.key,
            **server.keys.headers,
        }
        body = None if write.message is None else json.dumps(write.message)
        connection.request(write.method, write.path, body, headers)
        answer = read(connection.getresponse())
        if answer.status != 200:
            self.refusals.append(answer.body)
            return
        self.names |= write.changed
        self.names |= zip(created(answer.json), write.new, strict=True)
        self.uncertain = None

    def next(self) -> Write:
        """A write of a random kind."""
        there = [one for one, name in self.names.items() if name is not None]
        if len(there) < 3:
            return self.capture()
        some = self.chance.sample(there, 3)
        writes: list[Callable[[], Write]] = [
            self.capture,
            self.add,
            lambda: self.update(some[0]),
            lambda: self.update_all(some),
            lambda: self.delete(some[0]),
        ]
        return self.chance.choice(writes)()

    def capture(self) -> Write:
        name = self.name()
        message = {
            "LeadDetails": lead(EmailAddress=self.email, FirstName=name),
            "Opportunity": {
                "OpportunityEventCode": DEAL,
                "Fields": fields(Status="Open", c1=name),
            },
        }
        return Write("POST", CAPTURE, message, str(uuid4()), {}, (name,))

    def add(self) -> Write:
        names = tuple(self.name() for _ in range(3))
        message = [
            {
                "SearchByValue": self.email,
                "OpportunityEventCode": DEAL,
                "Fields": fields(Status="Open", c1=name),
            }
            for name in names
        ]
        path = f"{BULK_ADD}?SearchBy=EmailAddress"
        return Write("POST", path, message, str(uuid4()), {}, names)

    def update(self, one: str) -> Write:
        name = self.name()
        message = {"ProspectOpportunityId": one, "Fields": fields(c1=name)}
        return Write("POST", UPDATE, message, str(uuid4()), {one: name})

    def update_all(self, some: list[str]) -> Write:
        names = {one: self.name() for one in some}
        message = [
            {
                "ProspectOpportunityId": one,
                "OpportunityEventCode": DEAL,
                "Fields": fields(c1=name),
            }
            for one, name in names.items()
        ]
        return Write("POST", BULK_UPDATE, message, str(uuid4()), names)

    def delete(self, one: str) -> Write:
        return Write("GET", f"{DELETE}?Id={one}", None, str(uuid4()), {one: None})

    def name(self) -> str:
        return f"{self.email} {next(self.numbers)}"


def created(message: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the new opportunities that an answer names."""
    rows = message.get("Response", [message])
    return (row["CreatedOpportunityId"] for row in rows if "CreatedOpportunityId" in row)


def survived(folder: Path, clients: list[Client]) -> None:
    """Everything that was acknowledged is there with its name, and what was deleted is not."""
    store = store_of(folder)
    assert store.check() == []
    there = {
        one.id: one.slots[NAME]
        for one in store.read_opportunities(event_code=DEAL, after_id="", limit=1_000_000)
    }
    store.close()
    for client in clients:
        assert client.refusals == []
        write = client.uncertain
        for one, name in client.names.items():
            uncertain = write.changed.get(one, name) if write else name
            assert there.pop(one, None) in (name, uncertain)
        if write is not None:
            in_flight = {one for one, name in there.items() if name in write.new}
            assert len(in_flight) in (0, len(write.new)), "a write is there in part"
            for one in in_flight:
                del there[one]
    assert there == {}, "something is there that nobody has written, or twice"


def killed_while_written_to(
    folder: Path, keys: Keys, clients: list[Client], *, after_s: float
) -> None:
    """Starts the servers, has the clients write to them, and kills all of them at once."""
    with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as threads:
        servers = list(threads.map(lambda _: start(folder, "--rate-limit", "off"), range(SERVERS)))
        for server in servers:
            stack.callback(server.process.wait)
            stack.callback(server.process.kill)
            server.keys = keys
        writing = [
            threads.submit(client.write_until_gone, servers[number % SERVERS])
            for number, client in enumerate(clients)
        ]
        time.sleep(after_s)
        for server in servers:
            server.process.kill()
        for one in writing:
            one.result()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ROUNDS)
def test_what_servers_acknowledged_survives_their_death(engine: str, tmp_path: Path) -> None:
    """Kills under captures, updates, deletions and bulk writes; at the end nothing is twice."""
    chance = random.Random(9)
    kept_in(tmp_path, engine)
    store = store_of(tmp_path)
    define(store)
    store.close()
    keys = create_key(tmp_path)
    clients = [Client(number) for number in range(CLIENTS)]
    for _ in range(ROUNDS[engine]):
        killed_while_written_to(tmp_path, keys, clients, after_s=chance.uniform(0.02, 0.2))
        survived(tmp_path, clients)
    with serving(tmp_path, keys=keys) as server:
        for client in clients:
            client.write_once(server)
    survived(tmp_path, clients)
    assert sum(len(client.names) for client in clients) > ROUNDS[engine]
