"""``GET /v1/changes`` over a socket: pages in the order of commits, cursors, refusals."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from oppserver.contract.model import DataType
from oppserver.store import Store, open_store
from tests.support.databases import database_of, execute, kept_in
from tests.support.running import Answer, Server, create_key, serving
from tests.support.stores import LATER, NOW, field, guid, lead, opportunity, owner

ENGINES = ["sqlite", "postgres"]

DEAL, OTHER = 12_000, 12_001


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, folder_engine: str) -> Path:
    """A folder with a database, which has two types."""
    folder = kept_in(tmp_path_factory.mktemp("changes"), folder_engine)
    store = open_store(database_of(folder))
    store.put_fields(
        [
            field(1, display_name="Deal size", data_type=DataType.NUMBER),
            field(2, event_code=OTHER),
        ]
    )
    store.close()
    return folder


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    """The database as another process has it, with no opportunity that was ever there."""
    for table in ("opportunity", "deleted_opportunity", "lead"):
        execute(folder, f"DELETE FROM {table}")
    execute(folder, "UPDATE change_counter SET last_number = 0, addresses_number = 0")
    opened = open_store(database_of(folder))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """A server over the database, with a reader's key."""
    with serving(folder, keys=create_key(folder, role="reader")) as running:
        yield running


def asked(server: Server, **query: Any) -> Answer:
    return server.get(f"/v1/changes?{urlencode(query)}")


def page(server: Server, **query: Any) -> Any:
    answer = asked(server, **query)
    assert answer.status == 200, answer.body
    message = answer.json
    assert message["RecordCount"] == len(message["Changes"])
    return message


def told(message: Any) -> list[tuple[str, str]]:
    return [(one["Change"], one["ProspectActivityId"]) for one in message["Changes"]]


def write(store: Store, *numbers: int, **values: Any) -> None:
    for number in numbers:
        store.write_opportunities([opportunity(number, **values)], now=NOW)


def refused(answer: Answer, status: int = 400) -> Any:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    [fault] = answer.json["errors"]
    return fault


def test_a_copy_is_made_and_kept(server: Server, store: Store) -> None:
    """Without a cursor everything comes; then, from cursor to cursor, what has changed."""
    write(store, 1, 2, 3, status="Open")
    first = page(server, limit=2)
    assert told(first) == [("Upserted", guid(1)), ("Upserted", guid(2))]
    assert first["HasMore"]
    second = page(server, cursor=first["Cursor"])
    assert told(second) == [("Upserted", guid(3))]
    assert not second["HasMore"]
    nothing = page(server, cursor=second["Cursor"])
    assert (nothing["Changes"], nothing["Cursor"]) == ([], second["Cursor"])
    write(store, 2, 2, 4, status="Won")
    store.delete_opportunities([guid(1)], now=LATER, by=None)
    third = page(server, cursor=second["Cursor"], columns="Status")
    assert third["Changes"] == [
        {
            "Change": "Upserted",
            "ProspectActivityId": guid(number),
            "EventCode": "12000",
            "Opportunity": {
                "ProspectId": lead(number),
                "EmailAddress": None,
                "ProspectActivityId": guid(number),
                "Status": "Won",
            },
        }
        for number in (2, 4)
    ] + [
        {
            "Change": "Deleted",
            "ProspectActivityId": guid(1),
            "EventCode": "12000",
            "DeletedOn": "3/1/2024 12:00:00 AM",
        }
    ]
    assert page(server, cursor=third["Cursor"])["Changes"] == []


def test_now_is_the_end(server: Server, store: Store) -> None:
    """``cursor=now`` begins without what is there, and misses nothing that comes."""
    write(store, 1)
    begun = page(server, cursor="now")
    assert (begun["Changes"], begun["HasMore"]) == ([], False)
    write(store, 2)
    assert told(page(server, cursor=begun["Cursor"])) == [("Upserted", guid(2))]


def test_changes_of_one_type(server: Server, store: Store) -> None:
    """Rows have all its columns; an opportunity that left the type is ``Moved``, and has no row."""
    write(store, 1, 2, slots={"mx_custom_1": "5"})
    write(store, 3, event_code=OTHER)
    of_deal = page(server, event_code=DEAL)
    assert told(of_deal) == [("Upserted", guid(1)), ("Upserted", guid(2))]
    row = of_deal["Changes"][0]["Opportunity"]
    assert (row["mx_Custom_1"], row["OwnerEmailAddress"]) == ("5", None)
    assert "mx_Custom_2" not in row
    write(store, 1, 4, event_code=OTHER)
    moved = page(server, event_code=DEAL, cursor=of_deal["Cursor"])
    assert moved["Changes"] == [
        {"Change": "Moved", "ProspectActivityId": guid(1), "EventCode": "12001"}
    ]
    assert page(server, event_code=DEAL, cursor=moved["Cursor"])["RecordCount"] == 0
    there = page(server, event_code=OTHER)
    assert [one for _, one in told(there)] == [guid(3), guid(1), guid(4)]


