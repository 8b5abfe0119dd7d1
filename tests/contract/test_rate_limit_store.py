"""The limit that several servers share: exact, and what they do when its store is away."""

import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import trustme

from tests.running import (
    Keys,
    Server,
    asking,
    clean_environment,
    create_key,
    group,
    poll,
    run,
    run_well,
    serving,
)
from tests.valkeys import PASSWORD, QUOTED_PASSWORD, ValkeyServer, running_valkey

MESSAGE = asking(group(["24cf277e-70fe-4b2f-a9c2-9a68f45feaba"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("limited")
    run_well("type", "create", "12003", folder=made)
    return made


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
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
    """What a number of calls at once get, the servers in turns."""
    with ThreadPoolExecutor(16) as pool:
        turns = (servers[turn % len(servers)] for turn in range(number))
        return list(pool.map(lambda server: server.post(MESSAGE, keys=keys).status, turns))


def events(server: Server, name: str) -> list[dict[str, object]]:
    return [line for line in server.log() if line["event"] == name]


def health(server: Server) -> object:
    answer = server.call("GET", "/health/ready")
    assert answer.status == 200
    return answer.json


# --- shared ------------------------------------------------------------------------------------


def test_two_servers_share_one_limit(folder: Path, valkey: ValkeyServer) -> None:
    """Of 60 calls at once to two servers exactly 25 are answered; headers tell of the one limit."""
    keys, other = create_key(folder), create_key(folder)
    with nodes(folder, valkey.url) as servers:
        first, second = (server.post(MESSAGE, keys=other) for server in servers)
        for answer, remaining in ((first, 24), (second, 23)):
            assert answer.headers["ratelimit-policy"] == '"default";q=25;w=60'
            found = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
            assert found
            assert int(found[1]) == remaining
            assert 50 < int(found[2]) <= 60
        got = statuses(servers, keys, 60)
        assert (got.count(200), got.count(429)) == (25, 35)
        refused = servers[0].post(MESSAGE, keys=keys)
        assert refused.message == "API calls exceeded the limit of 25 in 60 second(s)"
        assert 50 < int(refused.headers["retry-after"]) <= 60
        assert [health(server) for server in servers] == [
            {"status": "ready", "rateLimitStore": "shared"}
        ] * 2


HAMMER = """
import sys, time
from oppserver.contract.rate_limit_store import parse_rate_limit_store
from oppserver.operations.rate_limit_redis import RedisWindow

window = RedisWindow(parse_rate_limit_store(sys.argv[1]), calls=25, window_s=1, connections=1)
window.count("warm")
print("ready", flush=True)
sys.stdin.readline()
free = 0
while free < 15:
    began = time.monotonic()
    counted = window.count("hammered")
    if not counted.is_exceeded:
        print(began, time.monotonic(), flush=True)
        free += 1
"""


def test_processes_that_hammer_never_get_more_than_the_limit(valkey: ValkeyServer) -> None:
    """Eight processes that do not wait: 120 free calls come, and no second has more than 25."""
    hammers = [
        subprocess.Popen(
            [sys.executable, "-c", HAMMER, valkey.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for hammer in hammers:
        assert hammer.stdout is not None
        assert hammer.stdout.readline() == "ready\n"
    free: list[tuple[float, ...]] = []
    with ThreadPoolExecutor(8) as pool:
        for output, _ in pool.map(lambda hammer: hammer.communicate("go\n"), hammers):
            free += [tuple(map(float, line.split())) for line in output.splitlines()]
    assert len(free) == 120
    for began, _ in free:
        # each was counted between its two moments: these are surely in one second together
        assert sum(began <= other and ended < began + 1 for other, ended in free) <= 25


def test_what_is_stored_is_no_key_and_does_not_stay(folder: Path, valkey: ValkeyServer) -> None:
    """A key is stored as a hash, and expires with the window."""
    keys = create_key(folder)
    valkey.command("FLUSHALL")
    with nodes(folder, valkey.url, number=1) as [server]:
        assert server.post(MESSAGE, keys=keys).status == 200
        names = [name for name in valkey.command("KEYS", "*") if valkey.command("LLEN", name)]
        assert len(names) == 2  # and that of the trial at the start
        assert all(name.startswith(b"oppserver:rate:25/60:") for name in names)
        assert keys.access.encode() not in b"".join(names)
        assert all(0 < valkey.command("PTTL", name) <= 60_001 for name in names)


def test_a_store_whose_clock_was_set_back_locks_nobody_out(
    folder: Path, valkey: ValkeyServer
) -> None:
    """Moments that are in the store's future wait for one window, not for the clock."""
    keys = create_key(folder)
    valkey.command("FLUSHALL")
    with nodes(folder, valkey.url, limit="2/1", number=1) as [server]:
        server.post(MESSAGE, keys=keys)
        [name] = [name for name in valkey.command("KEYS", "*") if name_is_not_trial(valkey, name)]
        later_us = int((time.time() + 3_600) * 1_000_000)
        valkey.command("DEL", name)
        valkey.command("RPUSH", name, later_us, later_us)
        assert server.post(MESSAGE, keys=keys).status == 429
        poll(lambda: server.post(MESSAGE, keys=keys).status == 200 or None, what="a free call")


def name_is_not_trial(valkey: ValkeyServer, name: bytes) -> bool:
    return not name.endswith(b"e3b0c44298fc1c149afbf4c8996fb924")  # SHA-256 of nothing


# --- the store is away -------------------------------------------------------------------------


def test_a_store_that_is_killed_and_comes_back_under_load(folder: Path, tmp_path: Path) -> None:
    """No call fails meanwhile: each machine holds the limit alone, and says so; then together."""
    keys, other, third = (create_key(folder) for _ in range(3))
    with running_valkey(tmp_path) as valkey, nodes(folder, valkey.url) as servers:
        with load(servers, keys) as got:
            poll(lambda: got.count(429) > 20 or None, what="load")
            valkey.kill()
            poll(
                lambda: all(events(one, "rate_limit_store_lost") for one in servers) or None,
                what="loss",
            )
            # until then together, from then on each alone
            poll(lambda: got.count(200) == 75 or None, what="the limit of each")
            assert [health(one) for one in servers] == [
                {"status": "ready", "rateLimitStore": "lost"}
            ] * 2
            assert statuses(servers, other, 80).count(200) == 50
            valkey.start()
            for server in servers:
                poll(lambda: events(server, "rate_limit_store_back") or None, what="the way back")  # noqa: B023 (called in this turn of the loop)
        assert set(got) == {200, 429}
        assert statuses(servers, third, 60).count(200) == 25
        for server in servers:
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}
            assert len(events(server, "rate_limit_store_lost")) == 1
            assert counted_alone(server) >= 25


@contextmanager
def load(servers: Sequence[Server], keys: Keys) -> Iterator[list[int]]:
    """Threads that call the servers all the time; the statuses that they got so far."""
    got: list[int] = []
    ended = threading.Event()

    def calling(server: Server) -> None:
        while not ended.is_set():
            got.append(server.post(MESSAGE, keys=keys).status)

    with ThreadPoolExecutor() as pool:
        threads = [pool.submit(calling, server) for server in [*servers, *servers]]
        try:
            yield got
        finally:
            ended.set()
        for thread in threads:
            thread.result()


def counted_alone(server: Server) -> float:
    text = server.call("GET", "/metrics").body.decode()
    found = re.search(r"^oppserver_calls_counted_alone_total ([\d.]+)$", text, re.MULTILINE)
    assert found
    return float(found[1])


def test_a_store_that_answers_nothing_holds_no_call(folder: Path, tmp_path: Path) -> None:
    """A store that is frozen is left after a moment, and taken again when it goes on."""
    keys = create_key(folder)
    with running_valkey(tmp_path) as valkey, nodes(folder, valkey.url, number=1) as [server]:
        assert server.post(MESSAGE, keys=keys).status == 200
        valkey.freeze()
        assert statuses([server], keys, 30).count(200) == 25
        assert events(server, "rate_limit_store_lost")
        valkey.thaw()
        poll(lambda: events(server, "rate_limit_store_back") or None, what="the way back")


@pytest.mark.parametrize(
    "command",
    [
        ("CONFIG", "SET", "maxmemory", "1"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("ACL", "SETUSER", "default", "-eval", "-evalsha"),
    ],
    ids=["it is full", "it is a replica", "it forbids"],
)
def test_a_store_that_answers_and_does_not_count_is_lost(
    folder: Path, tmp_path: Path, command: Sequence[str]
) -> None:
    """Whatever the reason, the machine holds the limit alone; a trial that fails is told once."""
    keys = create_key(folder)
    with running_valkey(tmp_path) as valkey, nodes(folder, valkey.url, number=1) as [server]:
        valkey.command(*command)
        assert statuses([server], keys, 30).count(200) == 25
        assert health(server) == {"status": "ready", "rateLimitStore": "lost"}
        assert len(events(server, "rate_limit_store_lost")) == 1


def test_scripts_that_the_store_has_forgotten_are_sent_again(
    folder: Path, valkey: ValkeyServer
) -> None:
    """A store that was emptied counts on."""
    keys = create_key(folder)
    with nodes(folder, valkey.url, number=1) as [server]:
        server.post(MESSAGE, keys=keys)
        valkey.command("SCRIPT", "FLUSH")
        assert statuses([server], keys, 30).count(200) == 24
        assert not events(server, "rate_limit_store_lost")


def test_a_store_that_is_away_at_the_start(folder: Path, tmp_path: Path) -> None:
    """The server serves alone and says so; it shares when the store comes."""
    keys = create_key(folder)
    with running_valkey(tmp_path) as valkey:
        valkey.kill()
        with nodes(folder, valkey.url, number=1) as [server]:
            [line] = events(server, "rate_limit_store_lost")
            assert f"127.0.0.1:{valkey.port}" in str(line["cause"])
            assert "alone" in str(line["hint"])
            assert server.post(MESSAGE, keys=keys).status == 200
            valkey.start()
            poll(lambda: events(server, "rate_limit_store_back") or None, what="the store")
            assert statuses([server], keys, 30).count(200) == 25
            valkey.kill()
            server.post(MESSAGE, keys=keys)
            assert server.stop() == 0


# --- where it is -------------------------------------------------------------------------------


def test_a_password_and_a_socket_and_a_database(folder: Path, tmp_path: Path) -> None:
    """All forms of the address reach the same store; no log line has the password."""
    keys = create_key(folder)
    with running_valkey(tmp_path, password=PASSWORD) as valkey:
        secret = f":{QUOTED_PASSWORD}@"
        forms = [
            f"redis://{secret}127.0.0.1:{valkey.port}/3",
            f"valkey://default{secret}localhost:{valkey.port}/3",
            f"unix://{secret}{valkey.path}?db=3",
        ]
        with ExitStack() as stack:
            servers = [stack.enter_context(nodes(folder, form, number=1))[0] for form in forms]
            assert statuses(servers, keys, 60).count(200) == 25
            assert valkey.command("INFO", "keyspace")["db3"]["keys"] == 2
            valkey.kill()
            for server in servers:
                server.post(MESSAGE, keys=keys)
                assert events(server, "rate_limit_store_lost")
                text = server.log_file.read_text()
                assert "[hidden]@" in text
                assert not [part for part in ("s3cret", "pass@", QUOTED_PASSWORD) if part in text]


def test_the_rights_that_a_user_of_the_store_needs(folder: Path, tmp_path: Path) -> None:
    """Those that the documents name are enough."""
    page = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
    named = re.search(r"`(\+evalsha[^`]*)`", page)
    assert named
    with running_valkey(tmp_path) as valkey:
        rights = [*named[1].split(), "+select"]
        valkey.command("ACL", "SETUSER", "limited", "on", ">pw", "~oppserver:*", "-@all", *rights)
        keys = create_key(folder)
        store = f"valkey://limited:pw@127.0.0.1:{valkey.port}/2"
        with nodes(folder, store, number=1) as [server]:
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}
            assert statuses([server], keys, 30).count(200) == 25
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("redis://127.0.0.1:{port}/0", "Authentication required"),
        ("redis://:wrong-s3cret@127.0.0.1:{port}/0", "invalid username-password pair"),
        ("redis://nobody:wrong-s3cret@127.0.0.1:{port}", "invalid username-password pair"),
        (f"redis://:{QUOTED_PASSWORD}@127.0.0.1:{{port}}/99", "DB index is out of range"),
    ],
)
def test_credentials_that_are_wrong_at_the_start(
    folder: Path, tmp_path: Path, address: str, reason: str
) -> None:
    """One line with the store's reason and without a password, and no server."""
    with running_valkey(tmp_path, password=PASSWORD) as valkey:
        line = refused(folder, address.format(port=valkey.port))
    assert line.startswith("oppserver: The rate limit cannot be kept in redis://")
    assert reason in line
    assert "s3cret" not in line
    assert line.endswith("Mend --rate-limit-store.")


def test_a_store_that_is_something_else(folder: Path) -> None:
    """What answers in another protocol is refused, not tried again and again."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1_024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        line = refused(folder, f"redis://127.0.0.1:{listener.getsockname()[1]}")
    assert "Protocol Error" in line


@pytest.mark.parametrize(
    "address",
    [
        *("", "localhost:6379", "http://s3cret@localhost", "redis:s3cret@localhost", "redis://"),
        *("redis://:s3cret@localhost:port", "redis://:s3c/ret@localhost", "redis://h:99999"),
        *("redis://localhost/first", "redis://localhost/1?password=s3cret", "unix://:s3cret@host"),
        *("unix://", "redis://:s3cret#@localhost", "rediss://localhost?ssl_cert_reqs=none"),
        *("redis://localhost/-1", "redis://localhost/99999", "rediss://h?ssl_ca_certs=no.pem"),
    ],
)
def test_an_address_that_is_none(folder: Path, address: str) -> None:
    """One line that says what was expected, and repeats no part of what may be a password."""
    line = refused(folder, address)
    assert line.startswith("oppserver: --rate-limit-store: the value is refused: ")
    assert "redis://HOST:PORT" in line or "ssl_ca_certs" in line
    assert "s3c" not in line


def refused(folder: Path, address: str) -> str:
    """The one line of a server that does not start."""
    done = run("serve", "--port", "0", "--rate-limit-store", address, folder=folder)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    return line


def test_the_extra_is_missing(folder: Path) -> None:
    """One line that says what to install."""
    program = (
        "import sys; sys.modules['valkey'] = None\n"
        "sys.argv = ['oppserver', 'serve', '--port', '0', '--rate-limit-store', 'redis://h']\n"
        "from oppserver.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "pip install 'oppserver[redis]'" in line


# --- TLS ---------------------------------------------------------------------------------------


@contextmanager
def tls_before(valkey: ValkeyServer, issued: trustme.LeafCert) -> Iterator[int]:
    """A port that speaks TLS and passes on to a Valkey."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            target.close()

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                inside = context.wrap_socket(plain, server_side=True)
            except OSError:
                plain.close()
                continue
            outside = socket.create_connection(("127.0.0.1", valkey.port))
            for ends in ((inside, outside), (outside, inside)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_tls(folder: Path, valkey: ValkeyServer, tmp_path: Path) -> None:
    """With rediss:// the store has to prove who it is: by the right authority, by its name."""
    authority, other = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    keys = create_key(folder)
    with tls_before(valkey, authority.issue_cert("localhost")) as port:
        right = f"rediss://localhost:{port}/0?ssl_ca_certs={tmp_path}/ca.pem"
        with nodes(folder, right, number=1) as [server]:
            assert statuses([server], keys, 30).count(200) == 25
            assert health(server) == {"status": "ready", "rateLimitStore": "shared"}
        for wrong in (
            f"valkeys://localhost:{port}/0?ssl_ca_certs={tmp_path}/other.pem",
            f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path}/ca.pem",
            f"rediss://localhost:{port}/0",
        ):
            with nodes(folder, wrong, number=1) as [server]:
                [line] = events(server, "rate_limit_store_lost")
                assert "certificate" in str(line["cause"]).lower()
