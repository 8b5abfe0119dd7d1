"""Servers whose calls are limited, alone or by what they share in a Valkey.

A module of tests takes the fixtures over by name::

    folder, valkey = limited.folder, limited.valkey
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.running import Keys, Server, asking, group, run_well, serving
from tests.support.valkeys import ValkeyServer, running_valkey

MESSAGE = asking(group(["24cf277e-70fe-4b2f-a9c2-9a68f45feaba"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose database has the type that is asked for."""
    made = tmp_path_factory.mktemp("limited")
    run_well("type", "create", "12003", folder=made)
    return made


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A store that all tests of a module share."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@contextmanager
def nodes(
    folder: Path, store: str, *, limit: str = "25/60", number: int = 2
) -> Iterator[list[Server]]:
    """Servers over one database that share a limit in a store."""
    with ExitStack() as stack:
        flags = ("--rate-limit", limit, "--rate-limit-store", store)
        yield [stack.enter_context(serving(folder, *flags)) for _ in range(number)]


def statuses(servers: Sequence[Server], keys: Keys, number: int) -> list[int]:
    """The answers to a number of calls at once, the servers in turns."""
    with ThreadPoolExecutor(16) as pool:
        turns = (servers[turn % len(servers)] for turn in range(number))
        return list(pool.map(lambda server: server.post(MESSAGE, keys=keys).status, turns))


def health(server: Server) -> object:
    """The report of a server that is ready."""
    answer = server.call("GET", "/health/ready")
    assert answer.status == 200
    return answer.json
