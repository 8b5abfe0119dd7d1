"""What tests of every kind share."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import typed
from tests.running import Server, create_key, serving
from tests.world import fill

# A shell that starts the tests in the background has them ignore Ctrl-C, and what they start too;
# a handler of ours, unlike being ignored, is not inherited (POSIX, exec).
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def filled_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a filled database; tests that write to it take one of their own."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder)
    return folder


@pytest.fixture(scope="session")
def server(filled_folder: Path) -> Iterator[Server]:
    """A running server over the filled database, with an administrator's key, unlimited."""
    keys = create_key(filled_folder, role="administrator", email="admin@example.com")
    with serving(filled_folder, keys=keys) as running:
        yield running


@pytest.fixture(scope="session")
def typed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server over a type that was defined whole, with a reader's key, unlimited."""
    folder = tmp_path_factory.mktemp("typed")
    typed.define(folder)
    with serving(folder, keys=create_key(folder, role="reader")) as running:
        yield running
