"""``Idempotency-Key``: a write that is sent again gets the same answer, and is done once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from oppserver.calls.run import write_once
from oppserver.calls.shared.call import Call, Services
from oppserver.contract.errors import IdempotencyConflict
from oppserver.contract.model import Principal, Role
from oppserver.store import Store
from oppserver.store.port import Transaction
from tests.support import stores, writing
from tests.support.databases import execute
from tests.support.running import Answer, Keys, Server, create_key
from tests.support.writing import (
    BULK_ADD,
    BULK_UPDATE,
    CAPTURE,
    DEAL,
    UNIQUE,
    UPDATE,
    captured,
    capturing,
    delete,
    fields,
    fresh,
    lead,
    row,
    value,
    well,
)

ENGINES = ["sqlite", "postgres"]

folder, server = writing.folder, writing.server
database, store = stores.database, stores.store


def send(
    server: Server, message: Any, *, key: str, path: str = CAPTURE, keys: Keys | None = None
) -> Answer:
    return server.post(message, path=path, keys=keys, Idempotency_Key=key)


def is_replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


def opportunities_of(folder: Path, email: str) -> int:
    """The number of opportunities of the lead with an address."""
    counted = "SELECT count(*) FROM opportunity WHERE lead_email = :email"
    [(number,)] = execute(folder, counted, email=email)
    return int(number)


# --- the same again


def test_a_capture_sent_again_gets_the_same_answer(server: Server, folder: Path) -> None:
    """Byte for byte, with ``Idempotent-Replayed``; there is one opportunity."""
    key, email = str(uuid4()), f"{fresh()}@example.com"
    body = capturing(lead=lead(EmailAddress=email))
    first, second, third = (send(server, body, key=key) for _ in range(3))
    assert well(first)["IsUnique"]
    assert [is_replayed(one) for one in (first, second, third)] == [False, True, True]
    assert second.body == third.body == first.body
    assert opportunities_of(folder, email) == 1


def test_an_update_sent_again_is_not_done_again(server: Server) -> None:
    """A write in between stays."""
    one, key = captured(server), str(uuid4())
    body = {"ProspectOpportunityId": one, "Fields": fields(c10="first")}
    well(send(server, body, key=key, path=UPDATE))
    well(writing.update(server, one, c10="in between"))
    assert is_replayed(send(server, body, key=key, path=UPDATE))
    assert value(server, one, "mx_Custom_10") == "in between"


def test_bulk_writes_sent_again_are_not_done_again(server: Server, folder: Path) -> None:
    """Both of them."""
    email = f"{fresh()}@example.com"
    one = captured(server, lead=lead(EmailAddress=email))
    updates = [
        {"ProspectOpportunityId": one, "OpportunityEventCode": DEAL, "Fields": fields(c10="x")}
    ]
    additions = [
        {
            "SearchByValue": email,
            "OpportunityEventCode": DEAL,
            "Fields": fields(Status="Open", c1="x"),
        }
    ]
    for path, body in (
        (BULK_UPDATE, updates),
        (f"{BULK_ADD}?SearchBy=EmailAddress", additions),
    ):
        key = str(uuid4())
        first, second = (send(server, body, key=key, path=path) for _ in range(2))
        assert well(first) == well(second)
        assert [is_replayed(first), is_replayed(second)] == [False, True]
    assert opportunities_of(folder, email) == 2


def test_a_delete_sent_again_is_a_success_again(server: Server) -> None:
    """With the key; without it the opportunity is gone."""
    one, key = captured(server), str(uuid4())
    first, second = (delete(server, one, Idempotency_Key=key) for _ in range(2))
    assert well(first) == well(second)
    assert is_replayed(second)
    assert delete(server, one).status == 404


def test_without_a_key_a_write_is_done_again(server: Server, folder: Path) -> None:
    """The same body without a key is done again, as on the hosted service."""
    email = f"{fresh()}@example.com"
    body = capturing(lead=lead(EmailAddress=email))
    answers = [server.post(body, path=CAPTURE) for _ in range(2)]
    assert not any(is_replayed(one) for one in answers)
    assert opportunities_of(folder, email) == 2


# --- what a key belongs to


def test_a_key_with_another_request_is_422(server: Server) -> None:
    """Another body, another call, another query: nothing is done, and the first answer stays."""
    key, body = str(uuid4()), capturing()
    first = send(server, body, key=key)
    one = well(first)["CreatedOpportunityId"]
    update = {"ProspectOpportunityId": one, "Fields": fields(c10="x")}
    for answer in (
        send(server, capturing(), key=key),
        send(server, update, key=key, path=UPDATE),
        send(server, body, key=key, path=f"{CAPTURE}?more=1"),
        delete(server, one, Idempotency_Key=key),
    ):
        assert (answer.status, answer.exception_type) == (422, "MXIdempotencyKeyException")
        assert "was used for another request within 24 hours" in answer.message
        assert not is_replayed(answer)
    assert value(server, one, "mx_Custom_10") is None
    assert send(server, body, key=key).body == first.body


def test_the_way_of_passing_keys_is_no_part_of_the_request(server: Server) -> None:
    """A retry may have its keys in the query, in another order, or be of the user's other key."""
    key, body = str(uuid4()), capturing()
    first = send(server, body, key=key)
    in_query = send(server, body, key=key, path=f"{CAPTURE}?{server.keys.query}", keys=Keys("", ""))
    assert is_replayed(in_query)
    assert in_query.body == first.body


