"""The pytest plug-in as its users have it: real runs of pytest, in processes of their own."""

import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.running import clean_environment, poll

TYPES = """
import urllib.request

def types(server):
    request = urllib.request.Request(
        server.url + "/v2/OpportunityManagement.svc/GetOpportunityTypes", headers=server.headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read()
"""


ALONE = ("-p", "no:randomly", "-p", "no:asyncio")


def run(
    folder: Path, text: str, *flags: str, beside: Sequence[str] = ALONE
) -> "subprocess.CompletedProcess[str]":
    """Runs a file of tests as its author would, with every warning an error.

    ``beside`` says which plug-ins of others are there.
    """
    (folder / "calling.py").write_text(TYPES)
    (folder / "test_it.py").write_text(text)
    return subprocess.run(
        command(*beside, *flags),
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def command(*flags: str) -> Sequence[str]:
    return [sys.executable, "-m", "pytest", "-W", "error", "--strict-markers", *flags]


def passed(done: "subprocess.CompletedProcess[str]", number: int) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert f" {number} passed" in done.stdout, done.stdout


def test_pytest_starts_without_the_server(tmp_path: Path) -> None:
    """Where no test asks for it, the plug-in costs nothing: the server is not imported."""
    text = """
import sys
def test_it(pytestconfig):
    assert pytestconfig.pluginmanager.has_plugin("oppserver")
    ours = {name for name in sys.modules if name.startswith("oppserver")}
    assert ours == {"oppserver", "oppserver.pytest_plugin"}, ours
    assert not {"starlette", "uvicorn", "sqlalchemy", "httpx", "msgspec"} & set(sys.modules)
"""
    passed(run(tmp_path, text), 1)


def test_the_server_comes_alone(tmp_path: Path) -> None:
    """Modules that it does not use are not loaded with it, and garbage is collected as before."""
    passed(run(tmp_path, "def test_it(oppserver): pass"), 1)  # it keeps an empty store
    text = """
import gc, importlib.util, sys
def test_it(oppserver):
    assert importlib.util.find_spec("pydantic")
    assert not {"pydantic", "alembic", "psycopg", "pyarrow", "httpx"} & set(sys.modules)
    assert gc.isenabled()

def test_off(oppserver_factory):
    gc.disable()
    oppserver_factory()
    assert not gc.isenabled()
"""
    passed(run(tmp_path, text), 2)


def test_one_server_for_a_run_and_a_new_store_for_each_test(tmp_path: Path) -> None:
    """Marker and ini file are followed, each test begins anew, and nothing is left behind."""
    text = """
import signal, threading
import pytest
from calling import types
urls = set()

@pytest.fixture(scope="session", autouse=True)
def wide(oppserver_session):
    urls.add(oppserver_session.url)

@pytest.mark.parametrize("n", range(3))
def test_each(oppserver, n, capsys, caplog):
    caplog.set_level("DEBUG")
    urls.add(oppserver.url)
    assert len(urls) == 1
    assert types(oppserver) == b"[]" or oppserver.opportunities() == []
    oppserver.add_opportunity(12000)
    assert b"12000" in types(oppserver)
    assert oppserver.clock.now().isoformat() == "2026-01-02T00:00:00+00:00"
    assert capsys.readouterr() == ("", "")
    assert not caplog.records

@pytest.mark.oppserver(now="2027-01-01", rate_limit="1/60", seed=3)
def test_marked(oppserver):
    assert oppserver.clock.now().year == 2027
    types(oppserver)
    with pytest.raises(Exception, match="429"):
        types(oppserver)

def test_more_servers(oppserver, oppserver_factory):
    other = oppserver_factory(seed=1)
    assert other.url != oppserver.url
    other.add_opportunity(12000)
    assert types(oppserver) == b"[]"
    assert len(other.calls) == 0

def test_the_process_is_left_alone(oppserver):
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert all(one.daemon for one in threading.enumerate() if one.name == "oppserver-http")
"""
    (tmp_path / "pytest.ini").write_text("[pytest]\noppserver_now = 2026-01-02\n")
    passed(run(tmp_path, text), 6)


def test_loops_forks_and_stopped_time_go_side_by_side(tmp_path: Path) -> None:
    """A test with a loop of its own, one that forks, and one that travels in time."""
    text = """
import asyncio, multiprocessing, time
import time_machine
from calling import types

def test_loop(oppserver):
    async def main():
        async with oppserver.async_client() as client:
            return await asyncio.gather(*(client.get_types() for _ in range(5)))
    assert asyncio.run(main()) == [[]] * 5

def test_fork(oppserver):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(types, [Where(oppserver)] * 4) == [b"[]"] * 4

class Where:
    def __init__(self, server):
        self.url, self.headers = server.url, server.headers

def test_stopped(oppserver):
    with time_machine.travel("2030-01-01 00:00:00Z", tick=False):
        one = oppserver.add_opportunity(12000)
        oppserver.faults.slow(0.05)
        types(oppserver)
    assert oppserver.opportunity(one)["CreatedOn"] == "2030-01-01 00:00:00"
"""
    flags = ("-W", "ignore:This process:DeprecationWarning")  # Python's own, of forks from 3.12 on
    passed(run(tmp_path, text, *flags), 3)


def test_other_plug_ins_and_freezegun_go_side_by_side(tmp_path: Path) -> None:
    """pytest-asyncio's loops, pytest-randomly's order and seeds, freezegun's clock."""
    text = """
import freezegun, pytest
from calling import types
ids = set()

@pytest.mark.asyncio
@pytest.mark.parametrize("n", range(3))
async def test_loop(oppserver, n):
    async with oppserver.async_client() as client:
        assert await client.get_types() == []
        ids.add(oppserver.add_opportunity(12000))
        assert len(await client.get_types()) == 1

@pytest.mark.parametrize("n", range(3))
def test_seeded(oppserver, n):
    assert types(oppserver) == b"[]"
    ids.add(oppserver.add_opportunity(12000))

def test_frozen(oppserver):
    with freezegun.freeze_time("2030-01-01 00:00:00"):
        one = oppserver.add_opportunity(12000)
        oppserver.faults.slow(0.05)
        types(oppserver)
    assert oppserver.opportunity(one)["CreatedOn"] == "2030-01-01 00:00:00"

@pytest.fixture(scope="session", autouse=True)
def all_differ():
    yield
    assert len(ids) == 6
"""
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\n"
    )
    done = run(tmp_path, text, beside=())
    assert "Using --randomly-seed=" in done.stdout
    passed(done, 7)


