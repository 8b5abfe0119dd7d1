"""The pytest plug-in: fixtures that run a real server. docs/testing.md shows their use.

pytest loads this module at every start, wherever oppserver is installed. So it imports nothing of
the server before a test asks for it.
"""

import gc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Unpack

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from oppserver.testing import OppserverFixture, OppserverOptions

_OPTIONS: Final = {
    "rate_limit": "the test server's rate limit, CALLS/SECONDS, or off (the default)",
    "now": "where the test server's clock stands still; without it, it runs",
    "seed": "the number that the test server's ids come from; without it, they are random",
}

_SERVERS: Final = pytest.StashKey[list[Any]]()  # OppserverFixture


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the ini file: ``oppserver_rate_limit`` and so on."""
    for name, text in _OPTIONS.items():
        parser.addini(f"oppserver_{name}", text, default="")


def pytest_configure(config: pytest.Config) -> None:
    """The marker is known, also where markers have to be."""
    config.addinivalue_line(
        "markers",
        "oppserver(rate_limit='25/5', now='2026-11-24 15:00:00', seed=1):"
        " how the test server of the fixture 'oppserver' is for this test",
    )


@pytest.fixture(scope="session")
def oppserver_session(pytestconfig: pytest.Config) -> "Iterator[OppserverFixture]":
    """The server of the whole run, for fixtures of a wider scope than a test's.

    Its URL and keys stay. What is put into it is gone when a test asks for ``oppserver``.
    """
    with _uncollected():
        from oppserver.testing import OppserverFixture  # noqa: PLC0415 (pytest starts without it)

        options: Any = {name: pytestconfig.getini(f"oppserver_{name}") for name in _OPTIONS}
        server = OppserverFixture(options, kept_in=_cache(pytestconfig))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def oppserver(
    request: pytest.FixtureRequest, oppserver_session: "OppserverFixture"
) -> "OppserverFixture":
    """A real server on a free port with an empty store, as new for this test."""
    marker = request.node.get_closest_marker("oppserver")
    oppserver_session.reset(**(marker.kwargs if marker else {}))
    _servers_of(request.node).append(oppserver_session)
    return oppserver_session


@pytest.fixture
def oppserver_factory(
    request: pytest.FixtureRequest,
) -> "Iterator[Callable[..., OppserverFixture]]":
    """Makes more servers, each on a port of its own, which are stopped when the test ends."""
    from oppserver.testing import OppserverFixture  # noqa: PLC0415 (pytest starts without it)

    made: list[OppserverFixture] = []

    def make(**options: "Unpack[OppserverOptions]") -> OppserverFixture:
        server = OppserverFixture(options)
        made.append(server)
        _servers_of(request.node).append(server)
        return server

    try:
        yield make
    finally:
        for server in made:
            server.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report of a test that failed has a section with the calls of each of its servers."""
    report = yield
    if call.when == "call" and report.failed:
        for server in _servers_of(item):
            report.sections.append((f"oppserver at {server.url}", server.report()))
    return report


@contextmanager
def _uncollected() -> Iterator[None]:
    """Puts garbage collection off: of what is loaded nothing is garbage.

    To look for it again and again, among all that the tests have loaded, was a fifth of the start.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _cache(config: pytest.Config) -> "Path | None":
    """A folder of pytest's cache, where it has one that can be written."""
    cache = getattr(config, "cache", None)  # missing with -p no:cacheprovider
    try:
        return None if cache is None else cache.mkdir("oppserver")
    except OSError:
        return None


def _servers_of(item: pytest.Item) -> list[Any]:
    return item.stash.setdefault(_SERVERS, [])
