"""The engines that keep the promises of ``store/port.py``, and what their suite is written with.

A module of the suite takes the fixtures over by name::

    database, store = stores.database, stores.store
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final, Protocol
from zlib import crc32

import msgspec
import pytest

from oppserver.contract.columns import Column, column_named
from oppserver.contract.model import (
    ColumnBlock,
    Field,
    Key,
    Lead,
    Role,
    ServerState,
    StoredOpportunity,
)
from oppserver.store import Store, StoreOptions, open_store
from oppserver.store.queries import Change, Plan, PlannedEntry
from tests.support import postgres, sharding, standbys
from tests.support.memory_store import MemoryDatabase, MemoryStore

EARLIER: Final = "2024-02-28 00:00:00"
NOW: Final = "2024-02-29 13:05:09"
LATER: Final = "2024-03-01 00:00:00"

# --- engines -----------------------------------------------------------------------------------


class Database(Protocol):
    """One fresh, empty database of an engine, which can be opened any number of times.

    ``url`` is for other processes; None when there is no other process that could open it.
    """

    url: str | None

    def open(self, options: StoreOptions | None = None, /) -> Store:
        """A store on the database, which exists and is migrated from the first time on."""
        ...

    def open_backup(self, path: Path, /) -> Store:
        """A store on what ``backup`` wrote."""
        ...


class _Memory:
    def __init__(self, _folder: Path) -> None:
        self.url: str | None = None
        self._database = MemoryDatabase()

    def open(self, _options: StoreOptions | None = None) -> Store:
        return MemoryStore(self._database)

    def open_backup(self, path: Path) -> Store:
        return MemoryStore(MemoryDatabase.from_backup(path))


class _Sqlite:
    def __init__(self, folder: Path) -> None:
        self.url: str | None = f"sqlite:///{folder / 'oppserver.db'}"

    def open(self, options: StoreOptions | None = None) -> Store:
        assert self.url is not None
        return open_store(self.url, options)

    def open_backup(self, path: Path) -> Store:
        return open_store(f"sqlite:///{path}", migrate=False)


class _Postgres:
    def __init__(self, _folder: Path) -> None:
        self.url: str | None = postgres.shared().migrated_database()

    def open(self, options: StoreOptions | None = None) -> Store:
        assert self.url is not None
        return open_store(self.url, options)

    def open_backup(self, _path: Path) -> Store:
        raise AssertionError("a PostgreSQL database is not backed up to a file")


class _Standby:
    """A database on a primary and its standby. Reads of the store are the standby's."""

    def __init__(self, _folder: Path) -> None:
        self.url: str | None = None  # other processes would read the primary
        self._name = standbys.shared().new_database()

    def open(self, options: StoreOptions | None = None) -> Store:
        family = standbys.shared()
        read_urls = (family.standby.cluster.url(self._name),)
        options = msgspec.structs.replace(options or StoreOptions(), read_urls=read_urls)
        store = open_store(family.primary.cluster.url(self._name), options)
        wait_until(lambda: store.servers()[1].state is ServerState.IN_USE)
        return store

    def open_backup(self, _path: Path) -> Store:
        raise AssertionError("a PostgreSQL database is not backed up to a file")


ENGINES: Final[dict[str, Callable[[Path], Database]]] = {
    "memory": _Memory,
    "sqlite": _Sqlite,
    "postgres": _Postgres,
}
"""Every engine by name: makes a database that may keep its files in a folder."""

READING: Final = ENGINES | {"standby": _Standby}
"""The same, and how else they can be read."""


def _new_file(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'new.db'}"


UNOPENED: Final[dict[str, Callable[[Path], str]]] = {
    "sqlite": _new_file,
    "postgres": lambda _folder: postgres.shared().empty_database(),
}
"""Engines that several processes can open: makes the URL of a database nobody has opened yet."""


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database of each engine; whatever PostgreSQL is asked would do on shards too."""
    made = ENGINES[request.param](tmp_path)
    with sharding.watched() if request.param == "postgres" else nullcontext():
        yield made


@pytest.fixture(params=READING)
def read_database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A fresh database of each engine, and of each way to read it: for what is read."""
    return READING[request.param](tmp_path)


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    """A store on a fresh database of each engine."""
    opened = database.open()
    yield opened
    opened.close()


# --- values ------------------------------------------------------------------------------------


def guid(number: int, *, kind: int = 0) -> str:
    """The canonical GUID of a number; another one for each kind."""
    return f"{number:08x}-{kind:04x}-4000-8000-{number:012x}"


def lead(number: int) -> str:
    """The id of a lead."""
    return guid(number, kind=1)


def owner(number: int) -> str:
    """The id of an owner."""
    return guid(number, kind=2)


