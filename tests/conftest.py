"""Fixtures and settings that tests of every kind share."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import forked, postgres, standbys, typed
from tests.support.databases import kept_in
from tests.support.running import Server, create_key, serving
from tests.support.world import fill

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start too;
# a handler of ours, unlike being ignored, is not inherited (POSIX, exec).
signal.signal(signal.SIGINT, signal.default_int_handler)

# Bytecode is kept, also where the environment says otherwise, as in many containers: else each of
# the processes that tests start compiles the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(scope="session", autouse=True)
def processes_are_stopped() -> Iterator[None]:
    """Ends the processes that tests share, if one of them has started them."""
    yield
    forked.stop_shared()
    postgres.stop_shared()
    standbys.stop_shared()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs what needs an engine on SQLite, or on all that its module names in ``ENGINES``."""
    if "folder_engine" in metafunc.fixturenames:
        engines = getattr(metafunc.module, "ENGINES", ["sqlite"])
        metafunc.parametrize("folder_engine", engines, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests come first: begun last, they would be waited for by workers with nothing to do."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session")
def folder_engine(request: pytest.FixtureRequest) -> str:
    """The engine of a folder's database."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with a filled database; tests that write to it take one of their own."""
    folder = kept_in(tmp_path_factory.mktemp("filled"), folder_engine)
    fill(folder)
    return folder


@pytest.fixture(scope="session")
def server(filled_folder: Path) -> Iterator[Server]:
    """A running server over the filled database, with an administrator's key, unlimited."""
    keys = create_key(filled_folder, role="administrator", email="admin@example.com")
    with serving(filled_folder, keys=keys) as running:
        yield running


@pytest.fixture(scope="session")
def typed_server(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Iterator[Server]:
    """A running server over a type that was defined whole, with a reader's key, unlimited."""
    folder = kept_in(tmp_path_factory.mktemp("typed"), folder_engine)
    typed.define(folder)
    with serving(folder, keys=create_key(folder, role="reader")) as running:
        yield running