def test_changes_of_all_types_have_the_columns_that_all_types_have(
    server: Server, store: Store
) -> None:
    """And the fields of any type that are named; or no rows at all."""
    write(store, 1, slots={"mx_custom_1": "5"})
    write(store, 2, event_code=OTHER, slots={"mx_custom_2": "b"})

    def rows(**query: Any) -> list[Any]:
        return [one.get("Opportunity") for one in page(server, **query)["Changes"]]

    assert all("Status" in row and "mx_Custom_1" not in row for row in rows())
    named = rows(columns="mx_custom_2,MX_CUSTOM_1")
    assert [(row["mx_Custom_1"], row["mx_Custom_2"]) for row in named] == [("5", None), (None, "b")]
    assert rows(rows="false") == [None, None]


def test_lines_end_with_the_cursor(server: Server, store: Store) -> None:
    """NDJSON has a line for each change, and a last line with what the object has beside them."""
    write(store, 1, 2, note='},{"Change":"x"')
    keys = server.keys.headers
    headers = {**keys, "Accept": "application/x-ndjson"}
    answer = server.call("GET", "/v1/changes", headers=headers)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *lines, end = map(json.loads, answer.body.splitlines())
    message = page(server)
    assert lines == message.pop("Changes")
    assert end == {"End": message}
    answer = server.call("GET", "/v1/changes?cursor=now", headers=headers)
    assert [json.loads(line)["End"]["RecordCount"] for line in answer.body.splitlines()] == [0]
    refusal = server.call("GET", "/v1/changes", headers={**keys, "Accept": "text/csv"})
    assert refused(refusal, 406)["header"] == "Accept"


def test_an_owner_s_address_is_told_and_changes_no_opportunity(
    server: Server, store: Store
) -> None:
    """Whoever keeps addresses reads the users again."""
    write(store, 1, owner_id=owner(1), owner_email="a@example.com")
    begun = page(server)
    assert not begun["OwnerAddressesChanged"]
    write(store, 2, owner_id=owner(1), owner_email="b@example.com")
    changed = page(server, cursor=begun["Cursor"])
    assert told(changed) == [("Upserted", guid(2))]
    assert changed["OwnerAddressesChanged"]
    assert not page(server, cursor=changed["Cursor"])["OwnerAddressesChanged"]


def test_a_cursor_outlives_the_server(folder: Path, store: Store) -> None:
    """It is a place in the database, which any process on it knows."""
    write(store, 1)
    keys = create_key(folder, role="reader")
    with serving(folder, keys=keys) as server:
        cursor = page(server)["Cursor"]
    write(store, 2)
    with serving(folder, keys=keys) as server:
        assert told(page(server, cursor=cursor)) == [("Upserted", guid(2))]


def test_a_cursor_of_another_database_is_gone(server: Server, store: Store, folder: Path) -> None:
    """Also one of a state that a restored database does not have: the caller begins anew."""
    write(store, 1, 2)
    cursor = page(server)["Cursor"]
    execute(folder, "UPDATE change_counter SET last_number = 1")
    fault = refused(asked(server, cursor=cursor), 410)
    assert "restored" in fault["what"]
    assert fault["hint"] == "Begin anew: leave the cursor out."
    execute(folder, "UPDATE change_counter SET last_number = 9")
    assert page(server, cursor=cursor)["RecordCount"] == 0
    [(identity,)] = execute(folder, "SELECT id FROM database_identity")
    execute(folder, "UPDATE database_identity SET id = 'another'")
    answer = asked(server, cursor=cursor)
    execute(folder, "UPDATE database_identity SET id = :id", id=identity)
    assert "another database" in refused(answer, 410)["what"]
    assert answer.json["type"] == "/problems/cursor-gone"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"cursor": "eyJ"}, "cursor"),
    ({"cursor": "é"}, "cursor"),
    ({"cursor": "W10"}, "cursor"),
    ({"limit": "0"}, "limit"),
    ({"limit": "2001"}, "limit"),
    ({"limit": "many"}, "limit"),
    ({"rows": "maybe"}, "rows"),
    ({"since": "2024"}, "since"),
    ({"event_code": "12000", "columns": "Deal Size"}, "columns"),
    ({"columns": "mx_Custom_9"}, "columns"),
]


def test_a_bad_parameter_is_named(server: Server) -> None:
    """The error says what is wrong and what to do; unknown types are 400, missing keys 401."""
    for query, parameter in BAD:
        fault = refused(asked(server, **query))
        assert fault["parameter"] == parameter
        assert fault["hint"]
    answer = asked(server, event_code=5)
    assert (answer.status, answer.json["type"]) == (400, "/problems/unknown-event-code")
    assert refused(answer)["parameter"] == "event_code"
    assert server.call("GET", "/v1/changes").status == 401


def test_a_cursor_goes_on_with_its_type(server: Server, store: Store) -> None:
    """With another, what the cursor has passed over would be missing."""
    write(store, 1)
    of_all, of_deal = page(server)["Cursor"], page(server, event_code=DEAL)["Cursor"]
    for query in (
        {"cursor": of_all, "event_code": DEAL},
        {"cursor": of_deal},
        {"cursor": of_deal, "event_code": OTHER},
    ):
        assert "given with" in refused(asked(server, **query))["what"]