def test_a_failed_test_tells_the_calls(tmp_path: Path) -> None:
    """Its report has a section with what the server received; one that passed has none."""
    text = """
from calling import types
def test_good(oppserver): types(oppserver)
def test_bad(oppserver):
    oppserver.faults.slow(0.01)
    types(oppserver)
    assert False
"""
    done = run(tmp_path, text)
    assert done.returncode == 1
    assert len(re.findall(r"-- oppserver at http://127\.0\.0\.1:\d+ --", done.stdout)) == 1
    call = (
        r"200  GET /v2/OpportunityManagement\.svc/GetOpportunityTypes  [\d.]+ ms  \[slow, 0\.01 s\]"
    )
    assert re.search(call, done.stdout), done.stdout


def test_each_worker_of_xdist_has_its_own(tmp_path: Path) -> None:
    """Two workers, two servers, no test that sees another's data."""
    text = """
import os, pytest
from pathlib import Path
@pytest.mark.parametrize("n", range(10))
def test_it(oppserver, n):
    oppserver.add_opportunity(12000)
    assert len(oppserver.opportunities()) == 1
    worker = os.environ["PYTEST_XDIST_WORKER"]
    Path(f"{worker}-{oppserver.url.rpartition(':')[2]}.seen").touch()
"""
    passed(run(tmp_path, text, "-n", "2"), 10)
    assert len(list(tmp_path.glob("gw*.seen"))) == 2


def test_ctrl_c_ends_the_run(tmp_path: Path) -> None:
    """In a call that waits; the server stops, and its folder is gone."""
    text = """
import time
from pathlib import Path
from threading import Thread
from calling import types
def tell(oppserver):
    while not oppserver.calls:
        time.sleep(0.01)
    Path("waits").touch()
def test_it(oppserver):
    oppserver.faults.slow(3_600)
    Thread(target=tell, args=[oppserver], daemon=True).start()
    types(oppserver)
"""
    (tmp_path / "calling.py").write_text(TYPES)
    (tmp_path / "test_it.py").write_text(text)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        command(*ALONE),
        cwd=tmp_path,
        env=clean_environment() | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    poll(lambda: (tmp_path / "waits").exists() or None, what="the call")
    assert list(temporary.glob("oppserver-*"))
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, output
    assert not list(temporary.glob("oppserver-*"))


def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    """An ini file that says what cannot be says so in plain words."""
    (tmp_path / "pytest.ini").write_text("[pytest]\noppserver_rate_limit = fast\n")
    done = run(tmp_path, "def test_it(oppserver): pass")
    assert done.returncode == 1
    assert "rate_limit 'fast': expected CALLS/SECONDS, for example 25/5, or off" in done.stdout


def test_what_was_kept_is_made_anew_when_it_is_broken(tmp_path: Path) -> None:
    """The empty store in pytest's cache is no risk: one that cannot be opened is replaced."""
    text = "def test_it(oppserver): assert oppserver.opportunities() == []"
    passed(run(tmp_path, text), 1)
    [kept] = (tmp_path / ".pytest_cache" / "d" / "oppserver").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(b"no database")
    passed(run(tmp_path, text), 1)
    assert len(kept.read_bytes()) == len(whole)
