"""``oppserver pull`` as typed: from one real server into another store."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from oppserver.client import Client
from oppserver.contract.model import DataType, Field, OpportunityType, StoredOpportunity
from oppserver.store import Store, open_store
from oppserver.store.sqlite.library import Connection
from tests.support.both_clients import ACCESS, SECRET
from tests.support.running import (
    OPPSERVER,
    SCALE,
    Server,
    clean_environment,
    create_key,
    poll,
    run,
    run_well,
    serving,
)
from tests.support.scripted_host import Reply, error, scripted_host

CODE = 12000
ROWS = int(4_000 * max(1.0, SCALE / 2))


def guid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def opportunity(number: int) -> StoredOpportunity:
    """The first 1,500 are of one second, as an import leaves them; the rest are spread."""
    minute = 0 if number < 1_500 else number - 1_499
    when = f"2024-{1 + minute // 40_000:02d}-{1 + minute // 1440 % 28:02d}"
    return StoredOpportunity(
        id=guid(number),
        event_code=CODE,
        lead_id=guid(number % 1_000),
        lead_email=f"{number % 1_000}@example.com",
        owner_id=guid(number % 7),
        owner_email=f"owner{number % 7}@example.com",
        status="Open",
        note=f"note {number}" if number % 3 else None,
        created_on="2024-01-01 00:00:00",
        modified_on=f"{when} {minute // 60 % 24:02d}:{minute % 60:02d}:00",
        slots={"mx_custom_1": f"opportunity {number}", "mx_custom_6": str(number)},
    )


def fill(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    store.put_types(
        [OpportunityType(event_code=CODE, name="Loan", description="of all kinds", can_delete=True)]
    )
    store.put_fields(
        [
            Field(event_code=CODE, schema_name="mx_Custom_1", display_name="Name", sequence=1),
            Field(
                event_code=CODE,
                schema_name="mx_Custom_6",
                display_name="Size",
                data_type=DataType.NUMBER,
                sequence=2,
            ),
        ]
    )
    for start in range(0, ROWS, 3_000):
        store.write_opportunities(
            [opportunity(n) for n in range(start, min(ROWS, start + 3_000))],
            now="2024-01-01 00:00:00",
        )
    store.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Server]:
    """A server with opportunities, to be mirrored."""
    folder = tmp_path / "host"
    folder.mkdir()
    fill(folder)
    with serving(folder, keys=create_key(folder, role="administrator")) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mirror"
    made.mkdir()
    return made


def command(url: str, *more: str) -> list[str]:
    limit = [] if "--rate-limit" in more else ["--rate-limit", "off"]
    return [OPPSERVER, "pull", "--host", url, "--event-code", str(CODE), *limit, *more]


def pull(folder: Path, host: Server, *more: str) -> "subprocess.CompletedProcess[str]":
    keys = {"OPPSERVER_ACCESS_KEY": host.keys.access, "OPPSERVER_SECRET_KEY": host.keys.secret}
    return subprocess.run(
        command(host.url, *more),
        cwd=folder,
        env=clean_environment() | keys,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def pulled(folder: Path, host: Server, *more: str) -> dict[str, Any]:
    """The output of a pull that ends well."""
    done = pull(folder, host, "--json", *more)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["complete"]
    return told


def exported(folder: Path) -> str:
    return run_well("export", "--event-code", str(CODE), folder=folder)


def assert_same(folder: Path, host: Server) -> None:
    assert exported(folder) == exported(host.log_file.parent)


def calls(host: Server, name: str) -> int:
    return sum(line.get("call") == name for line in host.log())


def writer(host: Server) -> Client:
    return Client(host.url, host.keys.access, host.keys.secret, rate_limit="off")


def test_all_at_first_then_what_has_changed(host: Server, folder: Path) -> None:
    """Types, fields and every opportunity; then only what was changed, made and deleted."""
    assert pulled(folder, host)["written"] >= ROWS
    assert_same(folder, host)
    types = [run_well("type", "export", folder=where) for where in (folder, host.log_file.parent)]
    assert types[0] == types[1]
    before = calls(host, "GetOpportunitiesById")
    with writer(host) as client:
        client.update(guid(17), {"mx_Custom_6": 99, "Status": "Won"}, note="changed")
        client.capture(CODE, {"Status": "Open"}, lead={"EmailAddress": "new@example.com"})
        client.delete(guid(5))
    told = pulled(folder, host)
    assert told["deleted"] == 1
    assert told["stored"] == told["onHost"] == ROWS
    assert told["written"] <= 4  # the changed, the new, and those of the last second again
    swept = -(-(ROWS + 1) // 2_000)
    assert calls(host, "GetOpportunitiesById") - before <= 2 + swept
    assert_same(folder, host)
    before = calls(host, "GetOpportunitiesById")
    assert pulled(folder, host)["written"] <= 4
    assert calls(host, "GetOpportunitiesById") - before <= 2


def test_the_mirror_is_served(host: Server, folder: Path) -> None:
    """A server over the mirror answers as the host does."""
    pulled(folder, host)
    ids = [guid(n) for n in range(0, ROWS, 7)]
    given: dict[str, Any] = {
        "event_code": CODE,
        "columns": "Owner,Status,OpportunityNote,CreatedOn,ModifiedOn,mx_Custom_1,mx_Custom_6",
    }
    with serving(folder, keys=create_key(folder)) as mirror:
        answers = []
        for server in (host, mirror):
            keys = server.keys
            with Client(server.url, keys.access, keys.secret, rate_limit="off") as client:
                answers.append(client.get_opportunities(ids, **given).all())
    assert answers[0] == answers[1]
    assert len(answers[0]) == len(ids)


@pytest.mark.slow
def test_kills_at_any_moment(host: Server, folder: Path) -> None:
    """Killed at several places, a pull goes on and ends with a store that is the host's."""
    keys = {"OPPSERVER_ACCESS_KEY": host.keys.access, "OPPSERVER_SECRET_KEY": host.keys.secret}
    state = folder / f"oppserver.db.pull-{CODE}.json"
    reached = ""
    for _ in range(3):
        process = subprocess.Popen(
            command(host.url),
            cwd=folder,
            env=clean_environment() | keys,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def further(before: str = reached) -> str | None:
            text = state.read_text() if state.exists() else ""
            return text if text != before else None

        try:
            reached = poll(further, what="a step")
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
            process.wait()
    pulled(folder, host)
    assert_same(folder, host)
    assert run_well("db", "check", folder=folder) == "ok\n"


def test_a_store_that_was_changed_is_read_anew(host: Server, folder: Path) -> None:
    """A write to the mirror is seen, told and undone: nothing is missed behind it."""
    pulled(folder, host)
    with closing(Connection(folder / "oppserver.db")) as connection:
        connection.execute(
            "UPDATE opportunity SET status = 'Lost', modified_on = '2031-01-01 00:00:00'"
            f" WHERE id = '{guid(3)}'"
        )
    done = pull(folder, host)
    assert done.returncode == 0, done.stderr
    assert "The store was changed since the last pull" in done.stderr
    assert_same(folder, host)


def test_full_reads_everything_again(host: Server, folder: Path) -> None:
    """``--full``, also when nothing has changed."""
    pulled(folder, host)
    assert pulled(folder, host, "--full")["written"] >= ROWS


def test_keys_that_see_less_do_not_empty_the_mirror(host: Server, folder: Path) -> None:
    """More rows are gone by id than by count: nothing is deleted, and the pull is not complete."""
    pulled(folder, host)
    store = open_store(f"sqlite:///{folder}/oppserver.db")
    extra = [opportunity(ROWS + n) for n in range(2)]
    store.write_opportunities(extra, now="2024-01-01 00:00:00")
    newest = _newest(store)
    store.close()
    state = folder / f"oppserver.db.pull-{CODE}.json"
    known = json.loads(state.read_text()) | {"count": ROWS + 2, "newest": newest}
    answers = {
        "GetOpportunityTypeMetadata": {"EventCode": CODE, "DisplayName": "Loan", "Fields": []},
        "RetrieveRecentlyModified": {"RecordCount": ROWS, "ProspectActivities": []},
        "GetOpportunitiesById": [{"EventCode": "1", "RecordCount": 0, "Opportunities": []}],
    }
    with scripted_host(
        answer=lambda request: Reply(200, answers[request.path.rpartition("/")[2]])
    ) as other:
        state.write_text(json.dumps(known | {"host": other.url}))
        done = subprocess.run(
            command(other.url),
            cwd=folder,
            env=clean_environment()
            | {"OPPSERVER_ACCESS_KEY": ACCESS, "OPPSERVER_SECRET_KEY": SECRET},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3, done.stderr
    assert "Check that the keys see all opportunities" in done.stderr
    assert "the counts differ" in done.stderr
    assert len(exported(folder).splitlines()) == ROWS + 2


def _newest(store: Store) -> str:
    """The last ModifiedOn of a store."""
    rows = store.read_opportunities(event_code=CODE, after_id="", limit=1_000_000)
    return max(one.modified_on or "" for one in rows)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (error(401, kind="MXInvalidAccessDetailsException"), "Check both keys"),
        (error(400, "'12000' is the event code of no type"), "12000"),
        (Reply(200, b"<html>"), "cannot be understood"),
    ],
)
def test_a_host_that_does_not_answer_so(folder: Path, reply: Reply, said: str) -> None:
    """One line, status 1."""
    with scripted_host(answer=lambda _: reply) as other:
        done = subprocess.run(
            command(other.url),
            cwd=folder,
            env=clean_environment()
            | {"OPPSERVER_ACCESS_KEY": ACCESS, "OPPSERVER_SECRET_KEY": SECRET},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no state of a pull"),
        ('{"host": "https://other", "event_code": 12000}', "is of type 12000 of https://other"),
    ],
)
def test_a_state_that_is_none(folder: Path, text: str, said: str) -> None:
    """It is not guessed what was meant."""
    (folder / "state.json").write_text(text)
    done = run(*command("http://127.0.0.1:1", "--state", "state.json")[1:], folder=folder)
    assert done.returncode == 1
    assert said in done.stderr
