"""Cursors that callers make up: refused as no cursor of this call, on every engine."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest

from tests.support.running import Server, events
from tests.support.world import WIDE_CODE

ENGINES = ["sqlite", "postgres"]

CHANGES = "/v1/changes?limit=1&cursor="
EXPORT = f"/v1/opportunities?event_code={WIDE_CODE}&cursor="

TOO_LARGE = [-1, -(2**63) - 1, 2**63, 2**64, int("9" * 4_000), 10**300, 1.5, True, "1", "\u0661"]
BAD_TEXTS = ["a\0b", "\ud800", "x" * 100, "'; --", "\n", "\u0661" * 36]


def cursor(parts: Any) -> str:
    """A cursor as text, of parts or of the bytes below it."""
    data = parts if isinstance(parts, bytes) else json.dumps(parts).encode()
    return urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture(scope="module")
def database(server: Server) -> str:
    """The identity that cursors of the server's database have."""
    given = server.get("/v1/changes?cursor=now").json["Cursor"]
    parts = json.loads(urlsafe_b64decode(given + "=" * (-len(given) % 4)))
    assert parts[0] == "changes"
    return str(parts[1])


def is_refused(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.status == 400, (path[:200], answer.body)
    assert answer.json["type"] == "/problems/invalid-value"
    assert answer.json["errors"][0]["parameter"] == "cursor"
    assert not events(server, "fault")


@pytest.mark.parametrize("number", TOO_LARGE, ids=lambda one: str(one)[:12])
def test_a_number_that_no_engine_stores_is_refused(
    server: Server, database: str, number: Any
) -> None:
    """The number of a change, and the code of a type, in both kinds of cursors."""
    is_refused(server, CHANGES + cursor(["changes", database, None, number]))
    is_refused(server, CHANGES + cursor(["changes", database, number, 1]))
    is_refused(server, EXPORT + cursor(["export", database, WIDE_CODE, None, number, ""]))
    is_refused(server, EXPORT + cursor(["export", database, number, None, 0, ""]))


@pytest.mark.parametrize("text", BAD_TEXTS, ids=ascii)
def test_a_text_that_was_never_given_is_refused(server: Server, database: str, text: str) -> None:
    """The id behind which an export goes on, and the date since when it reads."""
    is_refused(server, EXPORT + cursor(["export", database, WIDE_CODE, None, 0, text]))
    is_refused(server, EXPORT + cursor(["export", database, WIDE_CODE, text, 0, ""]))


def test_a_cursor_that_is_nested_deeply_is_refused(server: Server, database: str) -> None:
    """Lists in lists, as the whole, as a part, behind all parts; with and without their ends."""
    begin = f'["changes","{database}",null,1,'.encode()
    for lists in (b"[" * 20_000, b'{"a":' * 9_000, b"[" * 9_000 + b"]" * 9_000):
        for data in (lists, begin + lists, begin + lists + b"]"):
            is_refused(server, CHANGES + cursor(data))
    is_refused(server, CHANGES + "A" * 60_000)


def test_the_ends_of_what_is_stored_are_taken(server: Server, database: str) -> None:
    """A number of a later state is gone, not malformed; 0 is the beginning."""
    last = cursor(["changes", database, None, 2**63 - 1])
    assert server.get(CHANGES + last).status == 410
    assert server.get(CHANGES + cursor(["changes", database, None, 0])).status == 200