def opportunity(number: int, **values: Any) -> StoredOpportunity:
    """An opportunity of type 12000 and of a lead of its own, unless said otherwise."""
    given: dict[str, Any] = {"id": guid(number), "event_code": 12_000, "lead_id": lead(number)}
    return StoredOpportunity(**given | values)


def a_lead(number: int, **values: Any) -> Lead:
    """A lead of which nothing is known, unless said otherwise."""
    return Lead(**{"id": lead(number)} | values)


def key(access_key: str, **values: Any) -> Key:
    """A live key of a reader."""
    given: dict[str, Any] = {
        "access_key": access_key,
        "secret_sha256": "0" * 64,
        "user_id": guid(crc32(access_key.encode()), kind=3),
        "email": f"{access_key}@example.com",
        "role": Role.READER,
        "user_is_active": True,
        "created_on": NOW,
        "revoked_on": None,
    }
    return Key(**given | values)


def field(slot: int, **values: Any) -> Field:
    """A field of type 12000."""
    name = f"mx_Custom_{slot}"
    given: dict[str, Any] = {"event_code": 12_000, "schema_name": name, "display_name": name}
    given["sequence"] = slot
    return Field(**given | values)


def columns(*names: str) -> tuple[Column, ...]:
    """The columns of names."""
    found = [column_named(name) for name in names]
    return tuple(column for column in found if column is not None)


def entry(ids: Sequence[str], *names: str, event_code: int = 12_000) -> PlannedEntry:
    """One entry of a plan; without names, the id alone is read."""
    return PlannedEntry(
        event_code=event_code, ids=ids, columns=columns(*(names or ["ProspectActivityId"]))
    )


# --- writing and reading -----------------------------------------------------------------------


def by_column(batches: Iterable[Sequence[StoredOpportunity]]) -> Iterator[list[ColumnBlock]]:
    """Batches as a load takes them."""
    return ([ColumnBlock.of(batch)] for batch in batches)


def write(store: Store, *batch: StoredOpportunity) -> None:
    """Writes opportunities at ``NOW``."""
    store.write_opportunities(batch, now=NOW)


def rows(store: Store, *entries: PlannedEntry) -> list[list[dict[str, str | None]]]:
    """The rows of each entry, decoded; their number is what the store counted."""
    rendered = store.bulk_read(Plan(entries=entries))
    decoded = [msgspec.json.decode(one.json, type=list[dict[str, str | None]]) for one in rendered]
    assert [one.count for one in rendered] == [len(one) for one in decoded]
    return decoded


def ids_read(store: Store, ids: Sequence[str], *, event_code: int = 12_000) -> list[str | None]:
    """The ids that one entry answers, in order."""
    [answered] = rows(store, entry(ids, event_code=event_code))
    return [row["ProspectActivityId"] for row in answered]


def value(store: Store, number: int, name: str, *, event_code: int = 12_000) -> str | None:
    """One value of one opportunity, as the bulk read answers it."""
    [[row]] = rows(store, entry([guid(number)], name, event_code=event_code))
    return row[name]


def everything(store: Store) -> list[StoredOpportunity]:
    """Everything that is stored, by id."""
    return store.read_opportunities(event_code=None, after_id="", limit=1_000_000)


def changes(store: Store, *, after: int = 0, event_code: int | None = None) -> list[Change]:
    """All changes behind a number, by number."""
    return store.read(
        lambda snapshot: snapshot.changes(
            after=after,
            until=snapshot.change_numbers().last,
            limit=1_000_000,
            event_code=event_code,
        )
    )


# --- other processes ---------------------------------------------------------------------------

Process = subprocess.Popen[str]


def start_python(program: str) -> Process:
    """Another process that runs a program and speaks in lines."""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def tell(process: Process, line: str) -> None:
    """Writes a line to another process."""
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def heard(process: Process) -> str:
    """The next line of another process, or the error with which it ended."""
    assert process.stdout is not None
    line = process.stdout.readline().rstrip("\n")
    return line or str(ended(process))


def ended(process: Process) -> tuple[int, str, str]:
    """The exit status and the rest of the output of a process that gets no more lines."""
    output, errors = process.communicate(timeout=60)
    return process.returncode, output, errors


# --- waiting, and how much of everything -------------------------------------------------------


def wait_until(reached: Callable[[], bool], *, deadline_s: float = 20.0) -> None:
    """Returns when a state is reached; fails when it is not within the deadline."""
    ends = time.monotonic() + deadline_s
    while not reached():
        assert time.monotonic() < ends, "the state was not reached in time"
        time.sleep(0.002)


def scaled(number: int) -> int:
    """A number of repetitions, times OPPSERVER_TEST_SCALE, at least one."""
    return max(1, round(number * float(os.environ.get("OPPSERVER_TEST_SCALE", "1"))))
