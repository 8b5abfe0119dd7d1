"""A server under test: one for a whole run, and a new world in it for each test."""

import secrets
import shutil
from collections import deque
from collections.abc import Mapping
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import oppserver
from oppserver import telemetry
from oppserver.api.app import app_behind
from oppserver.api.background import BackgroundServer
from oppserver.api.server import listen, url_of
from oppserver.calls.shared.call import THE_WORLD
from oppserver.config import Settings
from oppserver.contract.dates import now_stored
from oppserver.contract.errors import DatabaseRefused
from oppserver.contract.model import Role
from oppserver.store import migrations, open_store
from oppserver.store.sqlite.maintenance import copy_closed
from oppserver.testing.application import FaultyApplication
from oppserver.testing.options import Chosen, OppserverUser, add_user
from oppserver.testing.world import World


def make_empty(database: Path, *, kept_in: Path | None) -> None:
    """A store with nothing in it, at a path where no file is.

    Making one takes 0.15 s, most of it the import of what migrates. So a copy is kept in a folder,
    where there is one that this user may read and write; one that cannot be opened is made anew.
    """
    kept = None if kept_in is None else kept_in / _name()
    if kept is not None:
        with suppress(OSError, DatabaseRefused):
            shutil.copyfile(kept, database)
            _open(database)
            return
        database.unlink(missing_ok=True)
    _open(database)
    if kept is not None:
        _keep(database, kept)


def _keep(database: Path, kept: Path) -> None:
    whole = kept.with_name(f"{kept.name}.{secrets.token_hex(8)}")  # also in a shared folder
    try:
        shutil.copyfile(database, whole)
        whole.replace(kept)  # at once: other processes may look for it
    except OSError:  # a folder of another user, or a full one
        with suppress(OSError):
            whole.unlink()


def _open(database: Path) -> None:
    """Creates it, or migrates it, or makes sure that it is one."""
    with closing(open_store(f"sqlite:///{database}")) as store:
        store.ping()


def _name() -> str:
    """Another one for each version of what makes it."""
    return f"empty-{oppserver.__version__}-{migrations.HEAD}.db"


TESTED_LOG_LINES_MAX: Final = 50
"""Lines of a server under test that are kept for the report of a test that fails. Ours."""

_EMAIL: Final = "tests@example.com"

LOG_LINES: Final[deque[str]] = deque(maxlen=TESTED_LOG_LINES_MAX)
"""The warnings and errors of all servers of this process. Owner: ``_take``; tests clear it."""


class Host:
    """A real server on a free port of this machine, until it is closed.

    Its URL and its keys stay the same as long as it lives. Between tests it is as new: each world
    is a copy of an empty store, behind a dispatcher that has served nobody.
    """

    def __init__(self, options: Chosen, *, kept_in: Path | None = None) -> None:
        """``kept_in`` is a folder in which the next run finds what this one has made."""
        telemetry.log_to(_take)
        self._folder: Final = TemporaryDirectory(prefix="oppserver-")
        self._empty: Final = Path(self._folder.name) / "empty.db"
        self._numbers: Final = count(1)
        self._metrics: Final = telemetry.Metrics()
        self.user: Final = self._make_empty(kept_in)
        self.world = self._new_world(options)
        settings = Settings(host="127.0.0.1", port=0)
        listener = listen(settings)
        self.url: Final = url_of(settings, listener)
        app = app_behind(lambda: self.world.dispatcher, settings, metrics=self._metrics)
        faulty = FaultyApplication(app, lambda: self.world)
        self._server: Final = BackgroundServer(faulty, settings, listener)
        self._server.start()

    def begin(self, options: Chosen) -> None:
        """Goes on in a new world."""
        ended, self.world = self.world, self._new_world(options)
        ended.end()

    def close(self) -> None:
        """Stops the server and removes all that it had."""
        self.world.has_ended = True
        self._server.stop()
        self.world.end()
        self._folder.cleanup()

    def _make_empty(self, kept_in: Path | None) -> OppserverUser:
        """The store that every world begins with: nothing but one user."""
        make_empty(self._empty, kept_in=kept_in)
        with closing(open_store(f"sqlite:///{self._empty}")) as store:
            return add_user(
                store,
                email=_EMAIL,
                role=Role.ADMINISTRATOR,
                created_on=now_stored(THE_WORLD.now()),
                user_id=THE_WORLD.new_id(),
            )

    def _new_world(self, options: Chosen) -> World:
        database = Path(self._folder.name) / f"{next(self._numbers)}.db"
        copy_closed(self._empty, database)
        return World(Settings(), options, self._metrics, file=database)


def _take(event: Mapping[str, Any]) -> None:
    if event.get("level") in ("warning", "error"):
        LOG_LINES.append(" ".join(f"{name}={value}" for name, value in event.items()))