def test_a_key_belongs_to_its_user(server: Server, folder: Path) -> None:
    """Another user's same key is another key; the same user's other pair has the same ones."""
    key, body = str(uuid4()), capturing()
    first = send(server, body, key=key)
    other = create_key(folder, email="other@example.com")
    theirs = send(server, body, key=key, keys=other)
    assert not is_replayed(theirs)
    assert well(theirs)["CreatedOpportunityId"] != well(first)["CreatedOpportunityId"]
    second_pair = create_key(folder, email="writer@example.com")
    assert is_replayed(send(server, body, key=key, keys=second_pair))


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_is_none_is_422(key: str, server: Server) -> None:
    """1 to 255 characters; the message says so."""
    answer = send(server, capturing(), key=key)
    assert (answer.status, answer.exception_type) == (422, "MXIdempotencyKeyException")
    assert "Send 1 to 255" in answer.message


def test_keys_of_255_characters_and_any_kind(server: Server) -> None:
    """A key has the characters that a header can hold."""
    for key in ("x" * 255, 'a b;c,d="e"', "\u00e9"):
        body = capturing()
        answers = [send(server, body, key=key) for _ in range(2)]
        assert [is_replayed(one) for one in answers] == [False, True]


# --- what is kept


def test_a_refused_call_keeps_nothing(server: Server) -> None:
    """After the mistake is corrected the same key works, with another body."""
    key = str(uuid4())
    assert send(server, capturing(values={"c6": "many"}), key=key).status == 400
    assert send(server, {}, key=key).status == 400
    done = send(server, capturing(values={"c6": "7"}), key=key)
    assert well(done)["IsUnique"]
    assert not is_replayed(done)


def test_a_replay_does_not_ask_what_is_true_now(server: Server) -> None:
    """The answer is the one that was kept, also when the opportunity has gone since."""
    key, body = str(uuid4()), capturing()
    first = send(server, body, key=key)
    well(delete(server, well(first)["CreatedOpportunityId"]))
    assert send(server, body, key=key).body == first.body
    assert row(server, well(first)["CreatedOpportunityId"]) is None


def test_twins_at_once_are_done_once(server: Server, folder: Path) -> None:
    """Eight at the same time with one key: one is done, all get its answer."""
    for _ in range(5):
        key, email = str(uuid4()), f"{fresh()}@example.com"
        body = capturing(lead=lead(EmailAddress=email))
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda _: send(server, body, key=key), range(8)))  # noqa: B023 (the threads end in this turn)
        assert len({one.body for one in answers}) == 1
        assert [is_replayed(one) for one in answers].count(False) == 1
        assert opportunities_of(folder, email) == 1


def test_after_24_hours_a_key_is_new(server: Server, folder: Path) -> None:
    """The answer that was kept a day and a second ago is not given again."""
    key, body = str(uuid4()), capturing(code=UNIQUE, values={"c2": fresh()})
    first = send(server, body, key=key)
    age(folder, timedelta(hours=24, seconds=-30))
    assert send(server, body, key=key).body == first.body
    age(folder, timedelta(seconds=60))
    later = send(server, body, key=key)
    assert not is_replayed(later)
    assert well(later)["ConflictedOpportunityId"] == well(first)["CreatedOpportunityId"]


def age(folder: Path, by: timedelta) -> None:
    """Makes all kept answers older."""
    for (created_on,) in execute(folder, "SELECT DISTINCT created_on FROM kept_answer"):
        older = str(datetime.fromisoformat(created_on) - by)
        execute(
            folder,
            "UPDATE kept_answer SET created_on = :older WHERE created_on = :created_on",
            older=older,
            created_on=created_on,
        )


# --- the hours, exactly


def a_call(key: str, *, at: datetime) -> Call:
    principal = Principal(access_key="a", user_id="u", email="u@example.com", role=Role.USER)
    return Call(
        name="Capture",
        access_key="a",
        secret_key="s",
        content_type="application/json",
        body=b"{}",
        now=at,
        idempotency_key=key,
        principal=principal,
    )


def test_a_kept_answer_lives_for_24_hours_to_the_second(store: Store) -> None:
    """On every engine: at 24 hours it is given again, a second later it is not."""
    services = Services(store=store, rate_limiter=None, body_bytes_max=1)
    noon = datetime(2024, 2, 29, 12, tzinfo=UTC)
    done = iter([b"first", b"second", b"never"])

    def work(_: Transaction) -> bytes:
        return next(done)

    def answer(hours: float, seconds: int = 0) -> bytes:
        return write_once(
            a_call("key", at=noon + timedelta(hours=hours, seconds=seconds)), services, work
        )

    assert [answer(0), answer(1), answer(24)] == [b"first"] * 3
    assert [answer(24, 1), answer(24, 2), answer(48, 1)] == [b"second"] * 3


def test_work_that_fails_keeps_nothing_on_every_engine(store: Store) -> None:
    """The next call with the key does its own work."""
    services = Services(store=store, rate_limiter=None, body_bytes_max=1)
    noon = datetime(2024, 2, 29, 12, tzinfo=UTC)

    def fails(_: Transaction) -> bytes:
        raise IdempotencyConflict("of the work's own")

    with pytest.raises(IdempotencyConflict, match="own"):
        write_once(a_call("key", at=noon), services, fails)
    again = a_call("key", at=noon)
    assert write_once(again, services, lambda _: b"done") == b"done"
    assert not again.is_replayed
